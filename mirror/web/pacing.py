"""The one pacing policy: how fast, how often again, and when to stop.

One connection, one request at a time. Two lanes are paced apart, because the service limits them apart (API notes §8):

* *light*: lists, batches, side items. Never reported limited; at most one every 0.3 s, which is what the service's own
  clients do while a person scrolls.
* *per-id*: one conversation by its id. A bucket of about 200 that refills about once a minute, without ``Retry-After``;
  overdrawing it locks the person's own ChatGPT. At most one a second; the first refusal costs a pause of a minute, the
  second ends the run, and the number that was granted becomes the next night's budget, so that it is not asked again.

Back-off is exponential with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/);
``Retry-After`` of a 429 or 5xx is obeyed up to 15 minutes, and ends the run beyond that. Any 429 doubles the spacing
for the rest of the run, up to 64 times. A run ends after four hours at the latest. The words of the account lock end it
at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from mirror.errors import RateLimitError, ServiceError

if TYPE_CHECKING:
    from mirror.timing import Timing
    from mirror.web.transport import Reply

Lane = Literal["light", "per-id"]
SPACING: dict[Lane, float] = {"light": 0.3, "per-id": 1.0}  # seconds from one request to the next, before jitter
RUN_DEADLINE = 4 * 3600.0
LONGEST_PAUSE = 15 * 60.0
LIGHT_PAUSES = (20.0, 60.0, 180.0)  # seconds before the next try after a 429 without Retry-After
PER_ID_PAUSES = (60.0,)
MOST_SLOWNESS = 64.0
BACKOFF_BASE, BACKOFF_CAP = 1.0, 60.0
LOCKED = b"temporarily limited access"
FIRST_BUDGET_SHARE = 0.95
BUDGET_GROWTH = 1.05  # a week


@dataclass(slots=True)
class Pacing:
    """Counts and waits for one run. ``budget``: per-id requests allowed this run, None where no limit is known."""

    timing: Timing
    budget: int | None = None
    requests: int = 0
    per_id_used: int = 0
    learned: int | None = None
    slowness: float = 1.0
    _started: float = field(init=False)
    _last: float | None = None
    _refusals: dict[Lane, int] = field(default_factory=lambda: {"light": 0, "per-id": 0})

    def __post_init__(self) -> None:
        self._started = self.timing.monotonic()

    def before(self, lane: Lane) -> None:
        """Wait for this lane's turn; raises when the run has had its time, or the lane its budget."""
        if self.timing.monotonic() - self._started > RUN_DEADLINE:
            raise ServiceError("The run has had its four hours and stopped; what is saved stays. Run again to go on.")
        if lane == "per-id" and self.budget is not None and self.per_id_used >= self.budget:
            raise RateLimitError("Tonight's share of single reads is used up; stopped so as not to lock your account.")
        if self._last is not None:
            gap = SPACING[lane] * self.slowness * self.timing.chance.uniform(0.8, 1.2)
            self.timing.sleep(gap - (self.timing.monotonic() - self._last) / (self.timing.scale or 1.0))
        self._last = self.timing.monotonic()
        self.requests += 1
        self.per_id_used += lane == "per-id"

    def refused(self, reply: Reply, lane: Lane) -> None:
        """Wait as a 429 asks; raises RateLimitError where waiting is not polite any more."""
        if lane == "per-id" and self.learned is None:
            self.learned = max(1, int((self.per_id_used - 1) * FIRST_BUDGET_SHARE))
        asked = retry_after(reply, self.timing.now())
        if asked is not None and asked > LONGEST_PAUSE:
            raise StopError(f"The service asked to wait {asked / 60:.0f} minutes; stopped politely. Run again then.")
        pauses = LIGHT_PAUSES if lane == "light" else PER_ID_PAUSES
        if self._refusals[lane] >= len(pauses):
            raise RateLimitError(
                "The service asks for fewer requests; stopped politely. The next run goes on from here."
            )
        pause = pauses[self._refusals[lane]] * self.timing.chance.uniform(1.0, 1.5) if asked is None else asked
        self._refusals[lane] += 1
        self.slowness = min(2 * self.slowness, MOST_SLOWNESS)
        self.timing.sleep(pause)

    def granted(self, lane: Lane) -> None:
        """An answer came: refusals of the light lane count in a row only."""
        if lane == "light":
            self._refusals["light"] = 0

    def unwell(self, reply: Reply, attempt: int) -> None:
        """Wait after a 5xx: as it asks, or as after any failure; raises StopError where that is for too long."""
        asked = retry_after(reply, self.timing.now())
        if asked is None:
            self.back_off(attempt)
        elif asked > LONGEST_PAUSE:
            raise StopError(f"The service asked to wait {asked / 60:.0f} minutes; stopped politely. Run again then.")
        else:
            self.timing.sleep(asked)

    def back_off(self, attempt: int) -> None:
        """Wait before try ``attempt`` + 1 (from 0) after a failure that may pass."""
        self.timing.sleep(self.timing.chance.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2**attempt)))

    def next_budget(self) -> int | None:
        """Return what a later run may use: what was granted before a refusal."""
        return self.budget if self.learned is None else self.learned

    def try_more(self) -> None:
        """Once in a while, see whether the service grants a little more than it did."""
        if self.budget is not None:
            self.budget = int(self.budget * BUDGET_GROWTH) + 1


class StopError(RateLimitError):
    """Not one request more, of whatever kind."""

    is_final = True


class LockedError(StopError):
    """The service has locked the person's own conversations."""


def refuse_lock(reply: Reply) -> None:
    """Stop at once when the service says that it has locked the person's own conversations (API notes §8)."""
    if LOCKED in reply.body[:20_000]:
        raise LockedError(
            "The service has limited access to your conversations for some minutes; stopped at once. Go on tomorrow."
        )


def retry_after(reply: Reply, now: float) -> float | None:
    """Return the seconds of a Retry-After header: a number or a date; None for nonsense or the past."""
    text = reply.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return seconds if 0 < seconds < float("inf") else None
