"""When what the service refused is asked for again."""

from __future__ import annotations

import pytest

from mirror.chatgpt.refusals import Refusals

HOUR = 3600.0
DAY = 24 * HOUR
NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("hours", "asked"),
    [
        ([24] * 9, "y y y n y n y n y"),  # every day for three days, then every other day
        ([22] * 9, "y y y n y n y n y"),  # cron is not punctual
        ([1] * 9, "y y y y y y y y y"),  # several refusals on one day are one
        ([24, 24, 48, 48, 48], "y y y y y"),
        ([24, 24, 24 * 30, 24, 24], "y y y y n"),
        ([24, 24, -24 * 90, 24, 24], "y y y y n"),  # a clock was in the future once
    ],
)
def test_it_is_asked_for_once_a_run_and_after_three_days_every_other_day(hours: list[int], asked: str) -> None:
    """Through what is stored between the runs; never twice in one run."""
    now, stored, found = NOW, Refusals().as_json(), []
    for step in hours:
        run = Refusals.of_json(stored)
        run.now = now
        found.append("y" if run.may_ask("a list") else "n")
        if found[-1] == "y":
            run.refused("a list")
            assert not run.may_ask("a list")
        assert run.may_ask("another list")
        stored = run.as_json()
        now += step * HOUR
    assert " ".join(found) == asked


def test_a_full_run_asks_for_everything_once() -> None:
    """However often it was refused."""
    run = Refusals({"a list": 9}, {"a list": NOW - HOUR}, NOW)
    assert not run.may_ask("a list")
    run.begin_full_run()
    assert run.may_ask("a list")
    run.refused("a list")
    assert not run.may_ask("a list")


def test_an_answer_ends_all_memory_of_refusals() -> None:
    """The next refusal is the first one again."""
    run = Refusals({"a list": 9}, {"a list": NOW - 3 * DAY}, NOW)
    run.answered("a list")
    assert run.as_json() == Refusals().as_json()
