"""Partial matches: conversations that have the words in several messages, or most of the words.

They are looked for where few messages have all of the words. A title often names the subject and a message the detail.
Each word is looked for alone, and a conversation counts by the share of the question that it has; a rare word is a
larger share than a common one. A word that is found nowhere is taken for the beginning of one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from mirror.store.search.candidates import count_matches, matching_messages, message_conditions
from mirror.store.search.query import Query
from mirror.store.search.request import Conditions
from mirror.store.search.scoring import ConversationMatch, scored
from mirror.store.search.titles import matching_titles

if TYPE_CHECKING:
    from mirror.store.search.query import Word
    from mirror.store.search.request import Search
    from mirror.store.search.scoring import Candidate, TitleMatch

# By judgement, tried with the questions in tests/test_search_demo.py. Smaller shares show conversations that have
# little to do with the question, larger ones show nothing.
LEAST_SHARE = 0.4  # of the question that a conversation must have
LEAST_BESIDE_BEST = 0.7  # of the share that the best one has
PARTIAL_WORTH = 0.6  # of the same words found in one message
SHORTEST_BEGINNING = 3  # letters; by judgement: one or two letters begin too many words
_ROUNDING = 1e-9  # the error of a sum of shares


class PartialMatches(NamedTuple):
    """Conversations by id, and the words as they were looked for."""

    conversations: dict[str, ConversationMatch]
    words: list[Word]


@dataclass(slots=True)
class _WordMatches:
    """A word, how many messages have it, its share of the question, and where it was found."""

    word: Word
    query: Query
    count: int
    share: float = 0.0
    titles: list[TitleMatch] = field(default_factory=list)
    messages: list[Candidate] = field(default_factory=list)
    conversations: set[str] = field(default_factory=set)


def partial_matches(search: Search, *, require_all: bool) -> PartialMatches:
    """Return conversations with the words in several messages; ``require_all``: with all of them."""
    words = search.query.words
    found = [_count_alone(search, word) for word in words if not word.is_excluded]
    if len(found) < 2 and all(one.word in words for one in found):  # noqa: PLR2004 - one word alone is no partial match
        return PartialMatches({}, list(words))
    commonest = sorted(one.count for one in found)[: search.limits.words][-1]
    found = [one for one in found if one.count <= commonest][: search.limits.words]
    _set_shares(search, found)
    for one in found:
        if one.count <= search.limits.ranked:
            _find_alone(search, one)
    pool = _pool(found, search.limits.pool)
    for one in found:
        one.conversations |= _in_pool(search, one, pool)
    conversations = _scored_by_share(found, pool, require_all=require_all)
    return PartialMatches(conversations, [one.word for one in found] + [word for word in words if word.is_excluded])


def _count_alone(search: Search, word: Word) -> _WordMatches:
    """Return a word with its count; one that is found nowhere as the beginning of a word."""
    alone = _without_others(search, word)
    may_begin = word.in_word_index and not word.is_prefix and len(word.text) >= SHORTEST_BEGINNING
    if alone.count or not may_begin or _titles_alone(search, alone):
        return alone
    return _without_others(search, replace(word, is_prefix=True))


def _without_others(search: Search, word: Word) -> _WordMatches:
    excluded = [other for other in search.query.words if other.is_excluded]
    query = Query.of_words(search.conn, [word, *excluded])
    return _WordMatches(word, query, min((count_matches(search, match) for match in query.wanted), default=0))


def _titles_alone(search: Search, one: _WordMatches) -> list[TitleMatch]:
    return matching_titles(search.for_query(replace(one.query, inside_cjk="")))


def _set_shares(search: Search, found: list[_WordMatches]) -> None:
    """Give each word its share of the question, all together 1."""
    messages = search.conn.execute("SELECT max(rowid) FROM messages").fetchone()[0] or 1
    weights = [math.log(2 + messages / (1 + one.count)) for one in found]
    for one, weight in zip(found, weights, strict=True):
        one.share = weight / sum(weights)


def _find_alone(search: Search, one: _WordMatches) -> None:
    one.titles = _titles_alone(search, one)
    messages = matching_messages(search.for_one_word(one.query)).messages
    has_all = search.filters.branches != "visible"
    one.messages = [message for message in messages if has_all or message.position is not None]
    one.conversations = {title.conversation_id for title in one.titles}
    one.conversations |= {message.conversation_id for message in one.messages}


def _pool(found: list[_WordMatches], most: int) -> list[str]:
    """Return the conversations that have most of the question, as far as is known."""
    shares: dict[str, float] = {}
    for one in found:
        for conversation_id in one.conversations:
            shares[conversation_id] = shares.get(conversation_id, 0.0) + one.share
    return sorted(shares, key=lambda conversation_id: (-shares[conversation_id], conversation_id))[:most]


def _in_pool(search: Search, one: _WordMatches, pool: list[str]) -> set[str]:
    """Return which of the pool have a common word, of which only the best matches were fetched."""
    if one.count <= search.limits.per_word or not pool:
        return set()
    # The filters on conversations left these.
    alone = replace(search, query=replace(one.query, unwanted=()), conversations=Conditions())
    conditions = message_conditions(alone)
    conditions.add(f"m.conversation_id IN ({', '.join('?' * len(pool))})", *pool)
    if search.filters.branches == "visible":
        conditions.add("m.position IS NOT NULL")
    sql = f"SELECT DISTINCT m.conversation_id FROM messages m WHERE {conditions}"
    return {row["conversation_id"] for row in search.conn.execute(sql, conditions.values)}


def _scored_by_share(found: list[_WordMatches], pool: list[str], *, require_all: bool) -> dict[str, ConversationMatch]:
    alone = [(one, scored(one.titles, one.messages)) for one in found]
    shares = {key: sum(one.share for one in found if key in one.conversations) for key in pool}
    most = max(shares.values(), default=0.0)
    least = 1.0 if require_all or most > 1.0 - _ROUNDING else max(LEAST_SHARE, LEAST_BESIDE_BEST * most)
    matches: dict[str, ConversationMatch] = {}
    for key in (key for key, share in shares.items() if share > least - _ROUNDING):
        of_words = [(one.share, by_id[key]) for one, by_id in alone if key in by_id]
        matches[key] = _merged(of_words, shares[key])
        matches[key].missing = tuple(one.word.text for one in found if key not in one.conversations)
    return matches


def _merged(of_words: list[tuple[float, ConversationMatch]], share: float) -> ConversationMatch:
    """Return the finds of several words as one; each word adds to a message's score by its share."""
    merged = ConversationMatch()
    scores: dict[int, float] = {}
    messages: dict[int, Candidate] = {}
    for weight, match in of_words:
        worth = weight * PARTIAL_WORTH * share * share
        merged.newest = max(merged.newest, match.newest)
        merged.title_score += worth * match.title_score
        for score, message in match.messages:
            scores[message.rowid] = scores.get(message.rowid, 0.0) + worth * score
            messages[message.rowid] = message
    merged.messages = [(score, messages[rowid]) for rowid, score in scores.items()]
    return merged
