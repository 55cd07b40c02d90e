"""One conversation in the database: its payload layers and the rows derived from them.

A *layer* is one payload as it came. The newest one rules; older ones are kept only while they hold something that the
newer ones lack (a message that vanished upstream, a branch that a flat reading does not show), so that every row can
be derived again from what is stored.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.store.database import upsert
from mirror.store.search import cjk

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from mirror.normalize.rows import Conversation, Message

# The order of the row's values, shared by the statement that writes and the one that compares.
MESSAGE_COLUMNS = (
    "id",
    "conversation_id",
    "parent_id",
    "position",
    "role",
    "kind",
    "text",
    "created_at",
    "model",
    "author",
    "recipient",
    "channel",
    "content_type",
    "status",
    "is_hidden",
    "is_lossy",
    "updated_at",
    "removed_at",
    "message_id",
)
_OTHERS = MESSAGE_COLUMNS[2:]
_TEXT = MESSAGE_COLUMNS.index("text")
_EXTRAS = {"links": ("url", "title", "kind"), "attachments": ("id", "name", "mime_type", "size", "kind")}
_OF_CONVERSATION = "message_rowid IN (SELECT rowid FROM messages WHERE conversation_id = ?)"
_UPSERT_MESSAGES = (
    f"INSERT INTO messages ({', '.join(MESSAGE_COLUMNS)}) VALUES ({', '.join('?' * len(MESSAGE_COLUMNS))})"
    " ON CONFLICT (conversation_id, id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _OTHERS)
)


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """One layer as stored. ``body``: the bytes as they came; ``id`` None: not stored yet."""

    id: int | None
    conversation_id: str
    body: bytes
    lane: str
    source: str | None
    fetched_at: str
    ranked_us: int
    proves_absence: bool

    @property
    def sha256(self) -> str:
        """Hash of the bytes as they came, hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a conversation beside its payloads: who holds it, and what the lists said."""

    provider: str
    url: str
    account_id: str | None = None
    title: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    is_archived: bool | None = None
    is_starred: bool | None = None
    project_id: str | None = None
    gpt_id: str | None = None
    states_gizmo: bool = False


def payloads(conn: sqlite3.Connection, conversation_id: str) -> list[StoredPayload]:
    """Return the layers of a conversation, oldest first; raises ValueError where the stored bytes do not match."""
    rows = conn.execute(
        "SELECT id, conversation_id, body, lane, source, fetched_at, ranked_us, proves_absence, sha256 FROM _payloads"
        " WHERE conversation_id = ? ORDER BY ranked_us, id",
        (conversation_id,),
    )
    return [_inflate(row) for row in rows]


def _inflate(row: sqlite3.Row) -> StoredPayload:
    try:
        body = zlib.decompress(row["body"])
    except zlib.error as error:
        raise ValueError(f"payload {row['id']} of {row['conversation_id']} does not unpack") from error
    layer = StoredPayload(
        row["id"],
        row["conversation_id"],
        body,
        row["lane"],
        row["source"],
        row["fetched_at"],
        row["ranked_us"],
        bool(row["proves_absence"]),
    )
    if layer.sha256 != row["sha256"]:
        raise ValueError(f"payload {row['id']} of {row['conversation_id']} does not match its hash")
    return layer


def keep_payloads(conn: sqlite3.Connection, conversation_id: str, kept: Iterable[StoredPayload]) -> None:
    """Store the new layers among ``kept`` and drop the stored ones that are not."""
    kept = list(kept)
    ids = [layer.id for layer in kept if layer.id is not None]
    conn.execute(
        f"DELETE FROM _payloads WHERE conversation_id = ? AND id NOT IN ({', '.join('?' * len(ids))})",
        [conversation_id, *ids],
    )
    conn.executemany(
        "INSERT INTO _payloads"
        " (conversation_id, body, size, sha256, lane, source, fetched_at, ranked_us, proves_absence)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_payload_values(conversation_id, layer) for layer in kept if layer.id is None],
    )


def _payload_values(conversation_id: str, layer: StoredPayload) -> tuple[Any, ...]:
    body = zlib.compress(layer.body)
    return (
        conversation_id,
        body,
        len(layer.body),
        layer.sha256,
        layer.lane,
        layer.source,
        layer.fetched_at,
        layer.ranked_us,
        int(layer.proves_absence),
    )


def conversation_row(conn: sqlite3.Connection, conversation_id: str) -> dict[str, Any] | None:
    """Return the conversation's row as a dict, or None."""
    row = conn.execute("SELECT * FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
    return dict(row) if row else None


def message_rows(conn: sqlite3.Connection, conversation_id: str) -> dict[str, tuple[Any, ...]]:
    """Return node id -> (rowid, *MESSAGE_COLUMNS) of what is stored."""
    sql = f"SELECT rowid, {', '.join(MESSAGE_COLUMNS)} FROM messages WHERE conversation_id = ?"
    return {row[1]: tuple(row) for row in conn.execute(sql, (conversation_id,))}


def message_total(conn: sqlite3.Connection, conversation_id: str) -> int:
    """Return how many messages of it are stored that are not known to be gone at the service."""
    sql = "SELECT count(*) FROM messages WHERE conversation_id = ? AND removed_at IS NULL"
    return int(conn.execute(sql, (conversation_id,)).fetchone()[0])


def save_row(conn: sqlite3.Connection, merged: Conversation, facts: Facts, last_seen_at: str) -> None:
    """Write the conversation's own row, unless nothing but ``last_seen_at`` would differ."""
    row = derived_row(merged, facts)
    _stub_references(conn, row)
    stored = conversation_row(conn, merged.id)
    if stored is None or any(stored[name] != value for name, value in row.items()):
        upsert(conn, "conversations", ("id",), {**row, "last_seen_at": last_seen_at})


def derived_row(merged: Conversation, facts: Facts) -> dict[str, Any]:
    """Return the row that a conversation's layers and the lists' facts amount to; the lists win (API notes §2.3)."""
    return {
        "id": merged.id,
        "title": facts.title or merged.title or "Untitled",
        "url": facts.url,
        "created_at": merged.created_at or facts.created_at,
        "updated_at": facts.updated_at or merged.updated_at,
        "message_count": sum(1 for m in merged.messages if m.position is not None and not m.is_hidden),
        "model": merged.model,
        "project_id": facts.project_id if facts.states_gizmo else merged.project_id,
        "gpt_id": facts.gpt_id if facts.states_gizmo else merged.gpt_id,
        "is_archived": int(bool(merged.is_archived if facts.is_archived is None else facts.is_archived)),
        "is_starred": int(bool(merged.is_starred if facts.is_starred is None else facts.is_starred)),
        "provider": facts.provider,
        "account_id": facts.account_id,
        "current_node_id": merged.current_node_id,
    }


def _stub_references(conn: sqlite3.Connection, row: dict[str, Any]) -> None:
    """Make rows for what a conversation points to. Their names arrive with the side lists; no conversation waits."""
    if row["account_id"] is not None:
        values = (row["account_id"], row["provider"])
        conn.execute("INSERT INTO accounts (id, provider) VALUES (?, ?) ON CONFLICT DO NOTHING", values)
    base = row["url"].rsplit("/c/", 1)[0]
    if (project := row["project_id"]) is not None:
        named = (project, project, f"{base}/g/{project}/project")
        conn.execute("INSERT INTO projects (id, name, url) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", named)
    if (gpt := row["gpt_id"]) is not None:
        conn.execute("INSERT INTO gpts (id, url) VALUES (?, ?) ON CONFLICT DO NOTHING", (gpt, f"{base}/g/{gpt}"))


def message_values(conversation_id: str, message: Message) -> tuple[Any, ...]:
    """Return the values of MESSAGE_COLUMNS for a message."""
    m = message
    return (
        m.id,
        conversation_id,
        m.parent_id,
        m.position,
        m.role,
        m.kind,
        m.text,
        m.created_at,
        m.model,
        m.author,
        m.recipient,
        m.channel,
        m.content_type,
        m.status,
        int(m.is_hidden),
        int(m.is_lossy),
        m.updated_at,
        m.removed_at,
        m.message_id,
    )


def save_messages(conn: sqlite3.Connection, merged: Conversation, stored: dict[str, tuple[Any, ...]]) -> int:
    """Bring the message rows to what ``merged`` says; return how many were written or deleted.

    ``stored`` is what ``message_rows`` returned. Rows that do not differ are not touched.
    """
    wanted = {m.id: message_values(merged.id, m) for m in merged.messages}
    writes = [values for node, values in wanted.items() if node not in stored or stored[node][1:] != values]
    gone = [(merged.id, node) for node in stored if node not in wanted]
    conn.executemany("DELETE FROM messages WHERE conversation_id = ? AND id = ?", gone)
    conn.executemany(_UPSERT_MESSAGES, writes)
    _index(conn, merged.id, stored, {values[0]: values[_TEXT] for values in writes}, {node for _, node in gone})
    return len(writes) + len(gone) + _save_extras(conn, merged, is_new=not stored)


def _index(
    conn: sqlite3.Connection,
    conversation_id: str,
    stored: dict[str, tuple[Any, ...]],
    written: dict[str, str],
    gone: set[str],
) -> None:
    """Bring the index that no trigger keeps up to date."""
    olds = {node: stored[node][1 + _TEXT] for node in (*written, *gone) if node in stored}
    if not any(map(cjk.enters, (*written.values(), *olds.values()))):
        return
    rowids = dict(conn.execute("SELECT id, rowid FROM messages WHERE conversation_id = ?", (conversation_id,)))
    rowids |= {node: stored[node][0] for node in gone}
    cjk.update(conn, [(rowids[node], olds.get(node, ""), written.get(node, "")) for node in (*written, *gone)])


def _save_extras(conn: sqlite3.Connection, merged: Conversation, *, is_new: bool) -> int:
    if is_new and not any(m.links or m.attachments for m in merged.messages):
        return 0
    written = 0
    for table, rows in _extras(conn, merged).items():
        if _stored_extras(conn, table, merged.id) == set(rows):
            continue
        names = ("message_rowid", "position", *_EXTRAS[table])
        conn.execute(f"DELETE FROM {table} WHERE {_OF_CONVERSATION}", (merged.id,))
        marks = ", ".join("?" * len(names))
        conn.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)
        written += len(rows) or 1
    return written


