"""What a file's name says: whether it is read, in which order, and how it is called in a sentence."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any, Literal

Kind = Literal["json", "zip", "side"]

JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
# Files of the export that hold other things than conversations (API notes §9).
_SIDE = frozenset(
    {"ads.json", "chat.html", "conversation_asset_file_names.json", "export_manifest.json", "group_chats.json"}
    | {"library_files.json", "message_feedback.json", "model_comparisons.json", "sectioned_conversations.json"}
    | {"shared_conversations.json", "shopping.json", "sora.json", "user.json", "user_settings.json"}
)
MANIFEST = "export_manifest.json"
# What people uploaded into chats comes along under its id, and may itself be JSON, a ZIP or somebody else's export.
_ASSET = re.compile(r"file[-_][0-9A-Za-z]{16,}|\._|.*\.dat$")
_ASSET_FOLDERS = frozenset({"__MACOSX", "textdocs", "dalle-generations", "audio"})
_EXPORT = re.compile(r"conversations(?:[-_ (]*\d+\)?)?\.json", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)")
_LONGEST = 300


def kind_of(path: str) -> Kind | None:
    """Return how to treat a file inside an archive; None: passed over in silence, as images and audio are."""
    pure = PurePosixPath(path.replace("\\", "/"))
    name = pure.name.lower()
    if _ASSET.match(pure.name) or _ASSET_FOLDERS & set(pure.parts[:-1]):
        return None
    if name in _SIDE:
        return "side"
    if pure.suffix.lower() in JSON_SUFFIXES:
        return "json"
    return "zip" if pure.suffix.lower() == ".zip" else None


def is_export(source: str) -> bool:
    """Whether it is called as the export calls its files of conversations, whole or in shards."""
    return _EXPORT.fullmatch(source.rsplit("/", 1)[-1]) is not None


def is_lines(source: str) -> bool:
    """Whether it is called as a file of JSON Lines."""
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
    name = "".join(char if char.isprintable() else "?" for char in name)
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def shards(manifest: bytes) -> list[str]:
    """Return the files of conversations that an export's manifest names; raises ValueError for another kind of file."""
    try:
        stated = json.loads(manifest)
        named = stated["logical_files"]
        held = [entry["files"] for name, entry in named.items() if name.lower().startswith("conversations")]
        files = [_path(file) for files in held for file in files]
        files += [path for file in stated.get("export_files") or () if is_export(path := _path(file))]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("names no files") from error
    return list(dict.fromkeys(file for file in files if file))


def _path(file: Any) -> str:
    path = file.get("path") if isinstance(file, dict) else file
    return path if isinstance(path, str) else ""
