"""How far each list has been read: its watermark, and when it was last read to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.store.database import upsert

if TYPE_CHECKING:
    import sqlite3

    from mirror.source import Scope


def watermark(conn: sqlite3.Connection, account_id: str, scope: Scope) -> int | None:
    """Return the newest list time of this scope at the last complete run, microseconds since 1970."""
    row = conn.execute(
        "SELECT watermark_us FROM _scopes WHERE account_id = ? AND scope = ?", (account_id, scope.name)
    ).fetchone()
    return row["watermark_us"] if row else None


def last_read(conn: sqlite3.Connection, account_id: str) -> dict[str, str]:
    """Return scope name -> ISO time at which it was last read to its end."""
    rows = conn.execute("SELECT scope, read_to_end_at FROM _scopes WHERE account_id = ?", (account_id,))
    return {row["scope"]: row["read_to_end_at"] for row in rows if row["read_to_end_at"]}


def save(conn: sqlite3.Connection, account_id: str, scope: Scope, **columns: Any) -> None:
    """Remember a scope's ``watermark_us``, ``listed`` or ``read_to_end_at``."""
    upsert(conn, "_scopes", ("account_id", "scope"), {"account_id": account_id, "scope": scope.name, **columns})
