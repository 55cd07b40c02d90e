"""Whole jobs, as the commands call them: database, login, source and run row put together.

Each job that writes leaves one row in ``sync_runs``, also when it fails or is stopped.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror import __version__
from mirror.connectors import CONNECTORS, DEFAULT_PROVIDER, connect_stored
from mirror.errors import (
    BUG,
    INTERRUPTED,
    TERMINATED,
    ChatmirrorError,
    DamagedError,
    IncompleteError,
    SignInError,
    Terminated,
    bug_message,
    most_severe,
)
from mirror.file_reading import read_texts
from mirror.health import drift, healing
from mirror.health.stored_bytes import BytesFound, check_bytes, copy_bytes, note_lost, repair_bytes, spot_check
from mirror.services import SERVICES
from mirror.store import file_texts, runs, settings, skeletons
from mirror.store.database import Writer, is_writable, open_current_reader
from mirror.store.schema import diagnosed, object_findings, summary
from mirror.store.search import cjk
from mirror.store.storage_errors import full_code, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mirror.credentials.login import LoginForm
    from mirror.errors import StorageError
    from mirror.importing import Imported
    from mirror.skeleton import Skeletons
    from mirror.store.schema import DamagedValue
    from mirror.sync.options import SyncOptions
    from mirror.sync.outcome import Outcome, Report
    from mirror.timing import Timing
    from mirror.web.transport import Wire


@dataclass(slots=True)
class Run:
    """A run's row while it is open: its id, and the columns that close it."""

    id: int
    columns: dict[str, Any] = field(default_factory=dict)

    def failed(self, error: BaseException) -> None:
        """Let the row say why the run failed."""
        self.columns.update(_ending(error))


@contextmanager
def recorded(writer: Writer, command: str, timing: Timing, provider: str | None = None) -> Iterator[Run]:
    """Open a run's row, and close it however the run ends."""
    with writer.transaction() as conn:
        run = Run(runs.begin(conn, command, timing.iso(), __version__, provider))
        if any(settings.derived_by(conn, provider) is None for provider in SERVICES):
            from mirror.health import integrity

            integrity.remember_normalizers(conn, only_missing=True)
        if not cjk.is_filled(conn):
            cjk.fill(conn)
    try:
        with translated(writer.path), diagnosed(writer.conn, writer.path):
            yield run
        run.columns.setdefault("exit_code", 0)
        run.columns.setdefault("outcome", "current")
    except BaseException as error:
        run.failed(error)
        raise
    finally:
        # Close the row before the lock is released.
        with writer.transaction() as conn:
            runs.finish(conn, run.id, finished_at=timing.iso(), waits=round(timing.waited, 3), **run.columns)
        writer.checkpoint()


def _ending(error: BaseException) -> dict[str, Any]:
    if isinstance(error, ChatmirrorError):
        return {"outcome": error.outcome, "exit_code": error.exit_code, "message": error.message}
    if isinstance(error, KeyboardInterrupt):
        return {"outcome": "interrupted", "exit_code": TERMINATED if isinstance(error, Terminated) else INTERRUPTED}
    return {"outcome": "bug", "exit_code": BUG, "message": bug_message(error)}


def sync(
    path: Path,
    environ: Mapping[str, str],
    timing: Timing,
    report: Report,
    options: SyncOptions | None = None,
    *,
    provider: str = DEFAULT_PROVIDER,
    wire: Wire | None = None,
) -> Outcome:
    """Run the nightly job; the outcome's error, if any, is recorded; the caller raises it. ``wire``: as ``connect``."""
    from mirror.sync.context import RunContext
    from mirror.sync.options import SyncOptions
    from mirror.sync.run import Sync

    # A run that cannot start leaves no empty database and no lock file. Where there is a database, its row says why.
    connected = None if path.exists() else connect_stored(environ, timing, provider, wire)
    options = options or SyncOptions()
    with ExitStack() as stack:
        writer = stack.enter_context(Writer(path))
        healed, left = _heal(writer, dry=options.dry)
        run = stack.enter_context(recorded(writer, "sync", timing, provider))
        stack.enter_context(_told_on_failure(healed))
        healing.refuse_damaged(writer, left)
        source, client, not_kept = connected or connect_stored(environ, timing, provider, wire)
        bytes_seen = spot_check(writer.conn, path)
        if not options.dry:
            note_lost(writer, bytes_seen)
        job = Sync(RunContext(writer, source, timing, report, run.id, options))
        try:
            outcome = job.run()
            name_variable(outcome.error, environ, CONNECTORS[provider].form)
        finally:
            run.columns.update(
                asdict(job.outcome.counts), requests=client.pacing.requests, is_full=int(job.outcome.is_full)
            )
        if not options.dry:
            for line in _keep_skeletons(writer, client.skeletons, timing, provider):
                report.note(line)
        if outcome.identity is not None:
            with writer.transaction() as conn:
                settings.remember(conn, f"session_expires:{provider}", outcome.identity.expires)
        if bytes_seen.is_lost and bytes_seen.error is not None:
            outcome.error = most_severe([*([outcome.error] if outcome.error else []), bytes_seen.error])
        _add_not_kept(outcome, not_kept)
        if outcome.error is not None:
            _tell(outcome.error, healed)
            run.failed(outcome.error)
        else:
            outcome.healed = healed
            run.columns.update({"outcome": "dry run", "exit_code": None} if options.dry else {})
    return outcome


