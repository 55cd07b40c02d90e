"""Search: whatever is typed, what is found, in which order."""

from __future__ import annotations

import random
import time
import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import add, add_conversation, add_message, open_mirror

from mirror.errors import UsageError
from mirror.store.conversation_list import ListFilters, conversation_list
from mirror.store.search import candidates
from mirror.store.search.dates import parse_period
from mirror.store.search.hints import hint_for
from mirror.store.search.query import Query, parse_words
from mirror.store.search.request import SearchLimits
from mirror.store.search.search import Filters, search, split_marks
from mirror.store.search.selection import selected

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as conn:
        yield conn


def found(conn: sqlite3.Connection, words: str, filters: Filters | None = None, **more: Any) -> list[str]:
    return [hit.conversation_id for hit in search(conn, words, filters, **more).hits]


def listed(conn: sqlite3.Connection, words: str) -> list[str]:
    return [one.id for one in conversation_list(conn, ListFilters(words=words), "updated", 9, 0).conversations]


def talk(conn: sqlite3.Connection, key: str, *texts: str, title: str | None = None, **more: Any) -> None:
    """Add a conversation whose messages alternate between person and service."""
    add_conversation(conn, key, title)
    for number, text in enumerate(texts):
        add_message(conn, key, f"n{number}", text, **{"role": ("user", "assistant")[number % 2], **more})


PIECES = [
    '"',
    "*",
    "-",
    "(",
    ")",
    "AND",
    "OR",
    "NOT",
    "NEAR",
    "^",
    ":",
    "+",
    "a",
    "bread",
    "東京",
    "\x00",
    "\\",
    "%",
    "'",
    "{",
]
SCRAPS = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES)).map(" ".join))


@given(words=SCRAPS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_typed_is_a_syntax_error(conn: sqlite3.Connection, words: str) -> None:
    """Any characters at all are a query to both indexes, or nothing to look for."""
    query = Query.of(conn, words)
    for table, expression in (*query.wanted, *query.unwanted):
        conn.execute(f"SELECT count(*) FROM {table} WHERE {table} MATCH ?", (expression,)).fetchall()


@given(words=SCRAPS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_search_fails(conn: sqlite3.Connection, words: str) -> None:
    """Search itself answers anything, too."""
    if not conn.execute("SELECT 1 FROM conversations").fetchone():
        talk(conn, "c1", "bread (from 東京) AND 100% a", "yes\\", title="Bread: a 'history'")
    search(conn, words)


def test_a_pasted_book_is_no_error(conn: sqlite3.Connection) -> None:
    """Thousands of words are cut to what an index can answer."""
    talk(conn, "c1", " ".join(f"word{n}" for n in range(5000)))
    assert found(conn, " ".join(f"word{n}" for n in range(5000))) == ["c1"]
    assert found(conn, "(" * 5000) == []


@pytest.mark.parametrize("words", ["", "  ", "!!! ... --", '""', '"', "*", "-", "-bread", '-"bread" -b*'])
def test_nothing_to_look_for_finds_nothing(conn: sqlite3.Connection, words: str) -> None:
    """Punctuation, or only words to leave out, is an empty answer."""
    talk(conn, "c1", "bread !!! ...")
    assert Query.of(conn, words).wanted == ()
    assert found(conn, words) == []


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("sourdough bread", ["c1"]),
        ('"rye bread"', ["c2"]),
        ("“rye bread”", ["c2"]),
        ('"bread rye', []),
        ("bre*", ["c1", "c2"]),
        ("bread -rye", ["c1"]),
        ('bread -"rye bread"', ["c1"]),
        ("baking", ["c1"]),  # the stem
        ("zurich", ["c2"]),  # without its dots
        ("don't", ["c1"]),
        ("SOURDOUGH", ["c1"]),
        ("OR", []),
    ],
)
def test_what_words_mean(conn: sqlite3.Connection, words: str, ids: list[str]) -> None:
    """All words, phrases, beginnings and exclusions, in any case, stemmed, without accents."""
    talk(conn, "c1", "I don't bake sourdough without bread flour")
    talk(conn, "c2", "Where is rye bread sold in Zürich?")
    assert sorted(found(conn, words)) == ids


