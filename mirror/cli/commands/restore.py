"""``chatmirror restore``: put a backup in the database's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option
from mirror.cli.named_path import NamedPath

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@database_option
@click.argument("backup", metavar="BACKUP", type=NamedPath(dir_okay=False))
def restore(path: Path, backup: Path) -> None:
    """Put a backup in the place of a damaged or lost database.

    The backup is copied and checked first. What was in its place is kept beside it. A sync then fetches what changed
    since the backup. Do not copy a backup over a database by hand: a log that an interrupted run left would spoil it.
    """
    from mirror import app
    from mirror.cli.progress import item_progress

    with item_progress("Checking") as progress:
        kept, error = app.restore(path, backup, progress)
    old = f" What was there is kept as {kept}; remove it when you do not need it." if kept else ""
    click.echo(f"{path} is restored from {backup}; next: chatmirror sync.{old}")
    if error is not None:
        raise error
