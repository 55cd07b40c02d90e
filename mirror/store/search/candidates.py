"""Which messages and titles match: what was typed and the filters, as SQL.

Two indexes know the words, ``messages_fts`` the spaced ones and ``messages_cjk`` those inside runs of characters; one
of them drives the search and the other is a condition. bm25 visits every match and says least about the words that
match most, so of up to ``RANKED`` matches the best by bm25 are looked at, of more the newest. Newest goes by
``created_at``, never by rowid, for a first sync and imports store old conversations after new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from mirror.errors import UsageError
from mirror.store.search.cjk import is_filled, is_unspaced
from mirror.store.search.query import Word, expression, has_letters, like, parse, period
from mirror.store.search.scoring import Candidate, Title

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

RANKED = 20_000  # matches that bm25 puts in order
FIRST = 1_000  # of these, or of the newest where they are to be counted, how many are looked at first
FEW = 400  # of the newest where nothing is counted: every one is a place on the disk to go to
TITLES = 500  # titles that are weighed
SCANNED = 20_000  # conversations whose titles are read one by one for what no index of titles finds
WORDS, SIGNS = "messages_fts", "messages_cjk"

_COLUMNS = (
    "m.rowid, m.id, m.conversation_id, m.role, m.kind, m.model, m.created_at, m.is_hidden, m.position, m.removed_at"
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What to leave out; None: nothing. ``since`` and ``until`` (inclusive) are days, months or years as typed.

    ``model`` is exact, ``project`` an id or a name in any case. ``branches``: ``visible`` is what a person sees at the
    service, hidden messages between it, and the others only if nothing is found there; ``other``; or ``all``.
    """

    role: str | None = None
    kind: str | None = None
    model: str | None = None
    project: str | None = None
    since: str | None = None
    until: str | None = None
    archived: bool | None = None
    branches: str = "visible"


@dataclass(frozen=True, slots=True)
class Query:
    """The words, by the index that knows them: (table, FTS5 expression) of what is ``wanted`` and ``unwanted``.

    ``runs``: the expression that finds them all in the index of characters, which knows spaced words, too, where these
    stand in a run of characters; empty where there is no need.
    """

    words: tuple[Word, ...]
    wanted: tuple[tuple[str, str], ...]
    unwanted: tuple[tuple[str, str], ...]
    runs: str = ""

    @classmethod
    def of(cls, conn: sqlite3.Connection, typed: str) -> Query:
        """Return what was typed as a query; nothing is wanted where there is nothing to find.

        A mirror that no newer program has written to yet has no index of characters; the other one finds whole runs.
        """
        return cls.of_words(conn, parse(typed))

    @classmethod
    def of_words(cls, conn: sqlite3.Connection, words: Sequence[Word]) -> Query:
        """Return words as a query."""
        has_signs = is_filled(conn)
        sides = {
            WORDS: [word for word in words if word.is_spaced or (not has_signs and has_letters(word.text))],
            SIGNS: [word.apart for word in words if word.is_apart and has_signs],
        }
        matches = {table: expression(side) for table, side in sides.items()}
        wanted = tuple((table, match) for table, match in matches.items() if match)
        unwanted = tuple(
            (table, " OR ".join(word.quoted for word in side))
            for table, side in sides.items()
            if side and not matches[table]
        )
        has_spaced = any(word.is_spaced and not word.is_excluded for word in words)
        runs = expression(word.in_run for word in words) if has_signs and has_spaced else ""
        return cls(tuple(words), wanted, unwanted, runs)


class Where:
    """Conditions and their values, in step."""

    def __init__(self) -> None:
        self.conditions: list[str] = ["1"]
        self.values: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        """Add one that must hold too."""
        self.conditions.append(condition)
        self.values += values

    def __str__(self) -> str:
        return " AND ".join(self.conditions)


def in_conversation(conn: sqlite3.Connection, filters: Filters) -> Where:
    """Return the filters on conversations; raises UsageError for an unknown project."""
    where = Where()
    if filters.archived is not None:
        where.add("c.is_archived = ?", int(filters.archived))
    if filters.project is not None:
        named = "SELECT id FROM projects WHERE id = ? OR name = ? COLLATE NOCASE"
        ids = [row[0] for row in conn.execute(named, (filters.project, filters.project))]
        if not ids:
            raise UsageError(f"There is no project “{filters.project}” in this mirror; give its name or id.")
        where.add(f"c.project_id IN ({', '.join('?' * len(ids))})", *ids)
    return where


