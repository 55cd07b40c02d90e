"""One conversation's rows: loaded whole, and brought to what an ``Update`` says.

``load`` gives everything that is stored of a conversation, ``mirror.fold`` decides what is to be, ``save`` writes it.
Rows that do not differ are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mirror.rows import Attachment, Link, Message
from mirror.services import service_of
from mirror.store import derived_hashes, file_rows, payloads
from mirror.store.conversation_rows import ConversationRow, load_row
from mirror.store.database import upsert
from mirror.store.message_rows import FLAGS, MESSAGE_COLUMNS, load_extras
from mirror.store.message_writes import MessageWriter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from mirror.store.message_writes import MessageWrite
    from mirror.store.payloads import StoredPayload
    from mirror.store.runs import Change


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is stored of one conversation. ``messages``: node id -> message.

    ``row`` None: nothing is, or another program deleted its row.
    """

    conversation_id: str
    row: ConversationRow | None = None
    payloads: tuple[StoredPayload, ...] = ()
    messages: Mapping[str, Message] = field(default_factory=dict)


class Damage(NamedTuple):
    """Stored bytes that were found damaged, in words. ``is_healed``: what came has taken their place."""

    conversation_id: str
    what: str
    is_healed: bool

    def __str__(self) -> str:
        """Return the sentence that ``check`` has for it."""
        return f"conversation {self.conversation_id}: {self.what}"


class Update(NamedTuple):
    """What is to be written of one conversation.

    ``row``: the whole row to be, ``changed_columns`` those of it that differ. ``payloads``: the versions to be kept,
    new ones among them; None: they stay as they are. ``changes``: what a reader of ``changes`` is told.
    ``smaller_ids``: a hash of the messages of a reading that held fewer than are stored and is not believed yet.
    ``judged``: stored versions of which it is known only now whether they are whole.
    ``damage``: of stored payloads, where there was any.
    """

    row: ConversationRow
    changed_columns: tuple[str, ...]
    payloads: tuple[StoredPayload, ...] | None = None
    messages: tuple[MessageWrite, ...] = ()
    changes: tuple[Change, ...] = ()
    is_generating: bool = False
    smaller_ids: str | None = None
    judged: tuple[StoredPayload, ...] = ()
    damage: Damage | None = None

    @property
    def changes_rows(self) -> bool:
        """Whether any derived row is to be written."""
        return bool(self.changed_columns or self.messages)

    @property
    def is_new(self) -> bool:
        """Whether nothing was stored of the conversation: only then its id is another."""
        return "id" in self.changed_columns


def load(conn: sqlite3.Connection, conversation_id: str) -> Stored:
    """Return what is stored of a conversation. No payload is unpacked before it is looked at."""
    row = load_row(conn, conversation_id)
    versions = tuple(payloads.load(conn, conversation_id))
    if row is None and not versions:
        return Stored(conversation_id)
    return Stored(conversation_id, row, versions, _load_messages(conn, conversation_id))


def load_facts(conn: sqlite3.Connection, conversation_id: str) -> Stored:
    """Return what is stored of a conversation without its messages and without its payloads' bytes."""
    row = load_row(conn, conversation_id)
    return Stored(conversation_id, row, tuple(payloads.load_facts(conn, conversation_id)) if row else ())


def _load_messages(conn: sqlite3.Connection, conversation_id: str) -> dict[str, Message]:
    links = load_extras(conn, "links", conversation_id)
    attachments = load_extras(conn, "attachments", conversation_id)
    sql = f"SELECT rowid, {', '.join(MESSAGE_COLUMNS)} FROM messages WHERE conversation_id = ?"
    found = {}
    for rowid, *values in conn.execute(sql, (conversation_id,)):
        for flag in FLAGS:
            values[flag] = bool(values[flag])
        pages = tuple(Link(*link) for link in links[rowid]) if rowid in links else ()
        files = tuple(Attachment(*file) for file in attachments[rowid]) if rowid in attachments else ()
        values += [pages, files]  # the last of its fields
        message = Message(*values)
        found[message.id] = message
    return found


