"""What SQLite itself can tell of a database's health: the file, references, and the full-text indexes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import suppress
from itertools import zip_longest

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
    broken += [index for index in of_characters if not _index_is_whole(conn, index)]
    return [f"the search index {index} is out of step" for index in broken]


def _index_is_whole(conn: sqlite3.Connection, index: str) -> bool:
    return (is_read_only(conn) or _is_consistent(conn, index)) and _holds_the_same(conn, index)


def _is_consistent(conn: sqlite3.Connection, index: str) -> bool:
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


# FTS5's own check is an INSERT, which a file that cannot be written refuses. Its sum of all entries is weak: the same
# change in an even number of them comes to nothing. And it compares an index without content with nothing. So each is
# made anew in a temporary database, and the two are compared: each term, with how many texts and places have it; all
# places together, in a sum to which each adds a part of its own; and the length of each text, by which finds are
# ranked. Terms as bytes: FTS5 cuts a word of more than 32 KB, also within a character.
_TERMS = "SELECT CAST(term AS BLOB), doc, cnt FROM temp.{0}_terms"
_PLACES = "SELECT sum((doc + col * 7919) * (offset + 1)) FROM temp.{0}_places"
_LENGTHS = "SELECT id, sz FROM {0}_docsize"
# What FTS5 holds of the new index before it writes. By measurement: with its own 1 MB the index takes longer.
_HASH_BYTES = 8 << 20


def _holds_the_same(conn: sqlite3.Connection, index: str) -> bool:
    try:
        _make_vocabularies(conn, "kept", f"main, {index}")
        if index in _CHARACTER_INDEXES and next(cjk.rows(conn, index), None) is None:  # true of most mirrors
            return conn.execute("SELECT 1 FROM temp.kept_terms").fetchone() is None
        made = conn.execute("SELECT sql FROM main.sqlite_master WHERE name = ?", (index,)).fetchone()["sql"]
        conn.execute(re.sub(r'VIRTUAL TABLE \w+|content="\w+"', _as_copy, made))
        conn.execute("INSERT INTO temp.fresh(fresh, rank) VALUES ('hashsize', ?)", (_HASH_BYTES,))
        _fill_copy(conn, index)
        _make_vocabularies(conn, "fresh", "fresh")
        queries = [(sql.format("fresh"), sql.format("kept")) for sql in (_TERMS, _PLACES)]
        queries.append((_LENGTHS.format("temp.fresh"), _LENGTHS.format(f"main.{index}")))
        return all(_gives_the_same(conn, fresh, kept) for fresh, kept in queries)
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        return False
    finally:
        with suppress(sqlite3.OperationalError):  # after Ctrl-C a table may be in use; they end with the connection
            for table in ("fresh_terms", "fresh_places", "kept_terms", "kept_places", "fresh"):
                conn.execute(f"DROP TABLE IF EXISTS temp.{table}")


def _make_vocabularies(conn: sqlite3.Connection, name: str, index: str) -> None:
    conn.execute(f"CREATE VIRTUAL TABLE temp.{name}_terms USING fts5vocab({index}, row)")
    conn.execute(f"CREATE VIRTUAL TABLE temp.{name}_places USING fts5vocab({index}, instance)")


def _gives_the_same(conn: sqlite3.Connection, one: str, other: str) -> bool:
    return all(mine == theirs for mine, theirs in zip_longest(conn.execute(one), conn.execute(other)))


def _as_copy(match: re.Match[str]) -> str:
    return 'content=""' if match[0].startswith("content") else "VIRTUAL TABLE temp.fresh"


def _fill_copy(conn: sqlite3.Connection, index: str) -> None:
    names = ", ".join(row["name"] for row in conn.execute(f"PRAGMA table_info({index})"))
    if index in _CHARACTER_INDEXES:
        conn.executemany(f"INSERT INTO temp.fresh(rowid, {names}) VALUES (?, ?)", cjk.rows(conn, index))
    else:
        conn.execute(f"INSERT INTO temp.fresh(rowid, {names}) SELECT rowid, {names} FROM main.{index[:-4]}")


def rebuild_indexes(conn: sqlite3.Connection) -> None:
    """Make every full-text index anew from its table."""
    for index in INDEXES:
        conn.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
    cjk.fill(conn)
