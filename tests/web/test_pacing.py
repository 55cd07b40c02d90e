"""Politeness: spacing, pauses, and when to stop."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from scripted_wire import ScriptedClock

from mirror.chatgpt.site import BY_ID, ORDINARY, SITE
from mirror.errors import RateLimitError, ServiceError
from mirror.web.pacing import (
    LASTING_GRANTS,
    LONGEST_PAUSE,
    MOST_REFUSALS,
    MOST_SLOWNESS,
    RUN_DEADLINE,
    Pacing,
    retry_after,
    stop_if_locked,
)
from mirror.web.site import RequestClass, Site
from mirror.web.transport import Reply


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock()


@pytest.fixture
def pacing(clock: ScriptedClock) -> Pacing:
    return Pacing(SITE, clock.timing())


def too_many(retry_after: str | None = None) -> Reply:
    return Reply(429, {} if retry_after is None else {"retry-after": retry_after}, b'{"detail":"Too many"}')


def test_requests_are_spaced(pacing: Pacing, clock: ScriptedClock) -> None:
    """No two requests follow each other at once; reads by id keep more distance."""
    for request_class in (ORDINARY, ORDINARY, BY_ID, BY_ID):
        pacing.wait_turn(request_class)
    assert len(clock.slept) == 3
    assert 0.2 < clock.slept[0] < 0.4
    assert 0.7 < clock.slept[2] < 1.3


def test_time_that_passed_anyway_is_not_waited_for_again(pacing: Pacing, clock: ScriptedClock) -> None:
    """After a slow answer the next request is sent at once."""
    pacing.wait_turn(BY_ID)
    clock.seconds += 10
    pacing.wait_turn(BY_ID)
    assert clock.slept == []


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
def test_retry_after_in_every_form(header: str, seconds: float | None, clock: ScriptedClock) -> None:
    """A number of seconds counts, nonsense does not, and nothing of it raises."""
    assert retry_after(too_many(header), clock()) == seconds


def test_retry_after_as_a_date(clock: ScriptedClock) -> None:
    """A date counts from now; one in the past does not."""
    assert retry_after(too_many(formatdate(clock() + 90, usegmt=True)), clock()) == pytest.approx(90, abs=1)
    assert retry_after(too_many(formatdate(clock() - 90, usegmt=True)), clock()) is None


@pytest.mark.parametrize("wrong_by", [-86_400.0, -60.0, 60.0, 86_400.0])
def test_retry_after_as_a_date_is_measured_by_the_answers_own(clock: ScriptedClock, wrong_by: float) -> None:
    """This computer's clock may be wrong; where the answer has no date of its own that can be read, it counts."""
    theirs = clock() + wrong_by
    later = formatdate(theirs + 90, usegmt=True)
    reply = Reply(429, {"retry-after": later, "date": formatdate(theirs, usegmt=True)}, b"")
    assert retry_after(reply, clock()) == 90
    unreadable = Reply(429, {"retry-after": formatdate(clock() + 90, usegmt=True), "date": "today"}, b"")
    assert retry_after(unreadable, clock()) == pytest.approx(90, abs=1)


def test_a_pause_longer_than_a_run_ends_it(pacing: Pacing, clock: ScriptedClock) -> None:
    """Asked to wait a day, the run stops instead of waiting."""
    with pytest.raises(RateLimitError, match="1440 minutes"):
        pacing.wait_after_429(too_many("86400"), ORDINARY)
    assert clock.slept == []


def test_a_short_pause_is_kept_exactly(pacing: Pacing, clock: ScriptedClock) -> None:
    """Retry-After is obeyed to the second, of a 429 and of a 5xx."""
    pacing.wait_after_429(too_many("90"), ORDINARY)
    pacing.wait_after_server_error(Reply(503, {"retry-after": "80"}, b""), 1)
    assert clock.slept == [90, 80]
    assert LONGEST_PAUSE > 90


def test_refusals_without_a_budget_count_in_a_row(pacing: Pacing) -> None:
    """An answer in between starts the count again; as many pauses as the class has, then the run ends."""
    for _ in range(5):
        pacing.wait_after_429(too_many(), ORDINARY)
        pacing.note_answer(ORDINARY)
    for _ in ORDINARY.pauses:
        pacing.wait_after_429(too_many(), ORDINARY)
    with pytest.raises(RateLimitError, match="fewer requests"):
        pacing.wait_after_429(too_many(), ORDINARY)


def test_a_lasting_refusal_of_reads_by_id_ends_the_run_and_teaches_a_budget(pacing: Pacing) -> None:
    """Refused again soon after the pause: the next run asks for two thirds of what was granted before it."""
    for _ in range(201):
        pacing.wait_turn(BY_ID)
    pacing.wait_after_429(too_many(), BY_ID)
    pacing.wait_turn(BY_ID)
    pacing.note_answer(BY_ID)
    with pytest.raises(RateLimitError):
        pacing.wait_after_429(too_many(), BY_ID)
    assert pacing.next_budget() == 133


