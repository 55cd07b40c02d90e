"""Hashes of the rows that no payload gives: what damage to them cannot be derived from.

Messages, links and attachments are compared with their payloads, payloads with their own hash. All other rows are
hashed here, but those that only count what answers were made of. Temporary triggers, which only the writing connection
has, note which rows a transaction touches; before it commits, these are hashed. So a row that is changed by anything
else, a disk or another program, does not match.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from mirror.store.columns import COLUMNS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping

# Table -> the columns of its key. A table that comes in needs a migration, after which all rows are hashed anew.
HASHED = {
    "accounts": ("id",),
    "projects": ("id",),
    "gpts": ("id",),
    "conversations": ("id",),
    "files": ("id",),
    "file_texts": ("sha256",),
    "memories": ("rowid",),
    "instructions": ("rowid",),
    "sync_runs": ("id",),
    "changes": ("id",),
    "_payloads": ("id",),
    "_listed": ("conversation_id",),
    "_scopes": ("account_id", "scope"),
    "_settings": ("key",),
    "_file_fetches": ("file_id",),
}
_READ_AGAIN = frozenset({"file_texts"})  # the bytes of the files say the same
BYTES = 16  # of a hash that are kept: enough against accidents, and half the size
_SURROGATE = re.compile("[\ud800-\udfff]")
_HAS_OWN_HASH = {"_payloads": "body"}
_SAVE = (
    "INSERT INTO _row_hashes (table_name, row_key, hash) VALUES (?, ?, ?)"
    " ON CONFLICT (table_name, row_key) DO UPDATE SET hash = excluded.hash"
)


def watch(conn: sqlite3.Connection) -> None:
    """Note from now on which rows this connection touches."""
    conn.execute("CREATE TEMP TABLE touched (table_name TEXT, row_key TEXT)")
    for table in HASHED:
        for event, rows in (("INSERT", ("new",)), ("UPDATE", ("old", "new")), ("DELETE", ("old",))):
            notes = " ".join(f"INSERT INTO touched VALUES ('{table}', {_key(table, row)});" for row in rows)
            conn.execute(f"CREATE TEMP TRIGGER touched_{table}_{event} AFTER {event} ON main.{table} BEGIN {notes} END")


def update(conn: sqlite3.Connection) -> None:
    """Hash the rows that were touched, inside the transaction that touched them."""
    with any_text(conn):
        touched = conn.execute("SELECT DISTINCT table_name, row_key FROM touched").fetchall()
    if not touched:
        return
    hashes, gone = [], []
    for table, key in touched:
        if key is None or not is_utf8(key):
            continue  # of a damaged key, under which no row was ever hashed
        found = next(_hashes(conn, table, key), None)
        if found is None:
            gone.append((table, key))
        else:
            hashes.append((table, *found))
    conn.executemany(_SAVE, hashes)
    conn.executemany("DELETE FROM _row_hashes WHERE table_name = ? AND row_key = ?", gone)
    conn.execute("DELETE FROM touched")


def save(conn: sqlite3.Connection, table: str, hashes: Iterable[tuple[str, bytes]]) -> None:
    """Keep hashes of a table's rows, each with the row's key."""
    conn.executemany(_SAVE, ((table, key, digest) for key, digest in hashes))


def accept_all(conn: sqlite3.Connection) -> None:
    """Hash every row as it is now; those of messages, which their payloads give, keep the hash that they have."""
    for table in HASHED:
        conn.execute("DELETE FROM _row_hashes WHERE table_name = ?", (table,))
        save(conn, table, _hashes(conn, table))


def is_empty(conn: sqlite3.Connection) -> bool:
    """Tell whether no row has been hashed yet: the mirror was made by an older version, or by hand."""
    return conn.execute("SELECT 1 FROM _row_hashes").fetchone() is None


def differing(conn: sqlite3.Connection, table: str) -> list[str]:
    """Return the keys of a table's rows that are not as this program wrote them, or are gone."""
    return [] if is_empty(conn) else list(_differing_keys(conn, table))


