"""``chatmirror sync``: the nightly job."""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option, say_which

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.sync.outcome import Outcome

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3}


class FileSize(click.ParamType):  # type: ignore[type-arg] # older versions of click have no generic one
    """A number of bytes, with or without a unit: 5000, 50MB, 2GB, 2GiB."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([KMG]?)(I?)B?", str(value).strip().upper())
        if found is None:
            self.fail(f"{value!r} is no size; give for instance 50MB or 2GB.", param, ctx)
        return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2]])


@click.command()
@database_option
@click.option("--full", is_flag=True, help="Re-read every list completely (automatic once a week).")
@click.option(
    "--accept-deletions", is_flag=True, help="Confirm that you deleted the many chats that are no longer listed."
)
@click.option("--dry-run", is_flag=True, help="List and compare only; store no conversation.")
@click.option("--no-files", is_flag=True, help="Fetch no pictures and files, only chats.")
@click.option(
    "--files-max-size",
    type=FileSize(),
    metavar="SIZE",
    help="Fetch no file larger than this, for instance 50MB or 2GB.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print each step and request.")
def sync(
    path: Path,
    full: bool,
    accept_deletions: bool,
    dry_run: bool,
    no_files: bool,
    files_max_size: int | None,
    verbose: bool,
) -> None:
    """Fetch what is new or changed, then the files that chats name. The nightly job.

    Silent on success unless a terminal is attached. Exit codes: 0 current, 3 not all could be read or saved, 4 sign-in
    needed, 5 service error, 6 rate limit, 7 safety stop, 8 disk, 9 database damaged, 10 not a database of this version,
    11 another run is active.
    """
    from mirror import app
    from mirror.cli.last_mirror import remember_mirror
    from mirror.cli.logs import show_requests
    from mirror.cli.progress import ProgressReport
    from mirror.sync.options import SyncOptions
    from mirror.timing import Timing

    timing = Timing()
    options = SyncOptions(
        full=full,
        dry=dry_run,
        accept_deletions=accept_deletions,
        files=not no_files,
        files_max_size=files_max_size,
    )
    if verbose:
        show_requests()
    say_which(path)
    with ProgressReport(verbose=verbose) as report:
        try:
            outcome = app.sync(path, os.environ, timing, report, options)
        except KeyboardInterrupt as stop:
            raise type(stop)(report.stopped()) from None
    if not dry_run and outcome.identity is not None:
        remember_mirror(path, os.environ)
    warning = " ".join(filter(None, [_healed(outcome), _expiry_warning(outcome, timing.now())]))
    if (dry_run or sys.stdout.isatty() or verbose) and not _has_read_nothing(outcome):
        _print_outcome(outcome, path, dry=dry_run)
    if outcome.error is not None:
        outcome.error.message += f" {warning}" if warning else ""  # one run, one line
        raise outcome.error
    if warning:
        click.echo(f"chatmirror: {warning}", err=True)


def _healed(outcome: Outcome) -> str | None:
    from mirror.store.schema import summary

    if not outcome.healed:
        return None
    return f"Damage was mended, because a sync learns it again: {summary(outcome.healed)}. Run `chatmirror check`."


def _expiry_warning(outcome: Outcome, now: float) -> str | None:
    from mirror.health.login_expiry import expiry_warning

    return expiry_warning(outcome.identity.expires, now) if outcome.identity is not None else None


def _has_read_nothing(outcome: Outcome) -> bool:
    """Whether the run ended before a list was read and anything stored, so that it knows of no counts."""
    counts = outcome.counts
    return outcome.error is not None and not (counts.listed or counts.new or counts.changed or counts.files)


def _print_outcome(outcome: Outcome, path: Path, *, dry: bool) -> None:
    counts = outcome.counts
    pending = 0 if dry else counts.pending
    parts = [f"{counts.new:,} {'would be fetched as ' if dry else ''}new", f"{counts.changed:,} changed"]
    parts += [f"{counts.unchanged:,} unchanged", *([f"{pending:,} still to fetch"] if pending else [])]
    total = counts.new + counts.changed + counts.unchanged + pending
    click.echo(f"{total:,} conversation{'' if total == 1 else 's'}: {', '.join(parts)}")
    if counts.files or counts.files_pending:
        waiting = f", {counts.files_pending:,} still to fetch" if counts.files_pending else ""
        click.echo(f"  {counts.files:,} files stored{waiting}")
    others = {kind: count for kind, count in sorted(outcome.changes.items()) if kind != "new"}
    if others:
        click.echo("  " + ", ".join(f"{kind} {count:,}" for kind, count in others.items()))
    if not dry:
        click.echo(f"  {path.absolute()}; to look at it: datasette {shlex.quote(str(path))}")
