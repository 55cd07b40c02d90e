"""What ``chatmirror status`` says: whether the mirror is fresh, and if not, what to do."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mirror.errors import SEVERITY, IncompleteError, NotFreshError, ServiceError
from mirror.health.login_expiry import expiry_warning
from mirror.health.stored_bytes import spot_check
from mirror.normalize import NORMALIZERS
from mirror.services import not_mirrored, speaker_of
from mirror.source import BRANCH_ONLY
from mirror.store import status as status_rows
from mirror.store.database_file import is_locked
from mirror.timing import iso

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from mirror.errors import ChatmirrorError
    from mirror.store.file_rows import FileCounts
    from mirror.store.skeletons import Drift
    from mirror.store.status import IncompleteConversation, ServiceStatus, Status

# A nightly job that starts up to 12 hours late once is no reason for an alarm; one that left out a night is. Smaller:
# false alarms after each late run. Larger: an expired login is noticed a day later.
STALE_HOURS = 36.0
# Seconds by which a success may be dated ahead of this computer's clock: clocks are set, and mirrors are copied between
# machines. Larger: after a clock that ran ahead, a mirror counts as fresh for so long without any sync.
CLOCK_DRIFT = 3600.0
# Days for which a change in the form of the answers is shown. Shorter: nobody looks in time; longer: old news.
DRIFT_DAYS = 14.0
MOST_NAMED = 10  # pending or incomplete conversations listed by name: a screenful; all of them are in SQL
_DAY = 86_400.0


def read_status(conn: sqlite3.Connection, path: Path) -> Status:
    """Read a mirror's state, and look beside it for the bytes of its files, and for who holds its lock."""
    found = status_rows.read(conn)
    is_running = is_locked(path) if found.has_open_run else None
    return replace(found, lacking=spot_check(conn, path).error, is_running=is_running)


def lines(status: Status, now: float, *, may_stay_import: bool = False) -> Iterator[str]:
    """Yield the lines to print; what the verdict says of the last run is not said again. See ``verdict``."""
    yield (
        f"{_conversations(status.conversations)}, {status.messages:,} message{'' if status.messages == 1 else 's'}"
        + _kept(status)
    )
    for service in status.services:
        if len(status.services) > 1:
            yield speaker_of(service.provider)
        if may_stay_import and is_import(status):
            yield "last sync     never, and no login is stored: the chats here are imported"
        else:
            yield from _runs(status, service, now)
        yield from _pending(service)
        yield from _incomplete(status, service)
        yield from _not_read(service)
        yield from _drift(service, now)
        yield from _lists(service, now)
        if left_out := not_mirrored(service.provider):
            yield f"not mirrored  {'; '.join(left_out)}"
        if _needs_rebuild(service):
            yield "rows          derived by another version; run `chatmirror rebuild`, which needs no network"
    yield from _files(status.files, "for a sync to fetch" if is_import(status) else "still to fetch")


def _needs_rebuild(service: ServiceStatus) -> bool:
    normalizer = NORMALIZERS.get(service.provider)
    return normalizer is not None and service.derived_by not in {None, normalizer.version}


def _files(counts: FileCounts, pending: str) -> Iterator[str]:
    if not counts.total:
        return
    others = {pending: counts.pending, "gone at the service": counts.gone}
    others |= {"refused by it": counts.refused, "left out as you asked": counts.skipped}
    said = "".join(f", {count:,} {what}" for what, count in others.items() if count)
    yield f"files         {counts.stored:,} stored ({counts.bytes / 1e6:,.1f} MB){said}"


def _runs(status: Status, service: ServiceStatus, now: float) -> Iterator[str]:
    last, success = service.last_run, service.last_success
    if success:
        yield f"last success  {_when(success['started_at'], now)}"
    if last is None:
        yield "last run      never; run `chatmirror sync`"
    elif last["id"] != (success or {}).get("id"):
        yield f"last run      {_when(last['started_at'], now)}: {last['outcome'] or _open_run(status)}"
        error = _why_not_current(status, service, now)
        if last["message"] and not (error and last["message"] in error.message):
            yield f"              {last['message']}"


def _open_run(status: Status) -> str:
    """Return what a run without an end is: its lock tells, where somebody looked at it."""
    return {True: "still running", False: "killed", None: "still running, or killed"}[status.is_running]


def _kept(status: Status) -> str:
    parts = [(status.deleted, "deleted at the service, kept here"), (status.missing, "missing from its lists")]
    said = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    return f" ({said})" if said else ""


def _pending(service: ServiceStatus) -> Iterator[str]:
    if not service.pending:
        return
    left = len(service.pending)
    is_long = service.pace and left > MOST_NAMED
    runs = f", about {math.ceil(left / service.pace):,} more runs at this pace" if is_long else ""
    yield f"still to do   about {left:,} left{runs}"
    yield from _named((row.title, row.conversation_id, row.error) for row in service.pending)


