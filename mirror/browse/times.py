"""Stored times as ``time`` elements: for machines in UTC, for the reader in UTC until a script knows the reader's zone.

The script of our pages writes the same form in the reader's zone and says so in the title. An element with
``data-utc`` keeps its day: it stands under a month, which is one of UTC. An exported page has no script, so its times
are those of the computer that wrote it, each with its distance from UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime

from markupsafe import Markup, escape

_DAY, _MINUTE = "%Y-%m-%d", "%Y-%m-%d %H:%M"
# Of the pages with a script only those that it does not run on show this.
_IN_UTC = Markup('<span class="utc"> UTC</span>')


def minute_html(iso: str | None) -> Markup:
    """Return a stored time to the minute, ``2026-04-01 21:05 UTC``; empty where there is none."""
    return _html(iso, _MINUTE, _IN_UTC)


def day_html(iso: str | None) -> Markup:
    """Return the day of a stored time, ``2026-04-01``."""
    return _html(iso, _DAY)


def fixed_day_html(iso: str | None) -> Markup:
    """Return the day of a stored time for a place under a month of UTC, which a reader's zone must not contradict."""
    return _html(iso, _DAY, kept=Markup(" data-utc"))


def utc_text(iso: str | None) -> str:
    """Return a stored time as plain text, ``2026-04-01 21:05 UTC``."""
    moment = _parsed(iso)
    return moment.strftime(f"{_MINUTE} UTC") if moment else (iso or "")[:10]


def local_minute_html(iso: str | None) -> Markup:
    """Return a time to the minute in this computer's zone, ``2026-04-01 23:05 UTC+02:00``."""
    moment = _local(iso)
    if moment is None:
        return _html(iso, _MINUTE)
    distance = moment.strftime("%z")
    return _time(moment, moment.strftime(_MINUTE), f" UTC{distance[:3]}:{distance[3:5]}")


def local_day_html(iso: str | None) -> Markup:
    """Return a day in this computer's zone."""
    moment = _local(iso)
    return _time(moment, moment.strftime(_DAY)) if moment else _html(iso, _DAY)


def _html(iso: str | None, form: str, zone: Markup | str = "", kept: Markup | str = "") -> Markup:
    """Return what cannot be read as a time as it is, without an element for machines."""
    moment = _parsed(iso)
    return _time(moment, moment.strftime(form), zone, kept) if moment else escape((iso or "")[:10])


def _time(moment: datetime, shown: str, zone: Markup | str = "", kept: Markup | str = "") -> Markup:
    utc = moment.astimezone(UTC)
    stated = utc.isoformat(timespec="seconds").replace("+00:00", "Z")
    title = f"{stated[:10]} {stated[11:16]} UTC"
    # A page has hundreds of times, and Markup's own format takes several times as long; all of this is digits and ours.
    return Markup(f'<time datetime="{stated}" title="{title}"{kept}>{shown}{zone}</time>')  # noqa: S704


def _parsed(iso: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(iso or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _local(iso: str | None) -> datetime | None:
    """Return a time in this computer's zone; None where there is none, or where it has no year there."""
    try:
        return datetime.fromisoformat(iso or "").astimezone()
    except (ValueError, OverflowError):
        return None
