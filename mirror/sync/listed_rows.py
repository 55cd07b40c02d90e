"""What the lists of a run show of each conversation: put together, remembered, and brought into its row.

Every row of every list is remembered before anything is fetched, so that an interruption leaves it as work to do.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from mirror.ingest import apply_listing
from mirror.store import payloads, runs, tracking
from mirror.store.runs import Change
from mirror.sync import plan

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from mirror.source import Listed, ListResult
    from mirror.store.tracking import Place, Tracked
    from mirror.sync.context import RunContext

ROWS_A_TRANSACTION = 200  # list rows remembered at once: each commit waits for the disk


class ListedRows:
    """The list rows of one run."""

    def __init__(self, context: RunContext) -> None:
        self._writer, self._source, self._timing = context.writer, context.source, context.timing
        self._run_id, self._outcome, self._explained = context.run_id, context.outcome, context.explained

    def tracked_of(self, ids: Collection[str]) -> dict[str, Tracked]:
        """Return what is remembered of these conversations."""
        return tracking.tracked_of(self._writer.conn, self._source.provider, ids)

    def union(
        self, account_id: str, other_workspaces: Collection[str], results: Sequence[ListResult]
    ) -> dict[str, Listed]:
        """Return what lists of a workspace say together, one row for each conversation."""
        ids = {key for result in results for key in result.items}
        return plan.union(results, self.tracked_of(ids), account_id, other_workspaces)

    def remember(
        self,
        account_id: str,
        other_workspaces: Collection[str],
        results: Sequence[ListResult],
        so_far: Sequence[ListResult],
    ) -> set[str]:
        """Remember every list row and bring conversations' rows up to it; return the ids that were listed.

        ``so_far``: all lists of this run, which together say where a conversation stands.
        """
        listed = self.union(account_id, other_workspaces, results)
        rows = iter(listed.values())
        while chunk := list(islice(rows, ROWS_A_TRANSACTION)):
            with self._writer.transaction() as conn:
                for row in chunk:
                    self._remember(conn, account_id, row, plan.place(row, so_far))
        starred = tracking.tracked_in(self._writer.conn, self._source.provider, account_id, "starred")
        living = [t for t in starred.values() if not t.is_deleted]  # what is deleted is in no list
        for key in plan.unstarred(living, results, listed):
            with self._writer.transaction() as conn:
                now = self._timing.iso()
                tracking.note_unstarred(conn, key, now)
                self._outcome.count(apply_listing(conn, self._source.provider, key, self._run_id, now))
        return set(listed)

    def _remember(self, conn: sqlite3.Connection, account_id: str, row: Listed, place: Place) -> None:
        now, key, provider = self._timing.iso(), row.conversation_id, self._source.provider
        news = tracking.note(conn, row, provider, account_id, now, place)
        is_back = tracking.set_deleted(conn, key, None)
        if is_back:
            tracking.mark_unread(conn, key)  # it may have changed before it went
        if not news and not is_back:
            return
        if news & {"title", "project_id", "gpt_id"} and "list_us" in news:
            self._explained.add(key)
        is_first_seen = "conversation_id" in news  # what is stored of it came by an import
        if is_first_seen and self._is_import_current(conn, row):
            tracking.mark_stored(conn, row, now)
        tracking.set_missing(conn, [key], None)
        changes = [Change("back")] if is_back else []
        runs.record_changes(conn, self._run_id, key, changes)
        self._outcome.count([*changes, *apply_listing(conn, provider, key, self._run_id, now)])

    def _is_import_current(self, conn: sqlite3.Connection, row: Listed) -> bool:
        if not self._source.trusts_imports:
            return False
        return plan.is_import_current(payloads.newest_whole_import(conn, row.conversation_id), row.list_us)
