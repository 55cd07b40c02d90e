"""``chatmirror show``: print one conversation."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import opened, reading_option
from mirror.cli.typed_text import TYPED_TEXT
from mirror.errors import DamagedError, UsageError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


@click.command()
@reading_option
@click.argument("reference", metavar="ID-or-URL-or-TITLE", nargs=-1, required=True, type=TYPED_TEXT)
@click.option("--all-branches", is_flag=True, help="Include edited prompts and regenerated answers.")
@click.option("--json", "as_json", is_flag=True, help="Print the stored rows as JSON.")
@click.option("--raw", is_flag=True, help="Print the newest stored payload, byte for byte.")
def show(path: Path, reference: tuple[str, ...], all_branches: bool, as_json: bool, raw: bool) -> None:
    """Print one conversation as Markdown.

    Give its id, the beginning of its id, its web address, words of its title, or "last" for the newest. Where several
    titles have the words, they are listed with their ids.
    """
    from mirror.store import threads

    if as_json and raw:
        raise UsageError("--json and --raw cannot be used together.")
    with opened(path) as conn:
        conversation_id = threads.find_conversation(conn, " ".join(reference))
        if raw:
            _print_payload(conn, path, conversation_id)
        else:
            _print_conversation(conn, path, conversation_id, all_branches=all_branches, as_json=as_json)


def _print_payload(conn: sqlite3.Connection, path: Path, conversation_id: str) -> None:
    from mirror.store import payloads
    from mirror.terminal import is_interactive

    try:
        *_, newest = payloads.load(conn, conversation_id)
        body = newest.body
    except ValueError as error:  # there is none, or it is damaged
        raise DamagedError(
            f"{path} is damaged: conversation {conversation_id} has no payload that can be read. Run `chatmirror"
            " check`."
        ) from error
    sys.stdout.buffer.write(body + (b"\n" if is_interactive(sys.stdout) else b""))


def _print_conversation(
    conn: sqlite3.Connection, path: Path, conversation_id: str, *, all_branches: bool, as_json: bool
) -> None:
    from mirror import render
    from mirror.files.byte_store import ByteStore
    from mirror.store import file_rows, threads
    from mirror.terminal import is_interactive

    view = threads.conversation(conn, conversation_id)
    messages = threads.messages(conn, conversation_id, all_branches=all_branches)
    if as_json:
        click.echo(render.conversation_json(view, messages))
        return
    store, known = ByteStore(path), file_rows.of_messages(conn, conversation_id)
    places = {key: store.path_of(row.sha256).as_posix() for key, row in known.items() if row.sha256}
    text = render.conversation_markdown(view, messages, all_branches=all_branches, files=places)
    if is_interactive(sys.stdout):
        # As git does it: what fits the screen is printed, and the pager waits for no key.
        os.environ.setdefault("LESS", "FRX")
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=False)
