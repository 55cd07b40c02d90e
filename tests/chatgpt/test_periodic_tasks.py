"""What is due of the tasks that not every run does."""

from __future__ import annotations

import pytest

from mirror.chatgpt.periodic_tasks import PeriodicTasks

NOW = 1_790_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("task", "age", "is_due"),
    [
        ("memories", None, True),
        ("memories", 23 * HOUR, True),
        ("memories", 20 * HOUR, False),
        ("memories", 0.0, False),
        ("pins", 23 * HOUR, False),
        ("pins", 6 * DAY, False),
        ("pins", 6.5 * DAY, True),
        ("project:g-p-1", 7 * DAY, True),
        ("pins", -5 * DAY, True),
    ],
)
def test_a_task_is_due_when_its_period_is_nearly_over(task: str, age: float | None, is_due: bool) -> None:
    """Memories and instructions daily, all else weekly; cron may be early, and a clock may have been wrong."""
    tasks = PeriodicTasks({} if age is None else {task: NOW - age}, NOW)
    assert tasks.due([task], 5) == ({task} if is_due else set())


@pytest.mark.parametrize(
    ("most", "due"), [(0, set()), (1, {"never"}), (2, {"never", "memories"}), (9, {"never", "memories", "pins"})]
)
def test_the_most_overdue_come_first(most: int, due: set[str]) -> None:
    """By how many of their periods they are late."""
    tasks = PeriodicTasks({"memories": NOW - 3 * DAY, "pins": NOW - 14 * DAY, "shared": NOW}, NOW)
    assert tasks.due(["pins", "memories", "never", "shared"], most) == due


def test_what_is_done_is_remembered() -> None:
    """In the dict that was given, which the source's memory keeps."""
    done: dict[str, float] = {}
    tasks = PeriodicTasks(done, NOW)
    tasks.mark_done("pins")
    assert done == {"pins": NOW}
    assert tasks.due(["pins"], 1) == set()
