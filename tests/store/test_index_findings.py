"""A full-text index that holds other words than its table is found, and made again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from mirrors import add_conversation, add_message, open_mirror

from mirror.store.health import index_findings, rebuild_indexes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as opened:
        add_conversation(opened, "c1", "A pinch of salt")
        for n in range(4):
            add_message(opened, "c1", f"n{n}", "Salt, flour and 京都 to taste.")
        rebuild_indexes(opened)
        yield opened


def spoil(conn: sqlite3.Connection, index: str, old: bytes, new: bytes) -> None:
    rows = conn.execute(f"SELECT id, block FROM {index}_data").fetchall()
    spoilt = [(row["block"].replace(old, new), row["id"]) for row in rows if old in row["block"]]
    assert spoilt
    conn.executemany(f"UPDATE {index}_data SET block = ? WHERE id = ?", spoilt)


@pytest.mark.parametrize("index", ["messages_fts", "conversations_fts"])
def test_a_word_of_which_one_bit_is_another(conn: sqlite3.Connection, index: str) -> None:
    """SQLite's own check adds up entries, and an even number of the same change comes to nothing."""
    assert index_findings(conn) == []
    spoil(conn, index, b"salt", b"salT")
    assert index_findings(conn) == [f"the search index {index} is out of step"]
    rebuild_indexes(conn)
    assert index_findings(conn) == []


def test_a_character_of_which_one_bit_is_another(conn: sqlite3.Connection) -> None:
    """An index without content cannot be compared by SQLite at all."""
    spoil(conn, "messages_cjk", "京".encode(), "亭".encode())
    assert index_findings(conn) == ["the search index messages_cjk is out of step"]
