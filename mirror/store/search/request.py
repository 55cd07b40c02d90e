"""What every step of a search is given: the query, the filters, and how much may be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mirror.errors import UsageError
from mirror.store.search.dates import parse_period
from mirror.store.search.folding import HAS_BEGINNING, add_functions
from mirror.store.search.query import Query

if TYPE_CHECKING:
    import sqlite3
    from typing import Self


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search leaves out; None leaves out nothing.

    ``since`` and ``until`` (inclusive) are days, months or years as typed. ``model`` is exact, ``project`` an id or a
    name in any case, ``provider`` one of ``services``. ``branches``: ``visible`` is what the service shows with the
    hidden messages between, and other branches only if nothing is found there; ``other``; or ``all``.
    """

    role: str | None = None
    kind: str | None = None
    model: str | None = None
    project: str | None = None
    provider: str | None = None
    since: str | None = None
    until: str | None = None
    archived: bool | None = None
    branches: str = "visible"

    @property
    def asks_for_messages(self) -> bool:
        """Whether only messages can pass, so that a title by itself finds nothing."""
        return bool(self.role or self.kind or self.model or self.branches == "other")


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """How much a search looks at, so that a common word is answered as quickly as a rare one.

    Measured with a million messages on two cores: bm25 over 800,000 matches takes 1.5 to 2.1 s, over the newest 20,000
    of them 84 ms, over 200,000 334 ms; counting 800,000 matches takes 25 ms. Larger numbers make searches slow, smaller
    ones let time decide where relevance should.
    """

    ranked: int = 20_000  # up to so many matches bm25 decides which are looked at, beyond that only time
    first: int = 1_000  # matches fetched at first; eight times as many until enough conversations are found
    first_newest: int = 400  # the same by time where nothing is counted: each one is a random read of the disk
    titles: int = 500  # by judgement: titles scored, far more than a page shows
    scanned_titles: int = 20_000  # conversations up to which titles are scanned for words inside CJK runs
    enough: int = 5  # by judgement: with fewer conversations that have all words in one message, look for partial ones
    words: int = 8  # by judgement: of a long question, the rarest words say what it is about
    pool: int = 400  # conversations that partial matches are chosen from
    per_word: int = 200  # messages fetched for each word of a partial match


DEFAULT_LIMITS = SearchLimits()


@dataclass(slots=True)
class Conditions:
    """Conditions of a WHERE clause and the values that they bind, in the same order."""

    clauses: list[str] = field(default_factory=lambda: ["1"])
    values: list[Any] = field(default_factory=list)

    def add(self, clause: str, *values: Any) -> None:
        """Add one that must hold, too."""
        self.clauses.append(clause)
        self.values += values

    def add_match(self, rowid: str, table: str, expression: str, *, is_excluded: bool = False) -> None:
        """Add that the row of a ``rowid`` matches an expression in the table of an index, or does not."""
        self.add(
            f"{rowid} {'NOT ' if is_excluded else ''}IN (SELECT rowid FROM {table} WHERE {table} MATCH ?)", expression
        )

    def add_beginnings(self, query: Query, *texts: str) -> None:
        """Add that any of these columns, or none for an excluded word, has a word that begins as one of the query's.

        Each row that passes the conditions before is read for it, so this comes last.
        """
        for word in query.beginnings:
            any_begins = " OR ".join(f"{HAS_BEGINNING}({text}, ?)" for text in texts)
            self.add(f"{'NOT ' if word.is_excluded else ''}({any_begins})", *[word.beginning] * len(texts))

    def add_period(self, filters: Filters, changed: str, begun: str | None = None) -> None:
        """Add what ``since`` and ``until`` ask for of the time in a column; ``begun``: another one for ``until``."""
        if filters.since is not None:
            self.add(f"{changed} >= ?", parse_period(filters.since).begin)
        if filters.until is not None:
            self.add(f"{begun or changed} < ?", parse_period(filters.until).end)

    def __str__(self) -> str:
        return " AND ".join(self.clauses)


@dataclass(frozen=True, slots=True)
class Search:
    """A search as each of its steps needs it.

    ``conversations``: the filters on conversations, as SQL on ``c``. ``limit``: how many conversations are wanted;
    ``latest``: by time, not by relevance. ``first_ranked`` and ``first_newest``: how many matches are fetched at first
    where bm25 decides, and where time does.
    """

    conn: sqlite3.Connection
    query: Query
    filters: Filters
    conversations: Conditions
    limit: int
    latest: bool
    first_ranked: int
    first_newest: int
    limits: SearchLimits

    def for_query(self, query: Query) -> Self:
        """Return the same search for other words."""
        return replace(self, query=query)

    def for_one_word(self, query: Query) -> Self:
        """Return the search for the best messages with one word of a partial match."""
        few = self.limits.per_word
        return replace(self, query=query, limit=1, latest=False, first_ranked=few, first_newest=few)


def search_for(
    conn: sqlite3.Connection,
    typed: str,
    filters: Filters,
    limit: int,
    *,
    latest: bool,
    is_counted: bool,
    limits: SearchLimits,
) -> Search:
    """Return a search for what was typed, ``is_counted`` with facets.

    Raises UsageError for an unknown project.
    """
    add_functions(conn)
    return Search(
        conn=conn,
        query=Query.of(conn, typed),
        filters=filters,
        conversations=conversation_conditions(conn, filters),
        limit=limit,
        latest=latest,
        first_ranked=limits.first,
        first_newest=limits.first if is_counted else limits.first_newest,
        limits=limits,
    )


def conversation_conditions(conn: sqlite3.Connection, filters: Filters) -> Conditions:
    """Return the filters on conversations ``c``; raises UsageError for an unknown project."""
    conditions = Conditions()
    if filters.archived is not None:
        conditions.add("c.is_archived = ?", int(filters.archived))
    if filters.provider is not None:
        conditions.add("c.provider = ?", filters.provider)
    if filters.project is not None:
        ids = project_ids(conn, filters.project)
        conditions.add(f"c.project_id IN ({', '.join('?' * len(ids))})", *ids)
    return conditions


def project_ids(conn: sqlite3.Connection, project: str) -> list[str]:
    """Return the ids of the projects with this name or id; raises UsageError where there is none."""
    named = "SELECT id FROM projects WHERE id = ? OR name = ? COLLATE NOCASE"
    ids = [row["id"] for row in conn.execute(named, (project, project))]
    if not ids:
        raise UsageError(f"There is no project “{project}” in this mirror; give its name or id.")
    return ids
