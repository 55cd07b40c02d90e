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
    from mirror.timing import Timing

    must_exist(path)
    with item_progress("Checking") as progress:
        error, repaired = app.check(path, Timing(), progress, repair=repair)
    if repaired:
        click.echo(f"Repaired {repaired:,} finding{'' if repaired == 1 else 's'}.")
    if error is not None:
        raise error
    if sys.stdout.isatty():
        click.echo(f"{path} is whole: file, payloads, rows and indexes.")
