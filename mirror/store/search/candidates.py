"""Which messages match: what was typed and the filters, as SQL.

Two indexes find words, ``messages_fts`` those between spaces and ``messages_cjk`` those inside runs of CJK characters;
one of them drives the query and the other is a condition. bm25 visits every match and says least about the commonest
words, so up to ``SearchLimits.ranked`` matches are fetched in its order, and of more the newest. "Newest" goes by
``created_at``, never by rowid: a first sync and imports store old conversations after new ones.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.store.search.query import CHARACTER_INDEX, IndexMatch, Query
from mirror.store.search.request import Conditions
from mirror.store.search.scoring import Candidate, rank_scale

if TYPE_CHECKING:
    from mirror.store.search.request import Search

_COLUMNS = (
    "m.rowid, m.id, m.conversation_id, m.role, m.kind, m.model, m.created_at, m.is_hidden, m.position, m.removed_at"
)
_GROWTH = 8  # by judgement: how many times more matches are fetched where the first ones are of too few conversations
_SHARE = 2  # among so many times the messages that are wanted there are enough with a word that more than half have
_GAP = 100  # rowids between two parts; measured: reading so many costs about as much as to look for another part


class Candidates(NamedTuple):
    """Messages that match, and whether they are all there are."""

    messages: list[Candidate]
    is_complete: bool


class _Statement(NamedTuple):
    """A query with {most} for the number of rows, and the values that it binds."""

    sql: str
    values: list[Any]


def matching_messages(search: Search) -> Candidates:
    """Return messages that match, of as many conversations as are wanted if there are so many."""
    query = search.query
    if not query.wanted:
        return Candidates([], is_complete=True)
    found = _found_by_indexes(search)
    inside_cjk = IndexMatch(CHARACTER_INDEX, query.inside_cjk)
    more = count_matches(search, inside_cjk) if query.inside_cjk else 0
    # Where there are very many of either kind, those that were found are enough.
    if not more or (more > search.limits.ranked and not found.is_complete):
        return found
    others = _found_by_indexes(search.for_query(Query(query.words, (inside_cjk,), query.not_inside_cjk)))
    return Candidates(_combined(found.messages, others.messages), found.is_complete and others.is_complete)


def _combined(found: list[Candidate], others: list[Candidate]) -> list[Candidate]:
    """Return both, ranked so that the best find of one index is as good as the best of the other."""
    scale = rank_scale([one.rank for one in found], [one.rank for one in others])
    known = {one.rowid for one in found}
    return found + [one._replace(rank=one.rank * scale) for one in others if one.rowid not in known]


def _found_by_indexes(search: Search) -> Candidates:
    counts = {match: count_matches(search, match) for match in search.query.wanted}
    driver = min(counts, key=lambda match: counts[match])  # the rarer words drive, the others are looked up
    is_ranked = counts[driver] <= (search.limits.first if search.latest else search.limits.ranked)
    if not is_ranked and _passes_by_index(search) and _is_in_most(search, driver):
        found = _among_the_newest(search, driver)
        if found and _conversations_shown(search, found) >= search.limit:
            return Candidates(found, is_complete=False)
    statement = _best(search, driver) if is_ranked else _newest(search)
    most = search.first_ranked if is_ranked else search.first_newest
    while True:
        found = _fetched(search, statement, most)
        is_complete = most >= counts[driver] if is_ranked else len(found) < most
        if is_complete or _conversations_shown(search, found) >= search.limit:
            return Candidates(found, is_complete)
        most *= _GROWTH


def _fetched(search: Search, statement: _Statement, most: int) -> list[Candidate]:
    return [Candidate._make(row) for row in search.conn.execute(statement.sql.format(most=most), statement.values)]


def _conversations_shown(search: Search, found: list[Candidate]) -> int:
    has_all = search.filters.branches != "visible"
    return len({one.conversation_id for one in found if has_all or one.position is not None})


def count_matches(search: Search, match: IndexMatch) -> int:
    """Return how many rows of an index match, up to one more than ``SearchLimits.ranked``."""
    # Matching without bm25 is cheap, and the LIMIT ends it early.
    most = search.limits.ranked + 1
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {match.table} WHERE {match.table} MATCH ? LIMIT {most})"
    count: int = search.conn.execute(sql, (match.expression,)).fetchone()[0]
    return count


def _best(search: Search, driver: IndexMatch) -> _Statement:
    """Return what selects the {most} best matches by bm25, and of these what the conditions leave."""
    table = driver.table
    # With the plus sign SQLite sorts numbers; FTS5's own order by rank takes the places of the words along and reads
    # each of the best again.
    ranked = f"SELECT rowid, rank FROM {table} WHERE {table} MATCH ? ORDER BY +rank LIMIT {{most}}"
    conditions = message_conditions(search, driver, of_few=True)
    is_as_typed, typed = _as_typed(search.query)
    sql = f"SELECT {_COLUMNS}, f.rank AS rank, {is_as_typed} AS is_as_typed"
    sql += f" FROM ({ranked}) f CROSS JOIN messages m ON m.rowid = f.rowid WHERE {conditions}"
    return _Statement(sql, [*typed, driver.expression, *conditions.values])


def _newest(search: Search) -> _Statement:
    """Return what selects the {most} newest matches that the conditions leave, without bm25."""
    conditions = message_conditions(search)
    if not _is_rare_kind(search):
        return _by_time(search, conditions)
    conditions.add("m.kind = ?", search.filters.kind)
    return _by_time(search, conditions, plus="+")


def _is_rare_kind(search: Search) -> bool:
    """Tell whether so few messages are of the wanted kind that its index finds them sooner than that of times."""
    if search.filters.kind is None:
        return False
    most = search.limits.ranked
    sql = f"SELECT count(*) FROM (SELECT 1 FROM messages WHERE kind = ? LIMIT {most + 1})"
    count: int = search.conn.execute(sql, (search.filters.kind,)).fetchone()[0]
    return count <= most


def _by_time(search: Search, conditions: Conditions, plus: str = "") -> _Statement:
    """Return what selects the {most} newest that the conditions leave; with a ``plus`` not by the index of times."""
    is_as_typed, typed = _as_typed(search.query)
    sql = f"SELECT {_COLUMNS}, 0.0 AS rank, {is_as_typed} AS is_as_typed"
    sql += f" FROM messages m WHERE {conditions} ORDER BY {plus}m.created_at DESC LIMIT {{most}}"
    return _Statement(sql, [*typed, *conditions.values])


def _passes_by_index(search: Search) -> bool:
    """Tell whether the index of times knows all that is asked of a message beside words.

    A beginning is no such word: FTS5 makes its list anew for each part of the table, from those of all words.
    """
    has_words_alone = not (search.query.beginnings or search.conversations.values)
    return has_words_alone and not search.filters.kind and search.filters.branches != "other"


def _is_in_most(search: Search, driver: IndexMatch) -> bool:
    """Tell whether more than half of the first messages match."""
    most, table = search.limits.ranked, driver.table
    sql = f"SELECT rowid FROM {table} WHERE {table} MATCH ? LIMIT 1 OFFSET {most}"
    row = search.conn.execute(sql, (driver.expression,)).fetchone()
    return row is not None and row["rowid"] <= _SHARE * most


def _among_the_newest(search: Search, driver: IndexMatch) -> list[Candidate]:
    """Return the newest matches, which are among the newest messages; none where those are too few.

    The whole list of a word that is in most messages takes 100 ms to read where there are a million. The newest
    messages are of few conversations, and a conversation's messages are stored side by side, so that a few parts of
    the list have them.
    """
    most = search.first_newest
    filters = message_conditions(search.for_query(Query((), (), ())))
    sql = f"SELECT m.rowid, m.created_at FROM messages m WHERE {filters} ORDER BY m.created_at DESC LIMIT ?"
    newest = search.conn.execute(sql, (*filters.values, _SHARE * most)).fetchall()
    if not newest or newest[-1]["created_at"] is None:
        return []
    conditions, table = message_conditions(search, driver), driver.table
    conditions.add("m.created_at > ?", newest[-1]["created_at"])
    parts = (
        f"SELECT {table}.rowid FROM json_each(?) part CROSS JOIN {table} WHERE {table} MATCH ? AND {table}.rowid"
        " BETWEEN json_extract(part.value, '$[0]') AND json_extract(part.value, '$[1]')"
    )
    conditions.add(f"+m.rowid IN ({parts})", json.dumps(_parts([row["rowid"] for row in newest])), driver.expression)
    found = _fetched(search, _by_time(search, conditions), most)
    return found if len(found) == most else []


def _parts(rowids: list[int]) -> list[tuple[int, int]]:
    """Return first and last rowid of each part of the table that has these, small gaps with them."""
    parts: list[tuple[int, int]] = []
    for rowid in sorted(rowids):
        is_near = parts and rowid - parts[-1][1] <= _GAP
        parts.append((parts.pop()[0] if is_near else rowid, rowid))
    return parts


def _as_typed(query: Query) -> tuple[str, list[str]]:
    """Return the SQL for whether a text has the words with symbols as typed, and its values."""
    typed = [word.text.lower() for word in query.words if word.has_symbols]
    return " AND ".join(["1", *["instr(lower(m.text), ?) > 0"] * len(typed)]), typed


def message_conditions(search: Search, driver: IndexMatch | None = None, *, of_few: bool = False) -> Conditions:
    """Return the filters on messages, and the words except those of the ``driver``.

    ``of_few``: they are for so few messages that the conversation of each is looked up; a list is made otherwise.
    """
    # The plus signs keep SQLite from an index that would spoil the order by time.
    conditions, filters = Conditions(), search.filters
    for column, value in (("role", filters.role), ("kind", filters.kind), ("model", filters.model)):
        if value is not None:
            conditions.add(f"+m.{column} = ?", value)
    if filters.branches == "other":
        conditions.add("+m.position IS NULL")
    conditions.add_period(filters, "m.created_at")
    if search.conversations.values:
        one = f"EXISTS (SELECT 1 FROM conversations c WHERE c.id = m.conversation_id AND {search.conversations})"
        listed = f"+m.conversation_id IN (SELECT c.id FROM conversations c WHERE {search.conversations})"
        conditions.add(one if of_few else listed, *search.conversations.values)
    _add_matches(conditions, search.query, driver)
    return conditions


def _add_matches(conditions: Conditions, query: Query, driver: IndexMatch | None) -> None:
    for match in query.wanted:
        if match != driver:
            conditions.add_match("+m.rowid", *match)
    for match in query.unwanted:
        conditions.add_match("+m.rowid", *match, is_excluded=True)
    conditions.add_beginnings(query, "m.text")
