"""Whether a full-text index holds what its table does.

FTS5's own check adds entries up, and the same change in an even number of them comes to nothing; and it compares an
index without content with nothing. So each index is made anew in a temporary database, beside a copy of the one that is
kept. In both the segments are merged into one, so that they are the same, byte for byte, if they hold the same.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager, suppress
from itertools import product, zip_longest
from typing import TYPE_CHECKING

from mirror.store.search import cjk
from mirror.store.storage_errors import is_damage, primary_code

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRESH, _KEPT = "fresh_index", "kept_index"
# The tables that FTS5 keeps an index in.
_PARTS = ("data", "idx", "docsize", "config")
# What FTS5 holds of the new index before it writes. By measurement: with its own 1 MB the index takes longer.
_HASH_BYTES = 8 << 20
# A row of no table. Each index gets it last, as a segment of its own, for a single segment is not merged, and FTS5
# cuts segments that it merges into other pages than new ones.
_LAST_ROW = (2**62, "end")

# What SQLite ends with for an index that cannot be opened, and one of which the list of segments is damaged.
_OF_AN_INDEX = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT})

# By the lengths of the texts and their sums finds are ranked.
_LENGTHS = "SELECT id, sz FROM temp.{0}_docsize"
_SUMS = "SELECT block FROM temp.{0}_data WHERE id = 1"
_PAGES = "SELECT block FROM temp.{0}_data WHERE id > 10 ORDER BY id"  # 10: which segments there are
# Where the pages differ, another program may only have set their size. Then each place of each term is compared, which
# takes several times as long. Terms as bytes: FTS5 cuts a word of more than 32 KB, also within a character.
_PLACES = "SELECT CAST(term AS BLOB), doc, col, offset FROM temp.{0}_places"


def holds_what_its_table_does(conn: sqlite3.Connection, index: str) -> bool:
    """Tell whether an index has the words of its table, no others, and each in its place."""
    try:
        if _are_unused(conn, index):
            return True
        with _both(conn, index):
            is_ranked_the_same = _are_the_same(conn, _LENGTHS) and _are_the_same(conn, _SUMS)
            return is_ranked_the_same and (_are_the_same(conn, _PAGES) or _have_the_same_words(conn))
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and primary_code(error) not in _OF_AN_INDEX:
            raise
        return False


def _are_unused(conn: sqlite3.Connection, index: str) -> bool:
    """Tell whether nothing is in a table and nothing ever was in its index: true of most, in a small mirror."""
    was_used = f"SELECT 1 FROM {index}_docsize UNION ALL SELECT 1 FROM {index}_data WHERE id <> 10 AND block <> x''"
    if conn.execute(was_used).fetchone():
        return False
    if index in cjk.TABLES:
        return next(cjk.rows(conn, index), None) is None
    return conn.execute(f"SELECT 1 FROM main.{index[:-4]}").fetchone() is None


@contextmanager
def _both(conn: sqlite3.Connection, index: str) -> Iterator[None]:
    _drop(conn)  # what a damaged index kept from being dropped
    try:
        names = [row["name"] for row in conn.execute(f"PRAGMA table_info({index})")]
        for name in (_FRESH, _KEPT):
            made = conn.execute("SELECT sql FROM main.sqlite_master WHERE name = ?", (index,)).fetchone()["sql"]
            made = re.sub(r'content="\w*"', 'content=""', made)
            conn.execute(re.sub(r"VIRTUAL TABLE \w+", f"VIRTUAL TABLE temp.{name}", made))
        _fill(conn, index, names)
        _copy(conn, index)
        for name in (_FRESH, _KEPT):
            conn.execute(f"INSERT INTO temp.{name}(rowid, {names[0]}) VALUES (?, ?)", _LAST_ROW)
            conn.execute(f"INSERT INTO temp.{name}({name}) VALUES ('optimize')")
        _write_out(conn)
        yield
    finally:
        _drop(conn)


def _drop(conn: sqlite3.Connection) -> None:
    for name, part in product((_FRESH, _KEPT), ("_places", "")):
        # After Ctrl-C a table may be in use, and one may be damaged; they end with the connection.
        with suppress(sqlite3.DatabaseError):
            conn.execute(f"DROP TABLE IF EXISTS temp.{name}{part}")


def _fill(conn: sqlite3.Connection, index: str, names: list[str]) -> None:
    columns = ", ".join(names)
    conn.execute(f"INSERT INTO temp.{_FRESH}({_FRESH}, rank) VALUES ('hashsize', ?)", (_HASH_BYTES,))
    conn.execute(f"INSERT INTO temp.{_FRESH}({_FRESH}, rank) VALUES ('automerge', 0)")  # all is merged once, in the end
    if index in cjk.TABLES:
        conn.executemany(f"INSERT INTO temp.{_FRESH}(rowid, {columns}) VALUES (?, ?)", cjk.rows(conn, index))
    else:
        conn.execute(f"INSERT INTO temp.{_FRESH}(rowid, {columns}) SELECT rowid, {columns} FROM main.{index[:-4]}")
    _write_out(conn)


def _copy(conn: sqlite3.Connection, index: str) -> None:
    for part in _PARTS:
        conn.execute(f"DELETE FROM temp.{_KEPT}_{part}")
        conn.execute(f"INSERT INTO temp.{_KEPT}_{part} SELECT * FROM main.{index}_{part}")


def _write_out(conn: sqlite3.Connection) -> None:
    """Let FTS5 write what it holds in memory, a segment and the sums, also inside a transaction."""
    conn.execute("SAVEPOINT written")
    conn.execute("RELEASE written")


def _have_the_same_words(conn: sqlite3.Connection) -> bool:
    for name in (_FRESH, _KEPT):
        conn.execute(f"CREATE VIRTUAL TABLE temp.{name}_places USING fts5vocab({name}, instance)")
    return _are_the_same(conn, _PLACES)


def _are_the_same(conn: sqlite3.Connection, query: str) -> bool:
    fresh, kept = (conn.execute(query.format(name)) for name in (_FRESH, _KEPT))
    return all(mine == theirs for mine, theirs in zip_longest(fresh, kept))
