"""Runs, what each saw change, and the settings that live from run to run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirror.store.database import upsert

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

KEEP_RUNS = 400


def begin(conn: sqlite3.Connection, command: str, now: str, version: str, *, is_full: bool = False) -> int:
    """Open a run's row and return its id. A run that never closed its row is named interrupted."""
    conn.execute("UPDATE sync_runs SET outcome = 'interrupted' WHERE finished_at IS NULL AND outcome IS NULL")
    cursor = conn.execute(
        "INSERT INTO sync_runs (started_at, command, version, is_full) VALUES (?, ?, ?, ?)",
        (now, command, version, int(is_full)),
    )
    return int(cursor.lastrowid or 0)


def finish(conn: sqlite3.Connection, run_id: int, **columns: Any) -> None:
    """Close a run's row, and forget runs beyond the newest KEEP_RUNS that saw no change."""
    names = ", ".join(f"{name} = ?" for name in columns)
    conn.execute(f"UPDATE sync_runs SET {names} WHERE id = ?", [*columns.values(), run_id])
    conn.execute(
        "DELETE FROM sync_runs WHERE id <= ? AND id NOT IN (SELECT run_id FROM changes)"
        " AND id <> (SELECT coalesce(max(id), 0) FROM sync_runs WHERE exit_code = 0 AND command = 'sync')",
        (run_id - KEEP_RUNS,),
    )


def last(conn: sqlite3.Connection, *, successful: bool = False, command: str | None = None) -> sqlite3.Row | None:
    """Return the newest (successful) run's row."""
    row: sqlite3.Row | None = conn.execute(
        "SELECT * FROM sync_runs WHERE (exit_code = 0 OR NOT ?) AND (command = ? OR ? IS NULL)"
        " ORDER BY id DESC LIMIT 1",
        (successful, command, command),
    ).fetchone()
    return row


def last_full(conn: sqlite3.Connection) -> str | None:
    """Return when the newest successful full sync began."""
    row = conn.execute(
        "SELECT started_at FROM sync_runs WHERE exit_code = 0 AND is_full AND command = 'sync' ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return row[0] if row else None


def record_changes(
    conn: sqlite3.Connection,
    run_id: int,
    conversation_id: str,
    changes: Iterable[tuple[str, str | None, str | None]],
) -> None:
    """Write what a run saw change in one conversation."""
    conn.executemany(
        "INSERT INTO changes (run_id, conversation_id, kind, before, after) VALUES (?, ?, ?, ?, ?)",
        [(run_id, conversation_id, *change) for change in changes],
    )


def setting(conn: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """Return a remembered JSON value."""
    row = conn.execute("SELECT value FROM _settings WHERE key = ?", (key,)).fetchone()
    return json.loads(row[0]) if row else default


def remember(conn: sqlite3.Connection, key: str, value: Any) -> None:
    """Remember a JSON value."""
    upsert(conn, "_settings", ("key",), {"key": key, "value": json.dumps(value, sort_keys=True)})
