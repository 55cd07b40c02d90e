"""What ``chatmirror status`` says: is the mirror fresh, and if not, what is missing and what to do."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from mirror.errors import IncompleteError, ServiceError, SignInError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirror.errors import ChatmirrorError
    from mirror.store.status import Status

STALE_HOURS = 36.0
CLOCK_DRIFT = 3600.0  # seconds by which a success may lie ahead
EXPIRY_DAYS = 7.0
MOST_NAMED = 10


def lines(status: Status, now: float) -> Iterator[str]:
    """Yield the lines to print."""
    yield f"{status.conversations:,} conversations, {status.messages:,} messages" + _kept(status)
    last, success = status.last_run, status.last_success
    if success:
        yield f"last success  {_when(success['started_at'], now)}"
    if last is None:
        yield "last run      never; run `chatmirror sync`"
    elif last["id"] != (success or {}).get("id"):
        ending = last["outcome"] or "running, or stopped without a word"
        yield f"last run      {_when(last['started_at'], now)}: {ending}"
        if last["message"]:
            yield f"              {last['message']}"
    yield from _pending(status)
    for scope in status.scopes:
        listed = "?" if scope.listed is None else f"{scope.listed:,}"
        at = f", listed {_when(scope.read_to_end_at, now)}" if scope.read_to_end_at else ""
        stored = "" if scope.stored is None else f", {scope.stored:,} stored"
        yield f"{scope.account:<13} {scope.scope}: {listed} listed{stored}{at}"
    if status.session_expires:
        yield f"login ends    {status.session_expires[:10]}" + (expiry_warning(status.session_expires, now) or "")


def _kept(status: Status) -> str:
    parts = [(status.deleted, "deleted at the service and kept here"), (status.missing, "missing from its lists")]
    said = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    return f" ({said})" if said else ""


def _pending(status: Status) -> Iterator[str]:
    if not status.pending:
        return
    left = len(status.pending)
    nights = (
        f", {math.ceil(left / status.pace):,} more nights at this pace" if status.pace and left > MOST_NAMED else ""
    )
    yield f"still to do   about {left:,} left{nights}"
    for row in status.pending[:MOST_NAMED]:
        reason = f": {row.error}" if row.error else ""
        yield f"              “{row.title}” {row.conversation_id}{reason}"
    if left > MOST_NAMED:
        yield f"              and {left - MOST_NAMED:,} more"


def verdict(status: Status, now: float) -> ChatmirrorError | None:
    """Return why the mirror is not fresh, None if it is: a success within 36 hours and nothing left to do since."""
    last, success = status.last_run, status.last_success
    if success is None:
        why = f" The last run ended with: {last['message']}" if last and last["message"] else ""
        return ServiceError(f"There has been no successful sync yet; run `chatmirror sync`.{why}")
    age = now - _epoch(success["started_at"])
    if age < -CLOCK_DRIFT:
        return ServiceError("The last successful sync lies in the future; set this machine's clock, then sync.")
    if age > STALE_HOURS * 3600:
        error = SignInError if last and last["exit_code"] == SignInError.exit_code else ServiceError
        why = (
            f" The last run ended with: {last['message']}" if last and last["message"] else " Is the cron job running?"
        )
        return error(f"The last successful sync is {_age(age)} old.{why}")
    if status.pending:
        return IncompleteError(f"{len(status.pending):,} conversations are still to be saved; later runs go on.")
    return None


def expiry_warning(expires: str | None, now: float) -> str | None:
    """Return a warning when the login ends within a week."""
    if expires is None:
        return None
    left = (_epoch(expires) - now) / 86_400
    if left > EXPIRY_DAYS:
        return None
    return f" - in {max(0, math.floor(left))} days; run `chatmirror auth` with a new session cookie before then"


def _epoch(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _when(iso: str, now: float) -> str:
    return f"{iso[:16].replace('T', ' ')} UTC ({_age(now - _epoch(iso))} ago)"


def _age(seconds: float) -> str:
    hours = max(0.0, seconds) / 3600
    if hours < 1:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"  # noqa: PLR2004 - three days read better as days
