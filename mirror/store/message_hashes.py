"""One hash for all messages of a conversation, so that ``check`` need not derive rows that nothing has touched.

It is the sum of a hash of each message with its links and attachments: so a write of two messages among thousands costs
two. It is kept in ``_row_hashes``, beside the hashes of other rows. One that is missing or differs is no finding: the
messages are then derived again and compared.
"""

from __future__ import annotations

import hashlib
import marshal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mirror.store import row_hashes
from mirror.store.message_rows import EXTRA_COLUMNS, EXTRAS, FLAGS, MESSAGE_COLUMNS, load_extras, values_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from mirror.rows import Message

_extra_values = {table: attrgetter(*EXTRA_COLUMNS[table]) for table in EXTRAS}
_MARSHAL_VERSION = 2  # later ones write equal values in different bytes
_TABLE = "messages"
_MODULUS = 1 << 8 * row_hashes.BYTES


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
    if now != _stored(conn, conversation_id):
        _save(conn, conversation_id, now)


def forget(conn: sqlite3.Connection, conversation_id: str) -> None:
    """Trust the messages no more: they are derived again at each check."""
    conn.execute("DELETE FROM _row_hashes WHERE table_name = ? AND row_key = ?", (_TABLE, conversation_id))


def is_untouched(conn: sqlite3.Connection, conversation_id: str) -> bool:
    """Whether the messages are those that this program wrote; False also where that is not known."""
    return _stored(conn, conversation_id) == _of_rows(conn, conversation_id)


def _stored(conn: sqlite3.Connection, conversation_id: str) -> int | None:
    sql = "SELECT hash FROM _row_hashes WHERE table_name = ? AND row_key = ?"
    row = conn.execute(sql, (_TABLE, conversation_id)).fetchone()
    return int.from_bytes(row["hash"], "big") if row is not None and isinstance(row["hash"], bytes) else None


def _save(conn: sqlite3.Connection, conversation_id: str, value: int) -> None:
    row_hashes.save(conn, _TABLE, [(conversation_id, (value % _MODULUS).to_bytes(row_hashes.BYTES, "big"))])


def _of_rows(conn: sqlite3.Connection, conversation_id: str) -> int:
    links, attachments = (load_extras(conn, table, conversation_id) for table in EXTRAS)
    sql = f"SELECT rowid, {', '.join(MESSAGE_COLUMNS)} FROM messages WHERE conversation_id = ?"
    total = 0
    for rowid, *values in conn.execute(sql, (conversation_id,)):
        for flag in FLAGS:
            values[flag] = bool(values[flag])
        total += _hash((*values,), links.get(rowid, []), attachments.get(rowid, []))
    return total % _MODULUS


def _hash_of(message: Message) -> int:
    links, attachments = ([_extra_values[table](one) for one in getattr(message, table)] for table in EXTRAS)
    return _hash(values_of(message), links, attachments)


def _hash(values: tuple[Any, ...], links: list[tuple[Any, ...]], attachments: list[tuple[Any, ...]]) -> int:
    # Quicker than JSON. A Python that wrote it otherwise would cost a derivation, and find nothing wrong.
    packed = marshal.dumps((values, links, attachments), _MARSHAL_VERSION)
    return int.from_bytes(hashlib.sha256(packed).digest()[: row_hashes.BYTES], "big")
