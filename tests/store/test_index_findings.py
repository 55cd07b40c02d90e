"""A full-text index that holds other words than its table is found, and made again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from mirrors import add_conversation, add_message, open_mirror

from mirror.store.health import index_findings, rebuild_indexes
from mirror.store.search import cjk

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as opened:
        add_conversation(opened, "c1", "A pinch of salt")
        for n in range(4):
            add_message(opened, "c1", f"n{n}", "Salt, flour and 京都 to taste.")
        rebuild_indexes(opened)
        yield opened


def findings(conn: sqlite3.Connection) -> list[str]:
    """Look at the indexes outside of a transaction and inside one, in which FTS5 writes later."""
    outside = index_findings(conn)
    with closing(conn.cursor()) as cursor:
        cursor.execute("SAVEPOINT looking")
        assert index_findings(conn) == outside
        cursor.execute("ROLLBACK TO looking")
        cursor.execute("RELEASE looking")
    return outside


def spoil(conn: sqlite3.Connection, index: str, old: bytes, new: bytes) -> None:
    rows = conn.execute(f"SELECT id, block FROM {index}_data").fetchall()
    spoilt = [(row["block"].replace(old, new), row["id"]) for row in rows if old in row["block"]]
    assert spoilt
    conn.executemany(f"UPDATE {index}_data SET block = ? WHERE id = ?", spoilt)


@pytest.mark.parametrize("index", ["messages_fts", "conversations_fts"])
def test_a_word_of_which_one_bit_is_another(conn: sqlite3.Connection, index: str) -> None:
    """SQLite's own check adds up entries, and an even number of the same change comes to nothing."""
    assert findings(conn) == []
    spoil(conn, index, b"salt", b"salT")
    assert findings(conn) == [f"the search index {index} is out of step"]
    rebuild_indexes(conn)
    assert findings(conn) == []


def test_a_character_of_which_one_bit_is_another(conn: sqlite3.Connection) -> None:
    """An index without content cannot be compared by SQLite at all."""
    spoil(conn, "messages_cjk", "京".encode(), "亭".encode())
    assert findings(conn) == ["the search index messages_cjk is out of step"]


@pytest.mark.parametrize("word", ["哈" * 10_923, "ก" * 12_000, "ж" * 16_500, "a" * 100_000])
def test_a_word_that_is_cut_in_the_index_is_no_damage(conn: sqlite3.Connection, word: str) -> None:
    """FTS5 cuts it at 32,768 bytes, which may be within a character."""
    add_message(conn, "c1", "long", word)
    rebuild_indexes(conn)
    assert findings(conn) == []


@pytest.mark.parametrize("index", ["messages_fts", "messages_cjk"])
@pytest.mark.parametrize(
    "sql", ["DELETE FROM {0}_docsize WHERE id = (SELECT max(id) FROM {0}_docsize)", "UPDATE {0}_docsize SET sz = x'7f'"]
)
def test_a_length_by_which_finds_are_ranked(conn: sqlite3.Connection, index: str, sql: str) -> None:
    """Without it SQLite calls the index malformed in the middle of a search."""
    conn.execute(sql.format(index))
    assert findings(conn) == [f"the search index {index} is out of step"]
    rebuild_indexes(conn)
    assert findings(conn) == []


def test_any_bit_that_changes_what_is_found(conn: sqlite3.Connection) -> None:
    """Two of each byte; also where two places of a word move alike, so that only phrases are lost."""
    places = "SELECT * FROM temp.places"
    conn.execute("CREATE VIRTUAL TABLE temp.places USING fts5vocab(main, messages_fts, instance)")
    before = conn.execute(places).fetchall()
    rows = conn.execute("SELECT id, block FROM messages_fts_data WHERE id > 10").fetchall()
    for row in rows:
        for at in range(len(row["block"])):
            for bit in (at % 7, (at + 3) % 7):
                block = bytearray(row["block"])
                block[at] ^= 1 << bit
                conn.execute("SAVEPOINT tried")
                conn.execute("UPDATE messages_fts_data SET block = ? WHERE id = ?", (bytes(block), row["id"]))
                try:
                    is_changed = conn.execute(places).fetchall() != before
                except sqlite3.DatabaseError:
                    is_changed = False
                assert not is_changed or findings(conn), (row["id"], at, bit)
                conn.execute("ROLLBACK TO tried")
                conn.execute("RELEASE tried")