def _incomplete(status: Status, service: ServiceStatus) -> Iterator[str]:
    """Count what is stored only in part; those still to be read are named there."""
    found = [one for one in status.incomplete if one.provider == service.provider]
    if not found:
        return
    pending = {tracked.conversation_id for tracked in service.pending}
    others = [one for one in found if one.conversation_id not in pending]
    to_read = len(found) - len(others)
    said = f", {to_read:,} of them still to be read" if to_read else ""
    yield f"incomplete    {_conversations(len(found))} {_are(len(found))} stored only in part{said}"
    yield from _named((one.title, one.conversation_id, one.reason) for one in others)


def _named(conversations: Iterable[tuple[str, str, str | None]]) -> Iterator[str]:
    """Yield a line for each of the first few conversations (title, id, reason), and how many more there are."""
    found = list(conversations)
    for title, key, reason in found[:MOST_NAMED]:
        yield f"              “{title}” {key}" + (f": {reason}" if reason else "")
    if len(found) > MOST_NAMED:
        yield f"              and {len(found) - MOST_NAMED:,} more"


def _not_read(service: ServiceStatus) -> Iterator[str]:
    """Name what failed beside the conversations: later runs ask again, and it is no reason for an exit code."""
    has_several = len({scope.account for scope in service.scopes}) > 1
    for n, one in enumerate(service.not_read):
        where = f"{one.account}: " if has_several else ""
        yield f"{'' if n else 'not read':<14}{where}{one.what}: {one.reason.removesuffix('.')}, since {one.since[:10]}"


def _drift(service: ServiceStatus, now: float) -> Iterator[str]:
    """Name what changed lately in the form of the answers; it is no failure by itself."""
    found = _recent_drift(service, now)
    if found:
        name = speaker_of(service.provider)
        yield f"API           {name} answers otherwise than before; `chatmirror report` says more for a bug report"
    for drift in found[:MOST_NAMED]:
        yield f"              {drift.seen_at[:10]} {drift.endpoint}: {drift.what}"
    if len(found) > MOST_NAMED:
        yield f"              and {len(found) - MOST_NAMED:,} more"


def _recent_drift(service: ServiceStatus, now: float) -> list[Drift]:
    since = iso(now - DRIFT_DAYS * _DAY)
    return [drift for drift in service.drift if str(drift.seen_at) > since]


def _lists(service: ServiceStatus, now: float) -> Iterator[str]:
    for scope in service.scopes:
        listed = "?" if scope.listed is None else f"{scope.listed:,}"
        at = f", listed {_when(scope.read_to_end_at, now)}" if scope.read_to_end_at else ""
        stored = "" if scope.stored is None else f", {scope.stored:,} stored"
        yield f"{scope.account:<13} {scope.scope}: {listed} listed{stored}{at}"
    if service.session_expires:
        warning = expiry_warning(service.session_expires, now)
        yield f"login expires {service.session_expires[:10]}" + (f". {warning}" if warning else "")


def verdict(status: Status, now: float, *, may_stay_import: bool = False) -> ChatmirrorError | None:
    """Return why the mirror is not current, None if it is: the one place that decides it.

    ``may_stay_import``: there is no login, so that a mirror of imported chats alone lacks nothing that it could have.
    Of several services the worst one decides the exit code, and each that is not current is named.
    """
    found = [] if may_stay_import and is_import(status) else _not_current(status, now)
    services = _of_services(status, found) if found else None
    both = [error for error in (status.lacking, services) if error is not None]
    return min(both, key=_rank, default=None)


def _of_services(status: Status, found: Sequence[tuple[ServiceStatus, ChatmirrorError]]) -> ChatmirrorError:
    if len(status.services) == 1:
        return found[0][1]
    said = " ".join(f"{speaker_of(service.provider)}: {error.message}" for service, error in found)
    return NotFreshError(said, found[0][1].exit_code)


def is_import(status: Status) -> bool:
    """Whether the mirror holds imported chats and no sync ever began."""
    return status.conversations > 0 and all(service.last_run is None for service in status.services)


def is_only_unsynced(status: Status, now: float) -> bool:
    """Whether nothing went wrong: each service that is not current was never synced, its chats were imported."""
    return status.lacking is None and all(service.last_run is None for service, _ in _not_current(status, now))


def _not_current(status: Status, now: float) -> list[tuple[ServiceStatus, ChatmirrorError]]:
    """Return each service that is not current, and why, the worst first."""
    checked = [(service, _why_not_current(status, service, now)) for service in status.services]
    found = [(service, error) for service, error in checked if error is not None]
    return sorted(found, key=lambda pair: _rank(pair[1]))


def _rank(error: ChatmirrorError) -> int:
    codes = [kind.exit_code for kind in SEVERITY]
    return codes.index(error.exit_code) if error.exit_code in codes else len(codes)


