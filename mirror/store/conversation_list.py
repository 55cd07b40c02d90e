"""The list of all conversations: filtered, counted by what it can be narrowed to, and a page at a time.

One statement reads the page and one counts everything, so that a list of 100,000 takes a fraction of a second.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mirror.store.search.folding import add_functions, folded, part_clause
from mirror.store.search.query import Word, has_letters
from mirror.store.search.request import Conditions

if TYPE_CHECKING:
    import sqlite3

# What a conversation can be, each with its condition.
STATES = {
    "archived": "c.is_archived",
    "starred": "c.is_starred",
    "deleted": "c.deleted_at IS NOT NULL",
    "missing": "c.missing_since IS NOT NULL AND c.deleted_at IS NULL",
    "incomplete": "NOT c.is_complete",
}
ORDERS = {"updated": "updated_at", "begun": "created_at"}
MOST_TITLE_WORDS = 12  # of a title that are looked for, the first ones; by judgement: more than anybody types
LONGEST_TITLE = 200  # characters of a title beside a conversation; by judgement: more than a line of a sidebar has
_GROUPS = ("project", "gpt", "model", "service")  # names of filters that have a column of their own
_COLUMNS = {"project": "c.project_id", "gpt": "c.gpt_id", "model": "c.model", "service": "c.provider"}


@dataclass(frozen=True, slots=True)
class ListFilters:
    """What the list leaves out; "" leaves out nothing.

    ``words``: each must stand in the title. ``project``, ``gpt``: ids. ``state``: one of ``STATES``. ``date``: a year
    or a month, ``2025-03``, of the time by which the list is ordered.
    """

    words: str = ""
    project: str = ""
    gpt: str = ""
    model: str = ""
    service: str = ""
    state: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class ListedConversation:
    """A line of a list of conversations. ``at``: the time that orders the list."""

    id: str
    title: str | None
    at: str | None
    message_count: int | None
    model: str | None
    project: str | None
    gpt: str | None
    is_archived: bool
    is_starred: bool
    deleted_at: str | None
    missing_since: str | None
    is_complete: bool


@dataclass(frozen=True, slots=True)
class ListedTitle:
    """A conversation beside another one in the list. ``title``: its beginning; ``at``: of its last change."""

    id: str
    title: str | None
    at: str | None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The conversations before and after one in the list of those that changed last; both in its order."""

    newer: list[ListedTitle]
    older: list[ListedTitle]


