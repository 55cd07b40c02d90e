"""One conversation of an archive, read: its rows, and its bytes as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.archive.items import Found, Problem
from mirror.errors import UnreadablePayloadError
from mirror.large_json import read_json
from mirror.normalize import normalize
from mirror.normalize.invented_id import invented_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from mirror.archive.items import Origin, Skipped
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


@dataclass(frozen=True, slots=True)
class Known:
    """A conversation whose bytes are stored already, by their hash. It is not read, for nothing in it can be news."""

    body: Body
    source: str
    origin: Origin
    provider: str

    def found(self) -> Found:
        """Parse it after all; what is stored turned out to be damaged."""
        return Found(read_json(self.body.raw), self.body, self.source, self.origin, self.provider)


def read(found: Found) -> Reading | Problem:
    """Read a conversation; a Problem where this version of the program cannot."""
    try:
        conversation = normalize(found.provider, found.payload)
    except UnreadablePayloadError as error:
        return Problem(found.source, str(error))
    key = conversation.id or invented_id(found.payload, conversation)
    return Reading(key, conversation, found.body, found.source, found.origin, found.provider)


def readings(
    items: Iterable[Found | Problem | Skipped], known: AbstractSet[str]
) -> Iterator[Reading | Known | Problem | Skipped]:
    """Read the conversations of an archive. ``known``: hashes of the bytes that are stored, as of ``Body.sha256``."""
    for item in items:
        if not isinstance(item, Found):
            yield item
        elif item.body.sha256 in known:
            yield Known(item.body, item.source, item.origin, item.provider)
        else:
            yield read(item)
