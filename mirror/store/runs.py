"""Runs, one row each, and what each saw change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.errors import DamagedError, SafetyStopError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

KEEP_RUNS = 400
# What these runs saw contradicts an earlier success: lists that cannot be true, a damaged file. It stays known until
# the next success, whatever other runs end with.
ALARMS = (SafetyStopError.exit_code, DamagedError.exit_code)


class Change(NamedTuple):
    """One thing seen to change in a conversation: its kind as in ``changes.kind``, before and after in words."""

    kind: str
    before: str | None = None
    after: str | None = None


def begin(conn: sqlite3.Connection, command: str, now: str, version: str, provider: str | None = None) -> int:
    """Open a run's row and return its id. A run that never closed its row is named interrupted."""
    conn.execute("UPDATE sync_runs SET outcome = 'interrupted' WHERE finished_at IS NULL AND outcome IS NULL")
    cursor = conn.execute(
        "INSERT INTO sync_runs (started_at, command, version, provider) VALUES (?, ?, ?, ?)",
        (now, command, version, provider),
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


def last(
    conn: sqlite3.Connection, command: str, provider: str | None = None, *, successful: bool = False
) -> sqlite3.Row | None:
    """Return the newest (successful) run's row; ``provider`` None: of any service."""
    row: sqlite3.Row | None = conn.execute(
        "SELECT * FROM sync_runs WHERE command = ? AND (provider = ? OR ? IS NULL) AND (exit_code = 0 OR NOT ?)"
        " ORDER BY id DESC LIMIT 1",
        (command, provider, provider, successful),
    ).fetchone()
    return row


def last_alarm(conn: sqlite3.Connection, command: str, provider: str) -> sqlite3.Row | None:
    """Return the newest run since the last successful one that ended with one of ALARMS."""
    row: sqlite3.Row | None = conn.execute(
        f"SELECT * FROM sync_runs WHERE command = ? AND provider = ? AND exit_code IN ({', '.join('?' * len(ALARMS))})"
        " AND id > coalesce((SELECT max(id) FROM sync_runs WHERE command = ? AND provider = ? AND exit_code = 0), 0)"
        " ORDER BY id DESC LIMIT 1",
        (command, provider, *ALARMS, command, provider),
    ).fetchone()
    return row


def record_changes(
    conn: sqlite3.Connection,
    run_id: int,
    conversation_id: str,
    changes: Iterable[Change],
) -> None:
    """Write what a run saw change in one conversation."""
    conn.executemany(
        "INSERT INTO changes (run_id, conversation_id, kind, before, after) VALUES (?, ?, ?, ?, ?)",
        [(run_id, conversation_id, *change) for change in changes],
    )
