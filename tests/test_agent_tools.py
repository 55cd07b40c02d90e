"""The tools for assistants as functions: what a search finds can be read, and every answer leads on."""

from __future__ import annotations

import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from mirrors import add, add_conversation, add_message, open_mirror

from mirror.agents import tools
from mirror.agents.answers import MOST_CHARACTERS
from mirror.errors import UsageError
from mirror.store.search.search import Filters

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

ODD = "\U000e0041" * 300  # each takes twelve characters of JSON


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    with closing(open_mirror()) as conn:
        add_conversation(conn, "a", ODD, message_count=4)
        for n in range(4):
            add_message(conn, "a", f"n{n}", f"words {n}", is_hidden=n == 1, position=None if n == 3 else n)
        add_message(conn, "a", "both", "secret of another branch", is_hidden=1, position=None)
        (rowid,) = conn.execute("SELECT rowid FROM messages WHERE id = 'n0'").fetchone()
        for n in range(20):
            add(conn, "attachments", message_rowid=rowid, position=n, id=f"f{n}", name=ODD, mime_type=ODD, kind="file")
            add(
                conn,
                "links",
                message_rowid=rowid,
                position=n,
                url=f"https://a.example/{n}{ODD}",
                title=ODD,
                kind="citation",
            )
        yield conn


def read(conn: sqlite3.Connection, **wanted: Any) -> dict[str, Any]:
    text = tools.read_chat(conn, "a", tools.ReadingRange(**wanted), database="d2")
    assert len(text) <= MOST_CHARACTERS
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("message", ["n0", "n1", "n2", "n3", "both"])
def test_every_message_that_is_there_can_be_read(conn: sqlite3.Connection, message: str) -> None:
    """Also a hidden one, and one of another branch."""
    found = read(conn, message=message)
    (text,) = conn.execute("SELECT text FROM messages WHERE id = ?", (message,)).fetchone()
    assert found["messages"][0]["text"] == text
    assert ("with_hidden" in found) == (message in {"n1", "both"})


def test_every_answer_leads_on(conn: sqlite3.Connection) -> None:
    """Whatever names and sources a message has, and with all that has to be said to go on."""
    conn.execute("UPDATE messages SET text = text || ?", ("x" * 15_000,))
    seen, wanted = [], {"first": 1, "last": 3, "hidden": True}
    for _ in range(20):
        found = read(conn, **wanted)
        assert found["messages"]
        seen += [message["text"] for message in found["messages"]]
        if "rest" not in found:
            break
        assert 'database="d2"' in found["rest"]
        wanted |= {name: int(value) for name, value in re.findall(r"(first|last|offset)=(\d+)", found["rest"])}
        wanted["offset"] = wanted["offset"] if "offset=" in found["rest"] else 0
    assert "".join(seen) == "".join(f"words {n}" + "x" * 15_000 for n in range(3))


@pytest.mark.parametrize("last", [0, -1])
def test_messages_are_counted_from_one(conn: sqlite3.Connection, last: int) -> None:
    with pytest.raises(UsageError, match="counted from 1"):
        read(conn, last=last)


@pytest.mark.parametrize("filters", [Filters(role="bogus"), Filters(kind="bogus"), Filters(project="bogus")])
def test_a_mistyped_filter_is_no_empty_answer(conn: sqlite3.Connection, filters: Filters) -> None:
    with pytest.raises(UsageError, match="bogus"):
        tools.search_chats(conn, "words", filters, limit=3, latest=False)
    with pytest.raises(UsageError, match="bogus"):
        tools.recent_chats(conn, filters, limit=3, skip=0)
