"""``chatmirror check``: find out whether the mirror is whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option, must_exist

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@database_option
@click.option("--repair", is_flag=True, help="Mend what can be: flipped bits, rows, indexes.")
def check(path: Path, repair: bool) -> None:
    """Check the file, every payload's hash, every row against its payload, and the indexes."""
    from mirror import app
    from mirror.cli.progress import item_progress
    from mirror.store.schema import summary
    from mirror.terminal import safe
    from mirror.timing import Timing

    must_exist(path)
    with item_progress("Checking") as progress:
        error, repaired = app.check(path, Timing(), progress, repair=repair)
    if repaired.mended:
        click.echo(f"Repaired {repaired.mended:,} finding{'' if repaired.mended == 1 else 's'}.")
    if repaired.accepted:
        count = len(repaired.accepted)
        said = safe(summary(repaired.accepted))  # keys of rows are the service's
        rows = f"{count:,} row{'' if count == 1 else 's'}"
        click.echo(f"Nothing tells what {rows} said before, so this stays as it is now: {said}.")
    if error is not None:
        raise error
    if sys.stdout.isatty():
        click.echo(f"{path} is whole: file, payloads, rows and indexes.")
