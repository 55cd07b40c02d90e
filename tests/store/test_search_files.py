"""Search for files: by name, by prompt, and by what they say."""

from __future__ import annotations

import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from mirrors import START, add, add_conversation, add_message, open_mirror

from mirror.store import file_texts
from mirror.store.search.request import SearchLimits
from mirror.store.search.search import Filters, search, split_marks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as conn:
        yield conn


def add_file(conn: sqlite3.Connection, n: int, text: str = "", *talks: str, **more: Any) -> str:
    """A stored file, which the messages of these conversations show."""
    values = {"kind": "document", "state": "stored", "first_seen_at": START, "created_at": START} | more
    add(conn, "files", id=f"file_{n}", sha256=f"{n:064x}", provider="chatgpt", **values)
    file_texts.save(conn, f"{n:064x}", text, is_whole=True)
    for talk in talks:
        rowid = add_message(conn, talk, f"{talk}-{n}", "Look.")
        add(conn, "attachments", message_rowid=rowid, position=1, kind="file", file_id=f"file_{n}")
    return f"file_{n}"


def found(conn: sqlite3.Connection, words: str, **filters: Any) -> list[tuple[str, str]]:
    return [(hit.file_id, hit.kind) for hit in search(conn, words, Filters(**filters)).files]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("budget", "file name"),
        ("BUDGET csv", "file name"),
        ("budg*", "file name"),
        ("京都", "file name"),
        ("lighthouse storm", "prompt"),
        ("ovens", "file text"),
        ("oven", "file text"),
        ('"two ovens"', "file text"),
        ("東京", "file text"),
        ("python", "file text"),
        ("python 学习", "file text"),
        ("🦖", "file text"),
        ("invoice", None),
        ("budget -csv", None),
        ("ovens -学习", None),
        ("lighthouse -storm", None),
        ('"', None),
    ],
)
def test_each_kind_of_find(conn: sqlite3.Connection, words: str, kind: str | None) -> None:
    said = "We bought two ovens. 今日は東京駅 学习Python编程 🦖"
    add_file(conn, 1, said, name="Budget_2025 京都旅行.csv", prompt="A lighthouse in a storm")
    assert found(conn, words) == ([("file_1", kind)] if kind else [])


@pytest.mark.parametrize("words", ["한글보고서", "ガイド", "отчёт", "ガイド отчёт", "отчёт pdf -ケーキ"])
def test_names_as_macos_writes_them_are_found(conn: sqlite3.Connection, words: str) -> None:
    """There a letter with an accent is two characters; what is typed has one."""
    add_file(conn, 1, name=unicodedata.normalize("NFD", "한글보고서 ガイド отчёт.pdf"))
    add_file(conn, 2, name=unicodedata.normalize("NFD", "отчёт ケーキ.txt"))
    assert ("file_1", "file name") in found(conn, words)
    assert ("file_2", "file name") not in found(conn, words) or words == "отчёт"


def test_words_may_be_in_name_and_prompt(conn: sqlite3.Connection) -> None:
    """Also where one of them is inside a run of characters, and the other in a plain name."""
    add_file(conn, 1, name="plot.png", prompt="学习Python编程")
    add_file(conn, 2, name="plot.png")
    assert found(conn, "python plot") == found(conn, "plot 编程") == [("file_1", "file name")]
    assert found(conn, "plot -编程") == found(conn, "plot -🦖 -编程") == [("file_2", "file name")]


def test_long_words_are_no_error(conn: sqlite3.Connection) -> None:
    add_file(conn, 1, name="京都.csv")
    assert found(conn, "京" * 20_000) == found(conn, "x" * 60_000) == []


def test_a_file_leads_to_its_conversations_and_its_snippet_says_why(conn: sqlite3.Connection) -> None:
    for key in ("a", "b"):
        add_conversation(conn, key, f"Talk {key}")
    add_file(conn, 1, "x " * 5_000 + "the secret recipe" + " y" * 5_000, "a", "b", name="notes.txt")
    (hit,) = search(conn, "recipe").files
    assert {one.title for one in hit.conversations} == {"Talk a", "Talk b"}
    assert [piece for piece, is_match in split_marks(hit.snippet) if is_match] == ["recipe"]
    assert len(hit.snippet) < 400