BEGUN = (
    "organization organ electricity electric universities universe generalization general configuration authentication"
    " authentic happiness happy hopping hopper relational capability bus business but babysitter baby Résumés passing"
)


def test_beginnings_find_the_words_that_begin_so_and_no_others(conn: sqlite3.Connection) -> None:
    """An index holds stems, "organization" as "organ": neither does "organiz" begin so, nor do all "organ" with it."""
    words = BEGUN.split()
    for word in words:
        talk(conn, word, f"One {word}.")
    plain = {word: word.lower().replace("é", "e") for word in words}
    typed = {plain[word][:length] for word in words for length in range(2, len(word) + 1)}
    wrong = {
        beginning: (ids, begun)
        for beginning in sorted(typed)
        if (ids := sorted(found(conn, f"{beginning}*", limit=100)))
        != (begun := sorted(word for word in words if plain[word].startswith(beginning)))
    }
    assert wrong == {}


def test_beginnings_are_left_out_and_found_in_all_that_is_searched(conn: sqlite3.Connection) -> None:
    """Exclusions, phrases, titles, other words of the same message; the words as a page marks them."""
    talk(conn, "long", "The rye organization of bakers")
    talk(conn, "short", "A rye organ of bakers")
    talk(conn, "title", "nothing", title="Organizing bakers")
    talk(conn, "run", "bakers 学习organization编程")
    assert found(conn, "bakers -organiz*") == ["short"]
    assert sorted(found(conn, "bakers organiz*")) == ["long", "run", "title"]
    assert found(conn, '"rye organiz"*') == found(conn, "rye organiz") == ["long"]
    assert sorted(selected(conn, "organiz*", Filters())) == ["long", "run", "title"]
    hits = {hit.conversation_id: hit for hit in search(conn, "organiz*").hits}
    assert ("organization", True) in split_marks(hits["long"].passages[0].snippet)
    assert ("Organizing", True) in split_marks(hits["title"].marked_title)


@pytest.mark.parametrize("ranked", [20_000, 3])
def test_beginnings_are_found_among_many_other_words(conn: sqlite3.Connection, ranked: int) -> None:
    """However many messages have another word with the same stem, and even if only time orders them."""
    talk(conn, "c0", "an old organization")
    for number in range(1, 30):
        talk(conn, f"c{number}", "organ organ", created_at=f"2025-02-{number % 28 + 1:02}T00:00:00Z")
    limits = SearchLimits(ranked=ranked, first=2, first_newest=2)
    assert found(conn, "organiz*", limits=limits) == ["c0"]


@pytest.mark.parametrize("words", ["京都", "都", "ラーメン", "서울", "กรุงเทพ", "京都 ramen", "ramen -大阪"])
def test_words_in_scripts_without_spaces_are_found(conn: sqlite3.Connection, words: str) -> None:
    """One or more characters inside a run are found, alone and beside other words, and marked."""
    talk(conn, "c1", "ramen: 昨日京都でラーメンを食べた。서울에서 สวัสดีกรุงเทพฯ", title="x")
    talk(conn, "c2", "ramen: 大阪", title="y")
    result = search(conn, words)
    assert [hit.conversation_id for hit in result.hits] == ["c1"]
    assert words.split(maxsplit=1)[0] in [
        text for text, is_match in split_marks(result.hits[0].passages[0].snippet) if is_match
    ]


def test_unspaced_words_can_be_left_out(conn: sqlite3.Connection) -> None:
    """A minus works on them, too, and punctuation is no part of a word."""
    talk(conn, "c1", "京都_ある", title="x")
    talk(conn, "c2", "京都xない", title="y")
    assert found(conn, "京都 -ない") == ["c1"]
    assert found(conn, "京都 -rye") == ["c1", "c2"]
    assert found(conn, "京都%") == ["c1", "c2"]


