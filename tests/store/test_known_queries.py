"""The known queries: what they read, and that no index is missing; what Datasette 1.0 remembers of our tables."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from mirrors import open_mirror

from mirror.browse.functions import register_functions
from mirror.store.datasette_internal import state_descriptions
from mirror.store.descriptions import table_descriptions
from mirror.store.known_queries import KNOWN_QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirror.store.known_queries import KnownQuery

LARGE = ("messages", "links", "attachments", "files")  # tables that a query may not read from end to end


@pytest.fixture(scope="module")
def conn() -> Iterator[sqlite3.Connection]:
    """An empty mirror."""
    with closing(open_mirror()) as opened:
        register_functions(opened)
        yield opened


@pytest.mark.parametrize("query", KNOWN_QUERIES, ids=lambda query: query.name)
def test_a_query_reads_the_tables_that_it_names(conn: sqlite3.Connection, query: KnownQuery) -> None:
    """Permissions are asked for these and no others."""
    read: set[str] = set()

    def note(action: int, table: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ and table:
            read.add(re.sub("_(fts|cjk)(_.*)?$", "", table))
        return sqlite3.SQLITE_OK

    conn.set_authorizer(note)
    conn.execute(query.sql, {"words": "rye"} if ":words" in query.sql else {}).fetchall()
    conn.set_authorizer(None)
    made_up = {"months", "branched", "newest", "most", "used", "chats", "found"}  # of WITH and FROM
    assert {table for table in read if table in table_descriptions()} == set(query.tables)
    assert read - table_descriptions().keys() <= made_up | {"", "sqlite_master"}


@pytest.mark.parametrize("query", KNOWN_QUERIES, ids=lambda query: query.name)
def test_a_query_reads_no_large_table_from_end_to_end(conn: sqlite3.Connection, query: KnownQuery) -> None:
    """SQLite's plan has an index for each of them."""
    plan = conn.execute(f"EXPLAIN QUERY PLAN {query.sql}", {"words": "rye"} if ":words" in query.sql else {})
    steps = [row["detail"] for row in plan]
    assert [step for step in steps if re.match(rf"SCAN ({'|'.join(LARGE)}|[mla])\\b(?!.*COVERING INDEX)", step)] == []


@pytest.fixture
def internal() -> Iterator[sqlite3.Connection]:
    """The tables of Datasette's internal database."""
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.executescript(
            "CREATE TABLE metadata_resources (database_name, resource_name, key, value,"
            " UNIQUE (database_name, resource_name, key));"
            "CREATE TABLE metadata_columns (database_name, resource_name, column_name, key, value,"
            " UNIQUE (database_name, resource_name, column_name, key));"
        )
        yield opened


def columns(conn: sqlite3.Connection, database: str, table: str) -> dict[str, str]:
    """Return the descriptions that Datasette shows."""
    where = "WHERE key = 'description' AND (database_name, resource_name) = (?, ?)"
    return dict(conn.execute(f"SELECT column_name, value FROM metadata_columns {where}", (database, table)))


def test_descriptions_of_an_earlier_start_are_replaced(internal: sqlite3.Connection) -> None:
    """Ours are said anew, those that somebody wrote or changed stay, and what is no mirror any more has none."""
    state_descriptions(internal, ["chats", "old"])
    ours = dict(table_descriptions()["links"].columns)
    assert columns(internal, "chats", "links") == columns(internal, "old", "links") == ours
    internal.execute("UPDATE metadata_columns SET value = 'earlier' WHERE column_name = 'title'")
    internal.execute("UPDATE metadata_columns SET value = 'mine' WHERE column_name = 'url' AND key = 'description'")
    state_descriptions(internal, ["chats"])
    assert columns(internal, "chats", "links") == {**ours, "url": "mine"}
    assert columns(internal, "old", "links") == {"url": "mine"}


def test_a_description_as_html_is_somebodys_own(internal: sqlite3.Connection) -> None:
    """Datasette would show both."""
    internal.execute("INSERT INTO metadata_resources VALUES ('chats', 'links', 'description_html', '<b>mine</b>')")
    state_descriptions(internal, ["chats"])
    found = internal.execute("SELECT key FROM metadata_resources WHERE resource_name = 'links'").fetchall()
    assert found == [("description_html",)]
