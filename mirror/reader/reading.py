"""One conversation of an archive, read: its rows, and its bytes as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.archive.items import Found, Known, Problem
from mirror.errors import UnreadablePayloadError
from mirror.large_json import read_json
from mirror.normalize import normalize
from mirror.normalize.invented_id import invented_id

if TYPE_CHECKING:
    from collections.abc import Generator

    from mirror.archive import Archive, Skipped, StoredTexts
    from mirror.archive.items import Origin
    from mirror.body import Body
    from mirror.rows import Conversation


@dataclass(frozen=True, slots=True)
class Reading:
    """A conversation and what its normalizer made of it. ``conversation_id``: invented where its payload has none."""

    conversation_id: str
    conversation: Conversation
    body: Body
    source: str
    origin: Origin
    provider: str


def read(found: Found) -> Reading | Problem:
    """Read a conversation; a Problem where this version of the program cannot."""
    try:
        conversation = normalize(found.provider, found.payload)
    except UnreadablePayloadError as error:
        return Problem(found.source, str(error))
    key = conversation.id or invented_id(found.payload, conversation)
    return Reading(key, conversation, found.body, found.source, found.origin, found.provider)


def read_after_all(known: Known) -> Reading | Problem:
    """Read a conversation whose bytes are stored, for the stored ones turned out to be damaged."""
    return read(Found(read_json(known.body.raw), known.body, known.source, known.origin, known.provider))


def readings(archive: Archive, stored: StoredTexts) -> Generator[Reading | Known | Problem | Skipped]:
    """Read the conversations of an archive, but those that are stored already."""
    for item in archive.items(stored):
        if not isinstance(item, Found):
            yield item
        elif stored.has(item.body.sha256):
            yield Known(item.body, item.source, item.origin, item.provider)
        else:
            yield read(item)
