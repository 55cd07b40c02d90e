"""``chatmirror search``: find messages, titles and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mirror.cli.database_option import opened, reading_option
from mirror.cli.excluded_words import WordsCommand
from mirror.cli.filter_options import filter_options
from mirror.cli.typed_text import TYPED_TEXT

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=WordsCommand)
@reading_option
@click.argument("words", nargs=-1, required=True, type=TYPED_TEXT)
@filter_options
@click.option("--all-branches", is_flag=True, help="Include edited prompts and regenerated answers.")
@click.option("--latest", is_flag=True, help="Newest first instead of best first.")
@click.option(
    "-n",
    "limit",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="How many conversations, and files.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def search(path: Path, words: tuple[str, ...], limit: int, latest: bool, as_json: bool, **filters: Any) -> None:
    """Find messages and titles, best first, grouped by conversation; then files.

    Files are found by their names, by the prompts of pictures, and by the text of text files and PDFs.

    You can use "an exact phrase", prefix* and -without. Other punctuation is matched literally. Words behind -- are
    never options.
    """
    from mirror.cli.search_output import print_hits
    from mirror.store.search import search as store
    from mirror.store.search.known import refuse_unknown

    with opened(path) as conn:  # also while hits are printed: what is damaged shows then, and is named
        filters["branches"] = "all" if filters.pop("all_branches") else "visible"
        wanted = store.Filters(**filters)
        refuse_unknown(conn, wanted)
        found = store.search(conn, " ".join(words), wanted, limit=limit, latest=latest)
        print_hits(found, path, as_json=as_json)
