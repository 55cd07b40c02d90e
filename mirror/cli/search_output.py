"""Search results on stdout: pleasant on a terminal, plain in a pipe, safe in both."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mirror.files.byte_store import ByteStore
from mirror.store.search.files import FILE_NAME
from mirror.store.search.snippets import split_marks
from mirror.terminal import is_interactive, local_day, safe, to_json

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.store.search.files import FileHit
    from mirror.store.search.hints import Hint
    from mirror.store.search.search import Hit, Passage, SearchResult


def print_hits(found: SearchResult, database: Path, *, as_json: bool) -> None:
    """Print what a search found, the best first, conversations before files; with ``as_json`` one object a line."""
    store = ByteStore(database)
    if as_json:
        for hit in found.hits:
            click.echo(to_json(_as_object(hit)))
        for file in found.files:
            click.echo(to_json(_file_as_object(file, store)))
        return
    colour = is_interactive(sys.stdout)
    for hit in found.hits:
        click.echo(_heading(hit, colour=colour))
        for passage in hit.passages:
            _print_line(f"    {_about(passage)}", passage.snippet, colour=colour)
        click.echo()
    for file in found.files:
        _print_file(file, store, colour=colour)
    for line in _remarks(found):
        click.echo(line)


def _print_line(label: str, snippet: str, *, colour: bool) -> None:
    click.echo(f"{safe(label)}  {_marked(snippet, colour=colour)}")


def _print_file(file: FileHit, store: ByteStore, *, colour: bool) -> None:
    """Print a file: its name, where it is, which conversations show it, and what of it matched."""
    name = _marked(file.snippet, colour=colour) if file.kind == FILE_NAME else safe(file.name or file.file_id)
    click.echo(f"{name}  ({file.kind})")
    place = _place(file, store) or f"not stored ({file.state})"
    click.echo(f"    {safe(place)}")
    if file.kind != FILE_NAME:
        _print_line(f"    {local_day(file.created_at) or 'no date'}", file.snippet, colour=colour)
    for one in file.conversations:
        click.echo(f"    in {safe(one.title or 'Untitled')}  {safe(one.url or one.conversation_id)}")
    click.echo()


def _place(file: FileHit, store: ByteStore) -> str | None:
    return str(store.path_of(file.sha256)) if file.sha256 else None


def _heading(hit: Hit, *, colour: bool) -> str:
    deleted = "  (deleted at the service)" if hit.deleted_at else ""
    without = f"  (without {', '.join(map(safe, hit.missing))})" if hit.missing else ""
    title = _marked(hit.marked_title, colour=colour) or "Untitled"
    return f"{title}{deleted}{without}\n    {safe(hit.url or hit.conversation_id)}"


def _about(passage: Passage) -> str:
    kind = "" if passage.kind == "text" else f" {passage.kind}"
    branch = "" if passage.is_on_visible_branch else ", another branch"
    return f"{local_day(passage.created_at) or 'no date'} {passage.role or 'unknown'}{kind}{branch}"


def _marked(marked: str, *, colour: bool) -> str:
    pieces = ((safe(piece), is_match) for piece, is_match in split_marks(marked))
    return "".join(click.style(piece, bold=True, fg="yellow") if m and colour else piece for piece, m in pieces)


def _remarks(found: SearchResult) -> list[str]:
    """Return what else a person at a terminal may want to know."""
    if not is_interactive(sys.stdout):
        return []
    remarks = []
    if not found.hits and not found.files:
        remarks.append(_nothing_found(found.hint))
    if found.is_partial:
        remarks.append("No conversation holds all of these words; these hold most of them.")
    if found.is_widened:
        remarks.append("Nothing on the visible branches; these are from others.")
    elif found.elsewhere:
        least = "" if found.is_complete else "At least "
        remarks.append(f"{least}{found.elsewhere:,} more on other branches (--all-branches).")
    return remarks


def _nothing_found(hint: Hint | None) -> str:
    if hint is None:
        return "Nothing found."
    shown = f" `chatmirror show {hint.conversation_id}` prints it." if hint.conversation_id else ""
    return f"Nothing found. {safe(hint.said + shown)}"


def _file_as_object(file: FileHit, store: ByteStore) -> dict[str, object]:
    """Return a file for JSON; the first conversation that shows it in the keys that conversations have, too."""
    found = asdict(file)
    first = file.conversations[0] if file.conversations else None
    found["conversation_id"], found["title"], found["url"] = (first or (None, None, None))[:3]
    found["conversations"] = [one._asdict() for one in file.conversations]
    found["snippet"] = "".join(piece for piece, _ in split_marks(file.snippet))
    found["path"] = _place(file, store)
    return found


def _as_object(hit: Hit) -> dict[str, object]:
    found = {"kind": "conversation", **asdict(hit)}
    found["title"] = hit.title
    del found["marked_title"]
    for passage in found["passages"]:
        passage["snippet"] = "".join(piece for piece, _ in split_marks(passage["snippet"]))
    return found
