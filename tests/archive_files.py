"""Small conversations, and the files and ZIPs that tests put them into."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

from mirror.archive import Found, Limits, Problem, Skipped, open_archive
from mirror.large_json import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Json = dict[str, Any]


def conversation(n: int, text: str = "hello", **other: Any) -> Json:
    """One conversation as a 2023-26 export writes it, both ids included."""
    node = {"id": "m", "author": {"role": "user"}, "content": {"content_type": "text", "parts": [text]}}
    return {
        "title": f"Title {n}",
        "create_time": 1700000000.25,
        "update_time": 1700000001.5,
        "mapping": {"m": {"id": "m", "parent": None, "children": [], "message": node}},
        "current_node": "m",
        "conversation_id": f"id-{n}",
        "id": f"id-{n}",
        **other,
    }


def single(n: int) -> Json:
    """The single endpoint's answer: no ``id``."""
    return {key: value for key, value in conversation(n).items() if key != "id"}


def batched(n: int) -> Json:
    """An element of the batch endpoint's answer: no ``conversation_id``, ISO times."""
    whole = conversation(n, create_time="2026-01-01T00:00:00.000000Z", update_time="2026-01-02T00:00:00Z")
    return {key: value for key, value in whole.items() if key != "conversation_id"}


def plural(n: int) -> Json:
    """The plural endpoint's answer: a flat list of messages."""
    message = {"id": "m", "author": {"role": "user"}, "content": {"content_type": "text", "parts": ["x"]}}
    return {"conversation_id": f"id-{n}", "title": "P", "messages": [message], "page_info": {}}


class Contents:
    """All that comes out of an archive, by kind."""

    def __init__(self, path: Path, **limits: int) -> None:
        with open_archive(path, Limits(**limits)) as archive:
            everything = list(archive)
            self.position, self.total = archive.position, archive.total_bytes
        self.found = [item for item in everything if isinstance(item, Found)]
        self.problems = [item for item in everything if isinstance(item, Problem)]
        self.skipped = [item for item in everything if isinstance(item, Skipped)]
        for item in self.found:
            assert is_same(read_json(item.body.raw), item.payload)

    @property
    def titles(self) -> list[Any]:
        """The titles of what was found, in order."""
        return [item.payload.get("title") for item in self.found]

    @property
    def sources(self) -> list[str]:
        """Where each conversation was found, in order."""
        return [item.source for item in self.found]


def is_same(one: object, other: object) -> bool:
    """Equality for which NaN equals NaN."""
    return repr(one) == repr(other)


def save(path: Path, value: Any) -> Path:
    """Write JSON, or bytes as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


def zipped(
    path: Path,
    members: dict[str, Any] | Iterable[tuple[str | zipfile.ZipInfo, Any]],
    compression: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Write a ZIP of (name or ZipInfo, value) pairs or a dict of them."""
    with zipfile.ZipFile(path, "w", compression) as opened:
        for name, value in members.items() if isinstance(members, dict) else members:
            opened.writestr(name, value if isinstance(value, bytes) else json.dumps(value).encode())
    return path
