"""``chatmirror rebuild``: derive everything again from what is stored."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option, must_exist

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@database_option
def rebuild(path: Path) -> None:
    """Derive all rows again from the stored payloads; needs no network."""
    from mirror import app
    from mirror.cli.progress import item_progress
    from mirror.timing import Timing

    must_exist(path)
    with item_progress("Rebuilding") as progress:
        changed = app.rebuild(path, Timing(), progress)
    if sys.stdout.isatty():
        click.echo(f"Rebuilt; the rows of {changed:,} conversations changed.")
