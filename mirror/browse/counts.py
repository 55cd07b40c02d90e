"""What is costly to count in a large mirror, counted once for each state of its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_MONTHS = """
SELECT substr(created_at, 1, 7), role, model, count(*) FROM messages
WHERE created_at IS NOT NULL AND +role IN ('user', 'assistant') GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages by month: of the person and of the service, and of the service by model. ``state``: of the file."""

    state: tuple[int, ...]
    by_role: dict[str, dict[str, int]]
    by_model: dict[str, dict[str, int]]


def state_of(path: str | None) -> tuple[int, ...]:
    """Return what differs when a database has been written to."""
    state: list[int] = []
    for file in (Path(f"{path}{end}") for end in ("", "-wal")):
        stat = file.stat() if path and file.exists() else None
        state += [stat.st_mtime_ns, stat.st_size] if stat else [0, 0]
    return tuple(state)


def count(conn: sqlite3.Connection, state: tuple[int, ...]) -> Counts:
    """Count the messages: month -> role -> number, and month -> model -> number."""
    by_role: dict[str, dict[str, int]] = {}
    by_model: dict[str, dict[str, int]] = {}
    for month, role, model, number in conn.execute(_MONTHS):
        roles = by_role.setdefault(month, {})
        roles[role] = roles.get(role, 0) + number
        if role == "assistant":
            by_model.setdefault(month, {})[model or "unknown"] = number
    return Counts(state, by_role, by_model)
