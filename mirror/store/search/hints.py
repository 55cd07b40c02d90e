"""Why a search that found nothing could find nothing, and what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirror.services import conversation_id_in
from mirror.store.search.dates import parse_period
from mirror.store.search.query import only_leaves_out, parse_words
from mirror.store.threads import named_by_id

if TYPE_CHECKING:
    import sqlite3

    from mirror.store.search.request import Filters


class Hint(NamedTuple):
    """A sentence for the person; ``conversation_id``: the conversation that was meant."""

    said: str
    conversation_id: str | None = None


def hint_for(conn: sqlite3.Connection, typed: str, filters: Filters) -> Hint | None:
    """Return the hint for a search without results; None where it was only that nothing matches."""
    if only_leaves_out(typed):
        return Hint("A word with a minus is left out; add a word to find.")
    if not parse_words(typed):
        return Hint("There is no word in it to find.")
    if filters.since is not None and filters.until is not None and _is_empty(filters.since, filters.until):
        return Hint(f"Nothing is from {filters.since} to {filters.until}: the first is the later one.")
    if meant := named_by_id(conn, typed):
        return Hint("A search finds words, and this is the id or address of a conversation.", meant)
    if "/" in typed and conversation_id_in(typed.strip()):
        return Hint("A search finds words; the conversation with this address is not in the mirror.")
    return None


def _is_empty(since: str, until: str) -> bool:
    return parse_period(since).begin >= parse_period(until).end
