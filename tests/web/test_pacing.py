"""Politeness: spacing, pauses, and when to stop."""

from __future__ import annotations

import random
from email.utils import formatdate

import pytest

from mirror.errors import RateLimitError, ServiceError
from mirror.timing import Timing
from mirror.web.pacing import LONGEST_PAUSE, RUN_DEADLINE, Pacing, refuse_lock, retry_after
from mirror.web.transport import Reply


class Clock:
    def __init__(self):
        self.seconds, self.slept = 1_790_000_000.0, []

    def __call__(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pacing(clock):
    return Pacing(Timing(clock, clock, clock.sleep, random.Random(1)))


def too_many(**headers):
    return Reply(429, {name.replace("_", "-"): value for name, value in headers.items()}, b'{"detail":"Too many"}')


def test_requests_are_spaced(pacing, clock):
    """No two requests follow each other at once; single reads keep more distance."""
    for lane in ("light", "light", "per-id", "per-id"):
        pacing.before(lane)
    assert len(clock.slept) == 3
    assert 0.2 < clock.slept[0] < 0.4
    assert 0.7 < clock.slept[2] < 1.3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1),
        ("120", 120),
        ("1.5", 1.5),
        ("-5", None),
        ("abc", None),
        ("", None),
        ("0", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after_in_every_form(header, seconds, clock):
    """A number of seconds counts, nonsense does not, and nothing of it raises."""
    assert retry_after(too_many(retry_after=header), clock()) == seconds


def test_retry_after_as_a_date(clock):
    """A date counts from now; one in the past does not."""
    assert retry_after(too_many(retry_after=formatdate(clock() + 90, usegmt=True)), clock()) == pytest.approx(90, abs=1)
    assert retry_after(too_many(retry_after=formatdate(clock() - 90, usegmt=True)), clock()) is None


def test_a_pause_longer_than_a_run_ends_it(pacing, clock):
    """Asked to wait a day, the run stops instead of waiting."""
    with pytest.raises(RateLimitError, match="1440 minutes"):
        pacing.refused(too_many(retry_after="86400"), "light")
    assert clock.slept == []


def test_a_short_pause_is_kept_exactly(pacing, clock):
    """Retry-After is obeyed to the second."""
    pacing.refused(too_many(retry_after="90"), "light")
    assert clock.slept == [90]
    assert LONGEST_PAUSE > 90


def test_the_second_refusal_of_single_reads_ends_the_run_and_teaches_a_budget(pacing):
    """What was granted before the first 429 is what the next night asks for."""
    for _ in range(201):
        pacing.before("per-id")
    pacing.refused(too_many(), "per-id")
    pacing.before("per-id")
    with pytest.raises(RateLimitError):
        pacing.refused(too_many(), "per-id")
    assert pacing.next_budget() == 190


def test_a_known_budget_is_not_overdrawn(clock):
    """The run stops before the service has to say no."""
    pacing = Pacing(Timing(clock, clock, clock.sleep), budget=3)
    for _ in range(3):
        pacing.before("per-id")
    with pytest.raises(RateLimitError):
        pacing.before("per-id")
    assert pacing.next_budget() == 3
    pacing.try_more()
    assert pacing.next_budget() == 4


def test_a_refusal_slows_the_whole_run(pacing, clock):
    """After a 429 every lane keeps more distance."""
    pacing.before("light")
    pacing.refused(too_many(retry_after="5"), "light")
    clock.slept.clear()
    pacing.before("light")
    pacing.before("light")
    assert clock.slept[-1] > 0.45


def test_a_run_ends_after_four_hours(pacing, clock):
    """A service that drips for ever does not keep a run for ever."""
    clock.seconds += RUN_DEADLINE + 1
    with pytest.raises(ServiceError, match="four hours"):
        pacing.before("light")


def test_the_lock_ends_the_run_at_once():
    """The words of the account lock are taken seriously, whatever the status."""
    text = b"Too many requests. We've temporarily limited access to your conversations to protect your data."
    with pytest.raises(RateLimitError, match="tomorrow"):
        refuse_lock(Reply(429, {}, text))
