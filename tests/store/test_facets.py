"""Counts of what was found: what each filter would leave."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from mirrors import add, add_conversation, add_message, open_mirror

from mirror.store.search.facets import MOST, facets_of
from mirror.store.search.scoring import Candidate
from mirror.store.search.search import Filters, search

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as conn:
        yield conn


def facets(
    conn: sqlite3.Connection, words: str, filters: Filters | None = None
) -> dict[str, list[tuple[str, str, int]]]:
    result = search(conn, words, filters or Filters(branches="all"), 100, facets=True)
    return {facet.name: [(value.value, value.label, value.count) for value in facet.values] for facet in result.facets}


def test_facets_count_what_was_found(conn: sqlite3.Connection) -> None:
    """Messages by every filter, each value with a name; by year, or by month of one year."""
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


def filter_by(name: str, value: str) -> Filters:
    """Return the filter that a click on a facet's value sets."""
    every = Filters(branches="all")
    return {
        "service": replace(every, provider=value),
        "role": replace(every, role=value),
        "kind": replace(every, kind=value),
        "model": replace(every, model=value),
        "project": replace(every, project=value),
        "date": replace(every, since=value, until=value),
        "archived": replace(every, archived=value == "yes"),
        "branches": replace(every, branches=value),
    }[name]


def test_each_count_is_what_its_filter_leaves(conn: sqlite3.Connection) -> None:
    """A click on a value finds as many messages as it says."""
    for n in range(30):
        add_conversation(conn, f"c{n}", "x", is_archived=n % 2, provider=("chatgpt", "parrot")[n % 3 // 2])
        where = {
            "role": ("user", "assistant")[n % 2],
            "model": f"m{n % 4}",
            "created_at": f"20{20 + n % 3}-01-02T00:00:00Z",
        }
        add_message(conn, f"c{n}", "n", "rye", **where, **({} if n % 5 else {"position": None}))
    for name, values in facets(conn, "rye").items():
        for value, _, count in values:
            result = search(conn, "rye", filter_by(name, value), 100, facets=True)
            shown = sum(hit.matches for hit in result.hits)
            assert shown == count, (name, value)


def test_services_are_offered_only_where_there_are_several(conn: sqlite3.Connection) -> None:
    """A filter with one value would leave nothing out; services have the names that people know."""
    add_conversation(conn, "c1", "x")
    add_message(conn, "c1", "n1", "rye")
    assert "service" not in facets(conn, "rye")
    add_conversation(conn, "c2", "x", provider="parrot")
    add_message(conn, "c2", "n1", "rye")
    add_message(conn, "c2", "n2", "rye bread")
    assert facets(conn, "rye")["service"] == [("parrot", "parrot", 2), ("chatgpt", "ChatGPT", 1)]


def test_only_the_most_frequent_values_are_offered(conn: sqlite3.Connection) -> None:
    """A long tail would fill the page."""
    add_conversation(conn, "c", "x")
    for n in range(40):
        add_message(conn, "c", f"n{n}", "rye", model=f"m{n}")
    assert len(facets(conn, "rye")["model"]) == MOST


def test_a_project_without_a_name_and_thousands_of_conversations_are_counted(conn: sqlite3.Connection) -> None:
    """More conversations than SQLite takes values at once; an id in place of an unknown name."""
    conn.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)  # as older builds have it
    add(conn, "projects", id="g-p-1", name=None, url="u")
    for n in range(1_001):
        add_conversation(conn, f"c{n}", None, project_id=None if n else "g-p-1")
    found = facets_of(
        conn, [Candidate(n, "n", f"c{n}", "user", "text", None, None, 0, 1, None, 0) for n in range(1_001)]
    )
    values = {facet.name: [(value.value, value.label, value.count) for value in facet.values] for facet in found}
    assert values["archived"] == [("no", "no", 1_001)]
    assert values["project"] == [("g-p-1", "g-p-1", 1)]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York", "Pacific/Kiritimati"])
def test_a_date_finds_as_many_as_it_says(conn: sqlite3.Connection, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year or month is that of the computer's calendar, on which the filter takes it, too."""
    times = ("2024-12-31T18:30:00", "2025-01-01T02:00:00Z", "2025-01-31T23:59:59.999Z", "2024-06-01T00:00:00.000Z")
    for number, created_at in enumerate(times):
        add_conversation(conn, f"z{number}", None)
        add_message(conn, f"z{number}", "n", "quokka", created_at=created_at)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        years = facets(conn, "quokka")["date"]
        for year, _, count in years:
            within = Filters(since=year, until=year, branches="all")
            months = facets(conn, "quokka", within)["date"]
            assert sum(in_month for _, _, in_month in months) == count == len(search(conn, "quokka", within).hits)
            for month, _, in_month in months:
                assert len(search(conn, "quokka", Filters(since=month, until=month)).hits) == in_month
        assert sum(count for _, _, count in years) == len(times)
    finally:
        monkeypatch.undo()
        time.tzset()
