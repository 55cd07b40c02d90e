"""One hash for all that is derived of a conversation, so that ``check`` need not derive rows that nothing has touched.

It is the sum of a hash of the conversation's own row and one of each message with its links and attachments: so a write
of two messages among thousands costs two, and what was in a row before it was written over is in the sum. Where
something else altered a row, the sum matches no more, whatever is written later: no news of a list, which are written
without deriving anything, cover it up. It is kept in ``_row_hashes``, beside the hashes of other rows. One that is
missing or differs is no finding: the rows are then derived again and compared.
"""

from __future__ import annotations

import hashlib
import marshal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mirror.store import row_hashes
from mirror.store.conversation_rows import load_row
from mirror.store.message_rows import EXTRA_COLUMNS, EXTRAS, FLAGS, MESSAGE_COLUMNS, load_extras, values_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirror.rows import Message
    from mirror.store.conversation_rows import ConversationRow
    from mirror.store.message_writes import MessageWrite

_extra_values = {table: attrgetter(*EXTRA_COLUMNS[table]) for table in EXTRAS}
_MARSHAL_VERSION = 2  # later ones write equal values in different bytes
_TABLE = "messages"  # the rows that most of it is made of
_MODULUS = 1 << 8 * row_hashes.BYTES


def follow(
    conn: sqlite3.Connection, old_row: ConversationRow | None, row: ConversationRow, messages: Sequence[MessageWrite]
) -> None:
    """Bring the hash to what is written: ``row`` in the place of ``old_row``, and some of the messages.

    ``old_row``: as it was stored; None: nothing was, and all messages are written. A hash that is missing stays so.
    """
    before = _stored(conn, row.id) if old_row is not None else 0
    if before is None:
        return
    old = sum(_hash_of(write.old) for write in messages if write.old is not None)
    new = sum(_hash_of(write.new) for write in messages if write.new is not None)
    _save(conn, row.id, before + new - old + _hash_of_row(row) - _hash_of_row(old_row))


def take(conn: sqlite3.Connection, conversation_id: str) -> None:
    """Hash the rows as they are stored now, after they were compared with what their payloads give."""
    now = _of_rows(conn, conversation_id)
    if now != _stored(conn, conversation_id):
        _save(conn, conversation_id, now)


def forget(conn: sqlite3.Connection, conversation_id: str) -> None:
    """Trust the rows no more: they are derived again by the next check."""
    conn.execute("DELETE FROM _row_hashes WHERE table_name = ? AND row_key = ?", (_TABLE, conversation_id))


def is_untouched(conn: sqlite3.Connection, conversation_id: str) -> bool:
    """Whether the rows are those that this program derived; False also where that is not known."""
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
    total = _hash_of_row(load_row(conn, conversation_id))
    for rowid, *values in conn.execute(sql, (conversation_id,)):
        for flag in FLAGS:
            values[flag] = bool(values[flag])
        total += _hash((*values,), links.get(rowid, []), attachments.get(rowid, []))
    return total % _MODULUS


def _hash_of_row(row: ConversationRow | None) -> int:
    return 0 if row is None else _hash(tuple(row), [], [])


def _hash_of(message: Message) -> int:
    links, attachments = ([_extra_values[table](one) for one in getattr(message, table)] for table in EXTRAS)
    return _hash(values_of(message), links, attachments)


def _hash(values: tuple[Any, ...], links: list[tuple[Any, ...]], attachments: list[tuple[Any, ...]]) -> int:
    # Quicker than JSON. A Python that wrote it otherwise would cost a derivation, and find nothing wrong.
    packed = marshal.dumps((values, links, attachments), _MARSHAL_VERSION)
    return int.from_bytes(hashlib.sha256(packed).digest()[: row_hashes.BYTES], "big")
