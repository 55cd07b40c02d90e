"""What SQLite itself can tell of a database's health: the file, references, and the full-text indexes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from mirror.store.database import is_damage
from mirror.store.schema import dangling_references, table_names
from mirror.store.search import cjk

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    if is_read_only(conn):
        return _holds_the_same(conn, index, _PLACES)
    # Only rank = 1 compares the index with its table; the plain check passes on one that is out of step.
    try:
        conn.execute(f"INSERT INTO {index}({index}, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # of an index that cannot be opened
            raise
        return False
    return _holds_the_same(conn, index, _PLACES if index in _CHARACTER_INDEXES else _TERMS)


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


# FTS5's own check is an INSERT, which a file that cannot be written refuses. Its sum of all entries is weak: a term of
# which one bit changed is not seen where it has an even number of them. And it compares an index without content with
# nothing. So each index is made anew in a temporary database, and the two are compared term by term.
class _Comparison(NamedTuple):
    """A query over the vocabulary of an index, in the order of its terms; what an index lacks that serves it only."""

    sql: str
    vocabulary: str  # a type of fts5vocab
    option: str


_TERMS = _Comparison("SELECT term, doc FROM {0}", "row", ", detail=none")  # positions are left to FTS5's own check
_PLACES = _Comparison(
    "SELECT term, count(*), sum(doc), sum(offset) FROM {0} GROUP BY term ORDER BY term", "instance", ""
)


def _holds_the_same(conn: sqlite3.Connection, index: str, how: _Comparison) -> bool:
    made = conn.execute("SELECT sql FROM main.sqlite_master WHERE name = ?", (index,)).fetchone()["sql"]
    columns = [row["name"] for row in conn.execute(f"PRAGMA table_info({index})")]
    try:
        conn.execute(f"CREATE VIRTUAL TABLE temp.kept_words USING fts5vocab(main, {index}, {how.vocabulary})")
        if index in _CHARACTER_INDEXES and next(cjk.rows(conn, index), None) is None:  # true of most mirrors
            return conn.execute("SELECT 1 FROM temp.kept_words").fetchone() is None
        conn.execute(_as_copy(made, how.option))
        _fill_copy(conn, index, columns)
        conn.execute(f"CREATE VIRTUAL TABLE temp.fresh_words USING fts5vocab(fresh, {how.vocabulary})")
        both = (conn.execute(how.sql.format(f"temp.{table}")) for table in ("fresh_words", "kept_words"))
        return all(fresh == kept for fresh, kept in zip_longest(*both))
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        return False
    finally:
        with suppress(sqlite3.OperationalError):  # after Ctrl-C a table may be in use; they end with the connection
            for table in ("fresh_words", "kept_words", "fresh"):
                conn.execute(f"DROP TABLE IF EXISTS temp.{table}")


def _as_copy(made: str, option: str) -> str:
    """Return the statement that makes the same index, empty and without content, in the temporary database."""
    copied = re.sub(r'VIRTUAL TABLE \w+|content="\w*"', _copied, made)
    return f"{copied[: copied.rindex(')')]}{option})"


def _copied(match: re.Match[str]) -> str:
    return 'content=""' if match[0].startswith("content") else "VIRTUAL TABLE temp.fresh"


def _fill_copy(conn: sqlite3.Connection, index: str, columns: Sequence[str]) -> None:
    names = ", ".join(columns)
    if index in _CHARACTER_INDEXES:
        conn.executemany(f"INSERT INTO temp.fresh(rowid, {names}) VALUES (?, ?)", cjk.rows(conn, index))
    else:
        conn.execute(f"INSERT INTO temp.fresh(rowid, {names}) SELECT rowid, {names} FROM main.{index[:-4]}")


def rebuild_indexes(conn: sqlite3.Connection) -> None:
    """Make every full-text index anew from its table."""
    for index in INDEXES:
        conn.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
    cjk.fill(conn)