def _why_not_current(status: Status, service: ServiceStatus, now: float) -> ChatmirrorError | None:
    """Return why one service's part is not current, None if it is.

    Current: the last success is younger than STALE_HOURS, no run since then saw that the lists or the file are wrong,
    and nothing is left to fetch that can be had. Without such a success, the exit code is that of the last run, if that
    failed. What cannot be had (only a branch is given, or no list shows it any more) is no reason.
    """
    success = service.last_success
    is_running = status.is_running and service.last_run is not None and service.last_run["outcome"] is None
    todo = "A sync is running now." if is_running else "Run `chatmirror sync`."
    if service.last_run is None:
        imported = ": the chats here are imported" if status.conversations else ""
        return ServiceError(f"There has been no sync yet{imported}. Run `chatmirror sync`.")
    if success is None:
        return _not_fresh("There has been no successful sync yet.", service, todo)
    age = now - _epoch(success["started_at"])
    if age < -CLOCK_DRIFT:
        return ServiceError("The last sync is dated in the future; check this computer's clock, then sync.")
    if age > STALE_HOURS * 3600:
        asked = todo if is_running else "Is the cron job running?"
        return _not_fresh(f"The last successful sync is {_age(age)} old.", service, asked)
    if service.alarm:
        return _not_fresh("Something is wrong since the last successful sync.", service, todo)
    return _still_to_have(status, service)


def _still_to_have(status: Status, service: ServiceStatus) -> ChatmirrorError | None:
    if left := len(service.pending):
        return IncompleteError(f"{_conversations(left)} {_are(left)} not saved yet; the next run continues.")
    cut = [one for one in status.incomplete if one.provider == service.provider and _can_be_had(one)]
    if cut:
        said = f"{_conversations(len(cut))} {_are(len(cut))} stored only in part"
        return IncompleteError(f"{said}; later runs read them again.")
    if files := service.files_left:
        said = f"{files:,} file{'' if files == 1 else 's'} {_are(files)}"
        return IncompleteError(f"{said} not saved yet; the next run continues.")
    return None


def _can_be_had(conversation: IncompleteConversation) -> bool:
    return conversation.is_listed and conversation.reason != BRANCH_ONLY


def _not_fresh(said: str, service: ServiceStatus, todo: str) -> ChatmirrorError:
    run = service.alarm or service.last_run
    if run is None or not run["exit_code"]:
        return ServiceError(f"{said} {todo}")
    which = "The last run" if run == service.last_run else "A run since then"
    why = run["message"] or f"{run['outcome']}. {todo}"
    return NotFreshError(f"{said} {which} ended with: {why}", run["exit_code"])


def as_json(status: Status, now: float, *, may_stay_import: bool = False) -> dict[str, Any]:
    """Return the state as one object, for a script. See ``verdict``."""
    error = verdict(status, now, may_stay_import=may_stay_import)
    return {
        "fresh": error is None,
        "exit_code": error.exit_code if error else 0,
        "message": error.message if error else None,
        "last_success": status.last_success,
        "imported_only": is_import(status),
        "conversations": status.conversations,
        "messages": status.messages,
        "deleted": status.deleted,
        "missing": status.missing,
        "pending": sum(len(service.pending) for service in status.services),
        "incomplete": len(status.incomplete),
        "files": status.files._asdict(),
        "services": [_service_as_json(status, service, now) for service in status.services],
    }


def _service_as_json(status: Status, service: ServiceStatus, now: float) -> dict[str, Any]:
    last, success = service.last_run or {}, service.last_success or {}
    error = _why_not_current(status, service, now)
    return {
        "provider": service.provider,
        "fresh": error is None,
        "last_run": last.get("started_at"),
        "outcome": last.get("outcome"),
        "exit_code": last.get("exit_code"),
        "message": last.get("message"),
        "last_success": success.get("started_at"),
        "pending": len(service.pending),
        "incomplete": sum(one.provider == service.provider for one in status.incomplete),
        "scopes": [scope._asdict() for scope in service.scopes],
        "session_expires": service.session_expires,
        "rebuild_needed": _needs_rebuild(service),
        "not_read": [one._asdict() for one in service.not_read],
        "drift": [drift._asdict() for drift in _recent_drift(service, now)],
        "not_mirrored": list(not_mirrored(service.provider)),
    }


def _conversations(count: int) -> str:
    return f"{count:,} conversation" + ("" if count == 1 else "s")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _epoch(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _when(iso: str, now: float) -> str:
    age = now - _epoch(iso)
    return f"{iso[:16].replace('T', ' ')} UTC ({'in the future' if age < -CLOCK_DRIFT else f'{_age(age)} ago'})"


def _age(seconds: float) -> str:
    hours = max(0.0, seconds) / 3600
    if hours < 1:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"  # noqa: PLR2004 - three days read better as days
