"""Days, months and years as people type them, as bounds that stored times can be compared with."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mirror.errors import UsageError

_DAY = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")


class Period(NamedTuple):
    """From ``begin`` up to, but not including, ``end``, as text that sorts among stored times."""

    begin: str
    end: str


def parse_period(text: str) -> Period:
    """Return the bounds of a day, month, year or moment on this computer's calendar.

    Raises UsageError for what is no date.
    """
    try:
        begin, end = _bounds(text.strip())
        return Period(_comparable(begin), _comparable(end))
    except (ValueError, OverflowError):
        raise UsageError(f"“{text}” is not a date; write it like 2025-03-01, 2025-03 or 2025.") from None


def _bounds(text: str) -> tuple[datetime, datetime]:
    match = _DAY.fullmatch(text)
    if match is None:
        moment = datetime.fromisoformat(text)
        return moment, moment
    year, month, day = (int(part) if part else None for part in match.groups())
    begin = datetime(year or 1, month or 1, day or 1)  # noqa: DTZ001 - the person's own calendar, made UTC below
    if day:
        return begin, begin + timedelta(days=1)
    if month:
        return begin, (begin + timedelta(days=31)).replace(day=1)
    return begin, begin.replace(year=begin.year + 1)


def _comparable(moment: datetime) -> str:
    # Stored times may have milliseconds or not. Without "Z" this is a prefix of all of them, so it sorts before them.
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
