"""What the home page shows of a mirror."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from mirrors import add, add_conversation, add_message, open_mirror

from mirror.store.overview import (
    MonthCount,
    OverviewTotals,
    last_changes,
    messages_by_month,
    newest_conversations,
    providers,
    totals,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as conn:
        yield conn


def test_an_empty_mirror_has_nothing_to_show(conn: sqlite3.Connection) -> None:
    """Before the first run there is no list, no change, no number but zero."""
    assert newest_conversations(conn, 10) == []
    assert last_changes(conn, 10) is None
    assert totals(conn) == OverviewTotals(projects=0, archived=0)
    assert (providers(conn), messages_by_month(conn)) == ([], [])


def test_the_newest_conversations_come_with_their_project(conn: sqlite3.Connection) -> None:
    """The last ones to change, the newest first, no more than asked for."""
    add(conn, "projects", id="p", name="Bakery")
    for day in range(1, 6):
        changed = {"updated_at": f"2025-01-0{day}T00:00:00.000Z", "message_count": day, "is_starred": day % 2}
        add_conversation(conn, f"c{day}", f"Day {day}", project_id="p" if day == 5 else None, **changed)
    first, second = newest_conversations(conn, 2)
    assert (first.id, first.title, first.message_count, first.project) == ("c5", "Day 5", 5, "Bakery")
    assert (first.is_starred, second.is_starred, second.project) == (True, False, None)


def test_what_changed_last_is_of_the_newest_run_with_changes(conn: sqlite3.Connection) -> None:
    """A later run that changed nothing does not hide it; kinds of change are named together."""
    for key in ("c1", "c2", "c3"):
        add_conversation(conn, key, key.upper(), updated_at=f"2025-01-0{key[1]}T00:00:00.000Z")
    old, run, _ = (add(conn, "sync_runs", started_at=f"2025-02-0{n}T00:00:00.000Z", command="sync") for n in (1, 2, 3))
    add(conn, "changes", run_id=old, conversation_id="c1", kind="new")
    for key, kind in (("c2", "renamed"), ("c2", "archived"), ("c1", "starred"), ("c3", "new")):
        add(conn, "changes", run_id=run, conversation_id=key, kind=kind)
    found, everything = last_changes(conn, 2), last_changes(conn, 3)
    assert found is not None
    assert (found.run_id, found.command, found.started_at) == (run, "sync", "2025-02-02T00:00:00.000Z")
    what = {changed.id: sorted(changed.what.split(", ")) for changed in found.conversations}
    assert what == {"c3": ["new"], "c2": ["archived", "renamed"]}
    assert everything is not None
    assert (found.has_more, everything.has_more) == (True, False)


@pytest.mark.parametrize("others", [0, 1])
def test_messages_are_counted_by_month_service_role_and_model(conn: sqlite3.Connection, others: int) -> None:
    """The same numbers with one service, which one index answers, and with several."""
    add_conversation(conn, "c1", "x", is_archived=1)
    for n in range(3):
        add_message(conn, "c1", f"n{n}", "x", created_at=f"2025-0{1 + n // 2}-01T00:00:00.000Z")
    add_message(conn, "c1", "a", "x", role="assistant", model="o1", created_at="2025-02-01T00:00:00.000Z")
    add_message(conn, "c1", "t", "x", role="tool")
    add_message(conn, "c1", "u", "x", created_at=None)
    expected = {
        MonthCount("2025-01", "chatgpt", "user", None, 2),
        MonthCount("2025-02", "chatgpt", "user", None, 1),
        MonthCount("2025-02", "chatgpt", "assistant", "o1", 1),
    }
    for n in range(others):
        add_conversation(conn, f"p{n}", "x", provider="parrot")
        add_message(conn, f"p{n}", "n", "x", role="assistant", created_at="2025-02-01T00:00:00.000Z")
        expected.add(MonthCount("2025-02", "parrot", "assistant", None, 1))
    found = messages_by_month(conn)
    assert len(found) == len(expected)
    assert set(found) == expected
    assert totals(conn) == OverviewTotals(projects=0, archived=1)
