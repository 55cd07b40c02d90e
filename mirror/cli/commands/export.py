"""``chatmirror export``: conversations as files in a folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mirror.cli.database_option import opened, reading_option
from mirror.cli.excluded_words import WordsCommand
from mirror.cli.filter_options import filter_options
from mirror.cli.named_path import NamedPath
from mirror.cli.typed_text import TYPED_TEXT
from mirror.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.export.run import ExportResult

_NAMED = 5  # edited files that are named; by judgement: they still fit a screen


@click.command(cls=WordsCommand)
@reading_option
@click.argument("folder", metavar="DIR", type=NamedPath())
@click.argument("words", nargs=-1, type=TYPED_TEXT)
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "html", "json"]),
    default="markdown",
    show_default=True,
    help="What each file is.",
)
@click.option("--branches", is_flag=True, help="Include edited prompts and regenerated answers.")
@click.option(
    "--files",
    type=click.Choice(["link", "copy", "none"]),
    default="link",
    show_default=True,
    help="Link to pictures and files where the mirror has them, copy them into DIR/files, or only name them.",
)
@filter_options
def export(
    path: Path, folder: Path, words: tuple[str, ...], form: Any, branches: bool, files: Any, **chosen: Any
) -> None:
    """Write conversations into a folder, one file each: all of them, or those with all of the WORDS.

    Run again, it rewrites only what changed. It removes nothing, and touches no file that it did not write or that you
    edited. A conversation keeps its file when it is renamed or deleted on ChatGPT.

    Words are those of a search: "an exact phrase", prefix* and -without.
    """
    from mirror.cli.progress import item_progress
    from mirror.export.run import ExportOptions
    from mirror.export.run import export as run_export
    from mirror.files.byte_store import ByteStore
    from mirror.store.search.files import FILE_KINDS
    from mirror.store.search.known import refuse_unknown
    from mirror.store.search.request import Filters
    from mirror.store.search.selection import selected

    options = ExportOptions(form, files, branches)
    filters = Filters(**chosen, branches="all" if branches else "visible")
    with opened(path) as conn, item_progress("Exporting") as progress:
        refuse_unknown(conn, filters)
        if filters.kind in FILE_KINDS:
            raise UsageError(f"An export is of conversations; for files of the kind {filters.kind}, use `search`.")
        ids = selected(conn, " ".join(words), filters)
        try:
            result = run_export(conn, ids, folder, ByteStore(path), options, progress)
        except KeyboardInterrupt as stop:
            said = "stopped; the files that were written are whole. Run again to continue."
            raise type(stop)(said) from None
    _print_result(result, folder)


def _print_result(result: ExportResult, folder: Path) -> None:
    """Say what was done to a person at a terminal."""
    from mirror.terminal import is_interactive, safe

    if not is_interactive(sys.stdout):
        return
    edited = f", {len(result.edited):,} left alone because you edited them" if result.edited else ""
    click.echo(f"{result.total:,} conversations in {safe(str(folder))}: {result.written:,} written{edited}.")
    for name in result.edited[:_NAMED]:
        click.echo(f"    {safe(name)}")