@pytest.mark.parametrize(
    ("words", "elsewhere", "match"),
    [
        ("art", "party Party 7art start", "art"),
        ("art", "artist", "art"),
        ("art", "東京 party", "art"),
        ("oven", "proven", "ovens"),
        ("东京", "", "东京"),
        ("python", "xpython", "学习Python编程"),
        (".env", "xenv", ".env"),
        ("c++", "abc", "C++17"),
        ('"red art"', "tired art", "red art"),
        ("art*", "party", "artists"),
        ("art", "party", "my_art"),
    ],
)
def test_a_snippet_of_a_long_text_shows_the_match_and_no_other_word(
    conn: sqlite3.Connection, words: str, elsewhere: str, match: str
) -> None:
    add_conversation(conn, "a", "Talk")
    add_file(conn, 1, f"{elsewhere} " * 5 + "x " * 3_000 + match + " y" * 3_000, "a", name="notes.txt")
    (hit,) = search(conn, words).files
    marked = [piece for piece, is_match in split_marks(hit.snippet) if is_match]
    assert marked
    assert all(match.lower().find(piece.lower()) >= 0 for piece in marked)
    assert match in hit.snippet.replace("\x02", "").replace("\x03", "")


def test_a_limit_is_no_count(conn: sqlite3.Connection) -> None:
    for n in range(6):
        add_file(conn, n, "two ovens", name=f"{n}.txt")
    for most, is_exact in ((5, False), (7, True)):
        result = search(conn, "ovens", limits=SearchLimits(titles=most))
        assert (result.files_found, result.are_files_complete) == (min(most, 6), is_exact)


def test_the_best_of_each_index_are_as_good(conn: sqlite3.Connection) -> None:
    """How rare a word is in one index says nothing of how rare it is in the other."""
    add_file(conn, 1, "python", name="a.txt")
    add_file(conn, 2, "学习Python编程", name="b.txt")
    for n in range(10, 60):
        add_file(conn, n, f"nothing {n}", name=f"{n}.txt")
    for n in range(60, 63):
        add_file(conn, n, f"今日は{n}", name=f"{n}.txt")
    hits = search(conn, "python").files
    assert {hit.file_id for hit in hits} == {"file_1", "file_2"}
    assert hits[0].score == pytest.approx(hits[1].score)


@pytest.mark.parametrize(
    ("filters", "is_found"),
    [
        ({}, True),
        ({"since": "2025", "until": "2025"}, True),
        ({"since": "2026"}, False),
        ({"until": "2024"}, False),
        ({"project": "Bakery"}, True),
        ({"project": "Empty"}, False),
        ({"archived": True}, False),
        ({"archived": False}, True),
        ({"provider": "chatgpt"}, True),
        ({"provider": "claude"}, False),
        ({"kind": "file"}, True),
        ({"kind": "file text"}, True),
        ({"kind": "prompt"}, False),
        ({"kind": "code"}, False),
        ({"role": "user"}, False),
        ({"branches": "other"}, False),
        ({"branches": "all"}, True),
    ],
)
def test_filters(conn: sqlite3.Connection, filters: dict[str, Any], is_found: bool) -> None:
    for key in ("Bakery", "Empty"):
        add(conn, "projects", id=f"p-{key}", name=key)
    add_conversation(conn, "a", "Talk", project_id="p-Bakery", is_archived=0)
    add_file(conn, 1, "flour", "a", name="x.txt")
    add_file(conn, 2, "flour", name="y.txt", project_id="p-Bakery")
    ids = {file_id for file_id, _ in found(conn, "flour", **filters)}
    alone = {"file_2"} if filters.get("archived") is None else set()
    assert ids == ({"file_1"} | alone if is_found else set())


def test_the_best_come_first_and_the_newest_if_asked(conn: sqlite3.Connection) -> None:
    add_file(conn, 1, "rye rye rye", name="a.txt", created_at="2025-05-01T00:00:00.000Z")
    add_file(conn, 2, "nothing", name="rye.txt", created_at="2025-01-01T00:00:00.000Z")
    add_file(conn, 3, "rye and " + "words " * 300, name="c.txt", created_at="2025-06-01T00:00:00.000Z")
    assert [file_id for file_id, _ in found(conn, "rye")] == ["file_2", "file_1", "file_3"]
    assert [hit.file_id for hit in search(conn, "rye", latest=True, limit=2).files] == ["file_3", "file_1"]
    assert search(conn, "rye", limit=2).files_found == 3


def test_kinds_of_files_are_counted_among_the_facets(conn: sqlite3.Connection) -> None:
    add_file(conn, 1, "rye", name="rye.txt")
    add_file(conn, 2, "rye", name="b.txt")
    (facet,) = [facet for facet in search(conn, "rye", facets=True).facets if facet.name == "kind"]
    assert {value.value: value.count for value in facet.values} == {"file name": 1, "file text": 1}


def test_plain_sql_finds_what_files_say(conn: sqlite3.Connection) -> None:
    add_file(conn, 1, "two ovens", name="x.txt")
    sql = (
        "SELECT f.name FROM file_texts_fts JOIN file_texts t ON t.rowid = file_texts_fts.rowid"
        " JOIN files f USING (sha256) WHERE file_texts_fts MATCH 'oven'"
    )
    assert [row["name"] for row in conn.execute(sql)] == ["x.txt"]
