"""One hash for all messages of a conversation, so that ``check`` need not derive rows that nothing has touched.

It is the sum of a hash of each message with its links and attachments: so a write of two messages among thousands costs
two. It is kept in ``_row_hashes``, beside the hashes of other rows. One that is missing or differs is no finding: the
messages are then derived again and compared.
"""

from __future__ import annotations

import hashlib
import marshal
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mirror.rows import Attachment, Link, Message
from mirror.store.row_hashes import BYTES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

EXTRAS = ("links", "attachments")  # fields of a message that are tables of their own
EXTRA_NAMES = {
    "links": tuple(f.name for f in fields(Link)),
    "attachments": tuple(f.name for f in fields(Attachment)),
}
MESSAGE_COLUMNS = tuple(f.name for f in fields(Message) if f.name not in EXTRAS)
message_values = attrgetter(*MESSAGE_COLUMNS)
_extra_values = {table: attrgetter(*names) for table, names in EXTRA_NAMES.items()}

_FLAGS = tuple(MESSAGE_COLUMNS.index(name) for name in ("is_hidden", "is_lossy"))  # SQLite has numbers for them
_MARSHAL_VERSION = 2  # later ones write equal values in different bytes
_TABLE = "messages"


def follow(
    conn: sqlite3.Connection, conversation_id: str, old: Iterable[Message], new: Iterable[Message], *, is_new: bool
) -> None:
    """Bring the hash to messages that were written: ``new`` in the place of ``old``. ``is_new``: there was no other."""
    before = 0 if is_new else _stored(conn, conversation_id)
    if before is None:
        take(conn, conversation_id)
    else:
        _save(conn, conversation_id, before - sum(map(_hash_of, old)) + sum(map(_hash_of, new)))


def take(conn: sqlite3.Connection, conversation_id: str) -> None:
    """Hash the messages as they are stored now, after they were compared with what their payloads give."""
    now = _of_rows(conn, conversation_id)
    if now is not None and now != _stored(conn, conversation_id):
        _save(conn, conversation_id, now)


def forget(conn: sqlite3.Connection, conversation_id: str) -> None:
    """Trust the messages no more: they are derived again at each check."""
    conn.execute("DELETE FROM _row_hashes WHERE table_name = ? AND row_key = ?", (_TABLE, conversation_id))


def is_untouched(conn: sqlite3.Connection, conversation_id: str) -> bool:
    """Whether the messages are those that this program wrote; False also where that is not known."""
    known = _stored(conn, conversation_id)
    return known is not None and known == _of_rows(conn, conversation_id)


def _stored(conn: sqlite3.Connection, conversation_id: str) -> int | None:
    sql = "SELECT hash FROM _row_hashes WHERE table_name = ? AND row_key = ?"
    row = conn.execute(sql, (_TABLE, conversation_id)).fetchone()
    return int.from_bytes(row["hash"], "big") if row is not None and isinstance(row["hash"], bytes) else None


def _save(conn: sqlite3.Connection, conversation_id: str, value: int) -> None:
    conn.execute(
        "INSERT INTO _row_hashes (table_name, row_key, hash) VALUES (?, ?, ?)"
        " ON CONFLICT (table_name, row_key) DO UPDATE SET hash = excluded.hash",
        (_TABLE, conversation_id, (value % (1 << 8 * BYTES)).to_bytes(BYTES, "big")),
    )


def _of_rows(conn: sqlite3.Connection, conversation_id: str) -> int | None:
    """Return the hash of what is stored, None where links or attachments are not numbered as they are written."""
    extras = [_extras_of_rows(conn, table, conversation_id) for table in EXTRAS]
    links, attachments = extras
    if links is None or attachments is None:
        return None
    sql = f"SELECT rowid, {', '.join(MESSAGE_COLUMNS)} FROM messages WHERE conversation_id = ?"
    total = 0
    for rowid, *values in conn.execute(sql, (conversation_id,)):
        for flag in _FLAGS:
            values[flag] = bool(values[flag])
        total += _hash((*values,), links.get(rowid, []), attachments.get(rowid, []))
    return total % (1 << 8 * BYTES)


def _extras_of_rows(conn: sqlite3.Connection, table: str, conversation_id: str) -> dict[int, list[list[Any]]] | None:
    found: dict[int, list[list[Any]]] = {}
    columns = ", ".join(f"x.{name}" for name in EXTRA_NAMES[table])
    rows = conn.execute(
        f"SELECT x.message_rowid, x.position, {columns} FROM {table} x JOIN messages m ON m.rowid = x.message_rowid"
        " WHERE m.conversation_id = ? ORDER BY x.message_rowid, x.position",
        (conversation_id,),
    )
    for rowid, position, *values in rows:
        so_far = found.setdefault(rowid, [])
        so_far.append(values)
        if position != len(so_far):
            return None
    return found


def _hash_of(message: Message) -> int:
    links, attachments = ([list(_extra_values[table](one)) for one in getattr(message, table)] for table in EXTRAS)
    return _hash(message_values(message), links, attachments)


def _hash(values: tuple[Any, ...], links: list[list[Any]], attachments: list[list[Any]]) -> int:
    # A fifth of the time of JSON. A Python that wrote it otherwise would cost a derivation, and find nothing wrong.
    packed = marshal.dumps((values, links, attachments), _MARSHAL_VERSION)
    return int.from_bytes(hashlib.sha256(packed).digest()[:BYTES], "big")