def test_pages_of_another_size_are_no_damage(conn: sqlite3.Connection) -> None:
    """Another program may set it; then the pages of two indexes that hold the same are not the same."""
    conn.execute("INSERT INTO messages_fts(messages_fts, rank) VALUES ('pgsz', 64)")
    for n in range(40):
        add_message(conn, "c1", f"more{n}", f"Salt and flour, number {n}.")
    assert len(conn.execute("SELECT 1 FROM messages_fts_data").fetchall()) > 20
    assert findings(conn) == []
    spoil(conn, "messages_fts", b"salt", b"salT")
    assert findings(conn) == ["the search index messages_fts is out of step"]


def test_texts_that_have_changed_places(conn: sqlite3.Connection) -> None:
    """Each term is in as many texts as before, and at the same places, but of another text."""
    rowids = [add_message(conn, "c1", f"odd{n}", f"Salt and {word}.") for n, word in enumerate(("rye", "oats"))]
    for rowid, text in zip(rowids, ("Salt and oats.", "Salt and rye."), strict=True):
        held = "SELECT 'delete', rowid, text FROM messages WHERE rowid = ?"
        conn.execute(f"INSERT INTO messages_fts(messages_fts, rowid, text) {held}", (rowid,))
        conn.execute("INSERT INTO messages_fts(rowid, text) VALUES (?, ?)", (rowid, text))
    assert findings(conn) == ["the search index messages_fts is out of step"]


def test_sums_by_which_finds_are_ranked(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE messages_fts_data SET block = x'0404' WHERE id = 1")
    assert findings(conn) == ["the search index messages_fts is out of step"]


def test_an_index_that_was_changed_many_times_is_whole(conn: sqlite3.Connection) -> None:
    """Its segments hold what was added and taken away since."""
    for n in range(40):
        rowid = add_message(conn, "c1", f"more{n}", f"Salt, flour and number {n}.")
        conn.execute("UPDATE messages SET text = ? WHERE rowid = ?", (f"Water and number {n + 1}.", rowid))
        if n % 3 == 0:
            conn.execute("DELETE FROM messages WHERE rowid = ?", (rowid,))
    assert findings(conn) == []


@pytest.mark.parametrize("index", ["messages_fts", "conversations_fts"])
def test_any_bit_of_the_list_of_segments(conn: sqlite3.Connection, index: str) -> None:
    """Whatever FTS5 makes of it, it ends no check."""
    for n in range(40):  # several segments
        add_message(conn, add_conversation(conn, f"c1{n}", f"Rye {n}"), "n", f"number {n}")
    block = conn.execute(f"SELECT block FROM {index}_data WHERE id = 10").fetchone()["block"]
    for bit in range(8 * len(block)):
        spoilt = bytearray(block)
        spoilt[bit // 8] ^= 1 << bit % 8
        conn.execute("SAVEPOINT tried")
        conn.execute(f"UPDATE {index}_data SET block = ? WHERE id = 10", (bytes(spoilt),))
        assert set(index_findings(conn)) <= {f"the search index {index} is out of step"}, bit
        conn.execute("ROLLBACK TO tried")
        conn.execute("RELEASE tried")


def test_an_empty_index(conn: sqlite3.Connection) -> None:
    conn.execute("DELETE FROM messages")
    cjk.fill(conn)  # which no trigger keeps
    assert findings(conn) == []
    conn.execute("INSERT INTO messages_fts(rowid, text) VALUES (77, 'a ghost')")
    assert findings(conn) == ["the search index messages_fts is out of step"]


@pytest.mark.parametrize(
    ("index", "change"),
    [
        ("files_fts", "INSERT INTO files_fts(rowid, name) VALUES (5, 'a ghost')"),
        ("file_texts_cjk", "INSERT INTO file_texts_cjk(rowid, text) VALUES (5, '京 都')"),
        ("messages_fts", "DROP TRIGGER messages_ai"),
        ("messages_cjk", "UPDATE messages SET text = '京都'"),
    ],
)
def test_an_index_that_nothing_was_written_to(index: str, change: str) -> None:
    """It is not made anew; that one of the two has something is seen all the same."""
    with closing(open_mirror()) as conn:
        add_conversation(conn, "c1", "A pinch of salt")
        assert findings(conn) == []
        if index == "messages_cjk":
            add_message(conn, "c1", "n1", "Salt")
        conn.execute(change)
        if index == "messages_fts":
            add_message(conn, "c1", "n1", "Salt")
        assert f"the search index {index} is out of step" in findings(conn)
