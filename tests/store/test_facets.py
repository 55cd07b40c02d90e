"""What a search can be narrowed by: how many of the messages found have which role, model, project, date."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mirrors import add, add_conversation, add_message, open_mirror

from mirror.store.facets import MOST, counted
from mirror.store.scoring import Candidate
from mirror.store.search import Filters, search

DATES = st.none() | st.builds("{:04d}-{:02d}-01T00:00:00.000Z".format, st.integers(2005, 2026), st.integers(1, 12))


@pytest.fixture(scope="module")
def conn():
    with closing(open_mirror()) as conn:
        add(conn, "projects", id="g-p-1", name="The bakery", url="u")
        add(conn, "projects", id="g-p-2", name=None, url="u")
        add_conversation(conn, "c1", "x", project_id="g-p-1")
        add_conversation(conn, "c2", "x", project_id="g-p-2", is_archived=1)
        add_conversation(conn, "c3", "x")
        yield conn


def message(conversation="c1", *, role="user", kind="text", model=None, at=None, position=1):
    return Candidate(1, "n", conversation, role, kind, model, at, 0, position, None, -1.0)


def read(conn, messages):
    """Return facet -> [(value, label, count)]."""
    return {f.name: [(v.value, v.label, v.count) for v in f.values] for f in counted(conn, messages)}


def test_every_message_is_counted_once_by_each_facet(conn):
    """The most frequent value first, projects by their names, and what a message lacks under no heading."""
    found = read(
        conn,
        [
            message(at="2025-01-31T00:00:00.000Z"),
            message("c2", role="assistant", kind="code", model="o1", position=None),
            message("c2", role="assistant", model="o1"),
            message("c3", role=None, model="gpt-4o"),
        ],
    )
    assert found == {
        "role": [("assistant", "assistant", 2), ("user", "user", 1)],
        "kind": [("text", "text", 3), ("code", "code", 1)],
        "model": [("o1", "o1", 2), ("gpt-4o", "gpt-4o", 1)],
        "project": [("g-p-2", "g-p-2", 2), ("g-p-1", "The bakery", 1)],
        "date": [("2025-01", "2025-01", 1)],
        "archived": [("no", "no", 2), ("yes", "yes", 2)],
        "branches": [("visible", "visible", 3), ("other", "other", 1)],
    }


def test_nothing_found_is_not_counted(conn):
    """No heading without a value."""
    assert read(conn, []) == {}
    assert set(read(conn, [message("c3", role=None, kind="")])) == {"archived", "branches"}


@given(dates=st.lists(DATES, max_size=40))
def test_dates_are_years_or_the_months_of_one(conn, dates):
    """Newest first, at most a dozen, each with its number."""
    found = read(conn, [message(at=at) for at in dates]).get("date", [])
    known = [at for at in dates if at]
    length = 4 if len({at[:4] for at in known}) > 1 else 7
    wanted = Counter(at[:length] for at in known)
    assert found == [(value, value, wanted[value]) for value in sorted(wanted, reverse=True)][:12]


def test_the_most_frequent_dozen_is_kept(conn):
    """A long list of models ends; what is seldom is left out, not what is frequent."""
    messages = [message(model=f"m{n}") for n in range(20) for _ in range(n + 1)]
    found = read(conn, messages)["model"]
    assert found == [(f"m{n}", f"m{n}", n + 1) for n in range(19, 19 - MOST, -1)]
    assert len(found) == 12


def test_results_of_thousands_of_conversations_are_counted():
    """More conversations than SQLite takes values at once."""
    with closing(open_mirror()) as conn:
        rows = [(f"c{n}", n % 2, "chatgpt", "u") for n in range(2_001)]
        conn.executemany("INSERT INTO conversations (id, is_archived, provider, url) VALUES (?, ?, ?, ?)", rows)
        found = read(conn, [message(row[0]) for row in rows])
    assert found["archived"] == [("no", "no", 1_001), ("yes", "yes", 1_000)]


def test_a_value_narrows_to_as_many_as_it_counts():
    """Every number keeps its promise: with that value as the filter, so many messages are found."""
    with closing(open_mirror()) as conn:
        add(conn, "projects", id="g-p-1", name="The bakery", url="u")
        for n in range(6):
            more = {"project_id": "g-p-1" if n % 3 else None, "is_archived": n % 2}
            add_conversation(conn, f"c{n}", "x", **more)
            at = f"2025-{n + 1:02d}-15T12:00:00.000Z"
            add_message(conn, f"c{n}", "n1", "rye", created_at=at)
            add_message(conn, f"c{n}", "n2", "rye bread", created_at=at, role="assistant", model=f"m{n % 2}")
        filters = {"role": "role", "kind": "kind", "model": "model", "project": "project", "branches": "branches"}
        for facet in search(conn, "rye", facets=True).facets:
            for value in facet.values:
                if facet.name == "date":
                    wish = Filters(since=value.value, until=value.value)
                elif facet.name == "archived":
                    wish = Filters(archived=value.value == "yes")
                else:
                    wish = Filters(**{filters[facet.name]: value.value})
                assert search(conn, "rye", wish, facets=True).looked_at == value.count, (facet.name, value)
