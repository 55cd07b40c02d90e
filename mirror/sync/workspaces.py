"""Which workspaces a run reads: those that the service lists, and those of earlier runs that it left out.

Silence about one is no proof of its end, and the list of workspaces fails or comes short like any other answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirror.errors import IncompleteError, SafetyStopError
from mirror.services import service_of
from mirror.store import account_data
from mirror.sync import memory

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirror.source import Identity, Source, Workspace
    from mirror.store.database import Writer
    from mirror.timing import Timing

ABSENT_FOR = 6 * 3600.0  # seconds after which another absence of the personal workspace is believed


class Workspaces(NamedTuple):
    """``identity`` with all workspaces that are to be read.

    ``unlisted``: what to say of those that were not listed; ``stops``: of those that have ended, once.
    """

    identity: Identity
    unlisted: Sequence[IncompleteError] = ()
    stops: Sequence[SafetyStopError] = ()


def with_known_workspaces(conn: sqlite3.Connection, provider: str, identity: Identity) -> Workspaces:
    """Add the workspaces of earlier runs where the service did not list all of them now."""
    if identity.lists_all_workspaces:
        return Workspaces(identity)
    known = account_data.known_workspaces(conn, provider)
    ids = {workspace.id for workspace in known}
    has_personal = any(workspace.is_personal for workspace in known)
    new = [own for own in identity.workspaces if own.id not in ids and not (own.is_personal and has_personal)]
    unlisted = []
    if identity.workspaces_failure or len(known) > 1:
        reason = identity.workspaces_failure or "it refused to"
        unlisted.append(
            IncompleteError(
                f"{service_of(provider).name} did not list your workspaces ({reason}); those that are known are read,"
                " and a new one may be missing. Later runs try again."
            )
        )
    return Workspaces(identity._replace(workspaces=(*known, *new)), unlisted)


def with_absent_workspaces(writer: Writer, source: Source, found: Workspaces, timing: Timing) -> Workspaces:
    """Add what the service left out of its list and does not refuse by its id; leave what it refuses."""
    identity, unlisted = found.identity, list(found.unlisted)
    ended, others = _sorted_absent(writer, source, identity, timing.now())
    stops = _leave(writer, source, ended, timing.iso()) if ended else []
    if others:
        names = ", ".join(f"“{workspace.label}”" for workspace in others)
        unlisted.append(
            IncompleteError(
                f"{service_of(source.provider).name} did not list the workspace {names} among yours and does not refuse"
                " it; it is read as before. Later runs ask again."
            )
        )
    return Workspaces(identity._replace(workspaces=(*identity.workspaces, *others)), unlisted, stops)


def _sorted_absent(
    writer: Writer, source: Source, identity: Identity, now: float
) -> tuple[list[Workspace], list[Workspace]]:
    """Return the known workspaces that the service does not list: those that have ended, and the others.

    ``now``: epoch seconds. Silence is no proof here either: one has ended when the service refuses it by its id. The
    personal one has none to ask for: it has ended when it was absent hours ago, too, or another one is in its place.
    """
    if not identity.lists_all_workspaces:
        return [], []
    known = account_data.known_workspaces(writer.conn, source.provider)
    listed = {workspace.id for workspace in identity.workspaces}
    has_personal = any(workspace.is_personal for workspace in identity.workspaces)
    ended: list[Workspace] = []
    others: list[Workspace] = []
    for workspace in known:
        is_absent = workspace.id not in listed
        was_absent = _was_absent(writer, workspace.id, now, is_absent=is_absent)
        if is_absent:
            is_replaced = workspace.is_personal and (has_personal or was_absent)
            (ended if is_replaced or source.refuses(workspace) else others).append(workspace)
    return ended, others


def _was_absent(writer: Writer, account_id: str, now: float, *, is_absent: bool) -> bool:
    """Whether a workspace was absent in an earlier run, too, hours ago; remembers whether it is now."""
    remembered = memory.load(writer.conn, account_id)
    was_absent = 0 < remembered.absent_at <= now - ABSENT_FOR
    absent_at = min(remembered.absent_at or now, now) if is_absent else 0.0
    if absent_at != remembered.absent_at:
        remembered.absent_at = absent_at
        with writer.transaction() as conn:
            memory.save(conn, account_id, remembered)
    return was_absent


def _leave(writer: Writer, source: Source, workspaces: Sequence[Workspace], now: str) -> list[SafetyStopError]:
    """Mark the conversations of workspaces that have ended missing; return what to say, once.

    All of one is listed if it comes back.
    """
    with writer.transaction() as conn:
        count = sum(account_data.leave_workspace(conn, workspace.id, now) for workspace in workspaces)
        for workspace in workspaces:
            remembered = memory.load(conn, workspace.id)
            remembered.full_at = remembered.absent_at = 0.0
            memory.save(conn, workspace.id, remembered)
    if not count:
        return []
    names = ", ".join(f"“{workspace.label}”" for workspace in workspaces)
    message = (
        f"Your login no longer includes the workspace {names}; its {count:,} conversations are kept and no longer"
        f" looked for. If you did not leave it, check {service_of(source.provider).home_url}."
    )
    return [SafetyStopError(message)]
