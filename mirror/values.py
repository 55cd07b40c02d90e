"""Single values from undocumented JSON: times, text for SQLite, safe access to dicts and lists.

Nothing here raises, whatever it is given: what makes no sense becomes None, "" or an empty container.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_IN_UTC = datetime(1970, 1, 1)  # noqa: DTZ001 - what is added to it is written without an offset
_MICROSECOND = timedelta(microseconds=1)
# 1990-01-01 and 2200-01-01: a number outside of these is not the time of a chat but some other number.
_OLDEST_US = 631_152_000_000_000
_LATEST_US = 7_258_118_400_000_000
# From 1990 to 2200 seconds are below 1e10, milliseconds between 6e11 and 1e13, microseconds between 6e14 and 1e16.
_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14
_LONGEST_TIME = 40  # characters; ISO text with nanoseconds and an offset has 35
_INT64 = 2**63
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")


def epoch_us(value: object) -> int | None:
    """Return a time as microseconds since 1970, or None where it is none between 1990 and 2200.

    Takes epoch seconds, milliseconds (from 1e11) and microseconds (from 1e14) as numbers or numeric strings, and
    ISO 8601 text with any offset; without one it is UTC (API notes §2.2).
    """
    if isinstance(value, float):
        return _from_number(value)
    if isinstance(value, int):
        return None if isinstance(value, bool) else _from_number(value)
    if isinstance(value, str) and len(value) <= _LONGEST_TIME:
        return _from_text(value.strip())
    return None


def _from_number(value: float | Decimal) -> int | None:
    # Compared before it is scaled: an int may be far larger than a float can be.
    if not math.isfinite(value) if isinstance(value, float) else not 0 < value < _LATEST_US:
        return None
    if value >= _MICROSECONDS_FROM:
        us = round(value)
    elif value >= _MILLISECONDS_FROM:
        us = round(value * 1_000)
    else:
        # Whole seconds and fraction apart: a float as large as the product cannot hold all digits that this one holds.
        seconds = int(value)
        us = seconds * 1_000_000 + round((value - seconds) * 1_000_000)
    return us if _OLDEST_US <= us < _LATEST_US else None


def _from_text(text: str) -> int | None:
    if _NUMBER.fullmatch(text):
        return _from_number(Decimal(text))
    try:
        moment = datetime.fromisoformat(text.removesuffix("UTC").rstrip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        us = (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None
    return us if _OLDEST_US <= us < _LATEST_US else None


def iso_time(value: object) -> str | None:
    """Return a time as ISO 8601 UTC text ending in ``Z``, or None; takes what ``epoch_us`` takes.

    Milliseconds, or microseconds where the time is no whole millisecond: ``2025-07-10T14:53:58.103234Z``.
    """
    us = None if value is None else epoch_us(value)
    if us is None:
        return None
    moment = _EPOCH_IN_UTC + timedelta(0, us // 1_000_000, us % 1_000_000)
    return f"{moment.isoformat() if us % 1_000 else moment.isoformat(timespec='milliseconds')}Z"


def clean_text(value: str) -> tuple[str, bool]:
    """Return text that SQLite and FTS5 can store whole, and whether it had to be changed for that.

    NUL becomes U+2400. A round trip through UTF-16 joins split surrogate pairs; lone surrogates become U+FFFD.
    """
    if value.isascii() and "\0" not in value:
        return value, False
    clean = value.replace("\0", "\u2400")
    try:
        clean.encode()
    except UnicodeEncodeError:
        clean = clean.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return clean, clean != value


def clean_or_none(value: object) -> str | None:
    """Return a string as ``clean_text`` does, or None for "" and for what is no string."""
    return clean_text(value)[0] if isinstance(value, str) and value else None


def without_private(text: str) -> str:
    """Return the text without private-use characters, which only the service's own pages can show."""
    return text if text.isascii() else _PRIVATE.sub("", text)


def plain(value: object) -> str | None:
    """Return a string fit for any column (an id, a name, a title), None for a blank or no string."""
    if not isinstance(value, str):
        return None
    text = value if value.isascii() and "\0" not in value else without_private(clean_text(value)[0])
    return text if text and not text.isspace() else None


def as_id(value: object) -> str | None:
    """Return an id as text, or None; some tools write numbers where the service writes names."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < _INT64 else None
    return plain(value)


def as_dict(value: object) -> dict[str, Any]:
    """Return the value if it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """Return the value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def as_dicts(value: object) -> list[dict[str, Any]]:
    """Return the dicts of a list."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def as_count(value: object) -> int | None:
    """Return a whole number that is not negative and fits a column (63 bits), or None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _INT64 else None


def first_text(*values: object) -> str:
    """Return the first string among the values that is not blank, else ""."""
    for value in values:
        if isinstance(value, str) and value and not value.isspace():
            return value
    return ""


def is_same_moment(one: int | None, other: int | None) -> bool:
    """Whether two times (microseconds) are one moment, of which one was told in whole seconds or milliseconds."""
    if one is None or other is None or one == other:
        return one == other
    return any(_is_coarser(one, other, unit) or _is_coarser(other, one, unit) for unit in (1_000_000, 1_000))


def _is_coarser(coarse: int, fine: int, unit: int) -> bool:
    return coarse % unit == 0 and coarse in {fine // unit * unit, (fine + unit // 2) // unit * unit}
