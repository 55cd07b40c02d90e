"""Counts of what was found: what each filter would leave."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from mirrors import add, add_conversation, add_message, open_mirror

from mirror.store.search.facets import MOST, counted
from mirror.store.search.scoring import Candidate
from mirror.store.search.search import Filters, search


@pytest.fixture
def conn():
    with closing(open_mirror()) as conn:
        yield conn


def facets(conn, words, filters=None):
    result = search(conn, words, filters or Filters(branches="all"), 100, facets=True)
    return {facet.name: [(value.value, value.label, value.count) for value in facet.values] for facet in result.facets}


def test_facets_count_what_was_found(conn):
    """Messages by every filter, with names to read and values to filter by; years, or the months of one year."""
    add(conn, "projects", id="g-p-1", name="The bakery", url="u")
    add_conversation(conn, "c1", "x", project_id="g-p-1", is_archived=1)
    add_message(conn, "c1", "n1", "rye", created_at="2024-02-01T00:00:00Z")
    add_message(conn, "c1", "n2", "rye", created_at="2024-03-01T00:00:00Z", role="assistant", model="o1", kind="code")
    add_message(conn, "c1", "n3", "rye", created_at=None, position=None)
    assert facets(conn, "rye") == {
        "role": [("user", "user", 2), ("assistant", "assistant", 1)],
        "kind": [("text", "text", 2), ("code", "code", 1)],
        "model": [("o1", "o1", 1)],
        "project": [("g-p-1", "The bakery", 3)],
        "date": [("2024-03", "2024-03", 1), ("2024-02", "2024-02", 1)],
        "archived": [("yes", "yes", 3)],
        "branches": [("visible", "visible", 2), ("other", "other", 1)],
    }
    add_conversation(conn, "c2", "x")
    add_message(conn, "c2", "n1", "rye", created_at="2023-03-01T00:00:00Z")
    assert facets(conn, "rye")["date"] == [("2024", "2024", 2), ("2023", "2023", 1)]
    assert facets(conn, "nothing") == {}


def test_each_count_is_what_its_filter_leaves(conn):
    """Clicking on a value gives as many messages as stood beside it."""
    for n in range(30):
        add_conversation(conn, f"c{n}", "x", is_archived=n % 2)
        where = {
            "role": ("user", "assistant")[n % 2],
            "model": f"m{n % 4}",
            "created_at": f"20{20 + n % 3}-01-02T00:00:00Z",
        }
        add_message(conn, f"c{n}", "n", "rye", **where, **({} if n % 5 else {"position": None}))
    for name, values in facets(conn, "rye").items():
        for value, _, count in values:
            narrowed = {"date": {"since": value, "until": value}, "archived": {"archived": value == "yes"}}
            given = narrowed.get(name, {name: value})
            result = search(conn, "rye", Filters(**{"branches": "all", **given}), 100, facets=True)
            shown = sum(hit.matches for hit in result.hits)
            assert shown == count, (name, value)


def test_only_the_most_frequent_values_are_offered(conn):
    """A long tail would fill the page."""
    add_conversation(conn, "c", "x")
    for n in range(40):
        add_message(conn, "c", f"n{n}", "rye", model=f"m{n}")
    assert len(facets(conn, "rye")["model"]) == MOST


def test_a_project_without_a_name_and_thousands_of_conversations_are_counted(conn):
    """More conversations than SQLite takes values at once; the id stands for a name that is not known yet."""
    conn.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)  # as older builds have it
    add(conn, "projects", id="g-p-1", name=None, url="u")
    for n in range(1_001):
        add_conversation(conn, f"c{n}", None, project_id=None if n else "g-p-1")
    found = counted(conn, [Candidate(n, "n", f"c{n}", "user", "text", None, None, 0, 1, None, 0) for n in range(1_001)])
    values = {facet.name: [(value.value, value.label, value.count) for value in facet.values] for facet in found}
    assert values["archived"] == [("no", "no", 1_001)]
    assert values["project"] == [("g-p-1", "g-p-1", 1)]
