"""Messages are written many at once: all of a conversation, and those of several where a transaction has several.

At each statement that fires its trigger, SQLite 3.40 writes what FTS5 holds in memory as a segment of the index, and
segments are merged again and again: with one message a statement that was a third of an import. So rows are put into a
temporary table first, and one statement takes them over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.store.message_rows import EXTRA_COLUMNS, EXTRAS, MESSAGE_COLUMNS, values_of
from mirror.store.search import cjk

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from mirror.rows import Attachment, Link, Message

# Messages in one statement. By measurement: with 200 it takes a little longer, with 800 no less.
ROWS_A_STATEMENT = 400
CHARACTERS_A_STATEMENT = 1_000_000  # of texts, after which no more rows are added: each is there twice until then
_NAMES = ", ".join(("conversation_id", *MESSAGE_COLUMNS))
_TABLE = f"CREATE TEMP TABLE IF NOT EXISTS waiting_messages ({_NAMES})"
_VALUES = f"VALUES (?{', ?' * len(MESSAGE_COLUMNS)})"
_ADD = f"INSERT INTO temp.waiting_messages {_VALUES}"
_UPDATE = "ON CONFLICT (conversation_id, id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in MESSAGE_COLUMNS if name != "id"
)
_WRITE_ONE = f"INSERT INTO messages ({_NAMES}) {_VALUES} {_UPDATE}"
_WRITE_WAITING = (
    f"INSERT INTO messages ({_NAMES}) SELECT {_NAMES} FROM temp.waiting_messages WHERE true ORDER BY rowid {_UPDATE}"
)


class MessageWrite(NamedTuple):
    """A message to insert (``old`` None), to change, or to delete (``new`` None)."""

    old: Message | None
    new: Message | None


class MessageWriter:
    """Writes messages inside the caller's transaction, which ends with ``finish``; until then some may wait."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._conversations: dict[str, Sequence[MessageWrite]] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._characters = 0
        conn.execute(_TABLE)

    def add(self, conversation_id: str, writes: Sequence[MessageWrite]) -> None:
        """Write a conversation's messages, at once or together with those that are added next."""
        self.finish_one(conversation_id)
        self._conversations[conversation_id] = writes
        are_written = [self._add(conversation_id, write.new) for write in writes if write.new is not None]
        if any(are_written):
            self.finish()

    def finish_one(self, conversation_id: str) -> None:
        """Write what waits, if messages of this conversation do: somebody is to read them."""
        if conversation_id in self._conversations:
            self.finish()

    def finish(self) -> None:
        """Write everything that waits."""
        self._write_waiting()
        for conversation_id, writes in self._conversations.items():
            _finish(self._conn, conversation_id, writes)
        self._conversations = {}

    def _add(self, conversation_id: str, message: Message) -> bool:
        """Write a message or let it wait; return whether what waited was written."""
        values = (conversation_id, *values_of(message))
        if len(message.text) >= CHARACTERS_A_STATEMENT:  # too long to be there twice
            self._write_waiting()
            self._conn.execute(_WRITE_ONE, values)
            return True
        self._rows.append(values)
        self._characters += len(message.text)
        if len(self._rows) < ROWS_A_STATEMENT and self._characters < CHARACTERS_A_STATEMENT:
            return False
        self._write_waiting()
        return True

    def _write_waiting(self) -> None:
        if self._rows:
            self._conn.executemany(_ADD, self._rows)
            self._rows, self._characters = [], 0
            self._conn.execute(_WRITE_WAITING)
            self._conn.execute("DELETE FROM temp.waiting_messages")


def _finish(conn: sqlite3.Connection, conversation_id: str, writes: Sequence[MessageWrite]) -> None:
    """Write what belongs to messages that are there, and delete those that are to go."""
    if any(map(_needs_rowid, writes)):
        rows = conn.execute("SELECT id, rowid FROM messages WHERE conversation_id = ?", (conversation_id,))
        rowids = {row["id"]: row["rowid"] for row in rows}
        _save_extras(conn, rowids, writes)
        # No trigger keeps this index: the characters are set apart by code of ours.
        cjk.update(conn, [(rowids[_node(write)], _text(write.old), _text(write.new)) for write in writes])
    gone = [(conversation_id, write.old.id) for write in writes if write.new is None and write.old is not None]
    conn.executemany("DELETE FROM messages WHERE conversation_id = ? AND id = ?", gone)


def _needs_rowid(write: MessageWrite) -> bool:
    both = [message for message in (write.old, write.new) if message is not None]
    return any(message.links or message.attachments or cjk.is_indexed(message.text) for message in both)


def _node(write: MessageWrite) -> str:
    message = write.new or write.old
    assert message is not None  # noqa: S101 - a write of nothing is never made
    return message.id


def _text(message: Message | None) -> str:
    return "" if message is None else message.text


def _save_extras(conn: sqlite3.Connection, rowids: Mapping[str, int], writes: Sequence[MessageWrite]) -> None:
    """Replace the links and attachments of those messages in which they differ."""
    for table in EXTRAS:
        differing = [w for w in writes if w.new is not None and getattr(w.new, table) != _extras_of(w.old, table)]
        old = [(rowids[_node(write)],) for write in differing if write.old is not None]
        conn.executemany(f"DELETE FROM {table} WHERE message_rowid = ?", old)
        names = ("message_rowid", "position", *EXTRA_COLUMNS[table])
        sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
        rows = [
            {name: getattr(extra, name) for name in EXTRA_COLUMNS[table]}
            | {"message_rowid": rowids[_node(write)], "position": position}
            for write in differing
            for position, extra in enumerate(_extras_of(write.new, table), 1)
        ]
        conn.executemany(sql, rows)


def _extras_of(message: Message | None, table: str) -> tuple[Link, ...] | tuple[Attachment, ...]:
    return () if message is None else getattr(message, table)
