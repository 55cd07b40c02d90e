"""``chatmirror backup``: copy the database, whatever is running."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mirror.cli.database_option import database_option


@click.command()
@database_option
@click.argument("target", metavar="PATH", type=click.Path(path_type=Path))
def backup(path: Path, target: Path) -> None:
    """Write a complete copy that only you can read; safe while anything runs."""
    from mirror.store.backup import backup as write

    written = target / path.name if target.is_dir() else target
    size = write(path, target)
    if sys.stdout.isatty():
        click.echo(f"{written}: {size / 1e6:,.1f} MB")
