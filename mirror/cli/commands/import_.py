"""``chatmirror import``: fill the database from the official export."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option, say_which
from mirror.cli.named_path import NamedPath
from mirror.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.importing import Imported


_ADDRESS = re.compile("https?:/", re.IGNORECASE)  # of the two slashes a path keeps one


@click.command("import")
@database_option
@click.argument("archives", nargs=-1, required=True, type=NamedPath(), metavar="PATH...")
def import_(path: Path, archives: tuple[Path, ...]) -> None:
    """Import the official export: a ZIP, a folder or JSON files.

    PATH is the export's ZIP, its unpacked folder, conversations.json, its numbered parts, or single API responses. You
    can repeat it: an older copy of a conversation never replaces a newer one. A later sync fetches what changed since,
    and what the file holds only in part.
    """
    from mirror import app
    from mirror.cli.progress import item_progress
    from mirror.timing import Timing

    if any(_ADDRESS.match(str(archive)) and not archive.exists() for archive in archives):
        raise UsageError(  # the address is not repeated: that of an export opens it
            "This is a web address, and an import reads files. Nothing was imported; download the export and give its"
            " ZIP, or fetch your chats with `chatmirror sync`."
        )
    if not any(archive.exists() for archive in archives):
        raise UsageError(f"There is no {' and no '.join(map(str, archives))}. Nothing was imported.")
    say_which(path)
    with item_progress("Importing") as progress:
        result = app.import_archives(path, archives, Timing(), progress)
    if sys.stdout.isatty():
        _print_result(result)
    if result.error is not None:
        raise result.error


def _print_result(result: Imported) -> None:
    from mirror.terminal import safe

    click.echo(f"imported {result.new:,} new and {result.changed:,} changed; nothing new in {result.unchanged:,}")
    if result.files:
        click.echo(f"  {result.files:,} files stored")
    if result.files_unchanged:
        click.echo(f"  nothing new in {result.files_unchanged:,} files")
    for skipped in result.skipped:
        click.echo(f"  skipped: {safe(skipped)}")
    if result.not_understood:
        names = ", ".join(f"{safe(name)} {count:,}" for name, count in sorted(result.not_understood.items()))
        click.echo(f"  unknown content types, stored; text extracted by best guess: {names}")