def test_titles_and_own_prompts_come_first(conn: sqlite3.Connection) -> None:
    """A title says most, then what the person wrote, then answers, then what the service hides."""
    talk(conn, "hidden", "x", "a starter", is_hidden=1, role="tool", kind="output")
    talk(conn, "answer", "x", "a starter")
    talk(conn, "prompt", "a starter", "x")
    talk(conn, "title", "x", "y", title="A starter")
    talk(conn, "other", *["nothing of it"] * 20)
    result = search(conn, "starter")
    assert [hit.conversation_id for hit in result.hits] == ["title", "prompt", "answer", "hidden"]
    assert list(split_marks(result.hits[0].marked_title)) == [("A ", False), ("starter", True)]
    assert result.hits[0].passages == ()


def test_of_equals_the_newer_comes_first(conn: sqlite3.Connection) -> None:
    """Time breaks ties, gently; with ``latest`` it decides."""
    talk(conn, "old", "rye rye rye", created_at="2020-01-01T00:00:00.000Z")
    talk(conn, "new", "rye rye rye", created_at="2024-01-01T00:00:00.000Z")
    talk(conn, "newest", "x", "rye " + "and much else " * 50, created_at="2024-01-02T00:00:00.000Z")
    assert found(conn, "rye") == ["new", "old", "newest"]
    assert found(conn, "rye", latest=True) == ["newest", "new", "old"]
    assert found(conn, "rye", limit=1) == ["new"]


def test_other_branches_are_counted_and_shown_on_request(conn: sqlite3.Connection) -> None:
    """Other branches are counted; with the flag they are shown, after the visible ones."""
    talk(conn, "c1", "rye bread")
    add_message(conn, "c1", "gone", "rye rolls", position=None)
    talk(conn, "c2", "x")
    add_message(conn, "c2", "gone", "rye cake", position=None)
    result = search(conn, "rye")
    assert [hit.conversation_id for hit in result.hits] == ["c1"]
    assert (result.elsewhere, result.is_widened) == (2, False)
    result = search(conn, "rye", Filters(branches="all"))
    assert [hit.conversation_id for hit in result.hits] == ["c1", "c2"]
    assert [passage.is_on_visible_branch for passage in result.hits[0].passages] == [True, False]
    assert result.elsewhere == 0


def test_what_only_other_branches_hold_is_found_without_the_flag(conn: sqlite3.Connection) -> None:
    """Where nothing visible matches, other branches are searched, and the result says so."""
    talk(conn, "c1", "x")
    add_message(conn, "c1", "gone", "rye", position=None)
    result = search(conn, "rye")
    assert [hit.conversation_id for hit in result.hits] == ["c1"]
    assert result.is_widened
    assert not result.hits[0].passages[0].is_on_visible_branch


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (Filters(role="assistant"), ["c2"]),
        (Filters(kind="code"), ["c3"]),
        (Filters(model="o1"), ["c3"]),
        (Filters(project="the BAKERY"), ["c1"]),
        (Filters(project="g-p-1"), ["c1"]),
        (Filters(since="2024"), ["c2", "c3"]),
        (Filters(since="2024-05-02"), ["c3"]),
        (Filters(until="2024-05"), ["c1", "c2"]),
        (Filters(since="2024-05-01", until="2024-05-01"), ["c2"]),
        (Filters(provider="parrot"), ["c3"]),
        (Filters(provider="nobody"), []),
        (Filters(archived=True), ["c3"]),
        (Filters(archived=False), ["c1", "c2"]),
    ],
)
@pytest.mark.parametrize("ranked", [0, 2, 20_000])
def test_filters(conn: sqlite3.Connection, filters: Filters, ids: list[str], ranked: int) -> None:
    """Each filter leaves what it says, with few matches and with many, of which few or many pass."""
    add(conn, "projects", id="g-p-1", name="The bakery", url="u")
    add_conversation(conn, "c1", "x", project_id="g-p-1")
    add_message(conn, "c1", "n", "rye", created_at="2023-01-01T12:00:00.000Z")
    add_conversation(conn, "c2", "x")
    add_message(conn, "c2", "n", "rye", created_at="2024-05-01T12:00:00.000Z", role="assistant")
    add_conversation(conn, "c3", "x", is_archived=1, provider="parrot")
    add_message(conn, "c3", "n", "rye", created_at="2024-06-01T12:00:00Z", kind="code", model="o1")
    assert sorted(found(conn, "rye", filters, limits=SearchLimits(ranked=ranked))) == ids


