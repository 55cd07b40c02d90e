"""What SQLite itself can tell of a database's health: the file, references, and the full-text indexes."""

from __future__ import annotations

import sqlite3

from mirror.store.database import is_damage
from mirror.store.search import cjk

INDEXES = ("messages_fts", "conversations_fts", "files_fts")


def file_findings(conn: sqlite3.Connection) -> list[str]:
    """Return what is wrong with the file and its references, as sentences."""
    rows = conn.execute("PRAGMA integrity_check").fetchall()
    found = [row["integrity_check"] for row in rows if row["integrity_check"] != "ok"]
    dangling = conn.execute("PRAGMA foreign_key_check").fetchall()
    return found + [f"{row['table']} row {row['rowid']} points to nothing" for row in dangling]


def index_findings(conn: sqlite3.Connection) -> list[str]:
    """Return which full-text indexes do not hold what their tables do, as sentences."""
    broken = [index for index in INDEXES if not _index_is_whole(conn, index)]
    if cjk.is_filled(conn) and not (_index_is_whole(conn, cjk.TABLE) and cjk.is_whole(conn)):
        broken.append(cjk.TABLE)
    return [f"the search index {index} is out of step" for index in broken]


def _index_is_whole(conn: sqlite3.Connection, index: str) -> bool:
    # Only rank = 1 compares the index with its table; the plain check passes on one that is out of step.
    try:
        conn.execute(f"INSERT INTO {index}({index}, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return False
    return True


def rebuild_indexes(conn: sqlite3.Connection) -> None:
    """Make every full-text index anew from its table."""
    for index in INDEXES:
        conn.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
    cjk.fill(conn)
