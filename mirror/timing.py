"""Time, waiting and randomness, passed in so that tests do not wait and always do the same."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Timing:
    """The clocks and the randomness of one run.

    ``now``: wall clock, epoch seconds, for display only; ``monotonic``: for durations; ``scale``: multiplies every
    wait; ``waited``: seconds slept so far.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleeper: Callable[[float], None] = time.sleep
    chance: random.Random = field(default_factory=random.Random)
    scale: float = 1.0
    waited: float = 0.0

    def sleep(self, seconds: float) -> None:
        """Wait on purpose."""
        seconds = max(0.0, seconds) * self.scale
        if seconds:
            self.waited += seconds
            self.sleeper(seconds)

    def iso(self, offset: float = 0.0) -> str:
        """Return now, or ``offset`` seconds from now, as the ISO text that the database holds."""
        return iso(self.now() + offset)


def iso(seconds: float) -> str:
    """Return epoch seconds as ISO 8601 UTC text with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
