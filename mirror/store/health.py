"""What SQLite itself can tell of a database's health: the file, references, and the full-text indexes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import suppress

from mirror.store.database import is_damage
from mirror.store.schema import dangling_references, table_names
from mirror.store.search import cjk

INDEXES = ("messages_fts", "conversations_fts", "files_fts", "file_texts_fts")
_CHARACTER_INDEXES = (cjk.TABLE, cjk.FILE_TABLE)


def file_findings(conn: sqlite3.Connection) -> list[str]:
    """Return what is wrong with the file and its references, as sentences."""
    rows = conn.execute("PRAGMA integrity_check").fetchall()
    found = [row["integrity_check"] for row in rows if row["integrity_check"] != "ok"]
    return found + dangling_references(conn)


def index_findings(conn: sqlite3.Connection) -> list[str]:
    """Return which full-text indexes do not hold what their tables do, as sentences; not those that are not there."""
    present = table_names(conn)
    broken = [index for index in INDEXES if index in present and not _index_is_whole(conn, index)]
    of_characters = present.intersection(_CHARACTER_INDEXES) if cjk.is_filled(conn) else ()
    broken += [index for index in of_characters if not (_index_is_whole(conn, index) and cjk.is_whole(conn, index))]
    return [f"the search index {index} is out of step" for index in broken]


def _index_is_whole(conn: sqlite3.Connection, index: str) -> bool:
    if is_read_only(conn):
        return _holds_the_same(conn, index)
    # Only rank = 1 compares the index with its table; the plain check passes on one that is out of step.
    try:
        conn.execute(f"INSERT INTO {index}({index}, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # of an index that cannot be opened
            raise
        return False
    return True


def is_read_only(conn: sqlite3.Connection) -> bool:
    """Tell whether the main database of a connection cannot be written by it."""
    try:
        conn.execute("SAVEPOINT asked")
        conn.execute("DELETE FROM _settings WHERE 0")
    except sqlite3.OperationalError as error:
        return bool(error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY)
    finally:
        with suppress(sqlite3.OperationalError):  # where Ctrl-C came before it was begun
            conn.execute("RELEASE asked")
    return False


# FTS5's own check is an INSERT, which a file that cannot be written refuses: so an index is made anew in a temporary
# database, and the two are compared word by word.
_WORDS = "SELECT term, count(*), sum(doc), sum(offset) FROM {0} GROUP BY term"


def _holds_the_same(conn: sqlite3.Connection, index: str) -> bool:
    if index in _CHARACTER_INDEXES:
        return True  # which of its texts it holds is compared by ``cjk.is_whole``
    made = conn.execute("SELECT sql FROM main.sqlite_master WHERE name = ?", (index,)).fetchone()["sql"]
    columns = ", ".join(row["name"] for row in conn.execute(f"PRAGMA table_info({index})"))
    try:
        conn.execute(re.sub(r'VIRTUAL TABLE \w+|content="\w+"', _as_copy, made))
        conn.execute(f"INSERT INTO temp.fresh(rowid, {columns}) SELECT rowid, {columns} FROM main.{index[:-4]}")
        conn.execute("CREATE VIRTUAL TABLE temp.fresh_words USING fts5vocab(fresh, instance)")
        conn.execute(f"CREATE VIRTUAL TABLE temp.kept_words USING fts5vocab(main, {index}, instance)")
        fresh, kept = _WORDS.format("temp.fresh_words"), _WORDS.format("temp.kept_words")
        sql = f"SELECT 1 FROM ({fresh} EXCEPT {kept}) UNION ALL SELECT 1 FROM ({kept} EXCEPT {fresh}) LIMIT 1"
        return conn.execute(sql).fetchone() is None
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        return False
    finally:
        for table in ("fresh_words", "kept_words", "fresh"):
            conn.execute(f"DROP TABLE IF EXISTS temp.{table}")


def _as_copy(match: re.Match[str]) -> str:
    return 'content=""' if match[0].startswith("content") else "VIRTUAL TABLE temp.fresh"


def rebuild_indexes(conn: sqlite3.Connection) -> None:
    """Make every full-text index anew from its table."""
    for index in INDEXES:
        conn.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
    cjk.fill(conn)