def _heal(writer: Writer, *, dry: bool) -> tuple[list[str], list[DamagedValue | str]]:
    """Mend what the sync learns again, unless it is a dry one; return that, and what is left."""
    with translated(writer.path), diagnosed(writer.conn, writer.path):
        return ([], []) if dry else healing.heal(writer)


def name_variable(error: ChatmirrorError | None, environ: Mapping[str, str], form: LoginForm) -> None:
    """Let the line for a login that is not accepted say that it is the environment's, where it is.

    `chatmirror auth` alone would not help: the environment takes precedence over what it stores.
    """
    if isinstance(error, SignInError) and environ.get(form.variable, "").strip():
        error.message += (
            f" That login is {form.variable} in the environment, which takes precedence over a stored one: unset it, or"
            " give it the new value."
        )


@contextmanager
def _told_on_failure(healed: Sequence[str]) -> Iterator[None]:
    """Say also where the run fails that damage was mended: no later run knows of it."""
    try:
        yield
    except ChatmirrorError as error:
        _tell(error, healed)
        raise


def _tell(error: ChatmirrorError, healed: Sequence[str]) -> None:
    if healed:
        error.message += f" Damage was mended before that: {summary(healed)}. Run `chatmirror check`."


def _add_not_kept(outcome: Outcome, not_kept: Sequence[StorageError]) -> None:
    """Say that the renewed login could not be stored, which hides nothing else that the run ended with."""
    for error in not_kept:
        if outcome.error is None:
            outcome.error = error
        else:
            outcome.error.message += f" {error.message}"


def _keep_skeletons(writer: Writer, taken: Skeletons, timing: Timing, provider: str) -> list[str]:
    """Remember what the run's answers were made of; return what is told of changes."""
    parts, found = drift.compare(skeletons.load(writer.conn, provider), taken.by_endpoint, taken.words.known_keys)
    with writer.transaction() as conn:
        skeletons.save(conn, provider, parts)
        skeletons.add_drift(conn, provider, timing.iso(), found)
    return [f"the API changed: {change.endpoint}: {change.what}" for change in found]


def import_archives(
    path: Path, archives: Sequence[Path], timing: Timing, progress: Callable[[int, int], None]
) -> Imported:
    """Import exports and captures; the result's error, if any, is recorded; the caller raises it.

    Raises UsageError, and makes no mirror, where there is none yet and nothing of them can be stored.
    """
    from mirror.importing import refuse_unusable, run_import

    if not path.exists():
        refuse_unusable(archives)
    with Writer(path) as writer, recorded(writer, "import", timing) as run:
        result = run_import(writer, archives, run.id, timing, progress)
        run.columns.update(new=result.new, changed=result.changed, unchanged=result.unchanged)
        run.columns.update(failed=len(result.problems), files=result.files)
        if result.error is not None:
            run.failed(result.error)
    return result


def rebuild(path: Path, timing: Timing, progress: Callable[[int, int], None]) -> int:
    """Derive all rows again from the stored payloads; return how many conversations changed by it."""
    from mirror.health import repairs

    with Writer(path) as writer:
        healing.make_objects_again(writer, object_findings(writer.conn))
        with recorded(writer, "rebuild", timing) as run:
            changed = repairs.rebuild(writer, timing, progress)
            read_texts(writer, again=True)
            run.columns.update(changed=changed)
    return changed