def titles(conn: sqlite3.Connection, query: Query, filters: Filters, conversation: Where) -> list[Title]:
    """Return the conversations whose title matches, at most ``TITLES``; none where the filters ask for messages."""
    if filters.role or filters.kind or filters.model or filters.branches == "other" or not query.wanted:
        return []
    where, match = _on_titles(query, filters, conversation), dict(query.wanted).get(WORDS)
    if match and count(conn, "conversations_fts", match) <= RANKED:
        tables, rank = "conversations_fts f CROSS JOIN conversations c ON c.rowid = f.rowid", "f.rank"
        where.add("conversations_fts MATCH ?", match)
    else:
        tables, rank = "conversations c", "0.0"
        if match:
            where.add("+c.rowid IN (SELECT rowid FROM conversations_fts WHERE conversations_fts MATCH ?)", match)
    sql = f"SELECT c.id, ifnull(c.updated_at, ''), {rank} FROM {tables} WHERE {where} ORDER BY 3, 2 DESC LIMIT {TITLES}"
    found = [Title(*row) for row in conn.execute(sql, where.values)]
    known = {title.conversation_id for title in found}
    return found + _titles_in_runs(conn, query, filters, conversation, known)


def _on_titles(query: Query, filters: Filters, conversation: Where) -> Where:
    where = Where()
    _add_title_words(where, query)
    if filters.since is not None:
        where.add("c.updated_at >= ?", period(filters.since)[0])
    if filters.until is not None:
        where.add("c.created_at < ?", period(filters.until)[1])
    where.add(str(conversation), *conversation.values)
    return where


def _titles_in_runs(
    conn: sqlite3.Connection, query: Query, filters: Filters, conversation: Where, known: set[str]
) -> list[Title]:
    """Return titles in which spaced words stand in a run of characters, which the index of titles takes for one."""
    has_runs = query.runs and conn.execute(f"SELECT 1 FROM {SIGNS} LIMIT 1").fetchone()
    if not has_runs or conn.execute("SELECT ifnull(max(rowid), 0) FROM conversations").fetchone()[0] > SCANNED:
        return []
    where = _on_titles(query, filters, conversation)
    wanted = [like(word) for word in query.words if word.is_spaced and not word.is_excluded]
    likes = " AND ".join(["ifnull(title, '') LIKE ? ESCAPE '\\'"] * len(wanted))
    where.add(f"c.rowid IN (SELECT rowid FROM conversations WHERE {likes})", *wanted)
    sql = f"SELECT c.id, ifnull(c.updated_at, ''), c.title FROM conversations c WHERE {where} ORDER BY 2 DESC"
    rows = (row for row in conn.execute(sql, where.values) if row[0] not in known and is_unspaced(row[2]))
    return [Title(row[0], row[1], 0.0) for row in islice(rows, TITLES)]


def _add_title_words(where: Where, query: Query) -> None:
    """Add what the index of titles cannot find: few and short, titles are looked at, in the index that sorts them."""
    if match := dict(query.unwanted).get(WORDS):
        where.add("c.rowid NOT IN (SELECT rowid FROM conversations_fts WHERE conversations_fts MATCH ?)", match)
    for word in query.words:
        if word.is_apart:
            negation = "NOT " if word.is_excluded else ""
            sought = "SELECT rowid FROM conversations WHERE ifnull(title, '') LIKE ? ESCAPE '\\'"
            where.add(f"c.rowid {negation}IN ({sought})", like(word))


def looks(*, counted: bool) -> tuple[int, int]:
    """Return how many matches are looked at first, the best ones or the newest."""
    return FIRST, FIRST if counted else FEW


def candidates(
    conn: sqlite3.Connection,
    query: Query,
    filters: Filters,
    conversation: Where,
    limit: int,
    *,
    latest: bool,
    first: tuple[int, int],
) -> tuple[list[Candidate], bool]:
    """Return the messages to weigh, of ``limit`` conversations if there are so many, and whether they are all.

    ``first``: how many are looked at first, where bm25 chooses and where time does.
    """
    if not query.wanted:
        return [], True
    found, is_complete = _found(conn, query, filters, conversation, limit, latest=latest, first=first)
    in_runs = count(conn, SIGNS, query.runs) if query.runs else 0
    if not in_runs or (in_runs > RANKED and not is_complete):  # of very many either way, these are enough
        return found, is_complete
    runs = Query(query.words, ((SIGNS, query.runs),), ())
    more, is_whole = _found(conn, runs, filters, conversation, limit, latest=latest, first=first)
    return _joined(found, more), is_complete and is_whole


