"""Fetch the files that conversations name: after the conversations, what lives shortest and is newest first.

Each content is stored when it is whole, in a file named by its hash, and only then noted in the database, so that an
interruption costs the file in flight. A failure is held against the file only where the service gave another file in
the same run, or gives one that it gave before (a control), at the same address; otherwise it may be the service that
fails at all of them, or has moved the endpoint, and nothing is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.errors import RateLimitError, ServiceError, StorageError
from mirror.files import content
from mirror.files.byte_store import FREE_FOR_FILES, ByteStore, TooLargeFile
from mirror.files.plan import CANVASES, FAMILIES, LONGEST_FILE_PAUSE, family_of, verdict_of
from mirror.rows import Attachment
from mirror.source import FetchedFile, FilePlace, FileToFetch, NoFile
from mirror.store import file_rows
from mirror.store.file_rows import DueFile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from mirror.files.byte_store import Incoming
    from mirror.files.plan import FileVerdict
    from mirror.source import FileSource
    from mirror.sync.context import RunContext

# Files in a row that did not come before a control is asked for. Fewer: more requests; more: more in vain.
FAILURES_BEFORE_A_CONTROL = 5
# Files of a run that meet a 429 or a browser check, about which controls are asked. Fewer: such files end every run;
# more: requests against what may become a limit.
MOST_LIMITED_FILES = 4
# Controls that are so refused, too, before that is believed of all files. 1: two such files end every run; more:
# requests against a real limit.
LIMITED_FILE_CONTROLS = 2
# Seconds without a file at which a run ended, because the service asked for a long pause: the next night. Shorter: it
# ends each run; longer: it comes later, where all was limited for an hour.
PAUSE_AFTER_A_STOP = 1.5 * 86_400.0


class _Failed(NamedTuple):
    """A file that did not come, not held against it yet.

    ``is_settled``: no other workspace is asked for it in this run.
    """

    due: DueFile
    answer: NoFile
    is_settled: bool


@dataclass(slots=True)
class _Unsettled:
    """What a workspace's files of one family came to.

    ``failed``: failures not yet held against them; ``gives``: whether the service gives files of this family;
    ``error``: why no more of them are asked for in this run.
    """

    family: str
    failed: list[_Failed] = field(default_factory=list)
    gives: bool = False
    error: ServiceError | None = None


class _Queue:
    """The files of a workspace in their order. Some have their turn before, as controls; others join at the end."""

    def __init__(self, files: Iterable[DueFile]) -> None:
        self._files = list(files)
        self._had_turn: set[str] = set()  # by their ids

    def in_turn(self) -> Iterator[DueFile]:
        """Yield each file that has not had its turn when it comes, also those that have joined by then."""
        for due in self._files:
            if due.row.id not in self._had_turn:
                yield due

    def left(self) -> list[DueFile]:
        """Return the files that have not had their turn."""
        return [due for due in self._files if due.row.id not in self._had_turn]

    def note_turn(self, due: DueFile) -> None:
        """Remember that a file has its turn."""
        self._had_turn.add(due.row.id)

    def join(self, files: Iterable[DueFile]) -> None:
        """Add files at the end."""
        self._files.extend(files)


class FileRun:
    """Fetches and stores the files of one run, workspace by workspace. ``stored``: how many came."""

    def __init__(self, context: RunContext, source: FileSource) -> None:
        self.writer, self.source, self.provider = context.writer, source, context.source.provider
        self.timing, self.report, self.options = context.timing, context.report, context.options
        self.store = ByteStore(context.writer.path)
        self.stored = 0
        self.limited = 0  # files that met a 429 or a browser check

    def run(self, account_id: str, later: Collection[str] = ()) -> None:
        """Fetch what is due of a workspace; raises what ends files for this run, after it has noted what came.

        ``later``: the workspaces that are asked after it. What one of them may give is not judged before.
        """
        limit = self.options.files_max_size
        now, latest = self.timing.iso(), self.timing.iso(LONGEST_FILE_PAUSE)
        todo = file_rows.due(self.writer.conn, self.provider, account_id, now, latest, limit, every=self.options.full)
        if todo:
            self.report.fetching_files(len(todo))
            _WorkspaceFiles(self, account_id, frozenset(later), todo).fetch_all()

    def fetch(self, due: DueFile) -> list[DueFile] | NoFile:
        """Fetch and store one file; return others that turned out to be there, too, or why it did not come."""
        self._check_room(due)
        with self.store.incoming(self.options.files_max_size, self.report.file_came) as incoming:
            try:
                got = self.source.fetch_file(_wanted(due), incoming)
            except TooLargeFile:
                self.skip(due)
                return []
            if isinstance(got, NoFile):
                return got
            if problem := self._problem(due, got, incoming):
                return NoFile("failed", problem)
            return self._keep(due, got, incoming)

    def gives_again(self, due: DueFile) -> NoFile | None:
        """Ask for a file that came before, and forget its bytes; return why it does not come."""
        with self.store.incoming() as unwanted:
            got = self.source.fetch_file(_wanted(due), unwanted)
        return got if isinstance(got, NoFile) else None

    def is_too_large(self, size: int | None) -> bool:
        """Whether a file of this size, in bytes, is larger than the person wants."""
        limit = self.options.files_max_size
        return limit is not None and size is not None and size > limit

    def skip(self, due: DueFile) -> None:
        """Leave a file that is too large."""
        limit = self.options.files_max_size or 0
        reason = f"it is larger than the {limit:,} bytes that --files-max-size allows"
        with self.writer.transaction() as conn:
            file_rows.mark_not_stored(conn, due.row.id, "skipped", reason, tries=due.tries)

    def tell(self, due: DueFile, answer: NoFile | None) -> None:
        """Say what came of a file."""
        row = file_rows.find(self.writer.conn, due.row.id) or due.row
        is_stored = answer is None and row.state == "stored"
        why = answer.reason if answer is not None else row.reason
        self.report.file_done(row.name or row.id, (row.size or 0) if is_stored else 0, None if is_stored else why)

    def _check_room(self, due: DueFile) -> None:
        if self.store.free_bytes() - (due.row.size or 0) < FREE_FOR_FILES:
            raise StorageError(
                f"Less than {FREE_FOR_FILES >> 20} MB would be left beside {self.writer.path}, so no more files were"
                " fetched; chats and files that are saved are safe. Free space, run again."
            )

    def _problem(self, due: DueFile, got: FetchedFile, incoming: Incoming) -> str | None:
        """Return why what came is not the file, or not all of it."""
        name, kind = due.row.name or got.name, due.row.mime_type or got.mime_type
        promised = got.size if got.size is not None else due.row.size
        if disguised := content.error_in_disguise(incoming.head, incoming.size, promised, name, kind):
            return disguised
        # A picture or a recording may have been encoded again, which changes its size.
        is_exact = due.row.kind == "document" and promised is not None
        if is_exact and got.size is not None and incoming.size < got.size:
            return f"only {incoming.size:,} of {got.size:,} bytes came"
        problem = None
        if is_exact and incoming.size != promised:
            problem = f"{incoming.size:,} bytes came in place of {promised:,}"
        elif content.is_cut_off(incoming.head, incoming.last(content.TAIL), incoming.size):
            problem = f"the picture ends before its end, after {incoming.size:,} bytes"
        # What comes the same way in another run is all that there is of it: better than nothing.
        return None if problem == due.row.reason else problem

    def _keep(self, due: DueFile, got: FetchedFile, incoming: Incoming) -> list[DueFile]:
        sha256 = incoming.keep()
        name = due.row.name or got.name
        described: dict[str, Any] = {
            "name": name,
            "mime_type": content.type_of(incoming.head, name, due.row.mime_type or got.mime_type),
            "created_at": due.row.created_at or got.created_at,
            "origin": "service",
        }
        described["kind"] = _kind(due.row.kind, described["mime_type"])
        with self.writer.transaction() as conn:
            file_rows.mark_stored(conn, due.row.id, sha256, incoming.size, described, self.timing.iso())
            others = self._note_others(conn, due, got)
        self.stored += 1
        return others

    def _note_others(self, conn: sqlite3.Connection, due: DueFile, got: FetchedFile) -> list[DueFile]:
        """Note files that turned out to be there, and were not known; return them, to be fetched in this run."""
        found = []
        for other in got.also:
            if file_rows.find(conn, other.file_id) is None:
                new = Attachment(id=other.file_id, name=other.name, file_id=other.file_id, source=due.row.source)
                file_rows.note_unattached(conn, self.provider, new, self.timing.iso())
                if (row := file_rows.find(conn, other.file_id)) is not None:
                    found.append(DueFile(row, (), due.workspaces, 0, None))
        return found

    def note_failure(self, one: _Failed, verdict: FileVerdict) -> None:
        """Remember what follows from a failure."""
        retry_at = None if verdict.pause is None else self.timing.iso(verdict.pause)
        with self.writer.transaction() as conn:
            file_rows.mark_not_stored(
                conn,
                one.due.row.id,
                verdict.state,
                one.answer.reason,
                tries=verdict.tries,
                retry_at=retry_at,
                durable_id=one.answer.durable_id,
            )

    def put_off(self, due: DueFile) -> None:
        """Do without a file in the next run: the service asked for a long pause, which is not held against it."""
        reason = "the service asked for a long pause in an earlier run"
        retry_at = self.timing.iso(PAUSE_AFTER_A_STOP)
        with self.writer.transaction() as conn:
            file_rows.mark_not_stored(conn, due.row.id, "pending", reason, tries=due.tries, retry_at=retry_at)

    def note_tried(self, tried: Iterable[DueFile]) -> None:
        """Remember that files were asked for in vain, which is not held against them."""
        with self.writer.transaction() as conn:
            for due in tried:
                file_rows.mark_tried(conn, due.row.id, self.timing.iso())


class _WorkspaceFiles:
    """The files of one workspace in a run: whose turn it is, and whose fault a failure is.

    ``later``: as for ``FileRun.run``.
    """

    def __init__(self, run: FileRun, account_id: str, later: frozenset[str], todo: Iterable[DueFile]) -> None:
        self.run, self.account_id, self.later = run, account_id, later
        self.queue = _Queue(todo)
        self.families = {name: _Unsettled(name) for name in FAMILIES}

    def fetch_all(self) -> None:
        """Give each file its turn; raises what ends files for this run."""
        for due in self.queue.in_turn():
            unsettled = self.families[family_of(due.row.id)]
            if unsettled.error is None:
                self._take(due, unsettled)
                _let_prove_others(unsettled, self.families)
            if len(unsettled.failed) >= FAILURES_BEFORE_A_CONTROL:
                self._ask_control(unsettled)
        for unsettled in self.families.values():
            if unsettled.failed and unsettled.error is None:
                self._ask_control(unsettled)
                self._note_failures(unsettled)
        if errors := [one.error for one in self.families.values() if one.error is not None]:
            raise errors[0]

    def _take(self, due: DueFile, unsettled: _Unsettled) -> None:
        if self.run.is_too_large(due.row.size):
            self.run.skip(due)
            self.queue.note_turn(due)
            self.run.tell(due, None)
        else:
            answer = self._ask(due, unsettled)
            if answer is not None and answer.why in {"limited", "checked"}:
                self._ask_about_limit(due, answer, unsettled)
        if unsettled.gives:
            self._note_failures(unsettled)

    def _ask(self, due: DueFile, unsettled: _Unsettled) -> NoFile | None:
        """Give a file its turn; return why it did not come."""
        self.queue.note_turn(due)
        try:
            got = self.run.fetch(due)
        except RateLimitError as error:
            if error.is_final:
                self.run.put_off(due)  # or nothing that is asked for after it would ever come
            raise
        answer = got if isinstance(got, NoFile) else None
        if isinstance(got, NoFile):
            is_settled = due.workspaces.isdisjoint(self.later) if due.workspaces else not self.later
            unsettled.failed.append(_Failed(due, got, is_settled))
        else:
            unsettled.gives = True
            self.queue.join(got)
        self.run.tell(due, answer)
        return answer

    # -- whose fault a failure is

    def _ask_control(self, unsettled: _Unsettled) -> None:
        """Ask for controls; where none of them comes either, no more of the family are asked for in this run.

        Without files that came before, answers that are no failures are believed, and failures in a row are not.
        """
        known = self._known(unsettled.family)
        if any(answer is None for answer in self._answers_of_controls(unsettled)):
            unsettled.gives = True
            self._note_failures(unsettled)
            return
        failures = sum(one.answer.why not in {"gone", "missing", "refused", "unready"} for one in unsettled.failed)
        if known or failures >= FAILURES_BEFORE_A_CONTROL:
            self.run.note_tried([one.due for one in unsettled.failed])
            unsettled.failed.clear()
            what = "canvas" if unsettled.family == CANVASES else "file"
            unsettled.error = ServiceError(
                f"The service fails at one {what} after the other; nothing is held against them, and all chats and"
                " what came are saved. The next run tries again."
            )

    def _ask_about_limit(self, due: DueFile, answer: NoFile, unsettled: _Unsettled) -> None:
        """Ask whether a 429 or a browser check is one file's own; raises RateLimitError where no other file comes."""
        self.run.note_tried([due])
        self.run.limited += 1
        limited = 0
        answers = self._answers_of_controls(unsettled, due) if self.run.limited <= MOST_LIMITED_FILES else iter(())
        for other in answers:
            if other is None:
                unsettled.gives = True
                return
            limited += other.why == "limited"
            if limited >= LIMITED_FILE_CONTROLS:
                break
        if answer.why == "limited":
            raise RateLimitError(answer.reason)

    def _known(self, family: str) -> list[DueFile]:
        is_canvas = family == CANVASES
        return file_rows.controls(self.run.writer.conn, self.run.provider, self.account_id, canvases=is_canvas)

    def _answers_of_controls(self, unsettled: _Unsettled, about: DueFile | None = None) -> Iterator[NoFile | None]:
        """Yield what became of files that came before, then of the last one wanted and one in the middle.

        Neighbours can be bad together, as the newest ones, and canvases of one conversation come in one answer.
        ``about``: the file that is in question. None for one that came.
        """
        same = _conversations(about) if about is not None and unsettled.family == CANVASES else set()
        for due in self._known(unsettled.family):
            if same.isdisjoint(_conversations(due)):
                yield self.run.gives_again(due)
        proven_by = FAMILIES[unsettled.family]
        left = [
            due
            for due in self.queue.left()
            if family_of(due.row.id) == proven_by
            and same.isdisjoint(_conversations(due))
            and not self.run.is_too_large(due.row.size)
        ]
        for due in dict.fromkeys((left[-1], left[len(left) // 2])) if left else ():
            yield self._ask(due, unsettled if proven_by == unsettled.family else _Unsettled(proven_by))

    def _note_failures(self, unsettled: _Unsettled) -> None:
        for one in unsettled.failed:
            if not one.is_settled:
                continue
            due = one.due
            verdict = verdict_of(one.answer, due.tries, due.row.reason, is_proven=unsettled.gives)
            self.run.note_failure(one, verdict)
        unsettled.failed.clear()


def _conversations(due: DueFile) -> set[str]:
    return {use.conversation_id for use in due.uses}


def _let_prove_others(unsettled: _Unsettled, families: Mapping[str, _Unsettled]) -> None:
    """Let a file that came prove the families for which it is a control, too."""
    if unsettled.gives:
        for name, proven_by in FAMILIES.items():
            families[name].gives |= proven_by == unsettled.family


def _kind(kind: str, mime_type: str | None) -> str:
    """Return what a file is to a reader, by its content where a message did not say."""
    main = (mime_type or "").partition("/")[0]
    return main if kind == "document" and main in {"image", "audio", "video"} else kind


def _wanted(due: DueFile) -> FileToFetch:
    places = tuple(FilePlace(use.conversation_id, use.message_id, use.project_id, use.parameters) for use in due.uses)
    return FileToFetch(
        file_id=due.row.id,
        name=due.row.name,
        mime_type=due.row.mime_type,
        size=due.row.size,
        places=places,
        project_id=due.row.project_id,
        durable_id=due.durable_id,
    )
