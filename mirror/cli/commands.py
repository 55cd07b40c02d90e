"""The command line: parse, call one thing, print. Heavy imports happen in the command that needs them."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirror import __version__
from mirror.errors import StorageError, Terminated, UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from mirror.sync.outcome import Outcome

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
BUG, INTERRUPTED, TERMINATED = 1, 130, 143
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EIO}  # of what is printed to; the database says it itself


def _database(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-d",
        "--db",
        "path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="CHATMIRROR_DB",
        default="chats.db",
        show_default=True,
        show_envvar=True,
        help="The database file.",
    )(command)


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Keep a complete mirror of your own ChatGPT history in one SQLite file.

    Start with `chatmirror demo`, then `chatmirror auth` and `chatmirror sync`.
    """


@cli.command()
@_database
@click.option("--full", is_flag=True, help="Walk every list to its end (a sync does so by itself once a week).")
@click.option(
    "--accept-deletions", is_flag=True, help="Confirm that you deleted the many chats that are no longer listed."
)
@click.option("--dry-run", is_flag=True, help="List and compare only; store nothing.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is done while it is done.")
def sync(path: Path, full: bool, accept_deletions: bool, dry_run: bool, verbose: bool) -> None:
    """Fetch what is new or changed. The nightly job.

    Silent on success unless a terminal is attached. Exit codes: 0 current, 3 some conversations not saved, 4 sign-in
    needed, 5 service unwell, 6 rate limit, 7 a person must look, 8 disk, 9 database damaged, 10 newer database,
    11 another run is active.
    """
    from mirror import app
    from mirror.cli.progress import ProgressReport
    from mirror.sync.run import SyncOptions
    from mirror.timing import Timing

    timing = Timing()
    with ProgressReport(verbose=verbose) as report:
        try:
            options = SyncOptions(full=full, dry=dry_run, accept_deletions=accept_deletions)
            outcome = app.sync(path, os.environ, timing, report, options)
        except KeyboardInterrupt:
            report.stopped()
            raise
    if outcome.identity is not None:
        _warn_of_expiry(outcome.identity.expires, timing.now())
    if dry_run or sys.stdout.isatty() or verbose:
        _tell(outcome, dry=dry_run)
    if outcome.error is not None:
        raise outcome.error


def _warn_of_expiry(expires: str | None, now: float) -> None:
    from mirror.health.freshness import expiry_warning

    if warning := expiry_warning(expires, now):
        click.echo(f"chatmirror: the login ends{warning}.", err=True)


def _tell(outcome: Outcome, *, dry: bool) -> None:
    counts = outcome.counts
    verb = "would fetch" if dry else "stored"
    left = f", {counts.pending:,} still to do" if counts.pending and not dry else ""
    click.echo(
        f"{counts.listed:,} listed, {verb} {counts.new:,} new and {counts.changed:,} changed,"
        f" {counts.unchanged:,} unchanged{left}"
    )
    others = {kind: count for kind, count in sorted(outcome.changes.items()) if kind != "new"}
    if others:
        click.echo("  " + ", ".join(f"{kind} {count:,}" for kind, count in others.items()))