def test_a_stray_refusal_teaches_nothing(pacing: Pacing) -> None:
    """One 429, then two hundred are granted: a pause. Several of them still end the run."""
    for _ in range(MOST_REFUSALS):
        for _ in range(LASTING_GRANTS + 1):
            pacing.wait_turn(BY_ID)
        pacing.wait_after_429(too_many(), BY_ID)
    assert pacing.next_budget() is None
    for _ in range(LASTING_GRANTS + 1):
        pacing.wait_turn(BY_ID)
    with pytest.raises(RateLimitError):
        pacing.wait_after_429(too_many(), BY_ID)


def test_the_message_repeats_the_sites_own_sentence(pacing: Pacing) -> None:
    """So that a person reads why."""
    for _ in ORDINARY.pauses:
        pacing.wait_after_429(too_many(), ORDINARY)
    with pytest.raises(RateLimitError, match="“Come back at noon"):
        pacing.wait_after_429(too_many(), ORDINARY, "Come back at noon.")


def test_a_known_budget_is_not_overdrawn(clock: ScriptedClock) -> None:
    """The run stops before the service has to refuse, and says so; other requests are not counted."""
    pacing = Pacing(SITE, clock.timing(), budget=3)
    for _ in range(3):
        pacing.wait_turn(BY_ID)
    with pytest.raises(RateLimitError, match="before reaching ChatGPT's read limit"):
        pacing.wait_turn(BY_ID)
    pacing.wait_turn(ORDINARY)
    assert pacing.next_budget() == 5  # no refusal was met: half as much again, and one


def test_a_refusal_slows_the_whole_run(pacing: Pacing, clock: ScriptedClock) -> None:
    """After a 429 every class of requests keeps more distance, up to a bound."""
    pacing.wait_turn(ORDINARY)
    pacing.wait_after_429(too_many("5"), ORDINARY)
    clock.slept.clear()
    pacing.wait_turn(BY_ID)
    pacing.wait_turn(ORDINARY)
    assert clock.slept[-1] > 0.45
    for _ in range(10):
        pacing.note_answer(ORDINARY)
        pacing.wait_after_429(too_many("5"), ORDINARY)
    assert pacing.slowness == MOST_SLOWNESS


def test_a_run_ends_after_four_hours(pacing: Pacing, clock: ScriptedClock) -> None:
    """A service that drips for ever does not keep a run for ever."""
    clock.seconds += RUN_DEADLINE + 1
    with pytest.raises(ServiceError, match="4 hours"):
        pacing.wait_turn(ORDINARY)


def test_no_pause_outlasts_the_run(pacing: Pacing, clock: ScriptedClock) -> None:
    """What would be over after it is over at once, and the database is free."""
    clock.seconds += RUN_DEADLINE - 30
    for pause in (
        lambda: pacing.wait_after_429(too_many("60"), ORDINARY),
        lambda: pacing.wait_after_server_error(Reply(503, {"retry-after": "60"}, b""), 1),
    ):
        with pytest.raises(ServiceError, match="4 hours"):
            pause()
    assert clock.slept == []


LOCK = b"Too many requests. We've temporarily limited access to your conversations to protect your data."


def test_the_lock_ends_the_run_at_once() -> None:
    """The words of the account lock are taken seriously, whatever the status."""
    with pytest.raises(RateLimitError, match="tomorrow") as caught:
        stop_if_locked(Reply(429, {}, LOCK), SITE)
    assert caught.value.is_final


def test_another_site_has_its_own_limits_words_and_name(clock: ScriptedClock) -> None:
    """Nothing of ChatGPT is left in the pacing of a site that is not ChatGPT."""
    slow = RequestClass("slow", spacing=10.0, pauses=(5.0,))
    other = Site("Parrot", "https://parrot.example", lambda body: None, b"cage closed")
    stop_if_locked(Reply(429, {}, LOCK), other)
    stop_if_locked(Reply(429, {}, LOCK), Site("Crow", "https://crow.example", lambda body: None))
    with pytest.raises(RateLimitError, match="Parrot has limited access"):
        stop_if_locked(Reply(200, {}, b"... cage closed ..."), other)
    pacing = Pacing(other, clock.timing())
    pacing.wait_turn(slow)
    pacing.wait_turn(slow)
    assert 8 <= clock.slept[0] <= 12
    pacing.wait_after_429(too_many(), slow)
    assert 5 <= clock.slept[1] <= 7.5
    with pytest.raises(RateLimitError, match="Parrot asks for fewer requests"):
        pacing.wait_after_429(too_many(), slow)
