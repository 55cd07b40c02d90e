"""What SQLite itself can tell of a database's health: the file, references, and the full-text indexes."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from mirror.store.index_comparison import holds_what_its_table_does
from mirror.store.schema import dangling_references, table_names
from mirror.store.search import cjk
from mirror.store.storage_errors import damage_of_file, full_code, is_damage, primary_code

INDEXES = ("messages_fts", "conversations_fts", "files_fts", "file_texts_fts")


def file_findings(conn: sqlite3.Connection) -> list[str]:
    """Return what is wrong with the file and its references, as sentences."""
    return damage_of_file(conn) + dangling_references(conn)


def index_findings(conn: sqlite3.Connection) -> list[str]:
    """Return which full-text indexes do not hold what their tables do, as sentences; not those that are not there."""
    present = table_names(conn)
    broken = [index for index in INDEXES if index in present and not _index_is_whole(conn, index)]
    of_characters = present.intersection(cjk.TABLES) if cjk.is_filled(conn) else ()
    broken += [index for index in of_characters if not _index_is_whole(conn, index)]
    return [f"the search index {index} is out of step" for index in broken]


def _index_is_whole(conn: sqlite3.Connection, index: str) -> bool:
    return (is_read_only(conn) or _is_consistent(conn, index)) and holds_what_its_table_does(conn, index)


def _is_consistent(conn: sqlite3.Connection, index: str) -> bool:
    # Its structure only; what is in it, ``index_comparison`` compares.
    try:
        conn.execute(f"INSERT INTO {index}({index}) VALUES ('integrity-check')")
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and full_code(error) != sqlite3.SQLITE_ERROR:  # of an index that cannot be opened
            raise
        return False
    return True


def is_read_only(conn: sqlite3.Connection) -> bool:
    """Tell whether the main database of a connection cannot be written by it."""
    try:
        conn.execute("SAVEPOINT asked")
        conn.execute("DELETE FROM _settings WHERE 0")
    except sqlite3.OperationalError as error:
        return primary_code(error) == sqlite3.SQLITE_READONLY
    finally:
        with suppress(sqlite3.OperationalError):  # where Ctrl-C came before it was begun
            conn.execute("RELEASE asked")
    return False


def rebuild_indexes(conn: sqlite3.Connection) -> None:
    """Make every full-text index anew from its table."""
    for index in INDEXES:
        conn.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
    cjk.fill(conn)
