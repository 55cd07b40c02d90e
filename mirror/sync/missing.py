"""Conversations that no list shows any more: missing, deleted, or a list that is wrong (API notes §0.3, §0.9, §2.3).

Absence proves nothing: lists collapse to a fraction with status 200 and recover the next day. So a missing conversation
is asked for by its id, a few a run, those never asked for first. What comes is alive, and is stored like anything that
was fetched. A 404 ``conversation_deleted`` in two runs, or ``conversation_not_found`` in four, sets the tombstone.
The latter counts only where the same endpoint gave another conversation in that run, and no batch gives this one: an
endpoint that is switched off can say it of all (API notes §3.7).

While more than a tenth and more than five of the known ones, or of one list's, are missing unexplained, or missing and
alive, nothing is marked and the run stops for safety, every run. So it does where twenty are alive, and where a list
shows none of its own and all of these are. That ends when the lists show them again, when what was asked for is
overwhelmingly gone, or when the person confirms it. While some were not asked for yet, no run is current, unless what
was asked for explains the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirror.errors import ChatmirrorError, RateLimitError, SafetyStopError, ServiceError, UnreadablePayloadError
from mirror.ingest import apply_listing, arrival_of, ingest
from mirror.services import service_of
from mirror.source import Fetched, Listed, ToFetch
from mirror.store import conversations, runs, tracking
from mirror.store.runs import Change
from mirror.sync import plan

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Sequence

    from mirror.source import ListResult
    from mirror.store.conversations import Damage
    from mirror.store.tracking import Tracked
    from mirror.sync.context import RunContext

# Lists were seen to collapse to 0.6 % and 13 % (API notes §2.3); nobody deletes a tenth of their chats on a usual day.
SAFETY_SHARE, SAFETY_COUNT = 0.10, 5
# So many answers, nearly all of them "gone", explain the rest: a collapsed list's chats are all alive.
SAMPLE, SAMPLE_SHARE = 20, 0.9
CHECKS_A_RUN = 20  # single reads; they come out of the bucket that the person's own browser uses
LEFT_LISTS_A_RUN = 50  # chats that left the list of the archive or a project and are looked at; five batches
RECHECK_DAYS = 7  # a missing chat that is alive is asked for again after a week
DELETED_WEIGHT, UNKNOWN_WEIGHT = 2, 1  # of one answer, towards tracking.ENOUGH_PROOFS


class Missing(NamedTuple):
    """What no list shows, by id, and out of how many conversations that were looked for.

    ``moved``: how many of those that were looked at turned out to stand in another list. ``is_one_list``: it is about
    one list, which was read to its end.
    """

    looked_for: int
    ids: dict[str, Tracked]
    moved: int = 0
    is_one_list: bool = False

    @property
    def alive(self) -> int:
        """How many came when they were asked for by id."""
        return sum(1 for t in self.ids.values() if t.checked_at is not None and not t.gone_proofs)

    @property
    def gone(self) -> int:
        """How many were said to be deleted at least once, or unknown in two runs: one bad day explains nothing."""
        return sum(1 for t in self.ids.values() if t.gone_proofs >= DELETED_WEIGHT)

    @property
    def is_explained(self) -> bool:
        """Whether those that were asked for are nearly all gone, or in another list."""
        explained = self.gone + self.moved
        return explained >= SAMPLE_SHARE * (explained + self.alive)

    @property
    def is_well_explained(self) -> bool:
        """Whether so many were asked for, and so many of them explained, that it explains the others."""
        return self.gone + self.moved + self.alive >= SAMPLE and self.is_explained

    @property
    def is_contradicted(self) -> bool:
        """Whether reading by id proves that lists leave out what they have to show, however few of all that is.

        A single one is no proof of it: lists leave out one or the other conversation for good.
        """
        is_emptied = self.is_one_list and len(self.ids) == self.looked_for == self.alive > 1
        return is_emptied or (self.alive >= SAMPLE and not self.is_explained)

    @property
    def is_suspicious(self) -> bool:
        """Whether so many are missing, unexplained or alive, that the list, not the person, is the likelier cause."""
        count = len(self.ids) - self.gone
        if count <= SAFETY_COUNT or count <= SAFETY_SHARE * self.looked_for:
            return self.is_contradicted
        return not self.is_well_explained


def find_missing(
    tracked: Collection[Tracked],
    results: Sequence[ListResult],
    seen: Collection[str],
    *,
    all_read: bool,
    has_project_lists: bool = True,
) -> Missing:
    """Return the conversations whose own lists were read to their end, or past them, without showing them anywhere.

    ``all_read``: every list that exists was read, so that a project without one exists no more.
    """
    offered = {result.scope.name for result in results if not result.is_refused} if all_read else None
    ended, depth = ended_scopes(results), plan.main_depth(results)
    looked_for = [
        t
        for t in tracked
        if not t.is_deleted
        and (_lists_to_end(t, offered, has_project_lists=has_project_lists) <= ended or plan.is_passed_over(t, depth))
    ]
    return Missing(len(looked_for), {t.conversation_id: t for t in looked_for if t.conversation_id not in seen})


def _perhaps_gone(
    tracked: dict[str, Tracked], seen: set[str], was_asked: Callable[[Tracked], bool]
) -> dict[str, Tracked]:
    """Return what was once said to be gone, or is missing and was not asked for yet, and is shown by no list now.

    A list that was not read to its end counts as showing it, too.
    """
    return {
        key: t
        for key, t in tracked.items()
        if (t.gone_proofs or (t.missing_since and not was_asked(t))) and not t.is_deleted and key not in seen
    }


def _leaves_short_list(tracked: Tracked, ended: set[str]) -> bool:
    """Whether the list that has to show a conversation ended, and is the archive's or a project's."""
    return _own_list(tracked) != "main" and _lists_to_end(tracked, None, has_project_lists=True) <= ended


def _own_list(tracked: Tracked) -> str:
    """Return the list that has to show a conversation, where a short one is easily lost among all."""
    if tracked.listed.is_archived:
        return "archived"
    return f"project:{tracked.listed.project_id}" if tracked.in_main is False else "main"


def ended_scopes(results: Sequence[ListResult]) -> set[str]:
    """Return the names of the lists that were read to their end and tell which conversations exist."""
    return {result.scope.name for result in results if result.reached_end and not result.scope.is_selection}


def _lists_to_end(tracked: Tracked, offered: set[str] | None, *, has_project_lists: bool) -> set[str]:
    """Return the lists that have to end without a conversation before it is missing.

    ``offered``: all lists that the service has, where they are known. What only the list of Work was seen to show is
    looked for in that list alone, also where the service does not give it any more.
    """
    homes = plan.homes(tracked, has_project_lists=has_project_lists)
    if tracked.in_main is False and len(homes) > 1:
        homes -= {"main", "archived"}  # they never showed it, and need not end
    if offered is None or (tracked.is_work and not tracked.in_main):
        return homes
    return homes & offered


class MissingReview:
    """Looks after what is missing in one workspace in one run."""

    def __init__(self, context: RunContext) -> None:
        self.writer, self.source, self.timing = context.writer, context.source, context.timing
        self.run_id, self._outcome = context.run_id, context.outcome
        self.is_confirmed = context.options.accept_deletions  # the person says that what is missing was deleted
        self.damages: list[Damage] = []  # of what was stored
        self.put_off: list[tuple[Tracked, str]] = []  # what came and could not be stored or believed, and why
        self.error: ChatmirrorError | None = None  # why not everything could be asked for
        self.unasked = 0  # missing and not asked for yet
        self._moved: set[str] = set()  # belong to another list now
        self._cut_off: set[str] = set()  # a limit came where they were to be asked for
        self._unknown: list[str] = []  # what the service said by id that it does not know
        self._told_gone: set[str] = set()  # said to be deleted while it was looked for in other lists

    def run(
        self, account_id: str, results: Sequence[ListResult], listed: set[str], *, all_read: bool
    ) -> SafetyStopError | None:
        """Ask, mark and conclude; return the safety stop if there is one. ``listed``: the ids that lists showed."""
        ended = ended_scopes(results)
        # While the main list exists and was not read to its end, nothing was learned of what it shows.
        part = "all" if "main" in ended or all_read else "not in main or perhaps gone"
        tracked = self._tracked(account_id, part, results)
        lists, moved = {key: _own_list(t) for key, t in tracked.items()}, self._moved
        try:
            left = [t for t in tracked.values() if _leaves_short_list(t, ended) and t.conversation_id not in listed]
            self._left_lists(account_id, left, moved)
            missing = self._find(tracked, results, listed | moved, all_read=all_read)
            for t in self._due({**missing.ids, **_perhaps_gone(tracked, listed | moved, self._was_asked)}):
                self._ask(account_id, t)
        except (RateLimitError, ServiceError) as error:
            self.error = error  # what was learned so far counts, and the alarm does not depend on asking
        self._judge_unknown()
        tracked = self._tracked(account_id, part, results)
        seen = listed | moved
        missing = self._find(tracked, results, seen, all_read=all_read)
        candidates = {**missing.ids, **_perhaps_gone(tracked, seen, self._was_asked)}
        self._set_tombstones(candidates)
        self.unasked = 0
        if not missing._replace(moved=len(moved)).is_well_explained:
            self.unasked = sum(not self._was_asked(t) for t in candidates.values())
        of_lists = []
        for name in dict.fromkeys(lists.values()):
            group = {key: tracked[key] for key, own in lists.items() if own == name and key in tracked}
            found = self._find(group, results, seen, all_read=all_read)
            moved_from = sum(lists.get(key) == name for key in moved)
            of_lists.append(found._replace(moved=moved_from, is_one_list=name in ended))
        return self._conclude(missing._replace(moved=len(moved)), of_lists)

    def _was_asked(self, tracked: Tracked) -> bool:
        """Whether it was asked for by its id since no list shows it, whatever came.

        A time ahead of now is the end of a pause, and a limit may have come before the request went out.
        """
        if tracked.conversation_id in self._cut_off:
            return False
        was_tried = tracked.retry_at is not None and tracked.retry_at <= self.timing.iso()
        return bool(tracked.checked_at or tracked.gone_proofs or was_tried)

    def _tracked(self, account_id: str, part: str, results: Sequence[ListResult]) -> dict[str, Tracked]:
        """Return what lists may lack: a part of what is known, and what the main list was read past."""
        conn, provider, depth = self.writer.conn, self.source.provider, plan.main_depth(results)
        above = {} if depth is None else tracking.shown_above(conn, provider, account_id, depth)
        return tracking.tracked_in(conn, provider, account_id, part) | above

    def _find(
        self, tracked: dict[str, Tracked], results: Sequence[ListResult], seen: set[str], *, all_read: bool
    ) -> Missing:
        has_project_lists = self.source.has_project_lists
        return find_missing(tracked.values(), results, seen, all_read=all_read, has_project_lists=has_project_lists)

    def _conclude(self, missing: Missing, of_lists: Sequence[Missing]) -> SafetyStopError | None:
        """Mark what is missing; return the safety stop if the lists are not to be believed.

        ``of_lists``: what of it each list lacks: of a short one's conversations few are many.
        """
        # Where those that were asked for are alive, the person's word does not make the others deleted.
        is_confirmed = self.is_confirmed and missing.is_explained
        for found in (missing, *of_lists):
            if found.is_suspicious and not (self.is_confirmed and found.is_explained):
                return self._safety_stop(found)
        now = self.timing.iso()
        with self.writer.transaction() as conn:
            tracking.set_missing(conn, missing.ids, now)
        if is_confirmed:
            self.unasked = 0  # the person has answered for them
            for t in missing.ids.values():
                if t.checked_at is None or t.gone_proofs:  # (what came when it was asked for is not deleted)
                    self._set_tombstone(t.conversation_id, now)
        return None

    def _set_tombstones(self, perhaps_gone: dict[str, Tracked]) -> None:
        """Conclude where there are proofs enough; they need no list to be believed."""
        for key, t in perhaps_gone.items():
            if t.gone_proofs >= tracking.ENOUGH_PROOFS:
                self._set_tombstone(key, self.timing.iso())

    def _set_tombstone(self, key: str, now: str) -> None:
        with self.writer.transaction() as conn:
            tracking.set_missing(conn, [key], now)
            if tracking.set_deleted(conn, key, now):
                self._outcome.count([Change("gone")])
                runs.record_changes(conn, self.run_id, key, [Change("gone")])
                apply_listing(conn, self.source.provider, key, self.run_id, now)  # nothing more of it can be had

    def _safety_stop(self, missing: Missing) -> SafetyStopError:
        service = service_of(self.source.provider)
        shown = f"{missing.looked_for - len(missing.ids):,} of {missing.looked_for:,} known conversations"
        marked = "; all are kept and none was marked deleted"
        if missing.gone:
            marked = "; all are kept, and only what is proven to be deleted is marked so"
        if missing.alive and not missing.is_explained:
            return SafetyStopError(
                f"{service.name} lists only {shown}{marked}. It still opens {missing.alive:,} of those that it leaves"
                " out, so its lists are incomplete; these are read by id, a few a run. Run again later."
            )
        return SafetyStopError(
            f"{service.name} lists {shown}{marked}. Look at {service.home_url}: if"
            " they are there, run again later; if you deleted them, run `chatmirror sync --accept-deletions`."
        )

    def _left_lists(self, account_id: str, vanished: Sequence[Tracked], moved: set[str]) -> None:
        """Collect those that were taken out of the archive or a project: nobody sees them come far down another list.

        They are fetched again for what they say of themselves: that moves no time, and a batch shows it ten at once.
        What no batch shows is read by id: as many as are granted to what is missing.
        """
        due = [t for t in vanished if not t.is_deleted and self._is_due(t)][:LEFT_LISTS_A_RUN]
        by_id = {t.conversation_id: t for t in due}
        for got in self.source.fetch([self._wanted(t) for t in due]):
            key = got.conversation_id
            if isinstance(got, Fetched):
                moved |= {key} if self._keep(by_id[key], got, account_id) else set()
            elif got.is_gone:
                self._note_gone(key)
                if len(self._told_gone) >= CHECKS_A_RUN:
                    return

    def _note_gone(self, key: str) -> None:
        self._told_gone.add(key)
        with self.writer.transaction() as conn:
            tracking.add_proof(conn, key, self.timing.iso(), self.run_id, DELETED_WEIGHT)

    def _wanted(self, tracked: Tracked) -> ToFetch:
        known = conversations.message_total(self.writer.conn, tracked.conversation_id)
        return ToFetch(tracked.listed, known, explained=True)

    def _keep(self, tracked: Tracked, got: Fetched, account_id: str) -> bool:
        """Store what was fetched of a conversation; return whether it says that it belongs to another list now."""
        row = self._moved_row(tracked, got)
        now = self.timing.iso()
        with self.writer.transaction() as conn:
            if row is not None:
                self._note_moved(conn, account_id, row, now)
            # Otherwise it is asked for by id as well: a batch can still hold what is deleted (API notes §3.1).
            self._store(conn, tracked, got, now)
        return row is not None

    def _note_moved(self, conn: sqlite3.Connection, account_id: str, row: Listed, now: str) -> None:
        tracking.note(conn, row, self.source.provider, account_id, now)
        tracking.set_missing(conn, [row.conversation_id], None)

    def _moved_row(self, tracked: Tracked, got: Fetched) -> Listed | None:
        """Return what a list would say of a conversation that belongs to another list now, None where it does not."""
        from mirror.normalize import normalize  # noqa: PLC0415 - as in ``mirror.ingest``

        try:
            found = normalize(self.source.provider, got.payload)
        except UnreadablePayloadError:  # said when it is to be stored
            return None
        row = Listed(tracked.conversation_id, None, is_archived=found.is_archived)
        if "project_id" in found.stated:
            row = row._replace(project_id=found.project_id, gpt_id=found.gpt_id, states_home=True)
        old = tracked.listed
        now = tracked._replace(
            listed=old._replace(
                is_archived=old.is_archived if row.is_archived is None else row.is_archived,
                project_id=row.project_id if row.states_home else old.project_id,
            ),
        )
        return row if plan.homes(now) != plan.homes(tracked) else None

    def _store(self, conn: sqlite3.Connection, tracked: Tracked, got: Fetched, now: str) -> None:
        """Store what came of a conversation that no list shows; it answers what a list last said of it."""
        if not tracked.is_current and got.incomplete_reason is None:
            tracking.mark_stored(conn, tracked.listed, now)
        try:
            ingested = ingest(conn, arrival_of(self.source.provider, got, tracked, now), self.run_id)
        except UnreadablePayloadError as error:
            tracking.mark_unread(conn, tracked.conversation_id)  # what was marked above is not true
            self.put_off.append((tracked, str(error)))
            return
        self._outcome.count(ingested.changes)
        self.damages += [ingested.damage] if ingested.damage else []
        if got.incomplete_reason is None and ingested.incomplete_reason is not None:
            self.put_off.append((tracked, ingested.incomplete_reason))

    def _due(self, candidates: dict[str, Tracked]) -> list[Tracked]:
        """Return which to ask for by id: what was never asked for, and of that what is still to be read, first.

        Then what was not asked for longest, whatever came: one that ends every run must not be the first in each.
        """
        due = [t for t in candidates.values() if self._is_due(t) and t.conversation_id not in self._told_gone]
        most = CHECKS_A_RUN - len(self._told_gone)
        return sorted(due, key=lambda t: (self._asked_at(t), t.is_current))[:most]

    def _asked_at(self, tracked: Tracked) -> str:
        """Return the ISO time at which it was last asked for, "" for never. A time ahead of now is none."""
        now = self.timing.iso()
        return max((at for at in (tracked.checked_at, tracked.retry_at) if at and at <= now), default="")

    def _is_due(self, tracked: Tracked) -> bool:
        if tracked.gone_proofs or not tracked.is_current or tracked.checked_at is None:
            return True
        horizon, now = self.timing.iso(-RECHECK_DAYS * 86_400), self.timing.iso()
        return not horizon <= tracked.checked_at <= now  # a time ahead of now was written by a wrong clock

    def _ask(self, account_id: str, tracked: Tracked) -> None:
        key = tracked.conversation_id
        try:
            got = self.source.fetch_one(self._wanted(tracked))
        except ChatmirrorError as error:
            if isinstance(error, RateLimitError):
                self._cut_off.add(key)
            self._note_not_told(key)
            raise
        now = self.timing.iso()
        with self.writer.transaction() as conn:
            if isinstance(got, Fetched):
                if (row := self._moved_row(tracked, got)) is not None:
                    self._note_moved(conn, account_id, row, now)
                    self._moved.add(key)
                tracking.mark_alive(conn, key, now)
                self._store(conn, tracked, got, now)
            elif got.is_gone:
                tracking.add_proof(conn, key, now, self.run_id, DELETED_WEIGHT)
            elif got.is_unknown:
                self._unknown.append(key)
            else:
                tracking.mark_not_told(conn, key, now)

    def _judge_unknown(self) -> None:
        """Believe that what is unknown by id is gone, unless it comes another way, which says neither."""
        stays = set(self._unknown)
        try:
            if self._unknown and not (self.error and self.error.is_final):
                stays = self.source.given_otherwise(self._unknown)
        except (RateLimitError, ServiceError) as error:
            self.error = error
        now = self.timing.iso()
        with self.writer.transaction() as conn:
            for key in self._unknown:
                if key in stays:
                    tracking.mark_not_told(conn, key, now)
                else:
                    tracking.add_proof(conn, key, now, self.run_id, UNKNOWN_WEIGHT)

    def _note_not_told(self, key: str) -> None:
        with self.writer.transaction() as conn:
            tracking.mark_not_told(conn, key, self.timing.iso())
