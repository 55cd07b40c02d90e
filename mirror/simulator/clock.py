"""Time as the simulated service and its person live it."""

from __future__ import annotations

from datetime import UTC, datetime


class ManualClock:
    """A clock that stands still until it is moved. Call it for epoch seconds."""

    def __init__(self, start: float = 1_780_000_000.0) -> None:
        self.seconds = start

    def __call__(self) -> float:
        """Return the time, epoch seconds."""
        return self.seconds

    def time(self) -> float:
        """Return the time, epoch seconds, for code that expects a ``time`` module."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass; tests also pass it as ``sleep``."""
        self.seconds += max(0.0, seconds)


def iso_microseconds(seconds: float) -> str:
    """Return the form of time in lists and batches: UTC with microseconds."""
    return datetime.fromtimestamp(round(seconds, 6), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
