"""One payload in: load what is stored, fold, save. In the caller's transaction, one a conversation.

Every way in (a sync, an import, a rebuild) comes through here, so that the same payloads always make the same rows.

What reads payloads is loaded when the first one comes: most syncs meet few, and some none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirror.errors import DamagedError
from mirror.source import BRANCH_ONLY
from mirror.store import conversations, derived_hashes, runs, tracking

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from mirror.payload_versions import Arrival
    from mirror.source import Fetched
    from mirror.store.conversations import Damage, Update
    from mirror.store.message_writes import MessageWriter
    from mirror.store.runs import Change
    from mirror.store.tracking import Tracked


class Ingested(NamedTuple):
    """What a payload came to. ``changes`` empty: it told nothing new. ``is_generating``: it was still being written.

    ``incomplete_reason``: why it was not believed to be all there is, by comparison with what is stored. ``damage``: of
    what was stored before, where it was met.
    """

    changes: tuple[Change, ...]
    is_generating: bool = False
    incomplete_reason: str | None = None
    damage: Damage | None = None


def arrival_of(provider: str, got: Fetched, tracked: Tracked, now: str) -> Arrival:
    """Return what was fetched as an arrival that answers the list time of what is tracked."""
    from mirror.payload_versions import Arrival  # noqa: PLC0415 - see above

    return Arrival(
        conversation_id=got.conversation_id,
        provider=provider,
        payload=got.payload,
        body=got.body,
        origin=got.origin,
        path=got.path,
        fetched_at=now,
        list_us=tracked.list_us,
        proves_absence=got.proves_absence,
        incomplete_reason=got.incomplete_reason or (BRANCH_ONLY if got.is_branch_only else None),
    )


def ingest(conn: sqlite3.Connection, arrival: Arrival, run_id: int, messages: MessageWriter | None = None) -> Ingested:
    """Store a payload and the rows that it makes. ``messages``: as of ``conversations.save``."""
    from mirror.fold import fold  # noqa: PLC0415 - see above
    from mirror.payload_versions import SMALLER  # noqa: PLC0415 - see above

    key = arrival.conversation_id
    if messages is not None:
        messages.finish_one(key)
    listed = tracking.find(conn, arrival.provider, key)
    update = fold(conversations.load(conn, key), arrival, listed)
    conversations.save(conn, update, arrival.fetched_at, messages)
    runs.record_changes(conn, run_id, key, update.changes)
    _remember_smaller(conn, listed, update, arrival.fetched_at)
    return Ingested(update.changes, update.is_generating, SMALLER if update.smaller_ids else None, update.damage)


def _remember_smaller(conn: sqlite3.Connection, listed: Tracked | None, update: Update, now: str) -> None:
    if listed is None:
        return
    is_of_wrong_clock = listed.smaller_at is not None and listed.smaller_at > now
    if update.smaller_ids != listed.smaller_ids or is_of_wrong_clock:
        at = None if update.smaller_ids is None else now
        tracking.set_smaller(conn, listed.conversation_id, update.smaller_ids, at)


def apply_listing(
    conn: sqlite3.Connection, provider: str, conversation_id: str, run_id: int, seen_at: str
) -> tuple[Change, ...]:
    """Bring a stored conversation's own row to what the lists say now; return what changed. Reads no payload."""
    stored = conversations.load_facts(conn, conversation_id)
    if stored.row is None:
        return ()
    from mirror.fold import fold_listing  # noqa: PLC0415 - see above

    update = fold_listing(stored, tracking.find(conn, provider, conversation_id))
    conversations.save(conn, update, seen_at)
    runs.record_changes(conn, run_id, conversation_id, update.changes)
    return update.changes


def damaged(path: Path, damage: Damage) -> DamagedError:
    """Say what was found damaged while news of it was stored, and what to do."""
    if damage.is_healed:
        return DamagedError(
            f"{path} was damaged: {damage}. What came now has taken its place, and everything else is stored; run"
            " `chatmirror check`, for the disk may have spoilt more."
        )
    return DamagedError(
        f"{path} is damaged: {damage}. What came now is stored beside it, and so is everything else; run"
        " `chatmirror check`, and restore a backup."
    )


def derive_again(conn: sqlite3.Connection, conversation_id: str, seen_at: str) -> bool:
    """Derive a stored conversation's rows again; return whether any differed.

    If an imported copy that counted as current turns out to be incomplete, the conversation is marked to be read.
    Raises ValueError (DamagedPayloadError) where its stored payloads cannot be read.
    """
    from mirror.fold import fold  # noqa: PLC0415 - see above

    stored = conversations.load(conn, conversation_id)
    provider = stored.row.provider if stored.row else ""
    update = fold(stored, None, tracking.find(conn, provider, conversation_id))
    if any(version.incomplete_reason for version in update.judged) and not any(v.is_live for v in stored.payloads):
        tracking.mark_unread(conn, conversation_id)
        update = fold(stored, None, tracking.find(conn, provider, conversation_id))
    conversations.save(conn, update, seen_at)
    derived_hashes.take(conn, conversation_id)
    return update.changes_rows