def extras_match(conn: sqlite3.Connection, merged: Conversation) -> bool:
    """Whether the stored links and attachments are those of the messages."""
    return all(_stored_extras(conn, table, merged.id) == set(rows) for table, rows in _extras(conn, merged).items())


def _extras(conn: sqlite3.Connection, merged: Conversation) -> dict[str, list[tuple[Any, ...]]]:
    """Return table -> rows (message_rowid, position, *columns) that the messages call for."""
    rowids = dict(conn.execute("SELECT id, rowid FROM messages WHERE conversation_id = ?", (merged.id,)).fetchall())
    return {
        table: [
            (rowids.get(m.id), n, *(getattr(extra, column) for column in columns))
            for m in merged.messages
            for n, extra in enumerate(getattr(m, table), 1)
        ]
        for table, columns in _EXTRAS.items()
    }


def _stored_extras(conn: sqlite3.Connection, table: str, conversation_id: str) -> set[tuple[Any, ...]]:
    names = ", ".join(("message_rowid", "position", *_EXTRAS[table]))
    sql = f"SELECT {names} FROM {table} WHERE {_OF_CONVERSATION}"
    return {tuple(row) for row in conn.execute(sql, (conversation_id,))}


def conversation_ids(conn: sqlite3.Connection) -> Iterator[str]:
    """Every stored conversation's id, in the order in which they came."""
    return iter([row[0] for row in conn.execute("SELECT id FROM conversations ORDER BY rowid")])
