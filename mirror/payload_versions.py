"""The payload versions of a conversation: those that are stored and one that arrives, read, ranked, and kept or not.

Older versions stay only for what they alone hold. No SQL, no clock, no input or output.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.errors import UnreadablePayloadError
from mirror.large_json import read_json
from mirror.normalize import ParsedPayload, normalize
from mirror.normalize.merge import holds_as_much
from mirror.store.payloads import IMPORTED, DamagedPayloadError, StoredPayload
from mirror.values import epoch_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror.body import Body
    from mirror.rows import Conversation, Message

SMALLER = "the service gave fewer messages than are stored; it is read again to be sure"


class Arrival(NamedTuple):
    """A payload that just came.

    ``payload``: its JSON; ``body``: the bytes that it was. ``conversation``: what the normalizer made of it, if it was
    asked already. ``origin`` and ``proves_absence`` as in ``StoredPayload``; ``fetched_at``: ISO time; ``list_us``: the
    list time that it answers, microseconds since 1970, None for a file. ``incomplete_reason``: why it is not believed
    to be whole; what a file lacks is told by its normalizer.
    """

    conversation_id: str
    provider: str
    payload: Any
    body: Body
    origin: str
    path: str
    fetched_at: str
    list_us: int | None = None
    proves_absence: bool = False
    conversation: Conversation | None = None
    incomplete_reason: str | None = None


class Version(NamedTuple):
    """A payload version and, once it has been read, its rows."""

    stored: StoredPayload
    parsed: ParsedPayload


class UnreadVersion(NamedTuple):
    """A payload version that cannot be read, and why: its bytes are damaged, or our reading of them fails."""

    stored: StoredPayload
    error: DamagedPayloadError | UnreadablePayloadError

    @property
    def is_damaged(self) -> bool:
        """Whether it is the bytes that are wrong."""
        return isinstance(self.error, DamagedPayloadError)


def is_stored(arrival: Arrival, versions: Sequence[StoredPayload]) -> bool:
    """Whether these bytes are stored already and nothing newer came from the service since."""
    digest = arrival.body.sha256
    if arrival.origin in IMPORTED:
        return any(version.sha256 == digest for version in versions)
    return bool(versions) and versions[-1].sha256 == digest


def read_versions(
    provider: str, stored: Sequence[StoredPayload], arrival: Arrival | None, *, are_read: bool
) -> tuple[list[Version], list[UnreadVersion]]:
    """Return the stored versions and the arrival, oldest first, each read; and those that cannot be read.

    ``are_read``: False where the arrival has all that the stored ones have, which are left out then. Raises
    DamagedPayloadError and UnreadablePayloadError for those where nothing arrived, and for the arrival itself.
    """
    found: list[Version] = []
    unread: list[UnreadVersion] = []
    for old in stored if are_read else ():
        try:
            found.append(Version(old, _parsed(old, normalize(provider, read_json(old.body)))))
        except (DamagedPayloadError, UnreadablePayloadError) as error:
            if arrival is None:
                raise
            unread.append(UnreadVersion(old, error))
    if arrival is not None:
        conversation = arrival.conversation or normalize(provider, arrival.payload)
        new = stored_form(arrival, _rank(arrival, conversation, stored), conversation)
        found.append(Version(new, _parsed(new, conversation)))
    return sorted(found, key=lambda v: (v.stored.payload_us, v.stored.id or float("inf"))), unread


def judged(version: Version) -> Version:
    """Judge a file's copy by what its normalizer says of it now: an older one may have said nothing."""
    if version.stored.is_live:
        return version
    reason = version.parsed.conversation.incomplete_reason
    return version._replace(stored=replace(version.stored, incomplete_reason=reason))


def _parsed(version: StoredPayload, conversation: Conversation) -> ParsedPayload:
    return ParsedPayload(
        conversation=conversation,
        seen_at=version.fetched_at,
        proves_absence=version.proves_absence,
        is_import=not version.is_live,
    )


def _rank(arrival: Arrival, conversation: Conversation, versions: Sequence[StoredPayload]) -> int:
    """Return the time that places an arrival among the stored versions, microseconds since 1970.

    What the service gives is newer than all that it gave before, whatever times it carries (batch times can be stale,
    API notes §3.4). A file stands where its own update time puts it, and below a live payload of the same moment, which
    says more.
    """
    rank = max(epoch_us(conversation.updated_at) or 0, arrival.list_us or 0)
    live = [version.payload_us for version in versions if version.is_live]
    if arrival.incomplete_reason == SMALLER and live:
        return max(live) - 1  # it adds what it has, and neither its leaf nor its gaps count yet
    if arrival.origin not in IMPORTED:
        return max([rank, *live])
    return rank - 1 if rank in live else rank


def stored_form(arrival: Arrival, payload_us: int, conversation: Conversation | None) -> StoredPayload:
    """Return an arrival as it is to be stored, at its place among the versions; ``conversation``: None if not read."""
    by_itself = conversation.incomplete_reason if conversation and arrival.origin in IMPORTED else None
    return StoredPayload(
        id=None,
        origin=arrival.origin,
        path=arrival.path,
        fetched_at=arrival.fetched_at,
        payload_us=payload_us,
        proves_absence=arrival.proves_absence,
        size=arrival.body.size,
        sha256=arrival.body.sha256,
        packed=arrival.body.pack(),
        incomplete_reason=arrival.incomplete_reason or by_itself,
    )


def needed(versions: Sequence[ParsedPayload]) -> list[int]:
    """Return the indexes of the versions that must stay: the newest, and older ones that alone hold something.

    What the service gave last stays even where a file is newer, for a file proves nothing gone. The first whole tree
    after a kept version stays too: it dates what vanished.
    """
    newer: dict[str, str] = {}
    in_file: dict[str, Message] = {}  # what only files newer than this version hold of a message
    kept = {len(versions) - 1, *[n for n, version in enumerate(versions) if not version.is_import][-1:]}
    for n in range(len(versions) - 1, -1, -1):
        messages = versions[n].conversation.messages
        if any(m.id not in newer or m.text not in newer[m.id] for m in messages):
            kept.add(n)
        if any(m.id in in_file and not holds_as_much(in_file[m.id], m) for m in messages):
            kept.add(n)
        for m in messages:
            if not versions[n].is_import:
                in_file.pop(m.id, None)
            elif m.id not in newer:
                in_file[m.id] = m
            newer[m.id] = newer.get(m.id) or m.text
    for n in sorted(kept):
        kept.update(next(([k] for k in range(n + 1, len(versions)) if versions[k].proves_absence), []))
    return sorted(kept)