def _joined(found: list[Candidate], more: list[Candidate]) -> list[Candidate]:
    """Return both, the best of either index as good as that of the other."""
    best, other = (min((one.rank for one in side), default=0.0) for side in (found, more))
    scale = best / other if best and other else float(not found)
    known = {one.rowid for one in found}
    return found + [one._replace(rank=one.rank * scale) for one in more if one.rowid not in known]


def _found(
    conn: sqlite3.Connection,
    query: Query,
    filters: Filters,
    conversation: Where,
    limit: int,
    *,
    latest: bool,
    first: tuple[int, int],
) -> tuple[list[Candidate], bool]:
    counts = {side: count(conn, *side) for side in query.wanted}
    driver = min(counts, key=lambda side: counts[side])  # the rarer words decide, the others are looked up
    where = in_message(query, filters, conversation, driver)
    by_rank = counts[driver] <= (FIRST if latest else RANKED)
    sql, values = (_ranked if by_rank else _newest)(query, *driver, where)
    most = first[0] if by_rank else first[1]
    while True:
        found = [Candidate(*row) for row in conn.execute(sql.format(most=most), values)]
        conversations = {c.conversation_id for c in found if filters.branches != "visible" or c.position is not None}
        is_complete = most >= counts[driver] if by_rank else len(found) < most
        if is_complete or len(conversations) >= limit:
            return found, is_complete
        most *= 8


def count(conn: sqlite3.Connection, table: str, match: str) -> int:
    """Return how many match, up to one more than ``RANKED``."""
    # Matching without bm25 is cheap, and the LIMIT ends it early.
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH ? LIMIT {RANKED + 1})"
    count: int = conn.execute(sql, (match,)).fetchone()[0]
    return count


def _ranked(query: Query, table: str, match: str, where: Where) -> tuple[str, list[Any]]:
    """Return what selects the best {most} matches by bm25, of these what the conditions leave."""
    best = f"SELECT rowid, rank FROM {table} WHERE {table} MATCH ? ORDER BY rank LIMIT {{most}}"
    literal, values = _literal(query)
    tables = f"({best}) f CROSS JOIN messages m ON m.rowid = f.rowid"
    sql = f"SELECT {_COLUMNS}, f.rank, {literal} FROM {tables} WHERE {where}"
    return sql, [*values, match, *where.values]


def _newest(query: Query, table: str, match: str, where: Where) -> tuple[str, list[Any]]:
    """Return what selects the newest {most} matches that the conditions leave, without bm25."""
    where.add(f"+m.rowid IN (SELECT rowid FROM {table} WHERE {table} MATCH ?)", match)
    literal, values = _literal(query)
    sql = f"SELECT {_COLUMNS}, 0.0, {literal} FROM messages m WHERE {where} ORDER BY m.created_at DESC LIMIT {{most}}"
    return sql, [*values, *where.values]


def _literal(query: Query) -> tuple[str, list[Any]]:
    """Return the column that tells whether words with symbols stand in a text as typed."""
    literals = [word.text.lower() for word in query.words if word.is_literal]
    return " AND ".join(["1", *["instr(lower(m.text), ?) > 0"] * len(literals)]), literals


def in_message(query: Query, filters: Filters, conversation: Where, driver: tuple[str, str] | None) -> Where:
    """Return the filters on messages, and the words but those of the ``driver``."""
    # The plus signs keep SQLite from an index that would spoil the order by time.
    where = Where()
    for column, value in (("role", filters.role), ("kind", filters.kind), ("model", filters.model)):
        if value is not None:
            where.add(f"+m.{column} = ?", value)
    if filters.branches == "other":
        where.add("+m.position IS NULL")
    if filters.since is not None:
        where.add("m.created_at >= ?", period(filters.since)[0])
    if filters.until is not None:
        where.add("m.created_at < ?", period(filters.until)[1])
    if conversation.values:
        where.add(
            f"+m.conversation_id IN (SELECT c.id FROM conversations c WHERE {conversation})", *conversation.values
        )
    sides = [("", side) for side in query.wanted if side != driver] + [("NOT ", side) for side in query.unwanted]
    for negation, (table, match) in sides:
        where.add(f"+m.rowid {negation}IN (SELECT rowid FROM {table} WHERE {table} MATCH ?)", match)
    return where