@dataclass(frozen=True, slots=True)
class Choice:
    """A value that narrows the list, and to how many conversations."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class ConversationList:
    """A page of the list. ``choices``: filter name -> its values, those with the most first; ``date`` newest first."""

    conversations: list[ListedConversation]
    total: int
    choices: dict[str, list[Choice]]


def conversation_list(
    conn: sqlite3.Connection, filters: ListFilters, order: str, limit: int, offset: int
) -> ConversationList:
    """Read a page of the list; ``order``: a name of ``ORDERS``, newest first."""
    add_functions(conn)
    time = f"c.{ORDERS[order]}"
    conditions = _conditions(filters, time)
    # Words stand in few titles: all of them are looked at in the order of the file, for that of an index takes longer.
    conversations = listed(conn, conditions, f"+{time}" if filters.words else time, limit, offset)
    total, choices = _counted(conn, conditions, time)
    return ConversationList(conversations, total, choices)


def listed(
    conn: sqlite3.Connection, conditions: Conditions, time: str, limit: int, offset: int
) -> list[ListedConversation]:
    """Return lines of a list under conditions on ``c``, the conversation; ``time``: the column that orders them."""
    rows = conn.execute(
        f"SELECT c.id, c.title, {time} AS at, c.message_count, c.model, p.name AS project, g.name AS gpt,"
        " c.is_archived, c.is_starred, c.deleted_at, c.missing_since, c.is_complete FROM conversations c"
        " LEFT JOIN projects p ON p.id = c.project_id LEFT JOIN gpts g ON g.id = c.gpt_id"
        f" WHERE {conditions} ORDER BY {time} DESC, c.id LIMIT ? OFFSET ?",
        (*conditions.values, limit, offset),
    )
    flags = ("is_archived", "is_starred", "is_complete")
    return [ListedConversation(**dict(row) | {name: bool(row[name]) for name in flags}) for row in rows]


def surroundings(conn: sqlite3.Connection, at: str | None, key: str, newer: int, older: int) -> Surroundings:
    """Return so many conversations before and after one, of which ``at`` is the last change; None: it has no date.

    Each part is read from the index on the time, from this conversation on.
    """
    if at is None:
        before = _titles(conn, "updated_at IS NULL AND id < ?", "id DESC", newer, key)
        before += _titles(conn, "updated_at IS NOT NULL", "updated_at, id DESC", newer - len(before))
        return Surroundings(before[::-1], _titles(conn, "updated_at IS NULL AND id > ?", "id", older, key))
    later = "updated_at >= ? AND NOT (updated_at = ? AND id >= ?)"
    before = _titles(conn, later, "updated_at, id DESC", newer, at, at, key)
    earlier = "updated_at <= ? AND NOT (updated_at = ? AND id <= ?)"
    after = _titles(conn, earlier, "updated_at DESC, id", older, at, at, key)
    after += _titles(conn, "updated_at IS NULL", "id", older - len(after))
    return Surroundings(before[::-1], after)


def _titles(conn: sqlite3.Connection, where: str, order: str, limit: int, *values: str) -> list[ListedTitle]:
    sql = "SELECT id, substr(title, 1, ?) AS title, updated_at AS at FROM conversations"
    rows = conn.execute(f"{sql} WHERE {where} ORDER BY {order} LIMIT ?", (LONGEST_TITLE, *values, limit))
    return [ListedTitle(**row) for row in rows]


def _conditions(filters: ListFilters, time: str) -> Conditions:
    conditions = Conditions()
    for text in filters.words.replace("\0", " ").split()[:MOST_TITLE_WORDS]:
        # The index knows other forms of a word, and the function what stands inside one.
        clause, values = part_clause("c.title"), [folded(text)] * 2
        if has_letters(text):
            clause += " OR c.rowid IN (SELECT rowid FROM conversations_fts WHERE conversations_fts MATCH ?)"
            values.append(Word(text.replace('"', "")).quoted)
        conditions.add(f"({clause})", *values)
    for name, column in _COLUMNS.items():
        if value := getattr(filters, name):
            conditions.add(f"{column} = ?", value)
    if filters.state in STATES:
        conditions.add(STATES[filters.state])
    if filters.date:
        conditions.add(f"substr({time}, 1, ?) = ?", len(filters.date), filters.date)
    return conditions


def _counted(conn: sqlite3.Connection, conditions: Conditions, time: str) -> tuple[int, dict[str, list[Choice]]]:
    """Count all that pass, by everything at once: one pass over the conversations."""
    columns = [f"{_COLUMNS[name]} AS {name}" for name in _GROUPS]
    columns += [f"{condition} AS {name}" for name, condition in STATES.items()]
    sql = f"SELECT {', '.join(columns)}, substr({time}, 1, 7) AS month FROM conversations c WHERE {conditions}"
    cursor = conn.cursor()
    cursor.row_factory = None  # to count tuples takes a quarter less time than GROUP BY, which sorts all rows
    counts: dict[str, Counter[Any]] = {name: Counter() for name in (*_GROUPS, "state", "date")}
    total = 0
    for values, found in Counter(cursor.execute(sql, conditions.values)).items():
        row = dict(zip((*_GROUPS, *STATES, "month"), values, strict=True))
        total += found
        for name in _GROUPS:
            counts[name][row[name]] += found
        counts["state"].update({name: found for name in STATES if row[name]})
        counts["date"][row["month"]] += found
    names = {"project": _names(conn, "projects"), "gpt": _names(conn, "gpts")}
    choices = {name: _choices(found, names.get(name, {})) for name, found in counts.items()}
    choices["date"].sort(key=lambda choice: choice.value, reverse=True)
    return total, choices


def _names(conn: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row["id"]: row["name"] for row in conn.execute(f"SELECT id, name FROM {table} WHERE name <> ''")}


def _choices(counts: Counter[Any], names: dict[str, str]) -> list[Choice]:
    return [Choice(value, names.get(value, value), count) for value, count in counts.most_common() if value]


def by_year(months: list[Choice]) -> list[Choice]:
    """Return the counts of months as counts of years."""
    years: dict[str, Choice] = {}
    for month in months:
        year = month.value[:4]
        known = years.get(year, Choice(year, year, 0))
        years[year] = replace(known, count=known.count + month.count)
    return list(years.values())
