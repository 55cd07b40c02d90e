"""The index of characters: what is in it, and that it stays up to date with the texts."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mirrors import add_conversation, add_message, open_mirror

from mirror.store.health import index_findings
from mirror.store.search import cjk
from mirror.store.search.search import search
from mirror.store.settings import remember

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

RUN = st.text(alphabet="日本語京都東a1 、", min_size=1, max_size=30)


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as conn:
        add_conversation(conn, "c1", "x")
        yield conn


def found(conn: sqlite3.Connection, words: str) -> list[str]:
    return [passage.id for hit in search(conn, words).hits for passage in hit.passages]


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("日本語", "日 本 語"),
        ("カレーの作り方", "カ レ ー の 作 り 方"),
        ("ｶﾚｰ", "カ レ ー"),  # half-width kana are the same letters
        ("한국어", "한 국 어"),
        ("\u1112\u1161\u11ab", "한"),  # letters that make one syllable
        ("ที่นี่", "ที่ นี่"),  # vowel and tone stay with their letter
        ("ភាសាខ្មែរ", "ភា សា ខ្ មែ រ"),
        ("𠮷𠀋野家", "𠮷 𠀋 野 家"),
        ("ລາວ", "ລ າ ວ"),
        ("iPhone手机4s", "iPhone 手 机 4s"),
        ("日本👍🏽", "日 本 u1f44d"),
        ("plain words 👍🏽❤️", "u1f44d u2764"),
        ("🇩🇪", "u1f1e9 u1f1ea"),
        ("naïve “text” ½ Ünïcode", ""),
        ("a\u200cb 👩\u200d🚀", "u1f469 u1f680"),  # joiners disguise nothing
        ("The oﬃce so\u00adft 👍", "The office soft u1f44d"),
        ("ｐｙｔｈｏｎ３ 𝐛𝐨𝐥𝐝 na\u200bme", "python3 bold name"),  # noqa: RUF001 - the disguise
    ],
)
def test_what_is_indexed(text: str, apart: str) -> None:
    """CJK characters are words, emoji are words by number, other texts are not indexed."""
    assert " ".join(cjk.index_form(text).split()) == apart
    assert cjk.is_indexed(text) is bool(apart)


@settings(max_examples=60)
@given(text=RUN, start=st.integers(0, 29), length=st.integers(1, 4))
def test_every_piece_of_a_run_is_found_and_nothing_else(text: str, start: int, length: int) -> None:
    """A word of any length inside a run is found; characters that are not neighbours are no word."""
    piece = text[start : start + length].strip()
    with closing(open_mirror()) as conn:
        add_conversation(conn, "c1", "x")
        add_message(conn, "c1", "n1", text)
        add_message(conn, "c1", "n2", "什么")
        if piece and cjk.has_cjk(piece) and piece.isalnum():
            is_whole = not piece[0].isascii() and not piece[-1].isascii()
            assert not is_whole or found(conn, piece) == ["n1"]
            assert found(conn, f'"{piece[0]}什"') == []


@pytest.mark.parametrize("words", ["office", "oﬃce", "soft name", '"bold python"', "pyth*", "Office ｎａｍｅ"])  # noqa: RUF001 - the disguise
def test_words_in_disguise_are_found(words: str) -> None:
    """Ligatures, soft hyphens, zero-width spaces, letters of full width and mathematical ones; typed either way."""
    said = "An oﬃce, so\u00adft 𝐛𝐨𝐥𝐝 ｐｙｔｈｏｎ na\u200bme"  # noqa: RUF001 - the disguise
    with closing(open_mirror()) as conn:
        add_conversation(conn, "c1", "x")
        add_message(conn, "c1", "n1", said)
        add_conversation(conn, "c2", f"Title: {said}")
        plain = add_message(conn, "c2", "n2", "An office, soft bold python name")
        (disguised, with_title), none = search(conn, words).hits, search(conn, f"{words} -soft").hits
        assert {passage.id for hit in (disguised, with_title) for passage in hit.passages} == {"n1", "n2"}
        assert all("\x02" in passage.snippet for passage in disguised.passages + with_title.passages)
        assert none == ()
        conn.execute("DELETE FROM messages WHERE rowid = ?", (plain,))
        assert len(search(conn, words).hits) == 2  # the title alone


def is_whole(conn: sqlite3.Connection) -> bool:
    return not any("cjk" in finding for finding in index_findings(conn))


def test_the_index_stays_up_to_date(conn: sqlite3.Connection) -> None:
    """A text that changed is found by its new words and no longer by its old ones."""
    rowid = add_message(conn, "c1", "n1", "京都")
    for old, new in (("京都", "大阪 🍜"), ("大阪 🍜", "plain"), ("plain", "名古屋")):
        conn.execute("UPDATE messages SET text = ? WHERE rowid = ?", (new, rowid))
        cjk.update(conn, [(rowid, old, new)])
        assert is_whole(conn)
        assert found(conn, old) == []
        assert found(conn, new.split()[0]) == ["n1"]
    conn.execute("DELETE FROM messages")
    cjk.update(conn, [(rowid, "名古屋", "")])
    assert is_whole(conn)


def test_an_index_out_of_step_is_noticed_and_filled(conn: sqlite3.Connection) -> None:
    """A text that is missing from the index, and one that is too many in it, are noticed."""
    conn.execute(
        "INSERT INTO messages (conversation_id, id, text, kind, position) VALUES ('c1', 'n1', '京都', 'text', 1)"
    )
    assert not is_whole(conn)
    cjk.fill(conn)
    assert is_whole(conn)
    assert conn.execute("SELECT rowid FROM messages_cjk WHERE messages_cjk MATCH '\"京 都\"'").fetchone()
    for other in ("大 阪", "plain"):
        conn.execute("UPDATE messages SET text = ?", (other,))
        assert not is_whole(conn)


def test_a_mirror_that_an_earlier_version_filled_is_searched(conn: sqlite3.Connection) -> None:
    """What that version indexed is found before anything writes to the mirror; in one without an index, whole runs."""
    add_message(conn, "c1", "m1", text="日本語で星の話")
    remember(conn, "cjk", 3)
    assert found(conn, "日本") == ["m1"]
    for none in (2, "x", None):
        remember(conn, "cjk", none)
        assert found(conn, "日本") == []
        assert found(conn, "日本語で星の話") == ["m1"]
