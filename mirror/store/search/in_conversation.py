"""Which messages of one conversation a search finds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mirror.store.search.folding import add_functions
from mirror.store.search.query import CHARACTER_INDEX, Query
from mirror.store.search.request import Conditions

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from mirror.store.search.query import Word


def matching_rowids(conn: sqlite3.Connection, words: Sequence[Word], rowids: Collection[int]) -> set[int]:
    """Return which of these messages, given by rowid, have all of the words; where none has, those that have any."""
    return _with_all(conn, words, rowids) or set().union(
        *(_with_all(conn, [word], rowids) for word in words if not word.is_excluded)
    )


def _with_all(conn: sqlite3.Connection, words: Sequence[Word], rowids: Collection[int]) -> set[int]:
    query = Query.of_words(conn, words)
    if not (query.wanted and rowids):
        return set()
    found = set(rowids).intersection(*(_matches(conn, *match, rowids) for match in query.wanted))
    found = _begin_so(conn, query, found)
    if query.inside_cjk:
        inside = _matches(conn, CHARACTER_INDEX, query.inside_cjk, rowids)
        found |= inside.difference(*(_matches(conn, *match, rowids) for match in query.not_inside_cjk))
    for match in query.unwanted:
        found -= _matches(conn, *match, rowids)
    return found


def _matches(conn: sqlite3.Connection, table: str, expression: str, rowids: Collection[int]) -> set[int]:
    """Return which of the messages an index finds; it reads the part between the first and the last of them."""
    sql = f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid BETWEEN ? AND ?"
    found = conn.execute(sql, (expression, min(rowids), max(rowids)))
    return {row["rowid"] for row in found}.intersection(rowids)


def _begin_so(conn: sqlite3.Connection, query: Query, rowids: set[int]) -> set[int]:
    """Return which of the messages have words with the beginnings that the query asks for."""
    if not query.beginnings:
        return rowids
    add_functions(conn)
    conditions = Conditions()
    conditions.add("m.rowid IN (SELECT value FROM json_each(?))", json.dumps(list(rowids)))
    conditions.add_beginnings(query, "m.text")
    rows = conn.execute(f"SELECT m.rowid FROM messages m WHERE {conditions}", conditions.values)
    return {row["rowid"] for row in rows}
