"""Is everything that an official export holds in the mirror? The completeness report; it writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.archive import Found, Problem, open_archive
from mirror.errors import IncompleteError, UnreadablePayloadError
from mirror.normalize import normalize
from mirror.normalize.invented_id import invented_id
from mirror.store import conversations, payloads

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mirror.errors import ChatmirrorError
    from mirror.normalize import Conversation

MOST_NAMED = 20


@dataclass(slots=True)
class Comparison:
    """What an export holds, and what of it the mirror lacks: conversations, and messages of those it has."""

    conversations: int = 0
    messages: int = 0
    absent: list[tuple[str, str]] = field(default_factory=list)
    incomplete: list[tuple[str, str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the lines to print."""
        yield f"the export holds {self.conversations:,} conversations with {self.messages:,} readable messages"
        lacking = sum(count for _, _, count in self.incomplete)
        yield f"the mirror lacks {len(self.absent):,} of these conversations, and {lacking:,} messages of the others"
        for key, title in self.absent[:MOST_NAMED]:
            yield f"  not in the mirror: “{title}” {key}"
        for key, title, count in self.incomplete[:MOST_NAMED]:
            yield f"  {count} messages missing: “{title}” {key}"
        if (more := len(self.absent) + len(self.incomplete) - 2 * MOST_NAMED) > 0:
            yield f"  and about {more:,} more"
        for problem in self.problems:
            yield f"  not readable: {problem}"

    @property
    def error(self) -> ChatmirrorError | None:
        """What the exit code says."""
        if not self.absent and not self.incomplete:
            return IncompleteError("Some of the export could not be read.") if self.problems else None
        return IncompleteError("The mirror does not hold all of the export; `chatmirror import` it to fill the gaps.")


def compare(conn: sqlite3.Connection, archives: Sequence[Path]) -> Comparison:
    """Compare exports with the mirror: every conversation, and every message that has readable content."""
    result = Comparison()
    for path in archives:
        with open_archive(path) as archive:
            for found in archive:
                if isinstance(found, Problem):
                    result.problems.append(f"{found.source}: {found.reason}")
                elif isinstance(found, Found):
                    _compare_found(conn, found, result)
    return result


def _compare_found(conn: sqlite3.Connection, found: Found, result: Comparison) -> None:
    try:
        conversation = normalize(found.provider, found.payload)
    except UnreadablePayloadError as error:
        result.problems.append(f"{found.source}: {error}")
        return
    # An older version can have invented another id for the same bytes.
    key = conversation.id or payloads.conversation_of(conn, found.body) or invented_id(found.payload, conversation)
    _compare_one(conn, key, conversation, result)


def _compare_one(conn: sqlite3.Connection, key: str, conversation: Conversation, result: Comparison) -> None:
    readable = [m for m in conversation.messages if m.text.strip()]
    result.conversations += 1
    result.messages += len(readable)
    title = conversation.title or "Untitled"
    stored = conversations.message_ids(conn, key)
    if not stored and not conversations.is_stored(conn, key):
        result.absent.append((key, title))
    elif lacking := sum(1 for m in readable if m.id not in stored):
        result.incomplete.append((key, title, lacking))
