"""A second service is one more folder and a line in each table: sync, status, search, show and check take it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from commands import run
from invariants import broken_in
from mirrored_service import QuietReport

from mirror import app
from mirror.archive import RECOGNISERS
from mirror.normalize import NORMALIZERS
from mirror.services import SERVICES
from mirror.store import status, threads
from mirror.store.database import Writer, open_reader
from mirror.store.search.search import Filters, search
from mirror.sync.context import RunContext
from mirror.sync.run import Sync
from mirror.timing import Timing
from second_service import parrot

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.sync.outcome import Outcome

pytestmark = pytest.mark.leaves_damage("of a service that only these tests know; they ask themselves")


@pytest.fixture(autouse=True)
def _tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SERVICES, parrot.PROVIDER, parrot.SERVICE)
    monkeypatch.setitem(NORMALIZERS, parrot.PROVIDER, parrot.NORMALIZER)
    monkeypatch.setitem(RECOGNISERS, parrot.PROVIDER, parrot.RECOGNISER)


@pytest.fixture
def service() -> parrot.Parrot:
    talks = [
        parrot.talk("t1", "Seeds", "Which seeds?", "Sunflower seeds, and millet."),
        parrot.talk("t2", "Wings", "Can you fly?", "Only at dawn.", nest="nest-1"),
        parrot.talk("t3", "Old songs", "Sing!", "La la.", archived=True),
    ]
    return parrot.Parrot({talk["talk"]: talk for talk in talks})


def sync(path: Path, service: parrot.Parrot) -> Outcome:
    timing = Timing()
    with Writer(path) as writer, app.recorded(writer, "sync", timing, parrot.PROVIDER) as opened:
        outcome = Sync(RunContext(writer, service, timing, QuietReport(), opened.id)).run()
    assert outcome.error is None
    return outcome


def test_everything_is_mirrored_and_found(tmp_path: Path, service: parrot.Parrot) -> None:
    path = tmp_path / "chats.db"
    assert sync(path, service).counts.new == 3
    with closing(open_reader(path)) as conn:
        rows = {row["id"]: dict(row) for row in conn.execute("SELECT * FROM conversations")}
        hits = search(conn, "millet", Filters()).hits
        view = threads.conversation(conn, threads.find_conversation(conn, "https://parrot.example/talk/t2"))
        (state,) = status.read(conn).services
    assert rows["t1"]["url"] == "https://parrot.example/talk/t1"
    assert (rows["t2"]["project_id"], rows["t2"]["gpt_id"]) == ("nest-1", None)
    assert rows["t3"]["is_archived"] == 1
    assert [hit.conversation_id for hit in hits] == ["t1"]
    assert (view.project, view.provider) == ("The nest", parrot.PROVIDER)
    assert {scope.scope: scope.stored for scope in state.scopes} == {"main": 2, "archived": 1}
    with Writer(path) as writer:
        assert broken_in(writer.conn, writer.path) == []


def test_what_did_not_change_is_not_fetched_and_a_mark_is_news(tmp_path: Path, service: parrot.Parrot) -> None:
    """A revision that moves no time is a change all the same."""
    path = tmp_path / "chats.db"
    sync(path, service)
    service.asked.clear()
    sync(path, service)
    assert service.asked == []
    service.talks["t1"] = parrot.talk("t1", "Seeds", "Which seeds?", "Hemp.", revision=2)
    assert sync(path, service).changes == {"messages edited": 1}
    assert service.asked == ["t1"]


def test_what_is_deleted_gets_its_tombstone_after_two_proofs(tmp_path: Path, service: parrot.Parrot) -> None:
    path = tmp_path / "chats.db"
    sync(path, service)
    del service.talks["t2"]
    sync(path, service)
    assert sync(path, service).changes == {"gone": 1}
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT id FROM conversations WHERE deleted_at IS NOT NULL").fetchall() == [("t2",)]


def test_the_memory_of_the_source_is_kept(tmp_path: Path, service: parrot.Parrot) -> None:
    path = tmp_path / "chats.db"
    for visits in (1, 2):
        sync(path, service)
        assert service.memory() == {"visits": visits}
        assert service.login_memory() == {"runs": visits}


def test_its_exports_are_imported_and_a_sync_trusts_none_of_them(tmp_path: Path, service: parrot.Parrot) -> None:
    path, export = tmp_path / "chats.db", tmp_path / "talks.json"
    export.write_text(json.dumps(list(service.talks.values())))
    imported = app.import_archives(path, [export], Timing(), lambda *_: None)
    assert (imported.new, imported.problems) == (3, [])
    with closing(open_reader(path)) as conn:
        rows = conn.execute("SELECT provider, url FROM conversations ORDER BY id").fetchall()
    assert tuple(rows[0]) == (parrot.PROVIDER, "https://parrot.example/talk/t1")
    sync(path, service)
    assert sorted(service.asked) == ["t1", "t2", "t3"]


def test_the_page_of_a_conversation_shows_it(tmp_path: Path, service: parrot.Parrot) -> None:
    path = tmp_path / "chats.db"
    sync(path, service)
    code, page, _ = run(tmp_path, "datasette", "--get", "/chats/-/conversation/t1", "chats.db")
    assert code == 0
    assert "Sunflower seeds" in page
    assert "ChatGPT" not in page


def test_the_installed_command_reads_it(tmp_path: Path, service: parrot.Parrot) -> None:
    """A program that does not know the service shows its chats all the same, under the service's own word."""
    path = tmp_path / "chats.db"
    sync(path, service)
    code, out, err = run(tmp_path, "chatmirror", "show", "t1")
    assert (code, err) == (0, "")
    assert "Sunflower seeds" in out
    assert "parrot" in out
