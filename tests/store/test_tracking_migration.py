"""A mirror made before version 0.2 keeps what it knew of lists, payloads, runs and the service."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from commands import run

from mirror.chatgpt.memory import ChatGPTMemory
from mirror.migrations import CJK, INITIAL, MONTHS
from mirror.store import tracking
from mirror.store.database import Writer
from mirror.store.schema import is_outdated
from mirror.sync import memory

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.leaves_damage("a setting of the old mirror is damaged, which an update leaves as it is")
OLD = ("m0001_initial", "m0002_cjk", "m0003_months")


@pytest.fixture
def old_mirror(tmp_path: Path) -> Path:
    """A database as version 0.1 left it."""
    path = tmp_path / "chats.db"
    with closing(sqlite3.connect(path)) as conn:
        for schema in (INITIAL, CJK, MONTHS):
            conn.executescript(schema)
        conn.execute(
            "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
        )
        conn.executemany(
            "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('chatmirror', ?)", [(n,) for n in OLD]
        )
        rows = [("c1", "g-p-1"), ("c2", "g-2"), ("c3", ""), ("c4", None)]
        conn.executemany(
            "INSERT INTO _listed (conversation_id, account_id, provider, title, gizmo_id, update_us, stored_us,"
            " listed_at, attempts) VALUES (?, 'w1', 'chatgpt', 'T', ?, 5, 5, '2026-01-01T00:00:00.000Z', 2)",
            rows,
        )
        told = {"full_at": 7.5, "lists_limited": True, "dead_lanes": {"batch": "HTTP 404"}, "per_id_budget": 40}
        told["main_lacks_projects"] = True
        conn.execute("INSERT INTO _settings VALUES ('source:w1', ?)", (json.dumps(told),))
        conn.execute("INSERT INTO _settings VALUES ('source:w0', '{cut')")
        conn.execute("INSERT INTO sync_runs (started_at, command) VALUES ('2026-01-01T00:00:00.000Z', 'sync')")
        conn.commit()
    return path


def test_conversations_of_projects_that_the_main_list_lacked_stay_known(old_mirror: Path) -> None:
    """The flag of the whole account becomes one of each conversation in a project."""
    with Writer(old_mirror) as writer:
        found = tracking.tracked_in(writer.conn, "chatgpt", "w1")
    assert {key: t.in_main for key, t in found.items()} == {"c1": False, "c2": None, "c3": None, "c4": None}


def test_what_the_lists_said_is_kept(old_mirror: Path) -> None:
    with Writer(old_mirror) as writer:
        found = tracking.tracked_in(writer.conn, "chatgpt", "w1")
        run = writer.conn.execute("SELECT provider FROM sync_runs").fetchone()
    homes = {key: (t.listed.project_id, t.listed.gpt_id, t.listed.states_home) for key, t in found.items()}
    assert homes == {
        "c1": ("g-p-1", None, True),
        "c2": (None, "g-2", True),
        "c3": (None, None, True),
        "c4": (None, None, False),
    }
    assert {(t.list_us, t.tries, t.is_current) for t in found.values()} == {(5, 2, True)}
    assert run["provider"] == "chatgpt"


def test_reading_commands_bring_it_up_to_date(old_mirror: Path) -> None:
    code, out, err = run(old_mirror.parent, "chatmirror", "status")
    assert code == 5, err
    assert "0 conversations" in out
    with Writer(old_mirror) as writer:
        assert not is_outdated(writer.conn)


def test_the_home_page_says_what_to_do(old_mirror: Path) -> None:
    _, page, _ = run(old_mirror.parent, "datasette", "--get", "/chats/-/home", "chats.db")
    assert "older chatmirror" in page


def test_what_was_remembered_of_the_service_is_read(old_mirror: Path) -> None:
    with Writer(old_mirror) as writer:
        remembered = memory.load(writer.conn, "w1")
        source = ChatGPTMemory.of_json(memory.load_source(writer.conn, "w1"))
    assert (remembered.full_at, remembered.lists_limited) == (7.5, True)
    assert (source.dead_endpoints, source.single_read_budget) == ({"batch": "HTTP 404"}, 40)
