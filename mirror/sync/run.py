"""The nightly job: list -> compare -> fetch -> store -> close the run.

The plan keeps three promises. *Complete*: every row of every list is remembered before anything is fetched, and stays
work to do until it is stored as listed; an interruption costs at most the conversation in flight. *Current*: the exit
code is 0 only when nothing that was listed is left to do. *Cheap*: the lists are newest first, so a night reads them
only down to the watermark, the newest time of the last complete run; never the mere presence of a row. What decides
"changed" is the list's own update time, compared for inequality with the list's time that was stored.

This module knows sources and stores, neither HTTP nor SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, Self

from mirror.errors import BrakeError, ChatmirrorError, RateLimitError, SignInError, most_severe
from mirror.ingest import Arrival, Change, refresh, take_in
from mirror.source import Account, Listed, Reading, Unread, Wanted
from mirror.store import account_data, listings, runs
from mirror.store.conversations import message_total
from mirror.sync import plan
from mirror.sync.missing import Review, absent_workspaces

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from mirror.source import Identity, Source, Walk
    from mirror.store.database import Writer
    from mirror.store.listings import Known
    from mirror.timing import Timing

FULL_EVERY = 7 * 86_400.0  # seconds between full runs
ROWS_A_TRANSACTION = 200  # list rows remembered at once


class Report(Protocol):
    """Where a run says what it does while it does it."""

    def note(self, text: str) -> None:
        """One line of narration."""

    def fetching(self, total: int) -> None:
        """So many conversations are about to be read."""

    def stored(self, title: str) -> None:
        """One of them is done with."""


@dataclass(slots=True)
class Counts:
    """What a run did, as in ``sync_runs``."""

    listed: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    pending: int = 0


@dataclass(slots=True)
class Outcome:
    """How a run ended. ``error`` None: current. ``changes``: kind -> how many conversations."""

    counts: Counts = field(default_factory=Counts)
    error: ChatmirrorError | None = None
    identity: Identity | None = None
    changes: dict[str, int] = field(default_factory=dict)
    is_full: bool = False

    def count(self, changes: Sequence[Change]) -> None:
        """Count what changed in one conversation."""
        kinds = {change.kind for change in changes}
        for kind in kinds:
            self.changes[kind] = self.changes.get(kind, 0) + 1
        self.counts.new += "new" in kinds
        self.counts.changed += bool(kinds - {"new"})


class Sync:
    """One run over one source into one database."""

    def __init__(self, writer: Writer, source: Source, timing: Timing, report: Report, run_id: int) -> None:
        self.writer, self.source, self.timing, self.report, self.run_id = writer, source, timing, report, run_id
        self.outcome = Outcome()
        self.errors: list[ChatmirrorError] = []
        self._explained: set[str] = set()  # what has another title or project tonight: reason enough for a new time

    def run(self, *, full: bool = False, dry: bool = False) -> Outcome:
        """Bring the mirror up to date; errors end up in the outcome, interruptions go through."""
        try:
            identity = self.outcome.identity = self.source.identity()
            self._refuse_stranger(identity, dry=dry)
            if not dry and (trouble := absent_workspaces(self.writer, self.source, identity, self.timing.iso())):
                self.errors.append(trouble)
            for account in identity.accounts:
                if not self._is_limited:
                    self._account(account, full=full, dry=dry)
        except ChatmirrorError as error:
            self.errors.append(error)
        self._conclude()
        return self.outcome

    @property
    def _is_limited(self) -> bool:
        """Whether the service asked for fewer requests: then nothing more is asked of it, for any workspace."""
        return any(isinstance(error, RateLimitError) for error in self.errors)

    def _refuse_stranger(self, identity: Identity, *, dry: bool) -> None:
        key = f"owner:{self.source.provider}"
        owner = runs.setting(self.writer.conn, key)
        if owner not in (None, identity.user_id):
            raise BrakeError(
                f"This database belongs to another account (…{str(owner)[-4:]}; the login is …{identity.user_id[-4:]});"
                " nothing was written. Use another -d PATH, or `chatmirror auth` with the right login."
            )
        if owner is None and not dry:
            with self.writer.transaction() as conn:
                runs.remember(conn, key, identity.user_id)

    def _conclude(self) -> None:
        rows = listings.pending(self.writer.conn, self.source.provider)
        counts = self.outcome.counts
        counts.pending = len(rows)
        error = most_severe([*self.errors, *([plan.incomplete(rows)] if rows else [])])
        if isinstance(error, RateLimitError):
            error = plan.with_forecast(error, len(rows), counts.new + counts.changed)
        self.outcome.error = error

    # -- one workspace

    def _account(self, account: Account, *, full: bool, dry: bool) -> None:
        key = f"source:{account.id}"
        memory: dict[str, Any] = runs.setting(self.writer.conn, key, {})
        full = full or not 0 <= self.timing.now() - memory.get("full_at", 0.0) < FULL_EVERY  # a clock may go wrong
        self.outcome.is_full = self.outcome.is_full or full
        self.source.enter(account, memory)
        name = account.name or account.structure or "personal"
        self.report.note(f"{name} workspace, {'full' if full else 'nightly'} run")
        troubles = len(self.errors)
        if memory.get("lists_limited") and not dry:
            self._fetch(account)  # lists took all that was granted: what they showed comes first tonight
            self._save_memory(key, memory)
        if self._is_limited:
            return
        walks = self._list(account, full=full)
        memory["lists_limited"] = any(isinstance(walk.trouble, RateLimitError) for walk in walks)
        if dry:
            self._compare_only(account, walks)
            return
        try:
            listed = self._remember_lists(account, walks)
            whole = self._ask(account, walks, listed, all_walked=full and len(self.errors) == troubles)
        finally:
            self._save_memory(key, memory)
        if whole and len(self.errors) == troubles:
            self._close(account, walks, key, memory, full=full)

    def _ask(self, account: Account, walks: Sequence[Walk], listed: set[str], *, all_walked: bool) -> bool:
        """Ask for everything that the lists call for; return whether all of it was asked for."""
        self.outcome.counts.unchanged += listings.counts(self.writer.conn, self.source.provider, account.id)["current"]
        if not self._is_limited:
            self._save_side(account)
        if self._is_limited or not self._fetch(account) or self._is_limited:
            return False
        return not self._review(account, walks, listed, all_walked=all_walked)

    def _list(self, account: Account, *, full: bool) -> list[Walk]:
        counts = listings.counts(self.writer.conn, self.source.provider, account.id)
        walked = listings.last_walked(self.writer.conn, account.id)
        walks: list[Walk] = []
        troubles = len(self.errors)
        with self._collecting():
            for scope in self.source.scopes(full=full, last_walked=walked):
                mark = listings.watermark(self.writer.conn, account.id, scope)
                enough = plan.stop_line(self._known_of, mark, scope, full=full)
                walk = self.source.walk(scope, enough, plan.expected(scope, counts, full=full))
                walks.append(walk)
                if walk.trouble is not None:
                    self.errors.append(walk.trouble)
                if self._is_limited:
                    break
                self.report.note(f"{scope.label}: {len(walk.items):,} listed{'' if walk.reached_end else ' so far'}")
        is_quiet = len(self.errors) == troubles and not any(walk.items for walk in walks)
        if is_quiet and not self.source.is_signed_in():
            raise SignInError("The service lists nothing and does not know who asks; sign in again: `chatmirror auth`.")
        self.outcome.counts.listed += len({key for walk in walks for key in walk.items})
        return walks

    def _others(self, account: Account) -> set[str]:
        accounts = self.outcome.identity.accounts if self.outcome.identity else ()
        return {other.id for other in accounts} - {account.id}

    def _known_of(self, ids: Collection[str]) -> dict[str, Known]:
        return listings.known_of(self.writer.conn, self.source.provider, ids)

    def _collecting(self) -> _Collector:
        return _Collector(self.errors)

    def _remember_lists(self, account: Account, walks: Sequence[Walk]) -> set[str]:
        """Remember every listed row and bring conversations up to it; return the ids that were listed."""
        known = self._known_of({key for walk in walks for key in walk.items})
        listed = plan.union(walks, known, account.id, self._others(account))
        imports = listings.unlisted_imports(self.writer.conn, self.source.provider)
        rows = iter(listed.values())
        while chunk := list(islice(rows, ROWS_A_TRANSACTION)):
            with self.writer.transaction() as conn:
                for item in chunk:
                    self._remember(conn, account, item, is_import=item.conversation_id in imports)
        starred = listings.known(self.writer.conn, self.source.provider, account.id, "starred")
        for k in plan.unstarred(starred.values(), walks, listed):
            with self.writer.transaction() as conn:
                self._remember(conn, account, Listed(k.conversation_id, k.update_us, is_starred=False), is_import=False)
        return set(listed)

    def _remember(self, conn: sqlite3.Connection, account: Account, item: Listed, *, is_import: bool) -> None:
        now = self.timing.iso()
        news = listings.note(conn, item, self.source.provider, account.id, now)
        is_back = listings.set_deleted(conn, item.conversation_id, None)
        if is_back:
            listings.mark_unread(conn, item.conversation_id)  # it may have changed before it went
        if not news and not is_back:
            return
        if news & {"title", "gizmo_id"} and "update_us" in news:
            self._explained.add(item.conversation_id)
        if is_import and listings.adopt_import(conn, item):
            listings.mark_stored(conn, item.conversation_id, item.update_us)
        listings.set_missing(conn, [item.conversation_id], None)
        changes = [Change("back")] if is_back else []
        runs.record_changes(conn, self.run_id, item.conversation_id, changes)
        facts = listings.facts(conn, item.conversation_id)
        if facts is not None:
            changes += refresh(conn, item.conversation_id, facts, self.run_id, now)
        self.outcome.count(changes)

    # -- reading

    def _fetch(self, account: Account) -> bool:
        """Read what is to do, newest first; return whether everything was at least tried."""
        known = listings.known(self.writer.conn, self.source.provider, account.id, "to do")
        todo = plan.to_read(known.values(), self.timing.iso(), self.timing.iso(plan.LONGEST_RETRY))
        if not todo:
            return True
        self.report.fetching(len(todo))
        wanted = [self._wanted(k) for k in todo]
        with self._collecting() as collected:
            for got in self.source.read(wanted):
                k = known[got.conversation_id]
                self._settle(k, got)
                self.report.stored(k.title or "Untitled")
        return collected.is_clean

    def _wanted(self, k: Known) -> Wanted:
        listed = Listed(k.conversation_id, k.update_us, k.title)
        known_messages = message_total(self.writer.conn, k.conversation_id)
        explained = known_messages > 0 and k.conversation_id in self._explained
        is_known_flat = k.is_current and k.is_partial and not k.is_generating
        return Wanted(listed, known_messages, explained, k.attempts, is_known_flat)

    def _settle(self, k: Known, got: Reading | Unread) -> None:
        with self.writer.transaction() as conn:
            if isinstance(got, Unread):
                self._settle_unread(conn, k, got)
                return
            facts = listings.facts_to_be(conn, k.conversation_id, self.source.conversation_url(k.conversation_id))
            arrival = Arrival(
                got.conversation_id,
                got.payload,
                got.body,
                got.lane,
                got.source,
                self.timing.iso(),
                k.update_us,
                got.proves_absence,
            )
            taken = take_in(conn, arrival, facts, self.run_id)
            if got.doubt is not None:
                self._fail(conn, k, got.doubt)
            else:
                listings.mark_stored(conn, k.conversation_id, k.update_us, is_generating=taken.is_generating)
                if got.is_partial:
                    self._ask_for_whole(conn, k, k.attempts + 1 if k.is_current and k.is_partial else 0)
        self.outcome.count(taken.changes)

    def _settle_unread(self, conn: sqlite3.Connection, k: Known, got: Unread) -> None:
        if got.later:
            return
        if k.is_current and k.is_partial:
            self._ask_for_whole(conn, k, k.attempts + 1)
            return
        if got.gone and k.gone_run_id not in (None, self.run_id):
            # Listed, and twice proven deleted: the list is stale, and asking now and then is enough.
            listings.mark_stored(conn, k.conversation_id, k.update_us)
            self._ask_for_whole(conn, k, k.attempts)
            return
        self._fail(conn, k, got.reason)
        if got.gone:
            listings.save_check(conn, k.conversation_id, self.timing.iso(), self.run_id)

    def _ask_for_whole(self, conn: sqlite3.Connection, k: Known, attempts: int) -> None:
        listings.mark_partial(conn, k.conversation_id, attempts, self.timing.iso(plan.retry_pause(attempts)))

    def _fail(self, conn: sqlite3.Connection, k: Known, reason: str) -> None:
        self.outcome.counts.failed += 1
        self.report.note(f"not saved: {k.title or 'Untitled'} ({k.conversation_id}): {reason}")
        listings.mark_failed(conn, k.conversation_id, reason, self.timing.iso(plan.retry_pause(k.attempts)))

    def _review(self, account: Account, walks: Sequence[Walk], listed: set[str], *, all_walked: bool) -> bool:
        """Look after what no list shows any more; return whether the brake was pulled."""
        review = Review(self.writer, self.source, self.timing, self.run_id)
        brake = None
        try:
            brake = review.run(account.id, walks, listed, all_walked=all_walked)
        except RateLimitError as error:
            self.report.note(f"absent conversations are asked for another night: {error.message}")
            if error.is_final:
                self.errors.append(error)
        finally:
            for changes in review.changes:
                self.outcome.count(changes)
        if brake is not None:
            self.errors.append(brake)
        return brake is not None

    # -- the rest

    def _save_side(self, account: Account) -> None:
        now = self.timing.iso()
        row = {"id": account.id, "name": account.name, "plan": account.plan, "structure": account.structure}
        with self.writer.transaction() as conn:
            account_data.save_named(conn, "accounts", {**row, "provider": self.source.provider}, now)
        with self._collecting():
            items = list(self.source.account_items(unnamed_gpts=account_data.unnamed_gpts(self.writer.conn)))
            with self.writer.transaction() as conn:
                account_data.save_items(conn, account.id, items, now)

    def _save_memory(self, key: str, memory: dict[str, Any]) -> None:
        memory["per_id_budget"] = self.source.next_budget()
        with self.writer.transaction() as conn:
            runs.remember(conn, key, memory)

    def _close(self, account: Account, walks: Sequence[Walk], key: str, memory: dict[str, Any], *, full: bool) -> None:
        """The run saw everything and tried everything: move the watermarks."""
        if full:
            memory["full_at"] = self.timing.now()
        with self.writer.transaction() as conn:
            runs.remember(conn, key, memory)
            for walk in walks:
                times = [item.update_us for item in walk.items.values() if item.update_us]
                columns: dict[str, Any] = {"watermark_us": max(times)} if times else {}
                if walk.reached_end:
                    columns |= {"listed": len(walk.items), "walked_at": self.timing.iso()}
                if columns:
                    listings.save_scope(conn, account.id, walk.scope, **columns)

    def _compare_only(self, account: Account, walks: Sequence[Walk]) -> None:
        known, counts = self._known_of({key for walk in walks for key in walk.items}), self.outcome.counts
        for item in plan.union(walks, known, account.id, self._others(account)).values():
            k = known.get(item.conversation_id)
            counts.new += k is None
            counts.changed += k is not None and not plan.is_settled(known, item)
            counts.unchanged += k is not None and plan.is_settled(known, item)


class _Collector:
    """Collects an error and goes on after it; what dooms the whole run goes through."""

    def __init__(self, errors: list[ChatmirrorError]) -> None:
        self.errors, self.is_clean = errors, True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, ChatmirrorError) or isinstance(error, SignInError | BrakeError):
            return False
        self.errors.append(error)
        self.is_clean = False
        return True
