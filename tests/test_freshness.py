"""What ``status`` says, from the state of a mirror: a table of cases, without a database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mirror.health.freshness import lines, verdict
from mirror.health.login_expiry import expiry_warning
from mirror.source import Listed
from mirror.store.account_data import NotReadSince
from mirror.store.status import ServiceStatus, Status
from mirror.store.tracking import Tracked
from mirror.timing import iso

NOW = 1_760_000_000.0
HOUR = 3600.0


def run_row(
    run_id: int, hours_ago: float, outcome: str | None, exit_code: int | None, message: str | None = None
) -> dict[str, Any]:
    return {
        "id": run_id,
        "started_at": iso(NOW - hours_ago * HOUR),
        "outcome": outcome,
        "exit_code": exit_code,
        "message": message,
    }


def state(
    last: dict[str, Any] | None, success: dict[str, Any] | None, pending: list[Tracked] | None = None, pace: int = 0
) -> Status:
    service = ServiceStatus(
        provider="chatgpt",
        last_run=last,
        last_success=success,
        alarm=None,
        pending=pending or [],
        scopes=[],
        session_expires=None,
        pace=pace,
    )
    return Status(conversations=3, messages=9, deleted=0, missing=0, incomplete=[], services=[service])


SUCCESS = run_row(1, 5, "current", 0)
OLD = run_row(1, 100, "current", 0)
REFUSED = run_row(2, 1, "sign-in needed", 4, "The service refused the session cookie.")


@pytest.mark.parametrize(
    ("last", "success", "code"),
    [
        (None, None, 5),
        (run_row(1, 1, None, None), None, 5),
        (run_row(1, 1, "dry run", None), None, 5),
        (REFUSED, None, 4),
        (run_row(1, 1, "rate limit", 6, "Wait."), None, 6),
        (run_row(1, 1, "partial", 3, "1 conversation is not saved."), None, 3),
        (run_row(1, 1, "interrupted", 130), None, 130),
        (SUCCESS, SUCCESS, 0),
        (REFUSED, SUCCESS, 0),
        (OLD, OLD, 5),
        (REFUSED, OLD, 4),
        (run_row(1, -2, "current", 0), run_row(1, -2, "current", 0), 5),
    ],
)
def test_the_exit_code_is_the_last_runs_where_there_is_no_fresh_success(
    last: dict[str, Any] | None, success: dict[str, Any] | None, code: int
) -> None:
    error = verdict(state(last, success), NOW)
    assert (error.exit_code if error else 0) == code


@pytest.mark.parametrize("success", [None, SUCCESS, OLD])
def test_why_the_last_run_failed_is_said_once(success: dict[str, Any] | None) -> None:
    """On the error line where there is one, for cron may keep that alone; else under the last run."""
    status = state(REFUSED, success)
    error = verdict(status, NOW)
    told = [*lines(status, NOW), error.message if error else ""]
    assert "\n".join(told).count(REFUSED["message"]) == 1
    if error:
        assert REFUSED["message"] in error.message


@pytest.mark.parametrize(
    ("is_running", "words"),
    [(None, "ago): still running, or killed"), (True, "ago): still running"), (False, "ago): killed")],
)
def test_a_run_without_an_end_is_called_so(is_running: bool | None, words: str) -> None:
    """Which of the two, where somebody looked at the lock."""
    status = replace(state(run_row(2, 1, None, None), SUCCESS), is_running=is_running)
    assert [line.endswith(words) for line in lines(status, NOW) if line.startswith("last run")] == [True]


@pytest.mark.parametrize("success", [None, OLD])
def test_who_waits_for_a_run_is_not_told_to_start_one(success: dict[str, Any] | None) -> None:
    status = state(run_row(2, 0.1, None, None), success)
    said = {held: verdict(replace(status, is_running=held), NOW) for held in (None, True, False)}
    assert all(error is not None and error.exit_code == 5 for error in said.values())
    assert ["A sync is running now." in str(error) for error in said.values()] == [False, True, False]
    assert ["Run `" in str(error) or "cron job" in str(error) for error in said.values()] == [True, False, True]


def test_a_time_that_lies_ahead_is_called_so() -> None:
    """As after a jump of the clock; it is no success of a moment ago."""
    ahead = run_row(1, -24 * 365 * 3000, "current", 0)
    told = "\n".join(lines(state(ahead, ahead), NOW))
    assert "UTC (in the future)" in told
    assert "minutes ago" not in told


def test_a_reason_that_ends_a_sentence_is_read_on() -> None:
    one = NotReadSince("personal", "memories", "Limited; the next run continues.", "2026-11-28T01:00:00Z")
    status = state(SUCCESS, SUCCESS)
    status = replace(status, services=[replace(status.services[0], not_read=[one])])
    assert "not read      memories: Limited; the next run continues, since 2026-11-28" in lines(status, NOW)


def test_what_is_pending_is_named_and_counted() -> None:
    """The first by name and reason, the rest by number, with how many runs it will take."""
    pending = [Tracked(Listed(f"id-{n}", n, f"Chat {n}"), "chatgpt", error="HTTP 500") for n in range(25)]
    status = state(SUCCESS, SUCCESS, pending=pending, pace=10)
    told = "\n".join(lines(status, NOW))
    assert "“Chat 0” id-0: HTTP 500" in told
    assert "Chat 10" not in told
    assert "and 15 more" in told
    assert "about 3 more runs" in told
    error = verdict(status, NOW)
    assert error is not None
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (None, None),
        (30, None),
        (7.5, None),
        (3.5, "in 3 days"),
        (1.2, "in 1 day"),
        (0.2, "in less than a day"),
        (-1, "has expired"),
    ],
)
def test_the_end_of_the_login_is_announced(days: float | None, words: str | None) -> None:
    warning = expiry_warning(None if days is None else iso(NOW + days * 24 * HOUR), NOW)
    if words is None or warning is None:
        assert warning is words
    else:
        assert words in warning
        assert "chatmirror auth" in warning