class Repaired(NamedTuple):
    """What a repair did: how many findings it mended, and the rows, as sentences, that it took as they are."""

    mended: int
    accepted: list[str]


def check(
    path: Path, timing: Timing, progress: Callable[[int, int], None], *, repair: bool = False
) -> tuple[ChatmirrorError | None, Repaired]:
    """Check everything; return what is wrong, None: nothing, and what was repaired.

    ``repair``: derive again what is wrong, then check again. Without it, a file that cannot be written is only read.
    """
    with _sent_to_the_backup(path):
        return _checked(path, timing, progress, repair=repair)


@contextmanager
def _sent_to_the_backup(path: Path) -> Iterator[None]:
    """Send nobody to ``check`` for a file in which ``check`` itself can read nothing."""
    try:
        yield
    except DamagedError as error:
        if full_code(error.__cause__) != sqlite3.SQLITE_CORRUPT:
            raise
        raise DamagedError(
            f"{path} is damaged so that nothing in it can be checked or repaired ({error.__cause__}); it was not"
            " changed. Restore a backup: `chatmirror restore BACKUP`. Without one, move the file away and run"
            " `chatmirror sync`, which fetches what ChatGPT still has."
        ) from error.__cause__


def _checked(
    path: Path, timing: Timing, progress: Callable[[int, int], None], *, repair: bool
) -> tuple[ChatmirrorError | None, Repaired]:
    from mirror.health import integrity, repairs

    if not repair and not is_writable(path):
        with translated(path), closing(open_current_reader(path)) as conn, diagnosed(conn, path):
            conn.execute("BEGIN")  # one moment, whatever is written meanwhile
            found = integrity.check(conn, progress)
            return found.error(path) or (None if found.file else check_bytes(conn, path).error(path)), Repaired(0, [])
    with Writer(path, is_for_repair=repair) as writer, translated(path), diagnosed(writer.conn, path):
        found = integrity.check(writer.conn, progress)
        if repair and found.right:
            repairs.trust(writer, found.right)
        in_files = BytesFound("", 0) if found.file else check_bytes(writer.conn, path)
        if not (repair and (found.all or in_files.lost)):
            return found.error(path) or in_files.error(path), Repaired(0, [])
        gone = repairs.make_writable(writer, found)  # first, for no row could be written of this run
        with recorded(writer, "repair", timing) as run:
            read_texts(writer, damaged=file_texts.damaged(writer.conn))
            left = repairs.repair(writer, found, run.id, timing) if found.all else found
            repair_bytes(writer, in_files)
            error = left.error(path, is_repaired=True) or in_files.error(path, is_repaired=True)
            if error is not None:
                run.failed(error)
        return error, Repaired(max(0, len(found.all) - len(left.all) - len(left.accepted)), [*gone, *left.accepted])


def backup(path: Path, target: Path, progress: Callable[[int, int], None]) -> tuple[int, ChatmirrorError | None]:
    """Write a proven copy of the database to a file; return its size in bytes, and what it lacks if anything."""
    from mirror.store.backup import backup as write

    lost: list[int] = []
    size = write(path, target, lambda copy: _proven_with_files(copy, path, target, progress, lost))
    return size, _lacking(target, path, sum(lost))


def restore(
    path: Path, source: Path, progress: Callable[[int, int], None]
) -> tuple[Path | None, ChatmirrorError | None]:
    """Put a backup in the database's place; return where the old one is kept, if there was one, and what is lacking."""
    from mirror.store.backup import restore as put_back

    lost: list[int] = []
    kept = put_back(path, source, lambda copy: _proven_with_files(copy, source, path, progress, lost))
    return kept, _lacking(path, source, sum(lost))


def _proven_with_files(
    copy: sqlite3.Connection, source: Path, target: Path, progress: Callable[[int, int], None], lost: list[int]
) -> ChatmirrorError | None:
    """Check a copy of a database, and bring the bytes of its files beside the target before it is put there."""
    from mirror.health import integrity

    error = integrity.check_copy(copy, progress).error_of_copy(source, target)
    if error is None:
        lost.append(copy_bytes(copy, source, target))
    return error


def _lacking(target: Path, source: Path, lost: int) -> ChatmirrorError | None:
    if not lost:
        return None
    return IncompleteError(
        f"{target} has all chats and lacks the bytes of {lost:,} file{'' if lost == 1 else 's'}, which are missing or"
        f" damaged beside {source}. Run `chatmirror check --repair`, then `chatmirror sync` to fetch them again."
    )
