"""What ``chatmirror status`` says: whether the mirror is fresh, and if not, what to do."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mirror.errors import IncompleteError, NotFreshError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mirror.errors import ChatmirrorError
    from mirror.store.status import Status

# A nightly job that starts up to 12 hours late once is no reason for an alarm; one that left out a night is. Smaller:
# false alarms after each late run. Larger: an expired login is noticed a day later.
STALE_HOURS = 36.0
# Seconds by which a success may be dated ahead of this computer's clock: clocks are set, and mirrors are copied between
# machines. Larger: after a clock that ran ahead, a mirror counts as fresh for so long without any sync.
CLOCK_DRIFT = 3600.0
# A login lasts about 90 days (API notes §1.1). Earlier: weeks of warnings in cron's mail. Later: none is read in time.
EXPIRY_DAYS = 7.0
MOST_NAMED = 10  # pending conversations that are listed by name: a screenful; all of them are in SQL
_DAY = 86_400.0


def lines(status: Status, now: float) -> Iterator[str]:
    """Yield the lines to print; what the verdict says of the last run is not said again."""
    yield f"{status.conversations:,} conversations, {status.messages:,} messages" + _kept(status)
    yield from _runs(status, now)
    yield from _pending(status)
    for scope in status.scopes:
        listed = "?" if scope.listed is None else f"{scope.listed:,}"
        at = f", listed {_when(scope.read_to_end_at, now)}" if scope.read_to_end_at else ""
        stored = "" if scope.stored is None else f", {scope.stored:,} stored"
        yield f"{scope.account:<13} {scope.scope}: {listed} listed{stored}{at}"
    if status.session_expires:
        warning = expiry_warning(status.session_expires, now)
        yield f"login expires {status.session_expires[:10]}" + (f". {warning}" if warning else "")


def _runs(status: Status, now: float) -> Iterator[str]:
    last, success = status.last_run, status.last_success
    if success:
        yield f"last success  {_when(success['started_at'], now)}"
    if last is None:
        yield "last run      never; run `chatmirror sync`"
    elif last["id"] != (success or {}).get("id"):
        yield f"last run      {_when(last['started_at'], now)}: {last['outcome'] or 'still running, or killed'}"
        error = verdict(status, now)
        if last["message"] and not (error and last["message"] in error.message):
            yield f"              {last['message']}"


def _kept(status: Status) -> str:
    parts = [(status.deleted, "deleted at the service, kept here"), (status.missing, "missing from its lists")]
    said = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    return f" ({said})" if said else ""


def _pending(status: Status) -> Iterator[str]:
    if not status.pending:
        return
    left = len(status.pending)
    is_long = status.pace and left > MOST_NAMED
    runs = f", about {math.ceil(left / status.pace):,} more runs at this pace" if is_long else ""
    yield f"still to do   about {left:,} left{runs}"
    for row in status.pending[:MOST_NAMED]:
        reason = f": {row.error}" if row.error else ""
        yield f"              “{row.title}” {row.conversation_id}{reason}"
    if left > MOST_NAMED:
        yield f"              and {left - MOST_NAMED:,} more"


def verdict(status: Status, now: float) -> ChatmirrorError | None:
    """Return why the mirror is not fresh, None if it is.

    Fresh: the last success is younger than STALE_HOURS and nothing is left to fetch. Without such a success, the exit
    code is that of the last run, if that failed.
    """
    success = status.last_success
    if success is None:
        return _not_fresh("There has been no successful sync yet.", status.last_run, "Run `chatmirror sync`.")
    age = now - _epoch(success["started_at"])
    if age < -CLOCK_DRIFT:
        return ServiceError("The last sync is dated in the future; check this computer's clock, then sync.")
    if age > STALE_HOURS * 3600:
        said = f"The last successful sync is {_age(age)} old."
        return _not_fresh(said, status.last_run, "Is the cron job running?")
    if status.pending:
        return IncompleteError(f"{len(status.pending):,} conversations are not saved yet; the next run continues.")
    return None


def _not_fresh(said: str, last: Mapping[str, Any] | None, todo: str) -> ChatmirrorError:
    if last is None or not last["exit_code"]:
        return ServiceError(f"{said} {todo}")
    why = last["message"] or f"{last['outcome']}. {todo}"
    return NotFreshError(f"{said} The last run ended with: {why}", last["exit_code"])


def expiry_warning(expires: str | None, now: float) -> str | None:
    """Return a warning when the login ends within a week."""
    if expires is None:
        return None
    left = (_epoch(expires) - now) / _DAY
    if left > EXPIRY_DAYS:
        return None
    when = "has expired" if left < 0 else f"expires in {_days(left)}"
    return f"The login {when}; run `chatmirror auth` with a new session cookie."


def _days(left: float) -> str:
    days = math.floor(left)
    return "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days"


def _epoch(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _when(iso: str, now: float) -> str:
    return f"{iso[:16].replace('T', ' ')} UTC ({_age(now - _epoch(iso))} ago)"


def _age(seconds: float) -> str:
    hours = max(0.0, seconds) / 3600
    if hours < 1:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"  # noqa: PLR2004 - three days read better as days
