"""What came of each conversation that a run asked for: stored, put off, or left as it was.

What is stored and what is remembered of it are written in one transaction, so that an interruption costs at most the
conversation in flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.errors import UnreadablePayloadError
from mirror.ingest import apply_listing, arrival_of, damaged, ingest
from mirror.source import NotFetched
from mirror.store import tracking
from mirror.sync import plan
from mirror.sync.missing import DELETED_WEIGHT

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirror.errors import DamagedError
    from mirror.ingest import Ingested
    from mirror.source import Fetched
    from mirror.store.tracking import Tracked
    from mirror.sync.context import RunContext


class Settling:
    """Writes what came of conversations in one run."""

    def __init__(self, context: RunContext) -> None:
        self.writer, self.source, self.timing = context.writer, context.source, context.timing
        self.report, self.run_id = context.report, context.run_id
        self.outcome, self.explained = context.outcome, context.explained

    def settle(self, tracked: Tracked, got: Fetched | NotFetched) -> DamagedError | None:
        """Store what came of one conversation, or remember why it did not; return what was found damaged meanwhile."""
        with self.writer.transaction() as conn:
            if isinstance(got, NotFetched):
                self._settle_not_fetched(conn, tracked, got)
                self._apply(conn, tracked)
                return None
            self._mark(conn, tracked, got)  # first, so that the row written next says whether it is complete
            try:
                ingested = ingest(conn, arrival_of(self.source.provider, got, tracked, self.timing.iso()), self.run_id)
            except UnreadablePayloadError as error:
                self._fail(conn, tracked, str(error))
                self._apply(conn, tracked)
                return None
            if got.incomplete_reason is None and ingested.incomplete_reason is not None:
                self._fail(conn, tracked, ingested.incomplete_reason)
                self._apply(conn, tracked)
            elif got.incomplete_reason is None and (ingested.is_generating or self._may_be_old(tracked, ingested)):
                tracking.mark_generating(conn, tracked.conversation_id)
        self.outcome.count(ingested.changes)
        return damaged(self.writer.path, ingested.damage) if ingested.damage is not None else None

    def _may_be_old(self, tracked: Tracked, ingested: Ingested) -> bool:
        """Whether a copy that lags behind the list came: the list shows news that nothing explains, and none came."""
        has_news = tracked.stored_us is not None and not tracked.is_current
        return has_news and not ingested.changes and tracked.conversation_id not in self.explained

    def _apply(self, conn: sqlite3.Connection, tracked: Tracked) -> None:
        """Bring the conversation's own row to what is tracked of it now."""
        apply_listing(conn, self.source.provider, tracked.conversation_id, self.run_id, self.timing.iso())

    def _mark(self, conn: sqlite3.Connection, tracked: Tracked, got: Fetched) -> None:
        if got.incomplete_reason is not None:
            # What goes on from run to run has not failed, and is not put off for longer each time.
            self._fail(conn, tracked, got.incomplete_reason, tries=0 if got.has_more else tracked.tries)
            return
        tracking.mark_stored(conn, tracked.listed, self.timing.iso())
        if got.is_branch_only:
            again = tracked.is_current and tracked.is_branch_only
            self._ask_for_tree_later(conn, tracked, tracked.tries + 1 if again else 0)

    def _settle_not_fetched(self, conn: sqlite3.Connection, tracked: Tracked, got: NotFetched) -> None:
        if got.later:
            return
        if tracked.is_current and tracked.is_branch_only:
            self._ask_for_tree_later(conn, tracked, tracked.tries + 1)
            return
        is_stale = got.is_gone and tracked.gone_run_id not in (None, self.run_id)
        if is_stale or (got.is_denied and tracked.tries and self._is_of_others(tracked)):
            # Listed, and twice proven deleted: the list is stale, and asking now and then is enough. So it is for what
            # other members of a shared project do not show.
            tracking.mark_stored(conn, tracked.listed, self.timing.iso())
            self._ask_for_tree_later(conn, tracked, tracked.tries)
            return
        self._fail(conn, tracked, got.reason)
        if got.is_gone:
            tracking.add_proof(conn, tracked.conversation_id, self.timing.iso(), self.run_id, DELETED_WEIGHT)

    def _is_of_others(self, tracked: Tracked) -> bool:
        owner, identity = tracked.listed.owner_id, self.outcome.identity
        return owner is not None and identity is not None and owner != identity.user_id

    def _ask_for_tree_later(self, conn: sqlite3.Connection, tracked: Tracked, tries: int) -> None:
        retry_at = self.timing.iso(plan.retry_pause(tries))
        tracking.mark_branch_only(conn, tracked.conversation_id, tries, retry_at)

    def _fail(self, conn: sqlite3.Connection, tracked: Tracked, reason: str, *, tries: int | None = None) -> None:
        """Put a conversation off. ``tries``: runs that failed at it before, if not those that are tracked."""
        self.outcome.counts.failed += 1
        self.report.note(f"not saved: {tracked.title} ({tracked.conversation_id}): {reason}")
        before = tracked.tries if tries is None else tries
        retry_at = self.timing.iso(plan.retry_pause(before))
        tracking.mark_failed(conn, tracked.conversation_id, reason, before + 1, retry_at)

    def put_off(self, failed: Sequence[tuple[Tracked, str]]) -> None:
        """Put conversations off, each with its reason."""
        for tracked, reason in failed:
            with self.writer.transaction() as conn:
                self._fail(conn, tracked, reason)
                self._apply(conn, tracked)
