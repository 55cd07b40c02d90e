"""``chatmirror sync``: the nightly job."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.sync.outcome import Outcome


@click.command()
@database_option
@click.option("--full", is_flag=True, help="Re-read every list completely (automatic once a week).")
@click.option(
    "--accept-deletions", is_flag=True, help="Confirm that you deleted the many chats that are no longer listed."
)
@click.option("--dry-run", is_flag=True, help="List and compare only; store no conversation.")
@click.option("-v", "--verbose", is_flag=True, help="Print each step and request.")
def sync(path: Path, full: bool, accept_deletions: bool, dry_run: bool, verbose: bool) -> None:
    """Fetch what is new or changed. The nightly job.

    Silent on success unless a terminal is attached. Exit codes: 0 current, 3 some conversations not saved, 4 sign-in
    needed, 5 service error, 6 rate limit, 7 safety stop, 8 disk, 9 database damaged, 10 newer database, 11 another run
    is active.
    """
    from mirror import app
    from mirror.cli.logs import show_requests
    from mirror.cli.progress import ProgressReport
    from mirror.sync.options import SyncOptions
    from mirror.timing import Timing

    timing = Timing()
    options = SyncOptions(full=full, dry=dry_run, accept_deletions=accept_deletions)
    if verbose:
        show_requests()
    with ProgressReport(verbose=verbose) as report:
        try:
            outcome = app.sync(path, os.environ, timing, report, options)
        except KeyboardInterrupt:
            report.stopped()
            raise
    if outcome.identity is not None:
        _warn_of_expiry(outcome.identity.expires, timing.now())
    if dry_run or sys.stdout.isatty() or verbose:
        _print_outcome(outcome, dry=dry_run)
    if outcome.error is not None:
        raise outcome.error


def _warn_of_expiry(expires: str | None, now: float) -> None:
    from mirror.health.freshness import expiry_warning

    if warning := expiry_warning(expires, now):
        click.echo(f"chatmirror: {warning}", err=True)


def _print_outcome(outcome: Outcome, *, dry: bool) -> None:
    counts = outcome.counts
    verb = "would fetch" if dry else "stored"
    left = f", {counts.pending:,} still to fetch" if counts.pending and not dry else ""
    click.echo(
        f"{counts.listed:,} listed, {verb} {counts.new:,} new and {counts.changed:,} changed,"
        f" {counts.unchanged:,} unchanged{left}"
    )
    others = {kind: count for kind, count in sorted(outcome.changes.items()) if kind != "new"}
    if others:
        click.echo("  " + ", ".join(f"{kind} {count:,}" for kind, count in others.items()))
