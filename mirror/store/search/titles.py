"""Conversations whose title matches; titles are few and short enough to be scanned as well."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from mirror.store.search.candidates import count_matches
from mirror.store.search.folding import HAS_PART, folded, is_beyond_ascii
from mirror.store.search.query import CHARACTER_INDEX, WORD_INDEX, IndexMatch, is_unlike_index
from mirror.store.search.request import Conditions
from mirror.store.search.scoring import TitleMatch

if TYPE_CHECKING:
    from mirror.store.search.request import Search

_TITLE_INDEX = "conversations_fts"
_HAS_WORD = f"{is_beyond_ascii('title')} AND {HAS_PART}(title, ?)"


def matching_titles(search: Search) -> list[TitleMatch]:
    """Return conversations whose title matches; none where the filters ask for messages."""
    if search.filters.asks_for_messages or not search.query.wanted:
        return []
    conditions, match = _title_conditions(search), dict(search.query.wanted).get(WORD_INDEX)
    tables, rank, order = "conversations c", "0.0", "c.updated_at DESC"
    if match and count_matches(search, IndexMatch(_TITLE_INDEX, match)) <= search.limits.ranked:
        tables, rank = f"{_TITLE_INDEX} f CROSS JOIN conversations c ON c.rowid = f.rowid", "f.rank"
        order = "rank, date DESC"
        conditions.add(f"{_TITLE_INDEX} MATCH ?", match)
    elif match:
        conditions.add_match("+c.rowid", _TITLE_INDEX, match)  # the plus sign leaves the order to the index of times
    conditions.add_beginnings(search.query, "c.title")
    sql = f"SELECT c.id AS conversation_id, ifnull(c.updated_at, '') AS date, {rank} AS rank FROM {tables}"
    sql += f" WHERE {conditions} ORDER BY {order} LIMIT {search.limits.titles}"
    found = [TitleMatch._make(row) for row in search.conn.execute(sql, conditions.values)]
    return found + _titles_unlike_index(search, {title.conversation_id for title in found})


def _title_conditions(search: Search) -> Conditions:
    conditions, filters = Conditions(), search.filters
    _add_words_not_in_index(conditions, search)
    conditions.add_period(filters, "c.updated_at", "c.created_at")
    conditions.add(str(search.conversations), *search.conversations.values)
    return conditions


def _add_words_not_in_index(conditions: Conditions, search: Search) -> None:
    """Add exclusions, and words that the index of titles cannot find inside a run of characters."""
    if match := dict(search.query.unwanted).get(WORD_INDEX):
        conditions.add_match("c.rowid", _TITLE_INDEX, match, is_excluded=True)
    for word in search.query.words:
        if word.in_character_index:
            negation = "NOT " if word.is_excluded else ""
            with_word = f"SELECT rowid FROM conversations WHERE {_HAS_WORD}"
            conditions.add(f"c.rowid {negation}IN ({with_word})", folded(word.text))


def _titles_unlike_index(search: Search, known: set[str]) -> list[TitleMatch]:
    """Return titles that have spaced words as their index does not: see ``is_unlike_index``."""
    conn, query = search.conn, search.query
    wanted = [word for word in query.words if word.in_word_index and not word.is_excluded]
    may_have_some = query.inside_cjk and (
        any(word.is_composed for word in wanted) or conn.execute(f"SELECT 1 FROM {CHARACTER_INDEX} LIMIT 1").fetchone()
    )
    highest = "SELECT ifnull(max(rowid), 0) FROM conversations"
    if not may_have_some or conn.execute(highest).fetchone()[0] > search.limits.scanned_titles:
        return []
    conditions = _title_conditions(search)
    with_words = f"SELECT rowid FROM conversations WHERE {' AND '.join([_HAS_WORD] * len(wanted))}"
    conditions.add(f"c.rowid IN ({with_words})", *(folded(word.text) for word in wanted))
    for word in query.words:
        if word.in_word_index and word.is_excluded:
            conditions.add(f"NOT {HAS_PART}(c.title, ?)", folded(word.text))
    sql = "SELECT c.id, ifnull(c.updated_at, '') AS date, c.title FROM conversations c"
    rows = conn.execute(f"{sql} WHERE {conditions} ORDER BY date DESC", conditions.values)
    found = (
        TitleMatch(row["id"], row["date"], 0.0)
        for row in rows
        if row["id"] not in known and is_unlike_index(row["title"])
    )
    return list(islice(found, search.limits.titles))