def differing_rows(conn: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return table and rowid of each row that is not as this program wrote it."""
    found = []
    for table in () if is_empty(conn) else HASHED:
        changed = {key for key, is_gone in _differing_keys(conn, table).items() if not is_gone}
        with any_text(conn):
            rows = conn.execute(f"SELECT {_key(table)} AS _key, rowid AS _row FROM {table}").fetchall()
        found += [(table, row["_row"]) for row in rows if row["_key"] in changed]
    return found


def hashed_columns(table: str) -> list[str]:
    """Return the columns of a table that the hashes of its rows are made of."""
    return [name for name in COLUMNS[table] if name != _HAS_OWN_HASH.get(table)]


def stored(conn: sqlite3.Connection, table: str) -> dict[str, bytes]:
    """Return key -> hash of a table's rows as this program wrote them."""
    with any_text(conn):
        rows = conn.execute("SELECT row_key, hash FROM _row_hashes WHERE table_name = ?", (table,))
        return {row["row_key"]: row["hash"] for row in rows}


def proof(table: str, row: Mapping[str, Any], known: Mapping[str, bytes]) -> Callable[[Mapping[str, Any]], bool]:
    """Return what tells whether this row with some other values is one that this program wrote.

    It is asked thousands of times for one row. ``known``: as of ``stored``.
    """
    columns = hashed_columns(table)
    as_it_is = {column: _json(row[column]) for column in columns}

    def is_as_written(values: Mapping[str, Any]) -> bool:
        key = "\x1f".join(str(values[column] if column in values else row[column]) for column in HASHED[table])
        if key not in known:
            return False
        parts = as_it_is | {column: _json(value) for column, value in values.items()}
        return known[key] == _digest(f"[{', '.join(parts.values())}]")  # as JSON writes a list

    return is_as_written


def findings(conn: sqlite3.Connection) -> list[str]:
    """Return which rows that nothing can be compared with are not as this program wrote them, as sentences."""
    tables = () if is_empty(conn) else (table for table in HASHED if table not in _READ_AGAIN)
    return [what for table in tables for what in _differing(conn, table)]


def _differing(conn: sqlite3.Connection, table: str) -> Iterator[str]:
    for key, is_gone in _differing_keys(conn, table).items():
        yield f"{_named(table, key)} is {'gone' if is_gone else 'not as it was written'}"


def _differing_keys(conn: sqlite3.Connection, table: str) -> dict[str, bool]:
    """Return the keys of rows that differ from their hashes, and whether the row is gone."""
    left = stored(conn, table)
    with any_text(conn):
        changed = {key: False for key, digest in _hashes(conn, table) if left.pop(key, None) != digest}
    return changed | dict.fromkeys(left, True)


@contextmanager
def any_text(conn: sqlite3.Connection) -> Iterator[None]:
    """Read text that is no UTF-8, too, by surrogates."""
    before, conn.text_factory = conn.text_factory, lambda raw: raw.decode(errors="surrogateescape")
    try:
        yield
    finally:
        conn.text_factory = before


def is_utf8(text: str) -> bool:
    """Whether what ``any_text`` read is UTF-8, as all is that this program writes."""
    return _SURROGATE.search(text) is None


def keys_gone(conn: sqlite3.Connection, table: str) -> list[str]:
    """Return the keys under which rows of a table were written that are not there now."""
    return [key for key, is_gone in _differing_keys(conn, table).items() if is_gone]


def _named(table: str, key: object) -> str:
    """Name a row, of which a damaged key can be anything; a setting without the part that belongs to a person."""
    key = str(key)
    shown = key.partition(":")[0] if table == "_settings" else key.replace("\x1f", " ")
    return f"row {shown} of {table}"


def _hashes(conn: sqlite3.Connection, table: str, key: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield key and hash of each row of a table, or of the one with this key."""
    # Of a key of one column nothing is split: an id can hold any character.
    values = key.split("\x1f", len(HASHED[table]) - 1) if key is not None else ()
    for row_key, *columns in conn.execute(_select(table, is_one=key is not None), values):
        yield row_key, _hash(columns)


@cache
def _select(table: str, *, is_one: bool) -> str:
    """Return the SQL that reads a table's rows, each with its key first; it is asked for each row that is written."""
    where = f" WHERE {_where(table)}" if is_one else ""
    return f"SELECT {_key(table)}, {', '.join(hashed_columns(table))} FROM {table}{where}"


def _key(table: str, row: str = "") -> str:
    """Return the SQL that gives a row's key as text; ``row``: ``old`` or ``new`` in a trigger."""
    prefix = f"{row}." if row else ""
    return "CAST(" + " || char(31) || ".join(f"{prefix}{column}" for column in HASHED[table]) + " AS TEXT)"


def _where(table: str) -> str:
    return " AND ".join(f"{column} = ?" for column in HASHED[table])


def _hash(values: list[Any]) -> bytes:
    # JSON in ASCII is the same with every version of Python, which repr() is not.
    return _digest(json.dumps([_plain(value) for value in values]))


def _json(value: Any) -> str:
    return json.dumps(_plain(value))


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:BYTES]
