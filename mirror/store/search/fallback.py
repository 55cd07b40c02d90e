"""What comes close, where few messages hold all of the words: conversations that hold them in several, or most of them.

A title often names the matter and a message the detail. Each word is sought by itself, and a conversation counts by
how much of what was asked it holds; a rare word is more of it than a common one. A word that stands nowhere is taken
for the beginning of one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mirror.store.search.candidates import RANKED, Filters, Query, Where, candidates, count, in_message, titles
from mirror.store.search.scoring import Group, grouped
from mirror.store.search.snippets import is_stem

if TYPE_CHECKING:
    import sqlite3

    from mirror.store.search.query import Word
    from mirror.store.search.scoring import Candidate, Title

ENOUGH = 5  # conversations with all the words in one message; with fewer it is worth to look further
WORDS = 8  # the rarest of them are sought
POOL = 400  # conversations that are looked at
SOUGHT = 200  # messages of a word, the best ones
LEAST = 0.4  # of what was asked a conversation must hold
_BESIDE = 0.7  # of what the best one holds
_NEAR = 0.6  # what such a find is worth beside all the words in one message
_SHORTEST = 3  # letters of what may be the beginning of a word
_ROUNDING = 1e-9


@dataclass(slots=True)
class Near:
    """A conversation that comes close: what was found of it, and the words that it does not hold."""

    group: Group
    missing: tuple[str, ...] = ()


@dataclass(slots=True)
class _Part:
    """One of the words: how many messages and titles hold it, how much of the question it is, where it was found."""

    word: Word
    query: Query
    matches: int
    weight: float = 0.0
    titles: list[Title] = field(default_factory=list)
    messages: list[Candidate] = field(default_factory=list)
    conversations: set[str] = field(default_factory=set)


def near(
    conn: sqlite3.Connection, query: Query, filters: Filters, conversation: Where, *, whole: bool
) -> tuple[dict[str, Near], list[Word]]:
    """Return conversations by id, and the words as they were sought; ``whole``: only those that hold all of them."""
    parts = [_part(conn, query, word, filters, conversation) for word in query.words if not word.is_excluded]
    if len(parts) < 2 and all(part.word in query.words for part in parts):  # noqa: PLR2004 - one word found nothing else
        return {}, list(query.words)
    rare = sorted(part.matches for part in parts)[:WORDS][-1]
    parts = [part for part in parts if part.matches <= rare][:WORDS]
    _weigh(conn, parts)
    for part in parts:
        if part.matches <= RANKED:
            _seek(conn, part, filters, conversation)
    pool = _pool(parts)
    for part in parts:
        part.conversations |= _holding(conn, part, pool, filters, conversation)
    found = _scored(parts, pool, whole=whole)
    return found, [part.word for part in parts] + [word for word in query.words if word.is_excluded]


def _part(conn: sqlite3.Connection, query: Query, word: Word, filters: Filters, conversation: Where) -> _Part:
    part = _alone(conn, query, word)
    may_begin = word.is_spaced and not word.is_prefix and len(word.text) >= _SHORTEST and is_stem(word.text)
    if part.matches or not may_begin or titles(conn, replace(part.query, runs=""), filters, conversation):
        return part
    return _alone(conn, query, replace(word, is_prefix=True))


def _alone(conn: sqlite3.Connection, query: Query, word: Word) -> _Part:
    excluded = [other for other in query.words if other.is_excluded]
    alone = Query.of_words(conn, [word, *excluded])
    return _Part(word, alone, min((count(conn, *side) for side in alone.wanted), default=0))


def _weigh(conn: sqlite3.Connection, parts: list[_Part]) -> None:
    """Give each word its share of the question, all together 1."""
    messages = conn.execute("SELECT max(rowid) FROM messages").fetchone()[0] or 1
    weights = [math.log(2 + messages / (1 + part.matches)) for part in parts]
    for part, weight in zip(parts, weights, strict=True):
        part.weight = weight / sum(weights)


def _seek(conn: sqlite3.Connection, part: _Part, filters: Filters, conversation: Where) -> None:
    part.titles = titles(conn, replace(part.query, runs=""), filters, conversation)
    found, _ = candidates(conn, part.query, filters, conversation, 1, latest=False, first=(SOUGHT, SOUGHT))
    part.messages = [one for one in found if filters.branches != "visible" or one.position is not None]
    part.conversations = {one.conversation_id for one in part.titles} | {one.conversation_id for one in part.messages}


def _pool(parts: list[_Part]) -> list[str]:
    """Return the conversations that hold most of what was asked, as far as is known."""
    held: dict[str, float] = {}
    for part in parts:
        for conversation_id in part.conversations:
            held[conversation_id] = held.get(conversation_id, 0.0) + part.weight
    return sorted(held, key=lambda conversation_id: (-held[conversation_id], conversation_id))[:POOL]


def _holding(conn: sqlite3.Connection, part: _Part, pool: list[str], filters: Filters, conversation: Where) -> set[str]:
    """Return which of the pool hold a word of which only the best matches were looked at."""
    if part.matches <= SOUGHT or not pool:
        return set()
    where = in_message(replace(part.query, unwanted=()), filters, conversation, None)
    where.add(f"m.conversation_id IN ({', '.join('?' * len(pool))})", *pool)
    if filters.branches == "visible":
        where.add("m.position IS NOT NULL")
    sql = f"SELECT DISTINCT m.conversation_id FROM messages m WHERE {where}"
    return {row[0] for row in conn.execute(sql, where.values)}


def _scored(parts: list[_Part], pool: list[str], *, whole: bool) -> dict[str, Near]:
    alone = [(part, grouped(part.titles, part.messages)) for part in parts]
    shares = {key: sum(part.weight for part in parts if key in part.conversations) for key in pool}
    most = max(shares.values(), default=0.0)
    least = 1.0 if whole or most > 1.0 - _ROUNDING else max(LEAST, _BESIDE * most)
    found: dict[str, Near] = {}
    for key in (key for key, share in shares.items() if share > least - _ROUNDING):
        groups = [(part.weight, groups[key]) for part, groups in alone if key in groups]
        missing = tuple(part.word.text for part in parts if key not in part.conversations)
        found[key] = Near(_joined(groups, shares[key]), missing)
    return found


def _joined(groups: list[tuple[float, Group]], share: float) -> Group:
    """Return what the words found as one group; a message's score is that of each word in it, by the word's weight."""
    joined = Group()
    scores: dict[int, float] = {}
    messages: dict[int, Candidate] = {}
    for weight, group in groups:
        worth = weight * _NEAR * share * share
        joined.newest = max(joined.newest, group.newest)
        joined.title += worth * group.title
        for score, one in group.messages:
            scores[one.rowid] = scores.get(one.rowid, 0.0) + worth * score
            messages[one.rowid] = one
    joined.messages = [(score, messages[rowid]) for rowid, score in scores.items()]
    return joined
