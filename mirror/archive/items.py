"""What comes out of an archive, and how much of one is read at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mirror.body import Body

MB = 1024 * 1024

Origin = Literal["export", "capture"]


@dataclass(frozen=True, slots=True)
class Found:
    """One conversation. ``body``: its JSON text, byte for byte as in the file; ``payload``: parsed.

    The text is UTF-8; a file in UTF-16 or UTF-32 is read as if it had been saved as UTF-8. Where the id is only in what
    is wrapped around the conversation, or the file is a bare list of messages, ``body`` is that text in the smallest
    JSON object that says so. ``source``: ``export.zip/conversations-003.json[17]``, file names only. ``origin``:
    "export", or "capture" for an answer of the service that somebody saved. ``provider``: the service it is of.
    """

    payload: dict[str, Any]
    body: Body
    source: str
    origin: Origin
    provider: str


@dataclass(frozen=True, slots=True)
class Known:
    """A conversation whose very bytes are stored already. It is not parsed, for nothing in it can be news."""

    body: Body
    source: str
    origin: Origin
    provider: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read; the rest is read. ``reason`` completes "<source>: ..."."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that holds no conversations, which is no error. ``reason`` completes "<source>: ..."."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps against hostile or damaged input, in bytes unless named otherwise.

    They were chosen, with the reason at each. Where one is too low, what exceeds it is named and not imported.
    """

    conversation: int = 256 * MB  # held in memory whole; the largest whole export reported has 420 MB
    inflated: int = (
        8 * 1024 * MB
    )  # of all conversations of a ZIP together, and of all files; exports of 6 GB are reported
    ratio: int = 1000  # inflated to packed: near the most that Deflate can do (1,032), which no text reaches
    ratio_from: int = 100 * MB  # below this a member is harmless whatever its ratio
    members: int = 1_000_000  # each takes some hundred bytes of memory to list
    density: int = 5  # bytes of memory for each byte of a large conversation: ordinary ones take 3, a single text 5
    memory: int = 12 * MB  # beside that; with the program itself, about 60
    nested_zips: int = 3  # the privacy portal puts one ZIP into another (API notes §9)
    library: int = 64 * MB  # of the lists of files; a library of 2,400 rows has about 3 MB
    manifest: int = 16 * MB  # of a manifest, a library or a report, which are lists and texts of kilobytes
    problems: int = 20  # reported one by one for each file, then only counted
    chunk: int = MB
    spooled: int = 64 * MB  # of a ZIP in a ZIP that are kept in memory; a larger one is kept on disk while it is read
    # Decoded at a time for values that are parsed where they lie; a larger value is cut out first. Below
    # ``large_json.LARGE``, so that no bound of memory need be watched.
    view: int = 2 * MB


class Unusable(Exception):  # noqa: N818 - names a state of a file, reported as a Problem or a UsageError
    """A file, or the rest of one, cannot be read; the message is a Problem's reason."""


class NoConversations(Unusable):
    """Nothing is wrong with it, but no conversation is in it. There may be files."""
