"""Which conversations a run asks for, in which order, and what its source is told of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.large_json import read_json
from mirror.source import BRANCH_ONLY, ToFetch
from mirror.store import payloads, tracking
from mirror.store.conversations import message_total
from mirror.sync import plan

if TYPE_CHECKING:
    from collections.abc import Collection

    from mirror.store.tracking import Tracked
    from mirror.sync.context import RunContext


class DueConversations:
    """What is due in one run. ``untold``: ids of the workspace in its turn whose news no list tells."""

    def __init__(self, context: RunContext) -> None:
        self._conn, self._provider = context.writer.conn, context.source.provider
        self._timing, self._full, self._explained = context.timing, context.options.full, context.explained
        self._tried: dict[str, int | None] = {}  # id -> its list time when it was asked for in this run
        self.untold: set[str] = set()

    def take(self, account_id: str, only: Collection[str] | None = None) -> dict[str, Tracked]:
        """Return what is to be fetched of a workspace now, by id, newest first; it counts as tried from now on.

        ``only``: of these, what was not tried in this run, or has changed since.
        """
        tracked = tracking.tracked_in(self._conn, self._provider, account_id, "to do")
        untold = self.untold - self._tried.keys()
        of_lists = tracking.tracked_of(self._conn, self._provider, untold)
        tracked |= {key: t for key, t in of_lists.items() if t.account_id == account_id}
        now, latest = self._timing.iso(), self._timing.iso(plan.LONGEST_RETRY)
        todo = plan.to_fetch(tracked.values(), now, latest, full=self._full, untold=untold)
        if only is not None:
            todo = [t for t in todo if t.conversation_id in only and self._tried.get(t.conversation_id) != t.list_us]
        self._tried |= {t.conversation_id: t.list_us for t in todo}
        return {t.conversation_id: t for t in todo}

    def wanted(self, tracked: Tracked) -> ToFetch:
        """Return what the source is told of a conversation that it is to fetch."""
        known = message_total(self._conn, tracked.conversation_id)
        return ToFetch(
            listed=tracked.listed,
            known_messages=known,
            explained=known > 0 and tracked.conversation_id in self._explained,
            tries=tracked.tries,
            wants_tree_only=self._is_told(tracked) and tracked.is_branch_only and not tracked.is_generating,
            stored_part=lambda: self._stored_part(tracked),
        )

    def _is_told(self, tracked: Tracked) -> bool:
        """Whether lists tell of its news, and told of none."""
        return tracked.is_current and tracked.conversation_id not in self.untold

    def _stored_part(self, tracked: Tracked) -> Any:
        """Return the JSON of what came of a conversation last, None where it is to be read anew.

        So it is where nothing usable is stored, and where the person asks for it or nothing is known to have changed.
        """
        found = None if self._is_told(tracked) else payloads.newest_live(self._conn, tracked.conversation_id)
        if found is None or (self._full and found.incomplete_reason in {None, BRANCH_ONLY}):
            return None
        try:
            return read_json(found.body)
        except ValueError:  # damaged bytes, which `check` reports: it is read from its newest page again
            return None
