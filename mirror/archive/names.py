"""What a file's name says: whether it is read, in which order, and how a sentence calls it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from mirror.archive.shapes import RECOGNISERS

if TYPE_CHECKING:
    from mirror.archive.recogniser import ExportFiles, Recogniser

# "side": a file of an export that holds other things than conversations.
Kind = Literal["json", "zip", "side"]

JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
_NUMBER = re.compile(r"(\d+)")
_LONGEST = 300  # characters of a name that are shown; file systems allow 255 in each part of a path


def kind_of(path: str) -> Kind | None:
    """Return how to treat a file in an archive; None: silently left out, as images and audio are."""
    pure = PurePosixPath(path.replace("\\", "/"))
    name = pure.name.lower()
    if _is_mac_metadata(pure) or is_upload(path) or any(_is_asset(pure, files) for files in _export_files()):
        return None
    if any(name in files.without_conversations for files in _export_files()):
        return "side"
    if pure.suffix.lower() in JSON_SUFFIXES:
        return "json"
    return "zip" if pure.suffix.lower() == ".zip" else None


def _export_files() -> list[ExportFiles]:
    return [recogniser.files for recogniser in RECOGNISERS.values()]


def _is_mac_metadata(path: PurePosixPath) -> bool:
    # Folders zipped on macOS hold a second file of metadata for each file.
    return path.name.startswith("._") or "__MACOSX" in path.parts[:-1]


def _is_asset(path: PurePosixPath, files: ExportFiles) -> bool:
    return bool(files.assets.match(path.name)) or bool(files.asset_folders & set(path.parts[:-1]))


def is_upload(path: str) -> bool:
    """Return whether it is, or is in, what a person uploaded: files that say nothing of conversations."""
    return any(files.uploads.search(path.replace("\\", "/")) for files in _export_files())


def holds_assets(path: str, files: ExportFiles) -> bool:
    """Return whether a service's export keeps a file of the person at this path."""
    pure = PurePosixPath(path.replace("\\", "/"))
    is_list = pure.name.lower() in files.without_conversations
    return not is_list and (_is_asset(pure, files) or bool(files.uploads.search(path.replace("\\", "/"))))


def is_asset(path: str) -> bool:
    """Return whether some service's export keeps a file of the person at this path."""
    pure = PurePosixPath(path.replace("\\", "/"))
    return not _is_mac_metadata(pure) and any(holds_assets(path, files) for files in _export_files())


def is_export(source: str) -> bool:
    """Return whether it is called as an export calls its files of conversations, whole or in shards."""
    name = source.rsplit("/", 1)[-1]
    return any(files.conversations.fullmatch(name) for files in _export_files())


def manifest_files(path: str) -> ExportFiles | None:
    """Return the files of the export whose manifest is called so; None if it is no manifest's name."""
    name = path.rsplit("/", 1)[-1].lower()
    return next((files for files in _export_files() if name == files.manifest), None)


def is_group_chats(source: str) -> bool:
    """Return whether it is called as an export calls its file of group chats, whose chats have another form."""
    name = source.rsplit("/", 1)[-1].lower()
    return any(files.group_chats == name for files in _export_files())


def not_imported(path: str) -> str | None:
    """Return what a file of an export holds that is not imported, where a person may miss it."""
    name = path.rsplit("/", 1)[-1].lower()
    return next((files.not_imported[name] for files in _export_files() if name in files.not_imported), None)


def library_of(path: str) -> Recogniser | None:
    """Return the service whose export calls its list of files so."""
    name = path.rsplit("/", 1)[-1].lower()
    return next((one for one in RECOGNISERS.values() if one.files.library == name), None)


def is_lines(source: str) -> bool:
    """Return whether it is called as a file of JSON Lines."""
    return source.lower().endswith((".jsonl", ".ndjson"))


def order(path: str) -> tuple[Any, ...]:
    """Sort key: folder by folder, the export's own files first, numbers in names by value."""
    folder, _, name = path.rpartition("/")
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(name.lower()) if part]
    return folder, kind_of(path) == "side", not is_export(name), parts, name


def clean(name: str) -> str:
    """Return a name fit for a terminal and a database: relative, printable, not endless."""
    if "/" in name or "\\" in name:
        parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        name = "/".join(part for n, part in enumerate(parts) if n or not re.fullmatch("[A-Za-z]:", part))
    if not name.isprintable():
        name = "".join(char if char.isprintable() else "?" for char in name)
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
