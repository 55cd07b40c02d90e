"""Each payload is read into rows once on its way in; a changed list row and a check of untouched rows read none."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService

from mirror import app
from mirror.errors import DamagedError
from mirror.normalize import NORMALIZERS

if TYPE_CHECKING:
    from pathlib import Path

CHATS = 30


class Counter:
    """A normalizer that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.normalizer = NORMALIZERS["chatgpt"]

    def from_payload(self, payload: object) -> Any:
        self.calls += 1
        return self.normalizer.from_payload(payload)

    def during(self, work: Any) -> int:
        """Return how many payloads ``work`` read into rows."""
        self.calls = 0
        work()
        return self.calls


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    found = Counter()
    counting = replace(found.normalizer, from_payload=found.from_payload)
    monkeypatch.setitem(NORMALIZERS, "chatgpt", counting)
    return found


def export_of(mirrored: MirroredService, path: Path) -> Path:
    """Write what the official export would hold of the simulated account."""
    trees = [mirrored.account.tree(key) for key in mirrored.ids()]
    path.write_text(json.dumps(trees), encoding="utf-8")
    return path


def test_each_payload_is_read_once_on_its_way_in(tmp_path: Path, counter: Counter) -> None:
    with MirroredService(tmp_path, conversations=CHATS) as mirrored:
        export = export_of(mirrored, tmp_path / "conversations.json")

        def run_import() -> None:
            result = app.import_archives(mirrored.path, [export], mirrored.timing(), lambda *_: None)
            assert result.error is None

        assert counter.during(run_import) == CHATS
        assert counter.during(mirrored.next_run) == 0, "the first sync after an import, nothing changed"
        assert mirrored.reads() == 0
        assert counter.during(run_import) == 0, "the same bytes again"
        assert mirrored.value("SELECT count(*) FROM conversations") == CHATS


def test_a_renamed_chat_is_not_read_into_rows_again(tmp_path: Path, counter: Counter) -> None:
    """The service moves a renamed chat's time, so it is fetched; its messages are seen to be the same."""
    with MirroredService(tmp_path, conversations=CHATS) as mirrored:
        assert counter.during(mirrored.next_run) == CHATS
        for key in mirrored.ids()[:5]:
            mirrored.person.rename(key, f"Another title of {key}")
        assert counter.during(mirrored.next_run) == 0
        assert len(mirrored.changes()) == 5
        titles = mirrored.rows("SELECT title FROM conversations WHERE title LIKE 'Another title%'")
        assert len(titles) == 5
        stored = mirrored.value("SELECT count(*) FROM _payloads")
        assert stored == CHATS


def test_stars_archive_and_projects_touch_one_row(tmp_path: Path, counter: Counter) -> None:
    with MirroredService(tmp_path, conversations=CHATS) as mirrored:
        mirrored.next_run()
        first, second, third = mirrored.ids()[:3]
        mirrored.person.archive(first)
        mirrored.person.star(second)
        mirrored.person.move(third, mirrored.person.new_project("Bread"), bump=False)
        assert counter.during(lambda: mirrored.next_run(full=True)) == 0
        assert mirrored.reads() == 0
        kinds = mirrored.changes()
        assert {kind for key in (first, second, third) for kind in kinds[key]} == {"archived", "starred", "moved"}


def _check(mirrored: MirroredService, *, repair: bool = False) -> str:
    error, _ = app.check(mirrored.path, mirrored.timing(), lambda *_: None, repair=repair)
    return "" if error is None else error.message


def test_a_check_reads_only_what_was_touched(tmp_path: Path, counter: Counter) -> None:
    """Whatever way the rows came in; what another program wrote is derived again and found."""
    with MirroredService(tmp_path, conversations=CHATS) as mirrored:
        export = export_of(mirrored, tmp_path / "conversations.json")
        app.import_archives(mirrored.path, [export], mirrored.timing(), lambda *_: None)
        mirrored.person.new_conversation("A new one")
        for act in (mirrored.person.new_message, mirrored.person.regenerate, mirrored.person.star):
            for key in mirrored.ids()[:3]:
                act(key)
            mirrored.next_run()
        mirrored.person.edit_prompt(mirrored.ids()[4], "Asked otherwise")
        mirrored.next_run(full=True)

        def changed_by_hand(sql: str) -> int:
            with closing(sqlite3.connect(mirrored.path)) as conn, conn:
                assert conn.execute(sql).rowcount > 0
            return counter.during(lambda: said.append(_check(mirrored)))

        said: list[str] = []
        assert counter.during(lambda: said.append(_check(mirrored))) == 0
        assert said == [""]
        assert changed_by_hand("UPDATE messages SET is_hidden = 1 - is_hidden WHERE rowid = 5") == 1
        assert "differ from its payload" in said[-1]
        assert _check(mirrored, repair=True) == ""
        assert counter.during(lambda: _check(mirrored)) == 0
        assert changed_by_hand("DELETE FROM _row_hashes WHERE table_name = 'messages'") >= CHATS
        assert said[-1] == ""
        assert _check(mirrored, repair=True) == ""
        assert counter.during(lambda: _check(mirrored)) == 0, "a repair renews what is missing"
        assert changed_by_hand("UPDATE _row_hashes SET hash = x'00' WHERE table_name = 'messages'") >= CHATS
        app.rebuild(mirrored.path, mirrored.timing(), lambda *_: None)
        assert counter.during(lambda: _check(mirrored)) == 0, "and so does a rebuild"


