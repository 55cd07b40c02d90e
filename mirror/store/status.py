"""Whether the mirror is healthy: one look at the database, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.store import listings, runs

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class ScopeCount:
    """One list: how many conversations the service listed at its last walk to the end, and how many are stored.

    ``stored`` None: a mere selection (shared, pinned), which the mirror does not tell apart.
    """

    account: str
    scope: str
    listed: int | None
    walked_at: str | None
    stored: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a mirror. Times are ISO text; ``pending`` rows are as in ``listings.pending``."""

    conversations: int
    messages: int
    deleted: int
    missing: int
    last_run: dict[str, Any] | None
    last_success: dict[str, Any] | None
    pending: list[dict[str, Any]]
    scopes: list[ScopeCount]
    session_expires: str | None
    pace: int


def read(conn: sqlite3.Connection, provider: str = "chatgpt") -> Status:
    """Read a mirror's state."""
    last, success = runs.last(conn, command="sync"), runs.last(conn, successful=True, command="sync")
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
        pending=[dict(row) for row in listings.pending(conn, provider)],
        scopes=_scopes(conn),
        session_expires=runs.setting(conn, "session_expires"),
        pace=(last["new"] or 0) + (last["changed"] or 0) if last else 0,
    )


def _scopes(conn: sqlite3.Connection) -> list[ScopeCount]:
    rows = conn.execute(
        "SELECT s.account_id, coalesce(a.name, a.structure, 'personal') AS account, s.scope, s.listed, s.walked_at"
        " FROM _scopes s LEFT JOIN accounts a ON a.id = s.account_id ORDER BY s.account_id, s.scope"
    ).fetchall()
    return [
        ScopeCount(
            row["account"],
            _label(conn, row["scope"]),
            row["listed"],
            row["walked_at"],
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
