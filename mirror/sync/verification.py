"""Read unchanged conversations once more, one batch a run: what moved no time at the service shows nowhere else.

A copy that lagged, a tree that was cut in the same place by every endpoint, a branch switch, a deleted message. Nothing
that fails here makes a run fail: what is stored answers what the lists show. What was read once only comes first, the
newest before others, then what was longest not verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.errors import ChatmirrorError, UnreadablePayloadError
from mirror.ingest import arrival_of, ingest
from mirror.source import NotFetched, ToFetch
from mirror.store import tracking
from mirror.store.conversations import message_total

if TYPE_CHECKING:
    import sqlite3

    from mirror.source import Fetched
    from mirror.store.conversations import Damage
    from mirror.store.tracking import Tracked
    from mirror.sync.context import RunContext

VERIFY_AFTER = 20 * 3600.0  # seconds after a reading before it is read again: a copy that lags has caught up by then
VERIFY_BATCHES_FULL = 5  # batches read again in a full run, one in others: a small account is verified within weeks


@dataclass(slots=True)
class Verification:
    """What reading again came to.

    ``unbelieved``: what was not believed, and why. ``damages``: of what was stored. ``error``: why not all of it was
    read.
    """

    unbelieved: list[tuple[Tracked, str]] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    error: ChatmirrorError | None = None


def verify(context: RunContext, account_id: str, *, full: bool) -> Verification:
    """Read what is due of a workspace once more and store what is new in it."""
    source, timing, conn = context.source, context.timing, context.writer.conn
    result = Verification()
    size = source.rereads_at_once() * (VERIFY_BATCHES_FULL if full else 1)
    due = tracking.to_verify(conn, source.provider, account_id, timing.iso(-VERIFY_AFTER), timing.iso(), size)
    by_id = {t.conversation_id: t for t in due}
    try:
        for got in source.fetch([_wanted(conn, t) for t in due]):
            if not (isinstance(got, NotFetched) and got.later):
                _settle(context, by_id[got.conversation_id], got, result)
    except ChatmirrorError as error:
        result.error = error
    return result


def _wanted(conn: sqlite3.Connection, tracked: Tracked) -> ToFetch:
    return ToFetch(tracked.listed, message_total(conn, tracked.conversation_id), explained=True)


def _settle(context: RunContext, tracked: Tracked, got: Fetched | NotFetched, result: Verification) -> None:
    key, now = tracked.conversation_id, context.timing.iso()
    with context.writer.transaction() as conn:
        if isinstance(got, NotFetched) or got.incomplete_reason is not None or got.is_branch_only:
            tracking.mark_verified(conn, key, now, was_same=True)  # tried; its turn comes again after all others
            return
        try:
            ingested = ingest(conn, arrival_of(context.source.provider, got, tracked, now), context.run_id)
        except UnreadablePayloadError as error:
            tracking.mark_verified(conn, key, now, was_same=True)
            result.unbelieved.append((tracked, str(error)))
            return
        tracking.mark_verified(conn, key, now, was_same=not ingested.changes)
    context.outcome.count(ingested.changes)
    result.damages += [ingested.damage] if ingested.damage else []
    if ingested.incomplete_reason is not None:
        result.unbelieved.append((tracked, ingested.incomplete_reason))