def test_rows_that_were_made_without_a_damaged_payload_are_not_trusted(tmp_path: Path) -> None:
    """An older file came while it was damaged; then the service gave the very bytes that were there before."""
    with MirroredService(tmp_path, conversations=4) as mirrored:
        key = mirrored.ids()[1]
        older = tmp_path / "conversations.json"
        older.write_text(json.dumps([mirrored.account.tree(key)]))
        mirrored.person.new_message(key, "The newest question?", "The newest answer.")
        mirrored.next_run()
        whole = mirrored.rows("SELECT id, position FROM messages ORDER BY rowid")
        with closing(sqlite3.connect(mirrored.path)) as conn, conn:
            conn.execute("UPDATE _payloads SET body = zeroblob(50) WHERE conversation_id = ?", (key,))
        app.import_archives(mirrored.path, [older], mirrored.timing(), lambda *_: None)
        assert "does not unpack" in _check(mirrored, repair=True)
        mirrored.next_run()
        assert "differ from its payload" in _check(mirrored)
        assert _check(mirrored, repair=True) == ""
        assert mirrored.rows("SELECT id, position FROM messages ORDER BY rowid") == whole


def test_so_it_is_where_files_alone_bring_them(tmp_path: Path) -> None:
    """The newer file comes again after the older one; no repair lies between."""
    with MirroredService(tmp_path, conversations=1) as mirrored:
        older, newer = tmp_path / "older.json", tmp_path / "newer.json"
        export_of(mirrored, older)
        mirrored.person.new_message(mirrored.ids()[0], "The newest question?", "The newest answer.")
        export_of(mirrored, newer)

        def take(export: Path) -> None:
            app.import_archives(mirrored.path, [export], mirrored.timing(), lambda *_: None)

        take(newer)
        with closing(sqlite3.connect(mirrored.path)) as conn, conn:
            conn.execute("UPDATE _payloads SET body = zeroblob(50)")
        take(older)
        take(newer)
        assert "differ from its payload" in _check(mirrored)
        assert _check(mirrored, repair=True) == ""
        assert mirrored.value("SELECT text FROM messages ORDER BY position DESC") == "The newest answer."


def _with_a_payload_that_a_rebuild_could_not_read(mirrored: MirroredService, monkeypatch: pytest.MonkeyPatch) -> str:
    """Damage a stored payload, and let a new version derive all others; return its conversation."""
    mirrored.next_run()
    key = mirrored.ids()[1]
    with closing(sqlite3.connect(mirrored.path)) as conn, conn:
        conn.execute("UPDATE _payloads SET body = zeroblob(50) WHERE conversation_id = ?", (key,))
    old = NORMALIZERS["chatgpt"]

    def read_otherwise(payload: object) -> Any:
        found = old.from_payload(payload)
        return replace(found, messages=tuple(replace(m, author="Newer") for m in found.messages))

    newer = replace(old, from_payload=read_otherwise, version=old.version + 1)
    monkeypatch.setitem(NORMALIZERS, "chatgpt", newer)
    with pytest.raises(DamagedError):
        app.rebuild(mirrored.path, mirrored.timing(), lambda *_: None)
    return key


@pytest.mark.parametrize("by", ["sync", "hand"])
def test_rows_that_a_rebuild_could_not_derive_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The bytes came back, by a sync or from a backup, and the rows are still those of the version before."""
    with MirroredService(tmp_path, conversations=4) as mirrored:
        mirrored.next_run()
        whole = dict(mirrored.rows("SELECT conversation_id, body FROM _payloads"))
        key = _with_a_payload_that_a_rebuild_could_not_read(mirrored, monkeypatch)
        if by == "sync":
            assert mirrored.next_run(verify=True) == DamagedError.exit_code
        else:
            with closing(sqlite3.connect(mirrored.path)) as conn, conn:
                conn.execute("UPDATE _payloads SET body = ? WHERE conversation_id = ?", (whole[key], key))
        assert "differ from its payload" in _check(mirrored)
        assert _check(mirrored, repair=True) == ""
        assert mirrored.rows("SELECT DISTINCT author FROM messages") == [("Newer",)]


def test_news_of_a_damaged_payload_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A renamed chat is not taken for the same as bytes that cannot be read: the damage is said, its rows are new."""
    with MirroredService(tmp_path, conversations=4) as mirrored:
        key = _with_a_payload_that_a_rebuild_could_not_read(mirrored, monkeypatch)
        mirrored.person.rename(key, "Another title")
        assert mirrored.next_run() == DamagedError.exit_code
        assert _check(mirrored) == ""
        assert mirrored.rows("SELECT DISTINCT author FROM messages") == [("Newer",)]
