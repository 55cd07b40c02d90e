"""All conversations, and files, that a search selects, in no order of relevance: for what is done with each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.store.search.candidates import matching_messages, message_conditions
from mirror.store.search.fallback import partial_matches
from mirror.store.search.files import by_name
from mirror.store.search.request import Conditions, Filters, SearchLimits, search_for
from mirror.store.search.titles import matching_titles

if TYPE_CHECKING:
    import sqlite3

    from mirror.store.search.request import Search

# Nothing is ranked, so nothing need be left out to keep a page quick: every number is more than a mirror can hold.
_EVERYTHING = 1_000_000_000
_ALL = SearchLimits(
    ranked=_EVERYTHING,
    first=_EVERYTHING,
    first_newest=_EVERYTHING,
    titles=_EVERYTHING,
    per_word=_EVERYTHING,
    words=_EVERYTHING,
    scanned_titles=_EVERYTHING,
    enough=_EVERYTHING,
    pool=_EVERYTHING,
)


def selected(conn: sqlite3.Connection, typed: str, filters: Filters) -> list[str]:
    """Return the ids of all conversations that have all of the words, the oldest first; without words all that pass.

    Words may be in several messages of a conversation, and in its title. Raises UsageError as a search does.
    """
    wanted = search_for(conn, typed, filters, _EVERYTHING, latest=True, is_counted=False, limits=_ALL)
    found = _with_words(wanted) if typed.strip() else _without_words(wanted)
    rows = conn.execute("SELECT id FROM conversations ORDER BY created_at, id")
    return [row["id"] for row in rows if row["id"] in found]


def selected_files(conn: sqlite3.Connection, typed: str) -> list[str]:
    """Return the ids of all files whose name or prompt has all of the words; none if there is no word to find."""
    wanted = search_for(conn, typed, Filters(), _EVERYTHING, latest=True, is_counted=False, limits=_ALL)
    return sorted({one.id for way in by_name(wanted) for one in way.files})


def _with_words(wanted: Search) -> set[str]:
    has_all = wanted.filters.branches != "visible"
    found = {one.conversation_id for one in matching_messages(wanted).messages if has_all or one.position is not None}
    found |= {title.conversation_id for title in matching_titles(wanted)}
    spread = partial_matches(wanted, require_all=True).conversations if wanted.query.wanted else {}
    return found | {key for key, match in spread.items() if not match.missing}


def _without_words(wanted: Search) -> set[str]:
    filters = wanted.filters
    conditions = Conditions()
    conditions.add(str(wanted.conversations), *wanted.conversations.values)
    if any((filters.role, filters.kind, filters.model, filters.since, filters.until)):
        messages = message_conditions(wanted)
        if filters.branches == "visible":
            messages.add("m.position IS NOT NULL")
        conditions.add(f"c.id IN (SELECT m.conversation_id FROM messages m WHERE {messages})", *messages.values)
    rows = wanted.conn.execute(f"SELECT c.id FROM conversations c WHERE {conditions}", conditions.values)
    return {row["id"] for row in rows}
