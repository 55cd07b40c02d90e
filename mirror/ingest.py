"""One payload in: load what is stored, fold, save. In the caller's transaction, one a conversation.

Every way in (a sync, an import, a rebuild) comes through here, so that the same payloads always make the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.fold import BRANCH_ONLY, Arrival, fold, fold_listing
from mirror.store import conversations, runs, tracking

if TYPE_CHECKING:
    import sqlite3

    from mirror.source import Fetched
    from mirror.store.runs import Change
    from mirror.store.tracking import Tracked


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a payload came to. ``changes`` empty: it told nothing new. ``is_generating``: it was still being written."""

    changes: tuple[Change, ...]
    is_generating: bool = False


def arrival_of(provider: str, got: Fetched, tracked: Tracked, now: str) -> Arrival:
    """Return what was fetched as an arrival that answers the list time of what is tracked."""
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


def ingest(conn: sqlite3.Connection, arrival: Arrival, run_id: int) -> Ingested:
    """Store a payload and the rows that it makes; raises DamagedPayloadError where older stored bytes are damaged."""
    key = arrival.conversation_id
    listed = tracking.find(conn, arrival.provider, key)
    update = fold(conversations.load(conn, key), arrival, listed)
    conversations.save(conn, update, arrival.fetched_at)
    runs.record_changes(conn, run_id, key, update.changes)
    return Ingested(update.changes, update.is_generating)


def apply_listing(
    conn: sqlite3.Connection, provider: str, conversation_id: str, run_id: int, seen_at: str
) -> tuple[Change, ...]:
    """Bring a stored conversation's own row to what the lists say now; return what changed. Reads no payload."""
    stored = conversations.load_facts(conn, conversation_id)
    if stored.row is None:
        return ()
    update = fold_listing(stored, tracking.find(conn, provider, conversation_id))
    conversations.save(conn, update, seen_at)
    runs.record_changes(conn, run_id, conversation_id, update.changes)
    return update.changes


def derive_again(conn: sqlite3.Connection, conversation_id: str, seen_at: str) -> bool:
    """Derive a stored conversation's rows again; return whether any differed.

    Raises ValueError (DamagedPayloadError) where its stored payloads cannot be read.
    """
    stored = conversations.load(conn, conversation_id)
    listed = tracking.find(conn, stored.row.provider, conversation_id) if stored.row else None
    update = fold(stored, None, listed)
    conversations.save(conn, update, seen_at)
    return update.changes_rows
