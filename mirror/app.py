"""Whole jobs, put together: database, login, source and run row. What the command line and the demo call.

Each job that writes leaves one row in ``sync_runs``, also when it fails or is stopped.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mirror import __version__, credentials
from mirror.errors import ChatmirrorError, Terminated
from mirror.health import integrity
from mirror.store import runs, settings
from mirror.store.database import Writer
from mirror.store.search import cjk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mirror.chatgpt.source import ChatGPT
    from mirror.importing import Imported
    from mirror.source import Identity
    from mirror.sync.outcome import Outcome, Report
    from mirror.sync.run import SyncOptions
    from mirror.timing import Timing
    from mirror.web.pacing import Pacing


@dataclass(slots=True)
class Run:
    """A run's row while it is open: its id, and the columns that close it."""

    id: int
    columns: dict[str, Any] = field(default_factory=dict)


@contextmanager
def recorded(writer: Writer, command: str, timing: Timing, provider: str | None = None) -> Iterator[Run]:
    """Open a run's row, and close it however the run ends."""
    with writer.transaction() as conn:
        run = Run(runs.begin(conn, command, timing.iso(), __version__, provider))
        integrity.remember_normalizers(conn, only_missing=True)
        if not cjk.is_filled(conn):
            cjk.fill(conn)
    try:
        yield run
    except BaseException as error:
        run.columns.update(_ending(error))
        raise
    finally:
        # Not in a later breath: whatever ended the run, its row says so before the lock is let go.
        if sys.exc_info()[0] is None:
            run.columns.setdefault("exit_code", 0)
            run.columns.setdefault("outcome", "current")
        with writer.transaction() as conn:
            runs.finish(conn, run.id, finished_at=timing.iso(), waits=round(timing.waited, 3), **run.columns)
        writer.checkpoint()


def _ending(error: BaseException) -> dict[str, Any]:
    if isinstance(error, ChatmirrorError):
        return {"outcome": error.outcome, "exit_code": error.exit_code, "message": error.message}
    if isinstance(error, KeyboardInterrupt):
        return {"outcome": "interrupted", "exit_code": 143 if isinstance(error, Terminated) else 130}
    return {"outcome": "bug", "exit_code": 1, "message": type(error).__name__}


def connect(environ: Mapping[str, str], timing: Timing, log: Callable[[str], None]) -> tuple[ChatGPT, Pacing]:
    """Return the service as a source, with the login that the environment or the stored file gives."""
    return connect_with(credentials.load(environ), environ, timing, log)


def connect_with(
    login: credentials.Login, environ: Mapping[str, str], timing: Timing, log: Callable[[str], None]
) -> tuple[ChatGPT, Pacing]:
    """Return the service as a source, with this login."""
    from mirror.chatgpt.session import Session  # noqa: PLC0415 - see above
    from mirror.chatgpt.source import ChatGPT  # noqa: PLC0415 - see above
    from mirror.web.client import Client  # noqa: PLC0415 - requests is slow to import
    from mirror.web.pacing import Pacing  # noqa: PLC0415 - see above
    from mirror.web.transport import DEFAULT_BASE_URL, RequestsWire, is_loopback  # noqa: PLC0415 - see above

    wire = RequestsWire(environ.get("CHATMIRROR_BASE_URL") or DEFAULT_BASE_URL, timing.monotonic)
    if is_loopback(wire.base_url):
        timing.scale = _scale(environ.get("CHATMIRROR_WAIT_SCALE"))
    pacing = Pacing(timing)

    def store(renewed: credentials.Login) -> None:
        if renewed.is_stored:
            credentials.save(renewed, environ)

    return ChatGPT(Session(Client(wire, pacing, log), login, store)), pacing


def _scale(text: str | None) -> float:
    try:
        return max(0.0, float(text)) if text else 1.0
    except ValueError:
        return 1.0


def sync(
    path: Path, environ: Mapping[str, str], timing: Timing, report: Report, options: SyncOptions | None = None
) -> Outcome:
    """Run the nightly job; the outcome's error, if any, has been recorded and is the caller's to raise."""
    from mirror.sync.run import Sync  # noqa: PLC0415 - keeps --help fast

    with Writer(path) as writer, recorded(writer, "sync", timing, "chatgpt") as run:
        source, pacing = connect(environ, timing, report.note)
        job = Sync(writer, source, timing, report, run.id, options)
        try:
            outcome = job.run()
        finally:
            run.columns.update(asdict(job.outcome.counts), requests=pacing.requests, is_full=int(job.outcome.is_full))
        if outcome.identity is not None:
            with writer.transaction() as conn:
                settings.remember(conn, f"session_expires:{source.provider}", outcome.identity.expires)
        if outcome.error is not None:
            run.columns.update(_ending(outcome.error))
        elif options is not None and options.dry:
            run.columns.update(outcome="dry run", exit_code=None)
    return outcome


def import_archives(
    path: Path, archives: Sequence[Path], timing: Timing, progress: Callable[[int, int], None]
) -> Imported:
    """Import exports and captures; the result's error, if any, has been recorded and is the caller's to raise."""
    from mirror.importing import run_import  # noqa: PLC0415 - keeps --help fast

    with Writer(path) as writer, recorded(writer, "import", timing) as run:
        result = run_import(writer, archives, run.id, timing, progress)
        run.columns.update(new=result.new, changed=result.changed, unchanged=result.unchanged)
        run.columns.update(failed=len(result.problems))
        if result.error is not None:
            run.columns.update(_ending(result.error))
    return result


def try_login(
    login: credentials.Login, environ: Mapping[str, str], timing: Timing, log: Callable[[str], None]
) -> Identity:
    """Sign in and ask whose login it is; raises SignInError or ServiceError."""
    source, _ = connect_with(login, environ, timing, log)
    return source.identity()
