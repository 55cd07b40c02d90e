"""The sync job: list -> compare -> fetch -> store -> close the run.

It keeps three promises. *Complete*: every row of every list is remembered before anything is fetched, and stays work to
do until it is stored as listed; an interruption costs at most the conversation in flight. *Current*: the exit code is 0
only when nothing that was listed is left to do. *Cheap*: the lists are newest first, so a run reads them only down to
the watermark, the newest time of the last complete run; never the mere presence of a row. What decides "changed" is the
list's own update time (and mark), compared for inequality with the list time that was stored.

This module knows sources and stores, neither HTTP nor SQL.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.errors import ChatmirrorError, IncompleteError, RateLimitError, ServiceError, SignInError, most_severe
from mirror.file_reading import read_texts
from mirror.ingest import damaged
from mirror.services import service_of
from mirror.source import FileSource
from mirror.store import account_data, file_rows, scopes, tracking
from mirror.sync import memory, plan
from mirror.sync.due import DueConversations
from mirror.sync.files import FileRun
from mirror.sync.listed_rows import ListedRows
from mirror.sync.missing import MissingReview
from mirror.sync.outcome import (
    ErrorCollector,
    incomplete,
    incomplete_files,
    not_asked_for,
    not_understood,
    with_forecast,
)
from mirror.sync.owner import refuse_other_account
from mirror.sync.settling import Settling
from mirror.sync.verification import verify
from mirror.sync.workspaces import with_absent_workspaces, with_known_workspaces

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

    from mirror.source import Identity, ListResult, Scope, Workspace
    from mirror.sync.context import RunContext
    from mirror.sync.memory import SyncMemory
    from mirror.sync.outcome import Outcome

FULL_EVERY = 7 * 86_400.0  # seconds between full runs: a list that lost rows is found out within a week


class _Visit(NamedTuple):
    """One workspace in one run: what was remembered of it, and how many errors the run had when it began."""

    workspace: Workspace
    remembered: SyncMemory
    full: bool
    errors_before: int


class _ListsToRead:
    """The lists that a source offers one after the other, in two parts: those of Work come after all others."""

    def __init__(self, scopes: Iterator[Scope]) -> None:
        self._scopes = scopes
        self._of_work: Scope | None = None

    def ordinary(self) -> Iterator[Scope]:
        """Yield the lists up to the first one of Work."""
        for scope in self._scopes:
            if scope.is_work:
                self._of_work = scope
                return
            yield scope

    def of_work(self) -> Iterator[Scope]:
        """Yield the rest."""
        if self._of_work is not None:
            yield self._of_work
            yield from self._scopes


class Sync:
    """One run over one source into one database."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.writer, self.source, self.timing = context.writer, context.source, context.timing
        self.report, self.options, self.outcome = context.report, context.options, context.outcome
        self.errors: list[ChatmirrorError] = []
        self._unread: list[ChatmirrorError] = []  # lists that cannot be read, which do not make all others be read anew
        self._odd_rows: Counter[str] = Counter()  # a list's label -> rows that were not understood
        self._file_errors: list[ChatmirrorError] = []
        self._is_known = False  # the service showed in this run that it knows who asks
        self._unsure: list[tuple[Workspace, ChatmirrorError]] = []  # empty, while it did not say who asks, and why
        self._listed_rows = ListedRows(context)
        self._due = DueConversations(context)
        self._settling = Settling(context)

    def run(self) -> Outcome:
        """Bring the mirror up to date; errors end up in the outcome, interruptions go through."""
        try:
            self.source.begin(memory.load_login(self.writer.conn, self.source.provider))
            identity = self._identity()
            refuse_other_account(self.writer, self.source.provider, identity, dry=self.options.dry)
            self.outcome.identity = identity
            identity = self.outcome.identity = self._with_workspaces_of_earlier_runs(identity)
            self._sync_workspaces(identity.workspaces)
            self._fetch_files(identity)
        except ChatmirrorError as error:
            self.errors.append(error)
        self._conclude()
        return self.outcome

    def _identity(self) -> Identity:
        """Sign in; what ended the run here is remembered, for the next one may do without it."""
        try:
            return self.source.identity()
        except RateLimitError:
            if not self.options.dry:
                with self.writer.transaction() as conn:
                    memory.save_login(conn, self.source.provider, self.source.login_memory())
            raise

    def _with_workspaces_of_earlier_runs(self, identity: Identity) -> Identity:
        """Return it with workspaces that the service did not list now and that are read all the same, and say so."""
        found = with_known_workspaces(self.writer.conn, self.source.provider, identity)
        if not self.options.dry:
            found = with_absent_workspaces(self.writer, self.source, found, self.timing)
            self.errors += found.stops
        self._unread += found.unlisted
        return found.identity

    @property
    def _is_stopped(self) -> bool:
        """Whether nothing more is asked of the service, for any workspace.

        It asked for fewer requests, or shows what every other request would meet, too. A limit on one list leaves
        everything else to be asked for.
        """
        return any(_stops_run(error) for error in self.errors)

    def _conclude(self) -> None:
        pending = tracking.pending(self.writer.conn, self.source.provider)
        counts = self.outcome.counts
        counts.pending = len(pending)
        counts.files_pending = file_rows.left_to_fetch(self.writer.conn, self.source.provider)
        others = [*self.errors, *self._unread]
        first = file_rows.first_left(self.writer.conn, self.source.provider) if self._wants_files else None
        others += [incomplete_files(first, counts.files_pending)] if first else []
        others += [not_understood(self._odd_rows)] if self._odd_rows else []
        left = [incomplete(pending, is_all=not others)] if pending else []
        # What stopped the run names the cause, and what to do; an error before it is a consequence.
        error = most_severe(sorted([*self.errors, *left, *others], key=lambda error: not error.is_final))
        if isinstance(error, RateLimitError) and error not in self._file_errors:
            error = with_forecast(error, len(pending), counts.new + counts.changed)
        self.outcome.error = error

    # -- files

    @property
    def _wants_files(self) -> bool:
        return self.options.files and not self.options.dry and isinstance(self.source, FileSource)

    def _fetch_files(self, identity: Identity) -> None:
        """Fetch files, after all conversations, as long as the service grants requests."""
        if not self.options.dry:
            with self.writer.transaction() as conn:
                file_rows.want(conn, self.source.provider, wanted=self.options.files)
        if not self._wants_files or self._is_stopped or not isinstance(self.source, FileSource):
            return
        job = FileRun(self._context, self.source)
        try:
            with ErrorCollector(self._file_errors):
                for n, workspace in enumerate(identity.workspaces, 1):
                    self.source.enter(workspace, memory.load_source(self.writer.conn, workspace.id))
                    job.run(workspace.id, {later.id for later in identity.workspaces[n:]})
        finally:
            self.outcome.counts.files = job.stored
        self.errors += self._file_errors
        read_texts(self.writer)

    # -- one workspace

    def _sync_workspaces(self, workspaces: Sequence[Workspace]) -> None:
        """Bring each up to date: those that were empty while nobody said who asks again, once another showed it."""
        for workspace in workspaces:
            if not self._is_stopped:
                self._sync_workspace(workspace)
        unsure, self._unsure = self._unsure, []
        for workspace, error in unsure:
            if not self._is_known:
                self.errors.append(error)
            elif not self._is_stopped:
                self._sync_workspace(workspace)

    def _sync_workspace(self, workspace: Workspace) -> None:
        visit = self._enter(workspace)
        if visit.remembered.lists_limited and not self.options.dry:
            self._fetch_before_lists(visit)
        if any(error.is_final for error in self.errors):
            return
        results: list[ListResult] = []
        to_read = self._lists_to_read(visit, results)
        self._read_lists(visit, to_read.ordinary(), results)
        if not self._may_be_empty(visit, results):
            return
        if self.options.dry:
            if not self._is_stopped:
                self._read_lists(visit, to_read.of_work(), results)
            self._compare_only(workspace, results)
            return
        try:
            listed = self._listed_rows.remember(workspace.id, self._other_workspaces(workspace), results, results)
            self._note_without_time(visit, results)
            whole = self._ask(visit, to_read, results, listed)
        finally:
            self._learn_from(visit, results)
            self._save_memory(visit)
        if whole and self._is_clean(visit):
            self._close(visit, results)

    def _fetch_before_lists(self, visit: _Visit) -> None:
        """Fetch first what lists showed that took all that was granted; once, for lists tell of what is new.

        Where reads are at their limit then, lists are still asked for.
        """
        visit.remembered.lists_limited = False
        try:
            self._fetch(visit.workspace)
        finally:
            self._save_memory(visit)

    def _enter(self, workspace: Workspace) -> _Visit:
        remembered = memory.load(self.writer.conn, workspace.id)
        # A clock may have been wrong: a last full run in the future counts as none.
        full = self.options.full or not 0 <= self.timing.now() - remembered.full_at < FULL_EVERY
        self.outcome.is_full = self.outcome.is_full or full
        self.source.enter(workspace, memory.load_source(self.writer.conn, workspace.id))
        self.report.note(f"{workspace.label} workspace, {'full' if full else 'incremental'} run")
        self._due.untold = set(remembered.without_time)
        return _Visit(workspace, remembered, full, len(self.errors))

    def _note_without_time(self, visit: _Visit, results: Sequence[ListResult]) -> None:
        before = [] if visit.full and self._is_clean(visit) else visit.remembered.without_time
        visit.remembered.without_time = plan.without_time(before, results)
        self._due.untold = set(visit.remembered.without_time)

    def _learn_from(self, visit: _Visit, results: Sequence[ListResult]) -> None:
        remembered = visit.remembered
        remembered.lists_limited = any(isinstance(result.error, RateLimitError) for result in results)
        remembered.odd_rows = plan.odd_rows({} if visit.full else remembered.odd_rows, results)
        self._odd_rows.update(remembered.odd_rows)

    def _is_clean(self, visit: _Visit) -> bool:
        return len(self.errors) == visit.errors_before

    def _ask(self, visit: _Visit, to_read: _ListsToRead, results: list[ListResult], listed: set[str]) -> bool:
        """Ask for everything that the lists call for; return whether all of it was asked for."""
        counts = tracking.counts(self.writer.conn, self.source.provider, visit.workspace.id)
        self.outcome.counts.unchanged += counts["current"]
        if not self._is_stopped:
            self._save_account_data(visit.workspace)
        whole = not self._is_stopped and self._fetch(visit.workspace)
        if not self._is_stopped:
            whole = self._ask_for_work(visit, to_read, results, listed) and whole
        if not whole or self._is_stopped:
            return False
        all_read = visit.full and self._is_clean(visit)
        stopped = self._review_missing(visit.workspace, results, listed, all_read=all_read)
        if stopped:
            visit.remembered.full_at = 0.0  # the next run reads all lists to their ends, which may show them
        if self.options.verify and not self._is_stopped:
            self._verify(visit)
        return not stopped

    def _ask_for_work(self, visit: _Visit, to_read: _ListsToRead, results: list[ListResult], listed: set[str]) -> bool:
        """Read the lists of Work, and what they call for; return whether all of it was asked for."""
        ordinary = len(results)
        self._read_lists(visit, to_read.of_work(), results)
        if len(results) == ordinary:
            return True
        before = tracking.counts(self.writer.conn, self.source.provider, visit.workspace.id)
        found = self._listed_rows.remember(
            visit.workspace.id, self._other_workspaces(visit.workspace), results[ordinary:], results
        )
        after = tracking.counts(self.writer.conn, self.source.provider, visit.workspace.id)
        self.outcome.counts.unchanged += after["current"] - before["current"]
        listed |= found
        self._note_without_time(visit, results)
        return self._is_stopped or self._fetch(visit.workspace, found)

    # -- lists

    def _lists_to_read(self, visit: _Visit, results: list[ListResult]) -> _ListsToRead:
        """Return the lists to read. ``results``: those that were read, which decide what else is to be read."""
        account_id = visit.workspace.id

        def unshown() -> set[str]:
            part = tracking.tracked_in(self.writer.conn, self.source.provider, account_id, "in other lists")
            return plan.unshown(part.values(), results)

        last_read = scopes.last_read(self.writer.conn, account_id)
        return _ListsToRead(self.source.scopes(full=visit.full, last_read=last_read, unshown=unshown))

    def _read_lists(self, visit: _Visit, to_read: Iterator[Scope], results: list[ListResult]) -> None:
        """Read lists and add what they bring to ``results``."""
        account_id, before = visit.workspace.id, len(results)
        counts: dict[str, int] = {}  # looked up for the first list: often there is none of Work
        errors, unread = len(self.errors), len(self._unread)
        with ErrorCollector(self.errors), ErrorCollector(self._unread, only=IncompleteError):
            for scope in to_read:
                counts = counts or tracking.counts(self.writer.conn, self.source.provider, account_id)
                watermark_us = scopes.watermark(self.writer.conn, account_id, scope)
                enough = plan.stop_line(self._listed_rows.tracked_of, watermark_us, scope, full=visit.full)
                result = self.source.read_list(scope, enough, plan.expected(scope, counts, full=visit.full))
                results.append(result)
                if isinstance(result.error, IncompleteError):
                    self._unread.append(result.error)
                elif result.error is not None:
                    self.errors.append(result.error)
                if result.error is not None and _stops_run(result.error):
                    break
                so_far = "" if result.reached_end else " so far"
                odd = f", {result.odd_rows:,} rows not understood" if result.odd_rows else ""
                self.report.note(f"{scope.label}: {len(result.items):,} listed{so_far}{odd}")
        self._name_workspace(visit.workspace, [*self.errors[errors:], *self._unread[unread:]])
        self.outcome.counts.listed += len(_ids(results)) - len(_ids(results[:before]))

    def _may_be_empty(self, visit: _Visit, results: Sequence[ListResult]) -> bool:
        """Ask who asks, where all lists came and none has a row: a missing login looks like an empty account.

        False where that is not said: perhaps another workspace shows it. Raises SignInError where nobody is known.
        """
        self._is_known = self._is_known or bool(_ids(results))
        if self._is_known or not self._is_clean(visit):
            return True
        try:
            self._is_known = self.source.is_signed_in()
        except (RateLimitError, ServiceError) as error:
            if error.is_final:
                raise
            self._name_workspace(visit.workspace, [error])
            self._unsure.append((visit.workspace, error))
            return False
        if not self._is_known:
            raise SignInError(
                f"{service_of(self.source.provider).name} lists nothing and does not know who asks; nothing was"
                " changed. Sign in again: `chatmirror auth`."
            )
        return True

    def _name_workspace(self, workspace: Workspace, errors: Sequence[ChatmirrorError]) -> None:
        """Say in errors which workspace they concern, where there are several; what stops the run concerns all."""
        if not self._other_workspaces(workspace):
            return
        for error in errors:
            if not _stops_run(error):
                error.message = f"Workspace “{workspace.label}”: {error.message}"

    def _other_workspaces(self, workspace: Workspace) -> set[str]:
        workspaces = self.outcome.identity.workspaces if self.outcome.identity else ()
        return {other.id for other in workspaces} - {workspace.id}

    # -- conversations

    def _fetch(self, workspace: Workspace, only: Collection[str] | None = None) -> bool:
        """Fetch what is due; return whether all of it was at least tried. ``only``: see ``DueConversations.take``."""
        due = self._due.take(workspace.id, only)
        if not due:
            return True
        self.report.fetching(len(due))
        with ErrorCollector(self.errors) as collected:
            for got in self.source.fetch([self._due.wanted(tracked) for tracked in due.values()]):
                damage = self._settling.settle(due[got.conversation_id], got)
                self.errors += [damage] if damage else []
                self.report.stored(due[got.conversation_id].title)
        return collected.is_clean

    def _review_missing(
        self, workspace: Workspace, results: Sequence[ListResult], listed: set[str], *, all_read: bool
    ) -> bool:
        """Look after what no list shows any more; return whether the run stopped for safety."""
        review = MissingReview(self._context)
        try:
            stop = review.run(workspace.id, results, listed, all_read=all_read)
        finally:
            self.errors += [damaged(self.writer.path, damage) for damage in review.damages]
            self._settling.put_off(review.put_off)
        if review.error is not None:
            self.report.note(f"not all missing conversations were asked for: {review.error.message}")
            if review.error.is_final:
                self.errors.append(review.error)
        if review.unasked and stop is None:
            self._unread.append(not_asked_for(review.unasked))
        if stop is not None:
            self._name_workspace(workspace, [stop])
            self.errors.append(stop)
        return stop is not None

    def _verify(self, visit: _Visit) -> None:
        account_id = visit.workspace.id
        result = verify(self._context, account_id, full=visit.full)
        self.errors += [damaged(self.writer.path, damage) for damage in result.damages]
        self._settling.put_off(result.unbelieved)
        if result.error is not None:
            self.report.note(f"not all was read again: {result.error.message}")
            if result.error.is_final:
                self.errors.append(result.error)

    # -- the rest

    def _save_account_data(self, workspace: Workspace) -> None:
        now = self.timing.iso()
        row = {
            "id": workspace.id,
            "name": workspace.name,
            "plan": workspace.plan,
            "structure": workspace.structure,
            "provider": self.source.provider,
            "left_at": None,
        }
        with self.writer.transaction() as conn:
            account_data.save_named(conn, "accounts", row, now)
        with ErrorCollector(self.errors):
            unnamed = account_data.unnamed_gpts(self.writer.conn, self.source.provider)
            for items in self.source.account_items(unnamed_gpts=unnamed):
                with self.writer.transaction() as conn:
                    account_data.save_items(conn, workspace.id, items, now)

    def _save_memory(self, visit: _Visit) -> None:
        with self.writer.transaction() as conn:
            self._write_memory(conn, visit)

    def _write_memory(self, conn: sqlite3.Connection, visit: _Visit) -> None:
        memory.save(conn, visit.workspace.id, visit.remembered)
        memory.save_source(conn, visit.workspace.id, self.source.memory())
        account_data.save_not_read(conn, visit.workspace.id, self.source.not_read(), self.timing.iso())
        memory.save_login(conn, self.source.provider, self.source.login_memory())

    def _close(self, visit: _Visit, results: Sequence[ListResult]) -> None:
        """The run saw everything and tried everything: move the watermarks."""
        if visit.full:
            visit.remembered.full_at = self.timing.now()
        with self.writer.transaction() as conn:
            self._write_memory(conn, visit)
            for result in results:
                if result.error is None and (columns := self._progress(result)):
                    scopes.save(conn, visit.workspace.id, result.scope, **columns)

    def _progress(self, result: ListResult) -> dict[str, Any]:
        now_us = self.timing.now() * 1_000_000  # a time in the future would hide everything below it
        times = [us for listed in result.items.values() if (us := listed.list_us) and us <= now_us]
        columns: dict[str, Any] = {"watermark_us": max(times)} if times else {}
        if result.reached_end:
            columns |= {"listed": len(result.items), "read_to_end_at": self.timing.iso()}
        return columns

    def _compare_only(self, workspace: Workspace, results: Sequence[ListResult]) -> None:
        counts = self.outcome.counts
        tracked = self._listed_rows.tracked_of(_ids(results))
        for listed in self._listed_rows.union(workspace.id, self._other_workspaces(workspace), results).values():
            is_known = listed.conversation_id in tracked
            is_settled = plan.is_settled(tracked, listed)
            counts.new += not is_known
            counts.changed += is_known and not is_settled
            counts.unchanged += is_settled


def _stops_run(error: ChatmirrorError) -> bool:
    return error.is_final or (isinstance(error, RateLimitError) and not error.is_of_one_list)


def _ids(results: Sequence[ListResult]) -> set[str]:
    return {key for result in results for key in result.items}
