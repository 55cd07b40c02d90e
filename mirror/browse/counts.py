"""Messages by month, counted once for each state of the file because it takes long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mirror.store import overview

if TYPE_CHECKING:
    import sqlite3

PERSON = "user"  # the series of what the person wrote; the others are named by their provider


@dataclass(frozen=True, slots=True)
class MonthlyCounts:
    """Month -> series -> messages, by speaker, and of assistants by model; ``state``: of the file."""

    state: tuple[int, ...]
    by_speaker: dict[str, dict[str, int]]
    by_model: dict[str, dict[str, int]]


def file_state(path: str | None) -> tuple[int, ...]:
    """Return what differs once a database was written to: time and size of its file and log."""
    state: list[int] = []
    for file in (Path(f"{path}{end}") for end in ("", "-wal")):
        stat = file.stat() if path and file.exists() else None
        state += [stat.st_mtime_ns, stat.st_size] if stat else [0, 0]
    return tuple(state)


def monthly_counts(conn: sqlite3.Connection, state: tuple[int, ...], known: MonthlyCounts | None) -> MonthlyCounts:
    """Return the counts for this state of the file: the ``known`` ones if they are of it."""
    if known is not None and known.state == state:
        return known
    by_speaker: dict[str, dict[str, int]] = {}
    by_model: dict[str, dict[str, int]] = {}
    for one in overview.messages_by_month(conn):
        is_person = one.role == "user"
        _add(by_speaker, one.month, PERSON if is_person else one.provider, one.messages)
        if not is_person:
            _add(by_model, one.month, one.model or "unknown", one.messages)
    return MonthlyCounts(state, by_speaker, by_model)


def _add(counts: dict[str, dict[str, int]], month: str, series: str, messages: int) -> None:
    of_month = counts.setdefault(month, {})
    of_month[series] = of_month.get(series, 0) + messages
