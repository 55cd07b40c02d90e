"""Conversations that no list shows any more: missing, deleted, or a list that is wrong (API notes §0.3, §0.9, §2.3).

Absence proves nothing: lists collapse to a fraction with status 200 and recover the next day. So a missing conversation
is asked for by its id, a few a run; only its own 404 ``conversation_deleted`` in two different runs sets the tombstone.
What is found alive is stored like anything that was fetched. And when more than a tenth and more than five of the known
ones are missing unexplained, nothing is marked at all and the run stops for safety.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.errors import SafetyStopError, ServiceError
from mirror.ingest import apply_listing, arrival_of, ingest
from mirror.normalize import normalize
from mirror.services import service_of
from mirror.source import Fetched, Listed, ToFetch
from mirror.store import account_data, conversations, runs, tracking
from mirror.store.runs import Change
from mirror.sync import memory

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mirror.errors import ChatmirrorError
    from mirror.source import Identity, ListResult, Source
    from mirror.store.database import Writer
    from mirror.store.tracking import Tracked
    from mirror.timing import Timing

# Lists were seen to collapse to 0.6 % and 13 % (API notes §2.3); nobody deletes a tenth of their chats on a usual day.
SAFETY_SHARE, SAFETY_COUNT = 0.10, 5
CHECKS_A_RUN = 20  # single reads; they come out of the bucket that the person's own browser uses
LEFT_ARCHIVE_A_RUN = 50  # chats that left the archive's list and are looked at; five batches
RECHECK_DAYS = 7  # a missing chat that is alive is asked for again after a week


@dataclass(frozen=True, slots=True)
class Missing:
    """What no list shows, by id, and out of how many conversations that were looked for."""

    looked_for: int
    ids: dict[str, Tracked]

    @property
    def is_suspicious(self) -> bool:
        """Whether so many are missing unexplained that the list, not the person, is the likelier cause."""
        count = sum(1 for t in self.ids.values() if t.gone_run_id is None and t.checked_at is None)
        return count > SAFETY_COUNT and count > SAFETY_SHARE * self.looked_for


def find_missing(
    tracked: Collection[Tracked],
    results: Sequence[ListResult],
    seen: Collection[str],
    *,
    all_read: bool,
    has_project_lists: bool = True,
) -> Missing:
    """Return the conversations whose own lists were read to their end without showing them, here or elsewhere.

    ``all_read``: every list that exists was read, so that a project without one exists no more.
    """
    read = {result.scope.name for result in results}
    ended = ended_scopes(results)
    homes = {t.conversation_id: _home(t, has_project_lists=has_project_lists) for t in tracked}
    if all_read:
        homes = {key: home & read for key, home in homes.items()}
    looked_for = [t for t in tracked if not t.is_deleted and homes[t.conversation_id] <= ended]
    return Missing(len(looked_for), {t.conversation_id: t for t in looked_for if t.conversation_id not in seen})


def ended_scopes(results: Sequence[ListResult]) -> set[str]:
    """Return the names of the lists that were read to their end and tell which conversations exist."""
    return {result.scope.name for result in results if result.reached_end and not result.scope.is_selection}


def _home(tracked: Tracked, *, has_project_lists: bool) -> set[str]:
    """Return the lists in which a conversation must stand; all of them have to end without it."""
    if tracked.listed.is_archived:
        return {"archived"}
    if tracked.listed.project_id and has_project_lists:
        return {"main", f"project:{tracked.listed.project_id}"}
    return {"main"}


def ended_workspaces(writer: Writer, source: Source, identity: Identity, now: str) -> ChatmirrorError | None:
    """Return what to say of known workspaces that this login does not enter; silence about one is not its end.

    One that has ended is said once: its conversations are marked missing, and all of it is listed if it comes back.
    """
    absent = account_data.listed_workspaces(writer.conn, source.provider)
    for workspace in identity.workspaces:
        absent.pop(workspace.id, None)
    if not absent:
        return None
    names = ", ".join(f"“{name}”" for name in absent.values())
    service = service_of(source.provider)
    if not identity.lists_all_workspaces:
        return ServiceError(f"{service.name} did not list your workspaces, so {names} was not checked. Run again.")
    with writer.transaction() as conn:
        count = sum(account_data.leave_workspace(conn, account_id, now) for account_id in absent)
        for account_id in absent:
            remembered = memory.load(conn, account_id)
            remembered.full_at = 0.0
            memory.save(conn, account_id, remembered)
    if not count:
        return None
    return SafetyStopError(
        f"Your login no longer includes the workspace {names}; its {count:,} conversations are kept and no longer"
        f" looked for. If you did not leave it, check {service.home_url}."
    )


class MissingReview:
    """Looks after what is missing in one workspace in one run. ``changes``: those of each conversation it touched."""

    def __init__(self, writer: Writer, source: Source, timing: Timing, run_id: int) -> None:
        self.writer, self.source, self.timing, self.run_id = writer, source, timing, run_id
        self.changes: list[tuple[Change, ...]] = []

    def run(
        self, account_id: str, results: Sequence[ListResult], listed: set[str], *, all_read: bool
    ) -> SafetyStopError | None:
        """Mark, ask and conclude; return the safety stop if there is one. ``listed``: the ids that lists showed."""
        ended = ended_scopes(results)
        part = "all" if ended - {"archived"} else "archived or perhaps gone"  # of the others nothing was learned
        tracked = tracking.tracked_in(self.writer.conn, self.source.provider, account_id, part)
        seen = set(listed)
        if "archived" in ended:
            vanished = [t for t in tracked.values() if t.listed.is_archived and t.conversation_id not in seen]
            seen |= self._left_archive(account_id, vanished)
        has_project_lists = self.source.has_project_lists
        missing = find_missing(tracked.values(), results, seen, all_read=all_read, has_project_lists=has_project_lists)
        stop = missing.is_suspicious
        if not stop:
            with self.writer.transaction() as conn:
                tracking.set_missing(conn, missing.ids, self.timing.iso())
        for t in self._due(tracked, missing, seen):
            self._ask(t, may_conclude=not stop)
        return self._safety_stop(missing) if stop else None

    def _safety_stop(self, missing: Missing) -> SafetyStopError:
        service = service_of(self.source.provider)
        return SafetyStopError(
            f"{service.name} lists {missing.looked_for - len(missing.ids):,} of {missing.looked_for:,} known"
            " conversations; all are kept and none was marked deleted."
            f" Look at {service.home_url}: if they are there, run again later."
        )

    def _left_archive(self, account_id: str, vanished: Sequence[Tracked]) -> set[str]:
        """Return those that were taken out of the archive: far down the main list nobody would see them come.

        They are fetched again for what they say of themselves: that moves no time, and a batch shows it ten at once.
        """
        due = [t for t in vanished if not t.is_deleted and t.checked_at is None][:LEFT_ARCHIVE_A_RUN]
        by_id = {t.conversation_id: t for t in due}
        found = set()
        for got in self.source.fetch([self._wanted(t) for t in due]):
            if isinstance(got, Fetched) and self._keep(by_id[got.conversation_id], got, account_id):
                found.add(got.conversation_id)
        return found

    def _wanted(self, tracked: Tracked) -> ToFetch:
        known = conversations.message_total(self.writer.conn, tracked.conversation_id)
        return ToFetch(tracked.listed, known, explained=True)

    def _keep(self, tracked: Tracked, got: Fetched, account_id: str) -> bool:
        """Store what was fetched of an archived conversation; return whether it says that it is archived no more."""
        conversation = normalize(self.source.provider, got.payload)
        is_out = conversation.is_archived is False
        now = self.timing.iso()
        with self.writer.transaction() as conn:
            if is_out:
                row = Listed(got.conversation_id, None, is_archived=False)
                tracking.note(conn, row, self.source.provider, account_id, now)
            arrival = arrival_of(self.source.provider, got, tracked, now)
            self.changes.append(ingest(conn, arrival, self.run_id).changes)
        return is_out

    def _due(self, tracked: dict[str, Tracked], missing: Missing, seen: set[str]) -> list[Tracked]:
        """Return which to ask for by id: those with one proof of deletion first, then those never asked for."""
        horizon, now = self.timing.iso(-RECHECK_DAYS * 86_400), self.timing.iso()
        perhaps_gone = {
            key: t for key, t in tracked.items() if t.gone_run_id is not None and not t.is_deleted and key not in seen
        }
        candidates = [*perhaps_gone.values(), *(t for key, t in missing.ids.items() if key not in perhaps_gone)]
        due = [
            t
            for t in candidates
            if t.gone_run_id is not None or t.checked_at is None or not horizon <= t.checked_at <= now
        ]
        return sorted(due, key=lambda t: (t.gone_run_id is None, t.checked_at or ""))[:CHECKS_A_RUN]

    def _ask(self, tracked: Tracked, *, may_conclude: bool) -> None:
        got = self.source.fetch_one(self._wanted(tracked))
        key, now = tracked.conversation_id, self.timing.iso()
        with self.writer.transaction() as conn:
            if isinstance(got, Fetched):
                arrival = arrival_of(self.source.provider, got, tracked, now)
                self.changes.append(ingest(conn, arrival, self.run_id).changes)
                tracking.save_check(conn, key, now, None)
            elif got.is_gone and tracked.gone_run_id in (None, self.run_id):
                tracking.save_check(conn, key, now, self.run_id)
            elif got.is_gone and may_conclude and tracking.set_deleted(conn, key, now):
                self.changes.append((Change("gone"),))
                runs.record_changes(conn, self.run_id, key, [Change("gone")])
                apply_listing(conn, self.source.provider, key, self.run_id, now)  # nothing more of it can be had
