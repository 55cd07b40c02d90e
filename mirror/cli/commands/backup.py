"""``chatmirror backup``: copy the database, whatever is running."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option, must_exist
from mirror.cli.named_path import NamedPath

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@database_option
@click.argument("target", metavar="PATH", type=NamedPath())
def backup(path: Path, target: Path) -> None:
    """Write a complete copy that only you can read; safe while anything runs.

    The copy is checked like `chatmirror check` before it takes the place of an older backup. PATH is a new file, a
    folder, or an older backup of the same mirror; nothing else is replaced.
    """
    from mirror import app
    from mirror.cli.progress import item_progress

    must_exist(path)
    written = target / path.name if target.is_dir() else target
    with item_progress("Checking") as progress:
        size, error = app.backup(path, written, progress)
    if sys.stdout.isatty():
        click.echo(f"{written}: {size / 1e6:,.1f} MB")
    if error is not None:
        raise error
