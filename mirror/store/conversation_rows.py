"""How a conversation's own row is stored: what is derived of it from payloads and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3

_FLAGS = ("is_archived", "is_starred", "is_complete")  # SQLite has numbers for them


class ConversationRow(NamedTuple):
    """The columns of ``conversations`` that are derived from payloads and lists, under their own names."""

    id: str
    title: str
    url: str
    provider: str
    created_at: str | None = None
    updated_at: str | None = None
    message_count: int = 0
    model: str | None = None
    project_id: str | None = None
    gpt_id: str | None = None
    is_archived: bool = False
    is_starred: bool = False
    account_id: str | None = None
    current_node_id: str | None = None
    is_complete: bool = True
    incomplete_reason: str | None = None


def load_row(conn: sqlite3.Connection, conversation_id: str) -> ConversationRow | None:
    """Return a conversation's row as it is stored; None: there is none."""
    row = conn.execute("SELECT * FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
    if row is None:
        return None
    values: dict[str, Any] = {name: row[name] for name in ConversationRow._fields}
    # What is neither 0 nor 1 is damage, which differs from whatever is to be written.
    flags = {name: bool(values[name]) for name in _FLAGS if values[name] in {0, 1}}
    return ConversationRow(**(values | flags))
