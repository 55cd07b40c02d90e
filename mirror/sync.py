"""The nightly job: list -> compare -> fetch -> store -> close the run.

The plan keeps three promises. *Complete*: every row of every list is remembered before anything is fetched, and stays
work to do until it is stored as listed; an interruption costs at most the conversation in flight. *Current*: the exit
code is 0 only when nothing that was listed is left to do. *Cheap*: the lists are newest first, so a night reads them
only down to the watermark, the newest time of the last complete run; never the mere presence of a row. What decides
"changed" is the list's own update time, compared for inequality with the list's time that was stored.

This module knows sources and stores, neither HTTP nor SQL.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mirror import absence
from mirror.errors import BrakeError, ChatmirrorError, IncompleteError, RateLimitError, SignInError, most_severe
from mirror.intake import Arrival, Change, refresh, take_in
from mirror.normalize.values import epoch_us
from mirror.source import Account, Listed, Reading, Unread, Wanted
from mirror.store import listings, runs, side
from mirror.store.conversations import message_total

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirror.source import Identity, Scope, Source, Walk
    from mirror.store.database import Writer
    from mirror.store.listings import Known
    from mirror.timing import Timing

FULL_EVERY = 7 * 86_400.0  # seconds between full runs
_HOUR = 3600.0
LONGEST_RETRY = 7 * 24 * _HOUR


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

    counts: Counts
    error: ChatmirrorError | None = None
    identity: Identity | None = None
    changes: dict[str, int] = field(default_factory=dict)
    is_full: bool = False


class Sync:
    """One run over one source into one database."""

    def __init__(self, writer: Writer, source: Source, timing: Timing, report: Report, run_id: int) -> None:
        self.writer, self.source, self.timing, self.report, self.run_id = writer, source, timing, report, run_id
        self.outcome = Outcome(Counts())
        self.errors: list[ChatmirrorError] = []

    @property
    def conn(self) -> sqlite3.Connection:
        """The one writing connection."""
        return self.writer.conn

    def run(self, *, full: bool = False, dry: bool = False) -> Outcome:
        """Bring the mirror up to date; errors end up in the outcome, interruptions go through."""
        try:
            identity = self.outcome.identity = self.source.identity()
            self._refuse_stranger(identity)
            for account in identity.accounts:
                self._account(account, full=full, dry=dry)
        except ChatmirrorError as error:
            self.errors.append(error)
        self._conclude()
        return self.outcome

    def _refuse_stranger(self, identity: Identity) -> None:
        key = f"owner:{self.source.provider}"
        owner = runs.setting(self.conn, key)
        if owner not in (None, identity.user_id):
            raise BrakeError(
                f"This database belongs to another account (…{str(owner)[-4:]}, the login is …{identity.user_id[-4:]});"
                " nothing was written. Use another -d PATH, or `chatmirror auth` with the right login."
            )
        if owner is None:
            with self.writer.transaction() as conn:
                runs.remember(conn, key, identity.user_id)

    # -- one workspace

    def _account(self, account: Account, *, full: bool, dry: bool) -> None:
        key = f"source:{account.id}"
        memory: dict[str, Any] = runs.setting(self.conn, key, {})
        full = full or self.timing.now() - memory.get("full_at", 0.0) >= FULL_EVERY
        self.outcome.is_full = self.outcome.is_full or full
        self.source.enter(account, memory)
        self.report.note(f"{account.name or account.structure or 'personal'} workspace, {'full' if full else 'nightly'} run")
        troubles = len(self.errors)
        walks = self._list(account, full=full)
        if dry:
            return self._compare_only(account, walks)
        self._note(account, walks)
        self._save_side(account)
        whole = len(self.errors) == troubles
        try:
            fetched = self._fetch(account)
            braked = absence.review(self, account, walks)
        finally:
            memory["per_id_budget"] = self.source.next_budget()
            with self.writer.transaction() as conn:
                runs.remember(conn, key, memory)
        if whole and fetched and not braked:
            self._close(account, walks, memory, key, full=full)
        return None

    def _list(self, account: Account, *, full: bool) -> list[Walk]:
        known = listings.known(self.conn, self.source.provider, account.id)
        walks: list[Walk] = []
        try:
            for scope in self.source.scopes(full=full, last_walked=listings.last_walked(self.conn, account.id)):
                walk = self.source.walk(scope, self._enough(account, scope, known, full=full), _expected(scope, known, full))
                walks.append(walk)
                if walk.trouble is not None:
                    self.errors.append(walk.trouble)
                self.report.note(f"{scope.label}: {len(walk.items)} listed{'' if walk.reached_end else ' so far'}")
        except (SignInError, BrakeError):
            raise
        except ChatmirrorError as error:
            self.errors.append(error)
        if not any(walk.items for walk in walks) and not self.errors and not self.source.is_signed_in():
            raise SignInError("The service lists nothing and does not know who asks; sign in again: `chatmirror auth`.")
        self.outcome.counts.listed += len(_union(walks))
        return walks

    def _enough(self, account: Account, scope: Scope, known: dict[str, Known], *, full: bool) -> Any:
        """Return the test after which a list need not be read further: all known, stored, and below the watermark."""
        mark = listings.watermark(self.conn, account.id, scope)

        def enough(items: Sequence[Listed]) -> bool:
            if full or scope.to_the_end or mark is None or not items:
                return False
            settled = all(
                (k := known.get(item.conversation_id)) is not None and k.is_current and k.update_us == item.update_us
                for item in items
            )
            return settled and min(item.update_us or 0 for item in items) <= mark

        return enough

    def _note(self, account: Account, walks: Sequence[Walk]) -> None:
        """Remember every listed row, and bring the rows of those that need no reading up to what the lists say."""
        now = self.timing.iso()
        imports = listings.unlisted_imports(self.conn, self.source.provider)
        for item in _union(walks).values():
            row = listings.listed_row(self.conn, item.conversation_id)
            if row is not None and not _says_news(row, item, account.id):
                continue
            with self.writer.transaction() as conn:
                listings.note(conn, item, self.source.provider, account.id, now)
                if item.conversation_id in imports and listings.adopt_import(conn, item):
                    listings.mark_stored(conn, item.conversation_id, item.update_us)
                self._welcome_back(conn, item.conversation_id)
                facts = listings.facts(conn, item.conversation_id)
                if facts is not None:
                    self._count(refresh(conn, item.conversation_id, facts, self.run_id, now))
        self._unstar(account, walks)

    def _welcome_back(self, conn: sqlite3.Connection, conversation_id: str) -> None:
        listings.set_missing(conn, [conversation_id], None)
        if listings.set_deleted(conn, conversation_id, None):
            runs.record_changes(conn, self.run_id, conversation_id, [Change("back")])
            self._count([Change("back")])

    def _unstar(self, account: Account, walks: Sequence[Walk]) -> None:
        """A star that is gone shows only by its absence from the list of starred ones."""
        starred = next((walk for walk in walks if walk.scope.name == "starred" and walk.reached_end), None)
        if starred is None or not all(item.is_starred for item in starred.items.values()):
            return
        listed = _union(walks)
        for k in listings.known(self.conn, self.source.provider, account.id).values():
            if k.is_starred and k.conversation_id not in starred.items and k.conversation_id not in listed:
                with self.writer.transaction() as conn:
                    listings.note(
                        conn, Listed(k.conversation_id, k.update_us, is_starred=False), self.source.provider,
                        account.id, self.timing.iso(),
                    )
                    if (facts := listings.facts(conn, k.conversation_id)) is not None:
                        self._count(refresh(conn, k.conversation_id, facts, self.run_id, self.timing.iso()))

    # -- reading

    def _fetch(self, account: Account) -> bool:
        """Read what is to do, newest first; return whether everything was at least tried."""
        now = self.timing.iso()
        known = listings.known(self.conn, self.source.provider, account.id)
        todo = [k for k in known.values() if (not k.is_current or k.is_generating) and k.missing_since is None]
        todo = [k for k in todo if k.retry_at is None or k.retry_at <= now]
        todo.sort(key=lambda k: k.update_us or 0, reverse=True)
        self.outcome.counts.unchanged += sum(1 for k in known.values() if k.is_current and not k.is_generating)
        if not todo:
            return True
        self.report.fetching(len(todo))
        wanted = [Wanted(_listed(k), message_total(self.conn, k.conversation_id)) for k in todo]
        try:
            for got in self.source.read(wanted):
                k = known[got.conversation_id]
                self._settle(k, got)
                self.report.stored(k.title or "Untitled")
        except (SignInError, BrakeError):
            raise
        except ChatmirrorError as error:
            self.errors.append(error)
            return False
        return True

    def _settle(self, k: Known, got: Reading | Unread) -> None:
        with self.writer.transaction() as conn:
            if isinstance(got, Unread):
                self._settle_unread(conn, k, got)
                return
            row = listings.listed_row(conn, k.conversation_id)
            if row is None:
                raise BrakeError("A conversation came that was not asked for; nothing of it was written.")
            facts = listings.facts_from(row, self.source.conversation_url(k.conversation_id))
            arrival = Arrival(
                got.conversation_id, got.payload, got.body, got.lane, got.source, self.timing.iso(), k.update_us,
                proves_absence=got.proves_absence,
            )
            taken = take_in(conn, arrival, facts, self.run_id)
            if got.doubt is None:
                listings.mark_stored(conn, k.conversation_id, k.update_us, is_generating=taken.is_generating)
            else:
                listings.mark_failed(conn, k.conversation_id, got.doubt, self._retry_at(k))
                self.outcome.counts.failed += 1
        self._count(taken.changes)

    def _settle_unread(self, conn: sqlite3.Connection, k: Known, got: Unread) -> None:
        self.outcome.counts.failed += 1
        if got.gone and k.gone_run_id not in (None, self.run_id):
            # Listed, and twice proven deleted: the list is stale, and there is nothing to fetch any more.
            listings.mark_stored(conn, k.conversation_id, k.update_us)
            return
        listings.mark_failed(conn, k.conversation_id, got.reason, self._retry_at(k))
        if got.gone:
            listings.save_check(conn, k.conversation_id, self.timing.iso(), self.run_id)

    def _retry_at(self, k: Known) -> str:
        # The next night, then every other, ... at most a week apart; an hour of slack for cron.
        return self.timing.iso(min(LONGEST_RETRY, 24 * _HOUR * max(0, 2**k.attempts - 1)) - _HOUR)

    # -- the rest

    def _save_side(self, account: Account) -> None:
        now = self.timing.iso()
        row = {"id": account.id, "name": account.name, "plan": account.plan, "structure": account.structure}
        with self.writer.transaction() as conn:
            side.save_named(conn, "accounts", {**row, "provider": self.source.provider}, now)
        try:
            items = list(self.source.side_items(unnamed_gpts=side.unnamed_gpts(self.conn)))
        except (SignInError, BrakeError):
            raise
        except ChatmirrorError as error:
            self.errors.append(error)
            return
        with self.writer.transaction() as conn:
            for item in items:
                if item.kind in {"project", "gpt"}:
                    owner = {"account_id": account.id} if item.kind == "project" else {}
                    side.save_named(conn, f"{item.kind}s", {"id": item.id, **owner, **item.row}, now)
                elif item.kind == "memory":
                    side.save_texts(conn, "memories", account.id, {"id": item.id, **item.row}, now)
                else:
                    side.save_texts(conn, "instructions", account.id, item.row, now)
            if memories := {item.id for item in items if item.kind == "memory"}:
                side.end_memories(conn, account.id, memories, now)

    def _close(self, account: Account, walks: Sequence[Walk], memory: dict[str, Any], key: str, *, full: bool) -> None:
        """The run saw and tried everything: move the watermarks."""
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
        known = listings.known(self.conn, self.source.provider, account.id)
        for item in _union(walks).values():
            k = known.get(item.conversation_id)
            if k is None:
                self.outcome.counts.new += 1
            elif not k.is_current or k.update_us != item.update_us:
                self.outcome.counts.changed += 1
            else:
                self.outcome.counts.unchanged += 1

    def _count(self, changes: Sequence[Change]) -> None:
        kinds = {change.kind for change in changes}
        for kind in kinds:
            self.outcome.changes[kind] = self.outcome.changes.get(kind, 0) + 1
        self.outcome.counts.new += "new" in kinds
        self.outcome.counts.changed += bool(kinds - {"new"})

    def _conclude(self) -> None:
        rows = listings.pending(self.conn, self.source.provider)
        self.outcome.counts.pending = len(rows)
        if rows and not any(isinstance(error, RateLimitError) for error in self.errors):
            self.errors.append(_incomplete(rows))
        error = most_severe(self.errors)
        if rows and isinstance(error, RateLimitError):
            error = RateLimitError(f"{error.message} {self._forecast(len(rows))}")
        self.outcome.error = error

    def _forecast(self, left: int) -> str:
        stored = self.outcome.counts.new + self.outcome.counts.changed
        if not stored:
            return f"{left:,} conversations left."
        return f"About {left:,} left, {math.ceil(left / stored)} more nights at this pace."


def _union(walks: Sequence[Walk]) -> dict[str, Listed]:
    """What all lists say together: the newest row of each conversation, flags and times from wherever they stand."""
    union: dict[str, Listed] = {}
    for walk in walks:
        for key, item in walk.items.items():
            old = union.get(key)
            if old is None or (item.update_us or 0) > (old.update_us or 0):
                union[key] = item
    return union


def _expected(scope: Scope, known: dict[str, Known], full: bool) -> int | None:  # noqa: FBT001 - an inner helper
    if full:
        return None
    if scope.name == "archived":
        return sum(1 for k in known.values() if k.is_archived and k.missing_since is None and not k.is_deleted)
    if scope.name == "starred":
        return sum(1 for k in known.values() if k.is_starred and k.missing_since is None and not k.is_deleted)
    return sum(1 for k in known.values() if not k.is_archived and k.missing_since is None and not k.is_deleted)


def _says_news(row: sqlite3.Row, item: Listed, account_id: str) -> bool:
    """Whether a list row says anything that is not remembered; spares a transaction for each that does not."""
    said = {
        "title": item.title,
        "update_us": item.update_us,
        "is_archived": None if item.is_archived is None else int(item.is_archived),
        "is_starred": None if item.is_starred is None else int(item.is_starred),
        "created_at": item.created_at,
    }
    if row["account_id"] != account_id or row["missing_since"] or row["gone_run_id"]:
        return True
    if item.states_gizmo and row["gizmo_id"] != (item.gizmo_id or ""):
        return True
    return any(value is not None and row[name] != value for name, value in said.items())


def _listed(k: Known) -> Listed:
    return Listed(k.conversation_id, k.update_us, title=k.title)


def _incomplete(rows: Sequence[sqlite3.Row]) -> IncompleteError:
    first = rows[0]
    more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return IncompleteError(
        f"{len(rows):,} conversation{'s' if len(rows) > 1 else ''} could not be saved: “{first['title'] or 'Untitled'}”"
        f" ({first['conversation_id']}: {first['error'] or 'not read yet'}){more}. Everything else is current;"
        " they are tried again on later nights."
    )
