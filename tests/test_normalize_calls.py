"""Each payload is read into rows once on its way in, and a changed list row reads none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from nights import Night

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


def export_of(night: Night, path: Path) -> Path:
    """Write what the official export would hold of the simulated account."""
    trees = [night.account.tree(key) for key in night.ids()]
    path.write_text(json.dumps(trees), encoding="utf-8")
    return path


def test_each_payload_is_read_once_on_its_way_in(tmp_path: Path, counter: Counter) -> None:
    with Night(tmp_path, conversations=CHATS) as night:
        export = export_of(night, tmp_path / "conversations.json")

        def run_import() -> None:
            result = app.import_archives(night.path, [export], night.timing(), lambda *_: None)
            assert result.error is None

        assert counter.during(run_import) == CHATS
        assert counter.during(night.night) == 0, "the first sync after an import, nothing changed"
        assert night.reads() == 0
        assert counter.during(run_import) == 0, "the same bytes again"
        assert night.value("SELECT count(*) FROM conversations") == CHATS


def test_a_renamed_chat_is_not_read_into_rows_again(tmp_path: Path, counter: Counter) -> None:
    """The service moves a renamed chat's time, so it is fetched; its messages are seen to be the same."""
    with Night(tmp_path, conversations=CHATS) as night:
        assert counter.during(night.night) == CHATS
        for key in night.ids()[:5]:
            night.person.rename(key, f"Another title of {key}")
        assert counter.during(night.night) == 0
        assert len(night.changes()) == 5
        titles = night.rows("SELECT title FROM conversations WHERE title LIKE 'Another title%'")
        assert len(titles) == 5
        stored = night.value("SELECT count(*) FROM _payloads")
        assert stored == CHATS


def test_stars_archive_and_projects_touch_one_row(tmp_path: Path, counter: Counter) -> None:
    with Night(tmp_path, conversations=CHATS) as night:
        night.night()
        first, second, third = night.ids()[:3]
        night.person.archive(first)
        night.person.star(second)
        night.person.move(third, night.person.new_project("Bread"), bump=False)
        assert counter.during(lambda: night.night(full=True)) == 0
        assert night.reads() == 0
        kinds = night.changes()
        assert {kind for key in (first, second, third) for kind in kinds[key]} == {"archived", "starred", "moved"}
