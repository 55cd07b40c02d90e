"""What is not asked in every run: each task has a period, and the most overdue come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_DAY = 86_400.0  # seconds
_WEEK = 7 * _DAY
# Seconds; every other task waits a week. "work": an account without Work conversations is asked for some.
PERIODS = {"memories": _DAY, "instructions": _DAY, "work": 2 * _DAY}
# Share of its period after which a task is due: cron is not punctual. 1: a daily task is done every other day.
DUE_SHARE = 0.9


class PeriodicTasks:
    """The tasks of one workspace in one run.

    ``done_at``: task -> epoch second at which it was last done; changed in place, the source's memory keeps it.
    ``now``: the run's time, epoch seconds.
    """

    def __init__(self, done_at: dict[str, float], now: float) -> None:
        self._done_at, self._now = done_at, now

    def due(self, tasks: Collection[str], most: int) -> set[str]:
        """Return the tasks to do in this run: the most overdue ones, at most so many."""
        overdue = [task for task in tasks if self._periods_since(task) > DUE_SHARE]
        return set(sorted(overdue, key=self._periods_since, reverse=True)[:most])

    def mark_done(self, task: str) -> None:
        """Remember that a task was done in this run."""
        self._done_at[task] = self._now

    def _periods_since(self, task: str) -> float:
        done_at = self._done_at.get(task, 0.0)
        if done_at > self._now:
            done_at = 0.0  # a clock was wrong once
        return (self._now - done_at) / PERIODS.get(task, _WEEK)
