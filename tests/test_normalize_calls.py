"""Each payload is read into rows once on its way in, and a changed list row reads none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService

from mirror import app
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