def save(conn: sqlite3.Connection, update: Update, seen_at: str, messages: MessageWriter | None = None) -> None:
    """Write what an update says, inside the caller's transaction. ``seen_at``: ISO time for ``last_seen_at``.

    ``messages``: writes them together with those of other conversations; whoever made it ends that. None: at once.
    """
    key = update.row.id
    old_row = load_row(conn, key) if update.changes_rows and not update.is_new else None
    if update.changed_columns:
        add_references(
            conn,
            update.row.provider,
            account_id=update.row.account_id,
            project_id=update.row.project_id,
            gpt_id=update.row.gpt_id,
        )
        _save_row(conn, update, seen_at)
    if update.payloads is not None:
        payloads.save(conn, key, update.payloads)
    payloads.save_judgements(conn, update.judged)
    if update.messages:
        present = [write.new for write in update.messages if write.new is not None]
        file_rows.note(conn, update.row.provider, present, seen_at)
        together = messages or MessageWriter(conn)
        together.add(key, update.messages)
        if messages is None:
            together.finish()
    if update.changes_rows:
        derived_hashes.follow(conn, old_row, update.row, update.messages)
    if update.damage is not None:
        derived_hashes.forget(conn, key)  # rows may have been made without what is whole again now


def _save_row(conn: sqlite3.Connection, update: Update, seen_at: str) -> None:
    """Write a new row, or what differs of a stored one: each index of a column that is written is written, too."""
    values = {**update.row._asdict(), "last_seen_at": seen_at}
    if update.is_new:
        upsert(conn, "conversations", ("id",), values)
        return
    names = (*update.changed_columns, "last_seen_at")
    assignments = ", ".join(f"{name} = ?" for name in names)
    changed = [values[name] for name in names]
    conn.execute(f"UPDATE conversations SET {assignments} WHERE id = ?", (*changed, update.row.id))


def add_references(
    conn: sqlite3.Connection,
    provider: str,
    *,
    account_id: str | None = None,
    project_id: str | None = None,
    gpt_id: str | None = None,
) -> None:
    """Make rows for what other rows point to; their names arrive later, and no conversation waits for them."""
    service = service_of(provider)
    if account_id is not None:
        values = (account_id, provider)
        conn.execute("INSERT INTO accounts (id, provider) VALUES (?, ?) ON CONFLICT DO NOTHING", values)
    if project_id is not None:
        named = (project_id, project_id, service.project_url(project_id))
        conn.execute("INSERT INTO projects (id, name, url) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", named)
    if gpt_id is not None:
        linked = (gpt_id, service.gpt_url(gpt_id))
        conn.execute("INSERT INTO gpts (id, url) VALUES (?, ?) ON CONFLICT DO NOTHING", linked)


def is_stored(conn: sqlite3.Connection, conversation_id: str) -> bool:
    """Whether anything is stored of a conversation."""
    return conn.execute("SELECT 1 FROM conversations WHERE id = ?", (conversation_id,)).fetchone() is not None


def message_ids(conn: sqlite3.Connection, conversation_id: str) -> set[str]:
    """Return the node ids of a conversation's stored messages."""
    rows = conn.execute("SELECT id FROM messages WHERE conversation_id = ?", (conversation_id,))
    return {row["id"] for row in rows}


def message_total(conn: sqlite3.Connection, conversation_id: str) -> int:
    """Return how many messages of it are stored that are not known to be gone at the service."""
    sql = "SELECT count(*) AS total FROM messages WHERE conversation_id = ? AND removed_at IS NULL"
    return int(conn.execute(sql, (conversation_id,)).fetchone()["total"])


def conversation_ids(conn: sqlite3.Connection) -> list[str]:
    """Return every stored conversation's id, in the order in which they came."""
    return [row["id"] for row in conn.execute("SELECT id FROM conversations ORDER BY rowid")]
