"""Whether the mirror is healthy: one look at the database, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.store import runs, settings, tracking

if TYPE_CHECKING:
    import sqlite3

    from mirror.store.tracking import Tracked


@dataclass(frozen=True, slots=True)
class ScopeCount:
    """One list: how many conversations the service listed at its last walk to the end, and how many are stored.

    ``stored`` None: a mere selection (shared, pinned), which the mirror does not tell apart.
    """

    account: str
    scope: str
    listed: int | None
    read_to_end_at: str | None
    stored: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a mirror. Times are ISO text; ``pending``: what is still to be fetched, newest first."""

    conversations: int
    messages: int
    deleted: int
    missing: int
    last_run: dict[str, Any] | None
    last_success: dict[str, Any] | None
    pending: list[Tracked]
    scopes: list[ScopeCount]
    session_expires: str | None
    pace: int


def read(conn: sqlite3.Connection, provider: str = "chatgpt") -> Status:
    """Read a mirror's state."""
    last, success = runs.last(conn, "sync", provider), runs.last(conn, "sync", provider, successful=True)
    counts = conn.execute(
        "SELECT count(*), coalesce(sum(deleted_at IS NOT NULL), 0),"
        " coalesce(sum(missing_since IS NOT NULL AND deleted_at IS NULL), 0) FROM conversations"
    ).fetchone()
    return Status(
        conversations=counts[0],
        messages=conn.execute("SELECT count(*) FROM messages").fetchone()[0],
        deleted=counts[1],
        missing=counts[2],
        last_run=dict(last) if last else None,
        last_success=dict(success) if success else None,
        pending=tracking.pending(conn, provider),
        scopes=_scopes(conn, provider),
        session_expires=_session_expires(conn, provider),
        pace=(last["new"] or 0) + (last["changed"] or 0) if last else 0,
    )


def _session_expires(conn: sqlite3.Connection, provider: str) -> str | None:
    # Before there were several services, one setting without a provider's name held ChatGPT's.
    old = settings.setting(conn, "session_expires") if provider == "chatgpt" else None
    found = settings.setting(conn, f"session_expires:{provider}", old)
    return found if isinstance(found, str) else None


def _scopes(conn: sqlite3.Connection, provider: str) -> list[ScopeCount]:
    rows = conn.execute(
        "SELECT s.account_id, coalesce(a.name, a.structure, 'personal') AS account, s.scope, s.listed, s.read_to_end_at"
        " FROM _scopes s JOIN accounts a ON a.id = s.account_id WHERE a.provider = ? ORDER BY s.account_id, s.scope",
        (provider,),
    ).fetchall()
    return [
        ScopeCount(
            row["account"],
            _label(conn, row["scope"]),
            row["listed"],
            row["read_to_end_at"],
            _stored(conn, row["account_id"], row["scope"]),
        )
        for row in rows
    ]


def _label(conn: sqlite3.Connection, scope: str) -> str:
    kind, _, project_id = scope.partition(":")
    row = conn.execute("SELECT name FROM projects WHERE id = ?", (project_id,)).fetchone() if project_id else None
    return f"project {(row and row[0]) or project_id}" if project_id else kind


def _stored(conn: sqlite3.Connection, account_id: str, scope: str) -> int | None:
    living = "deleted_at IS NULL AND missing_since IS NULL AND account_id = ?"
    conditions = {
        "main": ("is_archived = 0", ()),
        "archived": ("is_archived = 1", ()),
        "starred": ("is_starred = 1", ()),
    }
    kind, _, project_id = scope.partition(":")
    if kind not in conditions and not project_id:
        return None
    where, values = conditions.get(kind, ("project_id = ?", (project_id,)))
    row = conn.execute(f"SELECT count(*) FROM conversations WHERE {living} AND {where}", (account_id, *values))
    return int(row.fetchone()[0])
