"""Days, months and years as people type them, as bounds that stored times can be compared with."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from mirror.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BEFORE_ALL, _AFTER_ALL = "", "~"  # as text beside stored times
_SECONDS = len("2025-03-01T00:00:00")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
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
    except ValueError:
        raise UsageError(f"“{text}” is not a date; write it like 2025-03-01, 2025-03 or 2025.") from None
    return Period(_comparable(begin), _comparable(end) if end else _AFTER_ALL)


def local_months(dates: Sequence[str]) -> list[str]:
    """Return for each stored time the month, like ``2025-03``, whose period has it."""
    begins = {}
    for stored in {date[:7] for date in dates}:
        for month in _month_and_neighbours(stored):
            begins[parse_period(month).begin] = month
    known = sorted(begins)
    found = (bisect_right(known, date) - 1 if _MONTH.fullmatch(date[:7]) else -1 for date in dates)
    return [begins[known[at]] if at >= 0 else date[:7] for at, date in zip(found, dates, strict=True)]


def _month_and_neighbours(month: str) -> Iterator[str]:
    """Yield those in which times of a month of UTC can lie on any calendar; nothing for what is no month."""
    if match := _MONTH.fullmatch(month):
        number = 12 * int(match[1]) + int(match[2]) - 1
        for one in (number - 1, number, number + 1):
            if MINYEAR <= one // 12 <= MAXYEAR:
                yield f"{one // 12:04}-{one % 12 + 1:02}"


def _bounds(text: str) -> tuple[datetime, datetime | None]:
    """Return begin and end; None for the end of all times."""
    match = _DAY.fullmatch(text)
    if match is None:
        moment = datetime.fromisoformat(text)
        return moment, moment
    year, month, day = (int(part) if part else 0 for part in match.groups())
    begin = datetime(year, int(match[2] or 1), int(match[3] or 1))  # noqa: DTZ001 - the person's own calendar, made UTC below
    if (begin.year, month or 12, day or 31) == (MAXYEAR, 12, 31):
        return begin, None
    if day:
        return begin, begin + timedelta(days=1)
    if month:
        return begin, (begin + timedelta(days=31)).replace(day=1)
    return begin, begin.replace(year=begin.year + 1)


def _comparable(moment: datetime) -> str:
    # Stored times may have milliseconds or not. Without "Z" this is a prefix of all of them, so it sorts before them.
    try:
        return moment.astimezone(UTC).isoformat()[:_SECONDS]
    except (ValueError, OverflowError):  # beyond the first or last year by the difference of the zones
        return _BEFORE_ALL if moment.year == MINYEAR else _AFTER_ALL