def test_title_matches_obey_the_filters_too(conn: sqlite3.Connection) -> None:
    """A title is no message of a role, and belongs to its conversation's days."""
    add_conversation(conn, "c1", "Rye", updated_at="2024-01-01T12:00:00.000Z")
    assert found(conn, "rye", Filters(since="2024-01-01")) == ["c1"]
    assert found(conn, "rye", Filters(since="2024-01-02")) == []
    assert found(conn, "rye", Filters(role="user")) == []
    assert found(conn, "rye", Filters(archived=True)) == []


@pytest.mark.parametrize("date", ["yesterday", "2025-13", "2025-02-30", "", "10000", "0000", "2025-00"])
def test_a_wrong_date_is_said(conn: sqlite3.Connection, date: str) -> None:
    """What is no date is a usage error that shows how to write one."""
    talk(conn, "c1", "rye")
    with pytest.raises(UsageError, match="write it like"):
        search(conn, "rye", Filters(since=date))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_first_and_the_last_day_are_dates(
    conn: sqlite3.Connection, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People and programs write them for "from the beginning" and "for ever"."""
    talk(conn, "c1", "rye", created_at="9999-12-31T23:59:59.999Z")
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for first in ("0001", "0001-01", "0001-01-01", "0001-01-01T00:00:00", "0300"):
            for last in ("9999", "9999-12", "9999-12-31"):
                assert found(conn, "rye", Filters(since=first, until=last)) == ["c1"], (first, last)
                assert hint_for(conn, "rye", Filters(since=first, until=last)) is None
        assert found(conn, "rye", Filters(until="0001-01-01")) == []
    finally:
        monkeypatch.undo()
        time.tzset()


def test_days_months_and_years_end_where_they_end() -> None:
    """A month ends where the next begins; bounds sort before every stored form of that second."""
    assert parse_period("2024-02").end == parse_period("2024-03-01").begin
    assert parse_period("2024-12").end == parse_period("2025").begin
    assert parse_period("2024-12-31").end == parse_period("2025-01").begin
    moment = parse_period("2024-05-01T10:00:00Z").begin
    assert moment < "2024-05-01T10:00:00.000Z"
    assert moment < "2024-05-01T10:00:00Z"


def test_an_unknown_project_is_said(conn: sqlite3.Connection) -> None:
    """A misspelt project is not an empty answer."""
    with pytest.raises(UsageError, match="no project"):
        search(conn, "rye", Filters(project="Nope"))


def test_a_word_in_everything_is_answered_from_the_newest(conn: sqlite3.Connection) -> None:
    """Too many matches to rank: the newest by date count, though older ones were stored later."""
    limits = SearchLimits(ranked=10, first_newest=4)
    for year in range(2024, 2000, -1):
        talk(conn, f"c{year}", "the rye", created_at=f"{year}-01-01T00:00:00.000Z")
    result = search(conn, "the", limit=3, limits=limits)
    assert [hit.conversation_id for hit in result.hits] == ["c2024", "c2023", "c2022"]
    assert not result.is_complete
    assert len(found(conn, "the", limit=20, limits=limits)) == 20
    assert len(found(conn, "the", limit=100, limits=limits)) == 24


@pytest.mark.parametrize("filters", [Filters(), Filters(role="user"), Filters(since="2012"), Filters(branches="other")])
@pytest.mark.parametrize("seed", range(5))
def test_of_a_word_in_most_messages_the_newest_are_found(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, seed: int, filters: Filters
) -> None:
    """In whatever order they were stored, between messages that lack the word, have no date or no filter passes."""
    monkeypatch.setattr(candidates, "_GAP", seed)  # many parts of the index are read, and few
    chance = random.Random(seed)
    expected = []
    for number in range(400):
        date = f"{chance.randint(2000, 2024)}-01-{chance.randint(1, 28):02}T00:00:{number % 60:02}.{number:03}Z"
        created_at = date if chance.random() < 0.9 else None
        is_rare = seed % 2 and date > "2020"  # the newest messages are not as the others
        has_word, role = chance.random() < (0.3 if is_rare else 0.7), chance.choice(["user", "user", "assistant"])
        position = chance.choice([1, 1, None])
        add_conversation(conn, f"c{number}", "x")
        text = "the rye" if has_word else "a rye"
        add_message(conn, f"c{number}", "n", text, created_at=created_at, role=role, position=position)
        is_wanted = filters.role in {None, role} and (filters.branches == "visible" or position is None)
        if has_word and is_wanted and (not filters.since or (created_at or "") >= filters.since):
            expected.append((created_at or "", f"c{number}", position))
    newest = sorted(expected, reverse=True)[:40]
    shown = [key for _, key, position in newest if filters.branches == "other" or position is not None]
    result = search(
        conn, "the", filters, limit=10, latest=True, limits=SearchLimits(ranked=20, first=4, first_newest=40)
    )
    assert [hit.conversation_id for hit in result.hits] == shown[:10]
    assert (result.looked_at, result.elsewhere) == (len(shown), len(newest) - len(shown))
    assert not result.is_complete


def test_more_matches_are_fetched_until_there_are_enough(conn: sqlite3.Connection) -> None:
    """The best and the latest of many are found, also where filters leave few of them."""
    limits = SearchLimits(first=2)
    for number in range(12):
        talk(
            conn, f"c{number:02}", "rye " + "and " * number, title="x", created_at=f"2024-01-{number + 1:02}T00:00:00Z"
        )
    talk(conn, "gone", "x")
    add_message(conn, "gone", "n9", "rye", position=None)
    assert found(conn, "rye", limit=2, limits=limits)[0] in {"c00", "c01"}
    assert len(found(conn, "rye", limit=100, limits=limits)) == 12
    assert found(conn, "rye", limit=2, latest=True, limits=limits) == ["c11", "c10"]
    assert found(conn, "rye", Filters(since="2024-01-11", until="2024-01-11"), limits=limits) == ["c10"]


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        (
            "text",
            "# The market\n\n**Bake more rye.** So.\n\n| Loaf | Sold |\n|:-----|---:|\n| Rye | 41 |\n\n---\n\n> So",
            "The market Bake more rye. So. Loaf · Sold; Rye · 41; So",
        ),
        ("canvas", "```python\nrye(**loaf)\n```", "python rye(**loaf)"),
        ("text", "2 ** 3 and a|b, rye.__init__ **kw", "2 ** 3 and a|b, rye.__init__ **kw"),
        ("code", "# rye\n| a | b |\n---", "# rye | a | b | ---"),
    ],
)
def test_a_snippet_reads_as_a_line(conn: sqlite3.Connection, kind: str, text: str, line: str) -> None:
    """What draws a table or a heading is left out of one line; code is shown as it is."""
    talk(conn, "c1", text, kind=kind)
    (hit,) = search(conn, "rye").hits
    assert "".join(piece for piece, _ in split_marks(hit.passages[0].snippet)) == line
    assert any(is_match for _, is_match in split_marks(hit.passages[0].snippet))


def test_snippets_are_one_short_line_round_the_match(conn: sqlite3.Connection) -> None:
    """A match deep in a long text is shown with the words round it, in one short line."""
    talk(conn, "c1", "filler words " * 500 + "\n\nthe rye\n\nstarter " + "and more " * 500)
    talk(conn, "c2", "rye:" + "x" * 50_000)
    for hit in search(conn, "rye").hits:
        snippet = hit.passages[0].snippet
        assert ("rye", True) in list(split_marks(snippet))
        assert len(snippet) < 320
        assert "\n" not in snippet


def test_marks_in_the_text_itself_mislead_nobody() -> None:
    """Pieces are whole whatever control characters a message brings along."""
    assert list(split_marks("a\x03b\x02c\x02d")) == [("a", False), ("b", False), ("c", True), ("d", True)]


def test_words_are_understood() -> None:
    """Sign, quotes and star are taken off a word."""
    words = parse_words('-"no thanks" bre* node.js --verbose -5 -rye -京都 -🥖 ls -l')
    assert [(w.text, w.is_prefix, w.is_excluded) for w in words] == [
        ("no thanks", False, True),
        ("bre", True, False),
        ("node.js", False, False),
        ("--verbose", False, False),
        ("-5", False, False),
        ("rye", False, True),
        ("京都", False, True),
        ("🥖", False, True),
        ("ls", False, False),
        ("-l", False, False),
    ]


def test_a_pasted_text_excludes_nothing(conn: sqlite3.Connection) -> None:
    """What stands in a message is found by that message, though it has options of commands in it."""
    text = "Run `ls -lah /tmp` and `df -h`, then - if there is room - unpack it with tar -xzf and look at it again"
    talk(conn, "c1", text)
    assert found(conn, text) == ["c1"]
    assert found(conn, "df -h") == ["c1"]
    assert found(conn, "df -tmp") == []


@pytest.mark.parametrize(
    ("words", "text"), [("C++", "why C++ is slow"), (".env", "keep .env out"), ("c#", "in C# too")]
)
def test_symbols_count(conn: sqlite3.Connection, words: str, text: str) -> None:
    """Texts with a word and its symbols as typed come before those with its letters only."""
    talk(conn, "letters", "c env c env c env", title="x")
    talk(conn, "as typed", text + " and much more" * 20, title="y")
    assert found(conn, words) == ["as typed", "letters"]


def test_a_mirror_of_an_older_program_can_be_searched(conn: sqlite3.Connection) -> None:
    """Before the first new sync there is no index of characters: words are found, and whole runs."""
    talk(conn, "c1", "rye 京都")
    conn.execute("DELETE FROM _settings")
    conn.execute("DROP TABLE messages_cjk")
    assert found(conn, "rye") == ["c1"]
    assert found(conn, "rye 京都") == ["c1"]
    assert found(conn, "京") == []


@pytest.mark.parametrize(
    "words", ["🥖", "🥖 rolls", '"rolls 🥖"', "👍", "👍🏽", "🇩🇪", "❤", "rolls🥖", "京都🍜", "-rye 🥖"]
)
def test_emoji_are_found(conn: sqlite3.Connection, words: str) -> None:
    """An emoji is a word, alone, beside others and inside runs, in any skin tone, and marked."""
    talk(conn, "c1", "fresh rolls 🥖 for 🇩🇪 👍🏽 with ❤️", "昨日京都🍜でした", title="x")
    talk(conn, "c2", "rye rolls 🍞 for 🇫🇷", title="y")
    assert found(conn, words) == ["c1"]
    if words == "🥖":
        assert ("🥖", True) in list(split_marks(search(conn, words).hits[0].passages[0].snippet))


@pytest.mark.parametrize("words", ["제목", "ガイド", "отчёт", "résumé", "resume", "ΕΛΛΆΔΑ"])
def test_letters_in_two_characters_are_found_in_titles(conn: sqlite3.Connection, words: str) -> None:
    """MacOS writes names so; what is typed has each letter in one character."""
    talk(conn, "c1", "x", title=unicodedata.normalize("NFD", "한글제목 ガイド Отчёт план Résumé Ελλάδα"))
    talk(conn, "c2", "x", title=unicodedata.normalize("NFD", "한글 カイト план"))
    assert listed(conn, words) == ["c1"]
    assert found(conn, words) == ["c1"]


@pytest.mark.parametrize("words", ["中" * 20_000, "x" * 60_000, "x" * 60_000 + "*", f'-"{"中" * 20_000}" bread'])
def test_long_words_are_no_error(conn: sqlite3.Connection, words: str) -> None:
    """A text that was pasted may have no blank."""
    talk(conn, "c1", "bread 中", title="bread 中")
    assert found(conn, words) == (["c1"] if words.endswith("bread") else [])
    assert listed(conn, words) == []


def test_emoji_in_titles_are_found_and_left_out(conn: sqlite3.Connection) -> None:
    """A title may be a picture, and a minus works on it."""
    talk(conn, "c1", "x", title="🎂 Party")
    talk(conn, "c2", "x", title="Party")
    assert found(conn, "🎂") == ["c1"]
    assert found(conn, "party -🎂") == ["c2"]


def test_words_in_several_messages_or_the_title_are_found_together(conn: sqlite3.Connection) -> None:
    """Words in title and messages count together; conversations with only some stay out."""
    talk(conn, "right", "How much of it?", "250 g of butter, then fold", title="Croissants")
    talk(conn, "apart", "butter or oil?", "croissants need the first", title="x")
    talk(conn, "half", "butter", title="Toast")
    result = search(conn, "croissants butter")
    assert {hit.conversation_id for hit in result.hits} == {"right", "apart"}
    assert result.hits[0].conversation_id == "right"
    assert not result.is_partial
    assert ("butter", True) in list(split_marks(result.hits[0].passages[0].snippet))
    assert found(conn, "croissants butter -oil") == ["right"]


def test_all_words_in_one_message_go_before_words_apart(conn: sqlite3.Connection) -> None:
    """Few messages hold them all: conversations that hold them in several follow."""
    talk(conn, "apart", "rye", "starter", title="x")
    talk(conn, "together", "x", "a rye starter", title="y")
    assert found(conn, "rye starter") == ["together", "apart"]


def test_most_of_the_words_are_better_than_nothing(conn: sqlite3.Connection) -> None:
    """If none has all words, those with most of them are shown, and what each one lacks."""
    talk(conn, "c1", "which eyepiece is best for my telescope", title="x")
    talk(conn, "c2", "which oven is best for my bread", title="y")
    for number in range(20):
        talk(conn, f"z{number}", "is this for me", title="z")
    result = search(conn, "best eyepiece for saturn")
    assert [(hit.conversation_id, hit.missing) for hit in result.hits] == [("c1", ("saturn",))]
    assert result.is_partial
    assert found(conn, "saturn for") == []
    assert found(conn, "saturn", Filters(role="user")) == []


def test_a_word_that_is_found_nowhere_may_be_the_beginning_of_one(conn: sqlite3.Connection) -> None:
    """Half a word, or half of a compound; but never the beginning of what an index made of it."""
    talk(conn, "c1", "Brief an den Mühlenbetrieb", title="x")
    talk(conn, "c2", "y", title="Mühlenrad")
    assert sorted(found(conn, "mühlen")) == ["c1", "c2"]
    assert found(conn, "mühlen brief") == ["c1"]
    assert found(conn, "mu") == []
    talk(conn, "c3", "at dawn", title="z")
    assert found(conn, "dawes") == []


def test_partial_matches_obey_the_filters_and_counts(conn: sqlite3.Connection) -> None:
    """Branches, dates and facets apply to words in several messages, too."""
    talk(conn, "c1", "rye", "starter", title="x", model="o1")
    talk(conn, "c2", "rye", "starter", title="x", created_at="2020-01-01T00:00:00.000Z")
    talk(conn, "c3", "rye", title="x")
    add_message(conn, "c3", "gone", "starter", position=None)
    assert found(conn, "rye starter", Filters(since="2024")) == ["c1"]
    assert sorted(found(conn, "rye starter")) == ["c1", "c2"]
    assert sorted(found(conn, "rye starter", Filters(branches="all"))) == ["c1", "c2", "c3"]
    result = search(conn, "rye starter", Filters(since="2024"), facets=True)
    facets = {facet.name: {value.value: value.count for value in facet.values} for facet in result.facets}
    assert facets["role"] == {"user": 1, "assistant": 1}
    assert (result.looked_at, result.conversations, result.elsewhere) == (2, 1, 0)


@pytest.mark.parametrize("ranked", [10, 20_000])
def test_a_common_word_beside_a_rare_one_is_looked_up(conn: sqlite3.Connection, ranked: int) -> None:
    """Only the best messages of a common word are fetched; yet a conversation that has it counts."""
    talk(conn, "c1", "the flour", "zanzibar", title="x")
    for number in range(30):
        talk(conn, f"z{number}", "flour flour flour", title="z")
    assert found(conn, "flour zanzibar", limits=SearchLimits(per_word=2, ranked=ranked))[:1] == ["c1"]


def test_words_apart_on_the_visible_branch_go_before_another_branch(conn: sqlite3.Connection) -> None:
    """Words in two visible messages come before the same words in one message of another branch."""
    talk(conn, "c1", "rye", "starter", title="x")
    add_message(conn, "c1", "gone", "rye starter", position=None)
    result = search(conn, "rye starter")
    assert [hit.conversation_id for hit in result.hits] == ["c1"]
    assert all(passage.is_on_visible_branch for passage in result.hits[0].passages)
    assert (result.is_widened, result.elsewhere) == (False, 1)
    talk(conn, "c2", "barley", title="x")
    add_message(conn, "c2", "gone", "barley loaf", position=None)
    result = search(conn, "barley loaf")
    assert [hit.conversation_id for hit in result.hits] == ["c2"]
    assert (result.is_widened, result.is_partial, result.elsewhere) == (True, False, 0)


@pytest.mark.parametrize(
    "words", ["python", "Python 编程", "2024", "abc", "python iphone", '"学习python"', "python -java", "pyth*"]
)
def test_spaced_words_inside_a_run_are_found(conn: sqlite3.Connection, words: str) -> None:
    """Latin words and numbers between CJK characters, without a space, are words as well."""
    talk(conn, "c1", "学习Python编程。第2024年、我的iPhone手机、全角\uff21\uff22\uff23文字", title="x")
    talk(conn, "c2", "学习Java编程。第2023年", "pythons and iPhones", title="y")
    found_ids = found(conn, words)
    assert found_ids[:1] == ["c1"] or words == "pyth*"
    assert "c1" in found_ids
    passage = next(hit for hit in search(conn, words).hits if hit.conversation_id == "c1").passages[0]
    assert any(is_match for _, is_match in split_marks(passage.snippet)) or words == "abc"


def test_spaced_words_inside_a_run_are_found_in_titles(conn: sqlite3.Connection) -> None:
    """A title is a run, too; other titles that only hold the letters are not meant."""
    talk(conn, "c1", "教程", title="Python入门教程")
    talk(conn, "c2", "x", title="Snakes")
    assert found(conn, "python") == ["c1"]
    assert found(conn, "python -教程") == []


def test_very_many_finds_inside_runs_are_looked_at_where_there_are_few_others(conn: sqlite3.Connection) -> None:
    """Words that are nearly always part of a run are not lost for being many there."""
    for n in range(12):
        talk(conn, f"c{n}", f"第{2000 + n}年的Python编程", title="x")
    assert len(found(conn, "python", limit=20, limits=SearchLimits(ranked=5))) == 12


@pytest.mark.parametrize("beside", ["東京", "\ufb01ne", "na\u200bme", "\uff41"])
def test_other_forms_of_a_word_are_left_out_beside_what_one_index_cannot_read(
    conn: sqlite3.Connection, beside: str
) -> None:
    """Stems and accents are only in the index of words, and the text is found in that of characters."""
    talk(conn, "c1", f"oven {beside} starters")
    talk(conn, "c2", f"oven {beside} \u00fcber")
    talk(conn, "c3", f"oven {beside} plain")
    assert found(conn, "oven -starter -uber") == ["c3"]