@cli.command("import")
@_database
@click.argument("archives", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
def import_(path: Path, archives: tuple[Path, ...]) -> None:
    """Import the official export: its ZIP, its folder, conversations.json, numbered shards, or single API answers.

    Can be repeated: an older copy of a conversation never replaces a newer one, and a later sync fetches only what
    changed since.
    """
    from mirror import app
    from mirror.cli.progress import item_progress
    from mirror.timing import Timing

    with item_progress("Importing") as progress:
        result = app.import_archives(path, archives, Timing(), progress)
    if sys.stdout.isatty():
        click.echo(
            f"imported {result.new:,} new and {result.changed:,} changed, {result.unchanged:,} were here already"
        )
        for skipped in result.skipped:
            click.echo(f"  not conversations: {_safe(skipped)}")
        if result.not_understood:
            names = ", ".join(f"{_safe(name)} {count}" for name, count in sorted(result.not_understood.items()))
            click.echo(f"  kept, and read by a general rule: {names}")
    if result.error is not None:
        raise result.error


@cli.command()
@click.option("--check", is_flag=True, help="Say whose login is stored and when it ends.")
def auth(check: bool) -> None:
    """Take the login, try it, and store it readable by you alone.

    Paste the session cookie's value (both parts if it has .0 and .1), the whole Cookie header, or a "Copy as cURL" line
    from the browser's network panel. Hidden while you paste; or pipe it in.
    """
    from mirror import app, credentials
    from mirror.timing import Timing

    timing = Timing()
    login = credentials.load(os.environ) if check else credentials.parse(_pasted())
    identity = app.try_login(login, os.environ, timing, lambda _: None)
    who = " ".join(part for part in (identity.name, f"<{identity.email}>" if identity.email else None) if part)
    login.whose = {"user_id": identity.user_id, "name": identity.name, "expires": identity.expires}
    click.echo(f"Signed in as {_safe(who or identity.user_id)}, until {(identity.expires or 'an unknown day')[:10]}.")
    for account in identity.workspaces:
        click.echo(
            f"  {_safe(account.name or account.structure or 'personal')} ({_safe(account.plan or 'unknown plan')})"
        )
    if not check:
        click.echo(f"Stored in {credentials.save(login, os.environ)}; next: chatmirror sync")


def _pasted() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.read()
    from mirror.cli.prompt import ask_hidden

    return ask_hidden("Paste the session cookie or a cURL line, then an empty line: ")


@cli.command()
@_database
@click.argument("words", nargs=-1, required=True)
@click.option("--role", help="Only messages of user, assistant, tool or system.")
@click.option("--kind", help="Only text, code, output, reasoning, canvas, quote, voice, image, file, ...")
@click.option("--model", help="Only messages of this model.")
@click.option("--project", help="Only conversations of this project (its name or id).")
@click.option("--since", metavar="DATE", help="Only messages from this day on, e.g. 2025-03-01.")
@click.option("--until", metavar="DATE", help="Only messages up to this day.")
@click.option("--archived/--not-archived", default=None, help="Only archived conversations, or only others.")
@click.option("--all-branches", is_flag=True, help="Also what was edited away or regenerated.")
@click.option("--latest", is_flag=True, help="Newest first instead of best first.")
@click.option(
    "-n", "limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many conversations."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def search(path: Path, words: tuple[str, ...], limit: int, latest: bool, as_json: bool, **filters: Any) -> None:
    """Find messages and titles, best first, grouped by conversation.

    "An exact phrase", pre* and -without work; nothing that is typed is an error.
    """
    from mirror.cli.output import print_hits
    from mirror.store.search import search as store

    with _reading(path) as conn:
        filters["branches"] = "all" if filters.pop("all_branches") else "visible"
        found = store.search(conn, " ".join(words), store.Filters(**filters), limit=limit, latest=latest)
    print_hits(found, as_json=as_json)


@cli.command()
@_database
@click.argument("reference", metavar="ID-or-URL")
@click.option("--all-branches", is_flag=True, help="Also what was edited away or regenerated.")
@click.option("--json", "as_json", is_flag=True, help="The rows as JSON.")
@click.option("--raw", is_flag=True, help="The stored payload, byte for byte.")
def show(path: Path, reference: str, all_branches: bool, as_json: bool, raw: bool) -> None:
    """Print one conversation as Markdown. Takes an id, its beginning, a chatgpt.com address, or "last"."""
    from mirror.cli.output import print_conversation

    with _reading(path) as conn:
        print_conversation(conn, reference, all_branches=all_branches, as_json=as_json, raw=raw)


@cli.command()
@_database
@click.option(
    "--against",
    "archives",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="EXPORT",
    help="Compare with an official export: is all of it in the mirror?",
)
def status(path: Path, archives: tuple[Path, ...]) -> None:
    """Say whether the mirror is fresh and what is missing. Exit code 0 only when it is."""
    if archives:
        _compare(path, archives)
        return
    from mirror.health import freshness
    from mirror.store import status as store
    from mirror.timing import Timing

    now = Timing().now()
    with _reading(path) as conn:
        state = store.read(conn)
    for line in freshness.lines(state, now):
        click.echo(_safe(line))
    error = freshness.verdict(state, now)
    if error is not None:
        raise error


def _compare(path: Path, archives: tuple[Path, ...]) -> None:
    from mirror.health.compare import compare

    with _reading(path) as conn:
        found = compare(conn, archives)
    for line in found.lines():
        click.echo(_safe(line))
    if found.error is not None:
        raise found.error


@cli.command()
@_database
@click.option("--repair", is_flag=True, help="Derive rows and indexes again where they are wrong.")
def check(path: Path, repair: bool) -> None:
    """Check the file, every payload's hash, every row against its payload, and the indexes."""
    from mirror.cli.progress import item_progress
    from mirror.health import integrity
    from mirror.store.database import Writer, translated
    from mirror.timing import Timing

    _must_exist(path)
    with Writer(path) as writer, translated(path):
        with item_progress("Checking") as progress:
            found = integrity.check(writer.conn, progress)
        if repair and found.all:
            integrity.repair(writer, found, Timing())
            click.echo(f"Repaired {len(found.all):,} findings.")
            found = integrity.check(writer.conn, lambda *_: None)
    error = found.error(path)
    if error is not None:
        raise error
    if sys.stdout.isatty():
        click.echo(f"{path} is whole: file, payloads, rows and indexes.")


@cli.command()
@_database
def rebuild(path: Path) -> None:
    """Derive all rows again from the stored payloads; needs no network."""
    from mirror.cli.progress import item_progress
    from mirror.health import integrity
    from mirror.store.database import Writer
    from mirror.timing import Timing

    _must_exist(path)
    with Writer(path) as writer, item_progress("Rebuilding") as progress:
        changed = integrity.rebuild(writer, Timing(), progress)
    if sys.stdout.isatty():
        click.echo(f"Rebuilt; {changed:,} conversations read differently now.")


@cli.command()
@_database
@click.argument("target", metavar="PATH", type=click.Path(path_type=Path))
def backup(path: Path, target: Path) -> None:
    """Write a complete copy that only you can read; safe while anything runs."""
    from mirror.store.backup import backup as write

    size = write(path, target)
    if sys.stdout.isatty():
        click.echo(f"{target}: {size / 1e6:,.1f} MB")


@cli.command()
@_database
def demo(path: Path) -> None:
    """Try it without an account: a simulated one, a first and a second sync into the database."""
    from mirror.cli.demo import run_demo

    run_demo(path, click.echo)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    from mirror.store.database import open_reader, translated

    with translated(path), closing(open_reader(path)) as conn:
        yield conn


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"There is no {path}; give the database with -d PATH.")


def _safe(text: str) -> str:
    from mirror.terminal import safe

    return safe(text)


def _terminate(*_: object) -> None:
    raise Terminated


def main() -> None:
    """Run the command line; every ending has its exit code and at most one line on stderr."""
    os.umask(0o077)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_run())


def _run() -> int:
    try:
        cli.main(prog_name="chatmirror", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as stop:
        return TERMINATED if Terminated in {type(stop), type(stop.__cause__)} else INTERRUPTED  # click wraps it
    except BrokenPipeError:
        # The reader went away (`| head`): nothing is wrong, and Python must not complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback, no personal data
        return _last_words(error)
    return 0


def _last_words(error: Exception) -> int:
    code, said = BUG, f"internal error ({type(error).__name__} {_last_frame(error)})"
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        code, said = StorageError.exit_code, f"Cannot write ({error.strerror})"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries and complains at exit
    todo = "Please report it." if code == BUG else "Free space, run again."
    with suppress(OSError):
        click.echo(f"chatmirror: {said}; what is saved is safe. {todo}", err=True)
    return code


def _last_frame(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
