"""What comes out of an archive, and how much of one is read at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

MB = 1024 * 1024

Lane = Literal["export", "capture"]


@dataclass(frozen=True, slots=True)
class Found:
    """One conversation. ``raw``: its JSON text, byte for byte as in the file, which parses to ``payload``.

    The text is UTF-8; a file in UTF-16 or UTF-32 is read as if it had been saved as UTF-8. Where the id stands only
    around the conversation, or the file is a bare list of messages, ``raw`` is that text inside the smallest JSON
    object that says so. ``source``: ``export.zip/conversations-003.json[17]``, file names only. ``lane``: "export",
    or "capture" for an answer of the service saved by itself.
    """

    payload: dict[str, Any]
    raw: bytes
    source: str
    lane: Lane


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read, while the rest goes on. ``reason`` completes "<source>: ..."."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that holds no conversations, which is no error. ``reason`` completes "<source>: ..."."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps against hostile or damaged input, in bytes unless named otherwise."""

    conversation: int = 256 * MB
    inflated: int = 8 * 1024 * MB  # of all members of a ZIP together
    ratio: int = 1000  # inflated to packed, looked at only above `ratio_from`
    ratio_from: int = 100 * MB
    members: int = 1_000_000
    depth: int = 500  # of JSON in JSON: Python's own parser gives up at about 990
    nested_zips: int = 3
    manifest: int = 16 * MB
    problems: int = 20  # told one by one for each file
    chunk: int = MB


class Unusable(Exception):  # noqa: N818 - names a state of a file, told as a Problem or a UsageError
    """A file, or the rest of one, cannot be read; the message is a Problem's reason."""
