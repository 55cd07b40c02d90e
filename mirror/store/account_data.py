"""What an account holds beside conversations: written when it differs, older texts kept.

Projects, custom GPTs, workspaces, memories and instructions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.source import Workspace
from mirror.store import file_rows, settings, tracking
from mirror.store.database import upsert
from mirror.values import as_dict, as_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence

    from mirror.source import AccountItem, NotRead


class NotReadSince(NamedTuple):
    """What the service did not give beside the conversations of a workspace, why, and since when (ISO time)."""

    account: str
    what: str
    reason: str
    since: str


def save_items(conn: sqlite3.Connection, account_id: str, items: Sequence[AccountItem], now: str) -> None:
    """Store what a source tells beside conversations."""
    for item in items:
        if item.kind == "project":
            save_named(conn, "projects", {"id": item.id, "account_id": account_id, **item.row}, now)
        elif item.kind == "file":
            file_rows.note_of_project(conn, item.id, item.row, now)
        elif item.kind == "gpt":
            save_named(conn, "gpts", {"id": item.id, **item.row}, now)
        elif item.kind == "memory":
            save_texts(conn, "memories", account_id, {"id": item.id, **item.row}, now)
        else:
            save_texts(conn, "instructions", account_id, item.row, now)
    if living := {item.id for item in items if item.kind == "memory"}:
        _end_memories(conn, account_id, living, now)


def save_not_read(conn: sqlite3.Connection, account_id: str, failed: Sequence[NotRead], now: str) -> None:
    """Remember what the service did not give beside conversations, and since when."""
    before = as_dict(settings.setting(conn, _not_read_key(account_id)))
    since = {what: as_dict(known).get("since", now) for what, known in before.items()}
    found = {one.what: {"reason": one.reason, "since": since.get(one.what, now)} for one in failed}
    if found != before:
        settings.remember(conn, _not_read_key(account_id), found)


def not_read(conn: sqlite3.Connection, provider: str) -> list[NotReadSince]:
    """Return what the service did not give beside conversations, by workspace."""
    accounts = conn.execute(
        "SELECT id, coalesce(name, structure, 'personal') AS label FROM accounts WHERE provider = ?"
        " AND left_at IS NULL ORDER BY id",
        (provider,),
    ).fetchall()
    return [
        NotReadSince(
            account["label"], what, as_text(as_dict(known).get("reason")), as_text(as_dict(known).get("since"))
        )
        for account in accounts
        for what, known in as_dict(settings.setting(conn, _not_read_key(account["id"]))).items()
    ]


def _not_read_key(account_id: str) -> str:
    return f"not_read:{account_id}"


def save_named(conn: sqlite3.Connection, table: str, row: Mapping[str, Any], now: str) -> None:
    """Store a row of accounts, projects or gpts; nothing is written when nothing of it changed."""
    stored = conn.execute(f"SELECT * FROM {table} WHERE id = ?", (row["id"],)).fetchone()
    if stored is not None and all(stored[name] == value for name, value in row.items()):
        return
    extra = {"first_seen_at": now} if table == "accounts" and stored is None else {}
    upsert(conn, table, ("id",), {**row, **extra, "last_seen_at": now})


def unnamed_gpts(conn: sqlite3.Connection, provider: str) -> list[str]:
    """Return the custom GPTs whose name is not known yet, also those that only a list has shown so far."""
    rows = conn.execute(
        "SELECT g.id FROM gpts g WHERE g.name IS NULL AND EXISTS"
        " (SELECT 1 FROM conversations c WHERE c.gpt_id = g.id AND c.provider = :provider)"
        " UNION SELECT gpt_id FROM _listed WHERE provider = :provider AND gpt_id IS NOT NULL"
        " AND gpt_id NOT IN (SELECT id FROM gpts) ORDER BY 1",
        {"provider": provider},
    )
    return [row["id"] for row in rows]


def known_workspaces(conn: sqlite3.Connection, provider: str) -> list[Workspace]:
    """Return the workspaces whose lists were read and which the login did not leave, the personal one first."""
    rows = conn.execute(
        "SELECT id, name, plan, structure FROM accounts WHERE provider = ? AND left_at IS NULL"
        " AND id IN (SELECT account_id FROM _scopes) ORDER BY coalesce(structure, 'personal') <> 'personal', id",
        (provider,),
    )
    return [Workspace(**dict(row), is_personal=row["structure"] in (None, "personal")) for row in rows]


def workspaces_with_conversations(conn: sqlite3.Connection, provider: str) -> dict[str, bool]:
    """Return the workspaces that conversations belong to: id -> whether it can be a personal one."""
    rows = conn.execute(
        "SELECT used.id, coalesce(a.structure, 'personal') = 'personal' AS is_personal"
        " FROM (SELECT account_id AS id FROM _listed WHERE provider = :provider"
        " UNION SELECT account_id FROM conversations WHERE provider = :provider) used"
        " LEFT JOIN accounts a ON a.id = used.id WHERE used.id IS NOT NULL ORDER BY used.id",
        {"provider": provider},
    )
    return {row["id"]: bool(row["is_personal"]) for row in rows}


def leave_workspace(conn: sqlite3.Connection, account_id: str, now: str) -> int:
    """Mark a workspace's living conversations missing, now that nobody lists them; return how many were not yet."""
    rows = conn.execute(
        "SELECT conversation_id FROM _listed WHERE account_id = ? AND missing_since IS NULL AND conversation_id NOT IN"
        " (SELECT id FROM conversations WHERE deleted_at IS NOT NULL)",
        (account_id,),
    ).fetchall()
    tracking.set_missing(conn, [row["conversation_id"] for row in rows], now)
    conn.execute("UPDATE accounts SET left_at = ? WHERE id = ? AND left_at IS NULL", (now, account_id))
    return len(rows)


def save_texts(conn: sqlite3.Connection, table: str, account_id: str, row: Mapping[str, Any], now: str) -> None:
    """Store a memory (or the instructions) as it reads now; a text that it replaces stays, with its end date."""
    key = {"id": row["id"]} if table == "memories" else {}
    where = " AND ".join(["account_id = ?", "replaced_at IS NULL", *(f"{name} = ?" for name in key)])
    current = conn.execute(f"SELECT rowid, content FROM {table} WHERE {where}", [account_id, *key.values()]).fetchone()
    if current is not None and current["content"] == row["content"]:
        return
    if current is not None:
        conn.execute(f"UPDATE {table} SET replaced_at = ? WHERE rowid = ?", (now, current["rowid"]))
    full = {**row, "account_id": account_id, "first_seen_at": now}
    conn.execute(f"INSERT INTO {table} ({', '.join(full)}) VALUES ({', '.join('?' * len(full))})", list(full.values()))


def _end_memories(conn: sqlite3.Connection, account_id: str, living: Collection[str], now: str) -> None:
    """Date the end of memories that the service does not list any more."""
    rows = conn.execute("SELECT rowid, id FROM memories WHERE account_id = ? AND replaced_at IS NULL", (account_id,))
    gone = [(now, row["rowid"]) for row in rows.fetchall() if row["id"] not in living]
    conn.executemany("UPDATE memories SET replaced_at = ? WHERE rowid = ?", gone)
