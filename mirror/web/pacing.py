"""The one pacing policy: how fast, how often again, and when to stop.

One connection, one request at a time. Each site says which requests it limits together (``RequestClass``), how far
apart they are sent, and how long to pause after a 429. Two rules hold for every site:

* A 429 slows the whole run: it doubles the spacing of all classes for the rest of the run, up to a bound.
* ``Retry-After`` of a 429 or 5xx is obeyed up to a bound; a longer one ends the run.

Requests of a budgeted class are counted. A refusal that is repeated soon after the pause is lasting: a part of what was
granted before it becomes the budget of the next run, and each run that meets no lasting refusal raises it again. One
stray refusal is a pause and teaches nothing.

Back-off is exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from mirror.errors import RateLimitError, ServiceError

if TYPE_CHECKING:
    from mirror.timing import Timing
    from mirror.web.site import RequestClass, Site
    from mirror.web.transport import Reply

# Seconds. A run must end before the next one begins. Shorter: a first sync takes more runs.
RUN_DEADLINE = 4 * 3600.0
# Seconds of a Retry-After that are waited for. Longer: a run sits idle while it holds the database.
LONGEST_PAUSE = 15 * 60.0
# Times the spacing, after repeated 429s. Smaller: no slowing down is left; larger: the run only waits.
MOST_SLOWNESS = 64.0
# Seconds before the first retry, and at most. Usual values; the sites state none.
BACKOFF_BASE, BACKOFF_CAP = 1.0, 60.0
# Share of what was granted before a lasting refusal. A guess that stays below the limit; 1: every run meets a refusal.
BUDGET_CUT = 2 / 3
# Factor after each run that met no lasting refusal. Larger: refusals again at once; 1: a budget never recovers.
BUDGET_GROWTH = 1.5
# Requests granted between two refusals below which the second one is lasting: a bucket that is empty gives about one
# after each pause. 0: no budget is learned; large: two stray refusals teach one.
LASTING_GRANTS = 10
# Refusals of a budgeted class that a run waits for, even if much was granted between them. Larger: the account's lock.
MOST_REFUSALS = 3
# Share by which each spacing is varied at random. 0: requests at a fixed beat, which no browser sends.
SPACING_JITTER = 0.2
# Share by which a pause after a 429 is lengthened at random at most. 0: every program comes back at the same moment.
PAUSE_JITTER = 0.5
# Bytes of an answer that are searched for the words of the account lock; the known ones are short (API notes §8).
LOCK_SEARCH_BYTES = 20_000


@dataclass(slots=True)
class Pacing:
    """Counts and waits for one run.

    ``budget``: budgeted requests that this run may send, None where no limit is known. ``learned_budget``: what later
    runs may send, after a refusal in this one. ``slowness``: by how much the spacing of all classes has grown.
    """

    site: Site
    timing: Timing
    budget: int | None = None
    requests: int = 0
    budgeted_requests: int = 0
    learned_budget: int | None = None
    slowness: float = 1.0
    _started: float = field(init=False)
    _last: float | None = None
    _refusals: Counter[str] = field(default_factory=Counter)  # by the name of the request class
    _granted_before_refusal: int = 0  # budgeted requests granted when the latest refusal came

    def __post_init__(self) -> None:
        self._started = self.timing.monotonic()

    def wait_turn(self, request_class: RequestClass) -> None:
        """Wait until the next request may be sent; raises when the run has had its time or its budget."""
        if self.time_left() <= 0:
            raise _out_of_time()
        if request_class.is_budgeted and self.budget is not None and self.budgeted_requests >= self.budget:
            raise RateLimitError(f"Stopped before reaching {self.site.name}'s read limit; the next run continues.")
        if self._last is not None:
            jitter = self.timing.chance.uniform(1 - SPACING_JITTER, 1 + SPACING_JITTER)
            elapsed = (self.timing.monotonic() - self._last) / (self.timing.scale or 1.0)
            self._sleep(request_class.spacing * self.slowness * jitter - elapsed)
        self._last = self.timing.monotonic()
        self.requests += 1
        self.budgeted_requests += request_class.is_budgeted

    def wait_after_429(self, reply: Reply, request_class: RequestClass, sentence: str | None = None) -> None:
        """Wait as a 429 asks; raises RateLimitError where the run should end instead.

        ``sentence``: the site's own words about it, for the message.
        """
        asked = self._asked_pause(reply)
        refusals, learned = self._refusals[request_class.name], self.learned_budget
        if self._is_enough(request_class, refusals):
            said = f": “{sentence}”" if sentence else ""
            raise LastingLimit(
                f"{self.site.name} asks for fewer requests{said}; what is saved stays, and the next run continues.",
                learned,
            )
        pause = asked
        if pause is None:
            usual = request_class.pauses[min(refusals, len(request_class.pauses) - 1)]
            pause = usual * self.timing.chance.uniform(1.0, 1 + PAUSE_JITTER)
        self._refusals[request_class.name] += 1
        self.slowness = min(2 * self.slowness, MOST_SLOWNESS)
        self._sleep(pause)

    def excuse(self, error: LastingLimit) -> None:
        """Forget the budget that a lasting refusal, and any since, taught: it was of one address.

        What an earlier one taught stays. Refusals go on to be counted.
        """
        self.learned_budget = error.budget_before

    def _is_enough(self, request_class: RequestClass, refusals: int) -> bool:
        """Whether one more refusal ends the run; a lasting one of a budgeted class also teaches the budget."""
        if not request_class.is_budgeted:
            return refusals >= len(request_class.pauses)
        granted, before = self.budgeted_requests - 1 - refusals, self._granted_before_refusal
        if refusals and granted - before < LASTING_GRANTS:
            self.learned_budget = max(1, int(before * BUDGET_CUT))
            return True
        self._granted_before_refusal = granted
        return refusals >= MOST_REFUSALS

    def wait_after_server_error(self, reply: Reply, attempt: int) -> None:
        """Wait after a 5xx, as it asks or as after any failure; raises StopError when it asks too much."""
        asked = self._asked_pause(reply)
        if asked is None:
            self.back_off(attempt)
        else:
            self._sleep(asked)

    def _asked_pause(self, reply: Reply) -> float | None:
        asked = retry_after(reply, self.timing.now())
        if asked is not None and asked > LONGEST_PAUSE:
            raise LongPauseError(self.site.name, asked)
        return asked

    def back_off(self, attempt: int) -> None:
        """Wait before try ``attempt`` + 1 (from 0) after a failure that may pass."""
        self._sleep(self.timing.chance.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2**attempt)))

    def time_left(self) -> float:
        """Return how many seconds of the run are left."""
        return self._started + RUN_DEADLINE - self.timing.monotonic()

    def _sleep(self, seconds: float) -> None:
        """Wait; raises ServiceError without waiting where the run would end before that."""
        if seconds * self.timing.scale > self.time_left():
            raise _out_of_time()
        self.timing.sleep(seconds)

    def note_answer(self, request_class: RequestClass) -> None:
        """An answer came: without a budget, refusals count in a row only."""
        if not request_class.is_budgeted:
            self._refusals[request_class.name] = 0

    def next_budget(self) -> int | None:
        """Return what a later run may use: less after a lasting refusal, more after a run without one."""
        if self.learned_budget is not None or self.budget is None:
            return self.learned_budget
        return int(self.budget * BUDGET_GROWTH) + 1


def _out_of_time() -> ServiceError:
    return ServiceError(
        f"The run stopped at its limit of {RUN_DEADLINE / 3600:.0f} hours; what is saved stays. Run again to continue."
    )


class LastingLimit(RateLimitError):  # noqa: N818 - an answer
    """The site refused one more request, after the pauses.

    ``budget_before``: the learned budget that this refusal may have replaced.
    """

    def __init__(self, message: str, budget_before: int | None = None) -> None:
        super().__init__(message)
        self.budget_before = budget_before


class StopError(RateLimitError):
    """Not one more request in this run, of whatever class."""

    is_final = True


class LongPauseError(StopError):
    """The site asked for a pause of so many ``seconds``. ``what``: what it was asked for, in words for a person."""

    def __init__(self, site: str, seconds: float, what: str = "") -> None:
        asked_for = f" when it was asked for {what}" if what else ""
        super().__init__(
            f"{site} asked to wait {seconds / 60:.0f} minutes{asked_for}, so the run stopped; what is saved stays. Run"
            " again after that."
        )
        self.site, self.seconds = site, seconds

    def about(self, what: str, site: str | None = None) -> LongPauseError:
        """Return it with what was asked for, of the ``site`` if that is another one."""
        return LongPauseError(site or self.site, self.seconds, what)


class LockedError(StopError):
    """The site has locked the person's own account for a while."""


def stop_if_locked(reply: Reply, site: Site) -> None:
    """Raise LockedError when an answer says that the person's own account is locked."""
    if site.lock_words and site.lock_words in reply.body[:LOCK_SEARCH_BYTES]:
        raise LockedError(
            f"{site.name} has limited access to your conversations for some minutes, so the run stopped at once; what"
            " is saved stays. Run again tomorrow."
        )


def retry_after(reply: Reply, now: float) -> float | None:
    """Return the seconds of a Retry-After header: a number or a date; None for nonsense or the past.

    A date is measured by the answer's own, for this computer's clock, ``now``, may be wrong.
    """
    text = reply.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        until, sent = _date(text), _date(reply.headers.get("date", ""))
        if until is None:
            return None
        seconds = until - (now if sent is None else sent)
    return seconds if 0 < seconds < float("inf") else None


def _date(text: str) -> float | None:
    """Return a header's date as epoch seconds; None for what is none."""
    try:
        return parsedate_to_datetime(text.strip()).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
