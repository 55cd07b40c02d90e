"""One conversation read for an export, and what its file says, in each format."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from mirror import __version__, render
from mirror.export.names import harmless
from mirror.store import file_rows, threads
from mirror.terminal import to_json
from mirror.text import one_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from mirror.files.byte_store import ByteStore

ExportFormat = Literal["markdown", "html", "json"]
FilesChoice = Literal["link", "copy", "none"]
SUFFIXES: Mapping[ExportFormat, str] = {"markdown": ".md", "html": ".html", "json": ".json"}
FILES_FOLDER = "files"
_LONGEST_FILE_NAME = 80  # bytes of a file's own name in the name of its copy; the same bound as for titles
_HASH_IN_NAME = 12  # characters of a content's hash in a copy's name: no two contents of one person share them


@dataclass(frozen=True, slots=True)
class ReadConversation:
    """A conversation's row, its messages in reading order, and the files that they name, by id."""

    view: threads.ConversationView
    messages: list[threads.MessageView]
    files: dict[str, file_rows.FileRow]
    all_branches: bool


def read_conversation(conn: sqlite3.Connection, conversation_id: str, *, all_branches: bool) -> ReadConversation:
    """Read a conversation, all of it at one moment."""
    conn.execute("BEGIN")
    try:
        return ReadConversation(
            view=threads.conversation(conn, conversation_id),
            messages=threads.messages(conn, conversation_id, all_branches=all_branches),
            files=file_rows.of_messages(conn, conversation_id),
            all_branches=all_branches,
        )
    finally:
        conn.execute("COMMIT")


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where a stored file is found: the ``address`` for links; ``copy_as``: the name of its copy, if it is copied."""

    address: str
    sha256: str
    copy_as: str | None = None


def places_of(found: ReadConversation, store: ByteStore, choice: FilesChoice) -> dict[str, FilePlace]:
    """Return where the stored files of a conversation are, by id; those whose bytes are not there are left out."""
    if choice == "none":
        return {}
    places: dict[str, FilePlace] = {}
    for key, row in found.files.items():
        if row.state == "stored" and row.sha256 and store.holds(row.sha256):
            if choice == "link":
                places[key] = FilePlace(store.path_of(row.sha256).as_uri(), row.sha256)
            else:
                name = f"{FILES_FOLDER}/{_copy_name(row)}"
                places[key] = FilePlace(quote(name), row.sha256, name)
    return places


def _copy_name(row: file_rows.FileRow) -> str:
    import mimetypes  # noqa: PLC0415 - reads the system's lists of types

    name = harmless(row.name or row.prompt or "")
    stem, dot, suffix = name.rpartition(".")
    if not dot or not suffix.isascii() or not suffix.isalnum() or len(suffix) > 8:  # noqa: PLR2004 - no suffix is longer
        stem, suffix = name, (mimetypes.guess_extension(row.mime_type or "") or ".bin")[1:]
    plain = harmless(stem, _LONGEST_FILE_NAME) or "file"
    return f"{(row.sha256 or '')[:_HASH_IN_NAME]} {plain}.{suffix}"


def made_of(found: ReadConversation, places: Mapping[str, FilePlace], form: ExportFormat) -> str:
    """Return a hash of everything that a conversation's file is made of, the program's version included."""
    parts = (__version__, form, found.view, found.messages, found.all_branches, sorted(found.files.items()))
    text = repr((parts, sorted(places.items())))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_of(found: ReadConversation, places: Mapping[str, FilePlace], form: ExportFormat) -> bytes:
    """Return what a conversation's file says."""
    addresses = {key: place.address for key, place in places.items()}
    if form == "html":
        from mirror.export.page import page_of  # noqa: PLC0415 - takes a while, and the other formats do not need it

        text = page_of(found.view, found.messages, found.files, addresses)
    elif form == "json":
        text = to_json(_json_object(found, addresses), indent=2) + "\n"
    else:
        text = front_matter(found) + "\n" + _markdown(found, addresses)
    return text.encode("utf-8", "backslashreplace")


def _json_object(found: ReadConversation, addresses: Mapping[str, str]) -> dict[str, object]:
    messages = [asdict(message) for message in found.messages]
    return {**asdict(found.view), "messages": messages, **({"files": dict(addresses)} if addresses else {})}


def _markdown(found: ReadConversation, addresses: Mapping[str, str]) -> str:
    return render.conversation_markdown(found.view, found.messages, all_branches=found.all_branches, files=addresses)


def front_matter(found: ReadConversation) -> str:
    """Return a conversation's properties as YAML between two rules, as Obsidian and others read them."""
    view = found.view
    values: dict[str, object] = {
        "title": one_line(view.title or "Untitled"),
        "id": view.id,
        "url": view.url,
        "created": view.created_at,
        "updated": view.updated_at,
        "models": _models(found),
        "project": view.project,
        "tags": _tags(view),
        "deleted": view.deleted_at,
        "incomplete": None if view.is_complete else view.incomplete_reason or "for an unknown reason",
    }
    always = {"title", "id", "url", "created", "updated", "models", "project", "tags"}
    # JSON is YAML: whatever a title holds, it stays one value.
    lines = [f"{key}: {to_json(value)}" for key, value in values.items() if value is not None or key in always]
    return "\n".join(["---", *lines, "---", ""])


def _models(found: ReadConversation) -> list[str]:
    known = [message.model for message in found.messages if message.model and message.role == "assistant"]
    return list(dict.fromkeys(known or ([found.view.model] if found.view.model else [])))


def _tags(view: threads.ConversationView) -> list[str]:
    stated = {"archived": view.is_archived, "starred": view.is_starred, "deleted": view.deleted_at is not None}
    return [view.provider, *(name for name, is_so in stated.items() if is_so)]
