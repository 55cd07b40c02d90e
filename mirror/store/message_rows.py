"""How a message is stored: a row of ``messages``, and rows of ``links`` and ``attachments``, numbered 1 to n."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mirror.rows import Attachment, Link, Message

if TYPE_CHECKING:
    import sqlite3

EXTRAS = ("links", "attachments")  # fields of a message that are tables of their own
EXTRA_COLUMNS = {
    "links": tuple(f.name for f in fields(Link)),
    "attachments": tuple(f.name for f in fields(Attachment)),
}
MESSAGE_COLUMNS = tuple(f.name for f in fields(Message) if f.name not in EXTRAS)
FLAGS = tuple(MESSAGE_COLUMNS.index(name) for name in ("is_hidden", "is_lossy"))  # SQLite has numbers for them
values_of = attrgetter(*MESSAGE_COLUMNS)  # of a message, in the order of its columns


def load_extras(conn: sqlite3.Connection, table: str, conversation_id: str) -> dict[int, list[tuple[Any, ...]]]:
    """Return message rowid -> the rows of a table that belong to it, as tuples of ``EXTRA_COLUMNS``, in their order.

    Where they are not numbered 1 to n, a row of nothing stands after them: so they are not what was written.
    """
    columns = ", ".join(f"x.{name}" for name in EXTRA_COLUMNS[table])
    rows = conn.execute(
        f"SELECT x.message_rowid, x.position, {columns} FROM {table} x JOIN messages m ON m.rowid = x.message_rowid"
        " WHERE m.conversation_id = ? ORDER BY x.message_rowid, x.position",
        (conversation_id,),
    )
    found: dict[int, list[tuple[Any, ...]]] = {}
    misnumbered = set()
    for rowid, position, *values in rows:
        so_far = found.setdefault(rowid, [])
        so_far.append((*values,))
        if position != len(so_far):
            misnumbered.add(rowid)
    nothing = (None,) * len(EXTRA_COLUMNS[table])
    return found | {rowid: [*found[rowid], nothing] for rowid in misnumbered}
