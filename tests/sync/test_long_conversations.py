"""A conversation with more pages than a run may ask for: it comes in parts, and the others are not kept waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService, differences

from mirror.chatgpt import plural
from mirror.simulator import Behaviour

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

PAGES = 90  # of the long conversation: more than twice what one run is given


class Allowance:
    """Gives so many reads by id a run, then 429 until the next; notes the cursors of older pages."""

    def __init__(self, mirrored: MirroredService, a_run: int) -> None:
        self.mirrored, self.a_run, self.left = mirrored, a_run, a_run
        self.fails_at: int | None = None  # the older page that is broken, counted over all runs
        self._pages: list[str] = []
        self.expired = False  # the next cursor is refused that is not of this run
        mirrored.alter_answers(self.answer)

    def answer(self, request: ReceivedRequest, data: Any) -> Any:
        is_by_id = request.path.startswith("/backend-api/conversation")
        if not is_by_id or request.path.endswith("/batch") or request.path == "/backend-api/conversations":
            return data
        self.left -= 1
        if self.left < 0:
            return 429, {"detail": "Too many requests"}
        before = request.query.get("before")
        if before and before not in self._pages:
            self._pages.append(before)
        if before and self.fails_at is not None and self._pages.index(before) >= self.fails_at:
            return 500, {"detail": "Internal Server Error"}
        if self.expired and before and before not in self._given:
            self.expired = False
            return 404, {"detail": "Not Found"}
        self._given.add(data.get("page_info", {}).get("start_cursor"))
        return data

    def next_run(self) -> int:
        self.left = self.a_run
        self._given: set[str] = set()
        return self.mirrored.next_run()

    def cursors(self) -> list[str]:
        return [r.query["before"] for r in self.mirrored.service.requests if "before" in r.query]


def long_account(mirrored: MirroredService) -> str:
    """Make one conversation so long that only its pages come."""
    key = mirrored.ids()[2]
    for _ in range(PAGES * 10 // 2):
        mirrored.person.new_message(key)
    mirrored.behaviour.huge = frozenset({key})
    return key


def stored(mirrored: MirroredService, key: str) -> int:
    found: int = mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key)
    return found


@pytest.mark.parametrize("has_news", [False, True])
def test_it_is_read_on_from_run_to_run(tmp_path: Path, has_news: bool) -> None:
    """Each run adds what it was given, also where messages are added meanwhile; no page is asked for twice."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        key = long_account(mirrored)
        allowance, counts = Allowance(mirrored, 40), list[int]()
        seen: set[str] = set()
        for _ in range(5):
            code = allowance.next_run()
            counts.append(stored(mirrored, key))
            assert mirrored.value("SELECT count(*) FROM conversations") == 12  # the others, in the first run
            asked = allowance.cursors()
            assert len(seen.intersection(asked)) <= 1
            seen.update(asked)
            if code == 0:
                break
            if has_news:
                mirrored.person.new_message(key)
        assert code == 0
        assert counts == sorted(set(counts))
        assert differences(mirrored) == []
        assert mirrored.value("SELECT incomplete_reason FROM conversations WHERE id = ?", key) is not None  # a branch


def test_a_cursor_that_is_not_taken_any_more(tmp_path: Path) -> None:
    """It is read from its newest page, and what was stored stays."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        key = long_account(mirrored)
        allowance = Allowance(mirrored, 40)
        assert allowance.next_run() != 0
        before = stored(mirrored, key)
        payload = mirrored.value("SELECT incomplete_reason FROM conversations WHERE id = ?", key)
        assert payload == "its older messages are still to be read"
        allowance.expired = True
        assert allowance.next_run() != 0
        assert allowance.expired is False
        assert stored(mirrored, key) >= before
        for _ in range(6):
            code = allowance.next_run()
        assert code == 0
        assert differences(mirrored) == []


def test_what_came_before_the_run_ends_is_kept(tmp_path: Path) -> None:
    """Also where the run's four hours end, or the login."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch="missing"), conversations=12, over_http=False) as mirrored:
        key = long_account(mirrored)
        count = 0

        def alter(request: ReceivedRequest, data: Any) -> Any:
            nonlocal count
            count += "before" in request.query
            if count == 30 and "before" in request.query:
                mirrored.clock.advance(5 * 3600.0)
            return data

        mirrored.alter_answers(alter)
        assert mirrored.next_run() != 0
        first = stored(mirrored, key)
        assert first > 200
        mirrored.next_run()
        assert stored(mirrored, key) > first


def test_a_page_that_always_fails(tmp_path: Path) -> None:
    """What came before it is stored, the conversation is put off for longer each time, and others are read."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        key = long_account(mirrored)
        allowance = Allowance(mirrored, 10_000)
        allowance.fails_at = 60
        requests = []
        for _ in range(9):
            assert allowance.next_run() == 3
            requests.append(len(allowance.cursors()))
        assert stored(mirrored, key) > 300
        assert requests.count(0) >= 5
        allowance.fails_at = None
        for _ in range(8):
            code = allowance.next_run()
        assert code == 0
        assert differences(mirrored) == []


def pages(mirrored: MirroredService) -> int:
    return sum("before" in request.query for request in mirrored.service.requests)


@pytest.mark.parametrize(
    ("act", "most"),
    [("new_message", 0), ("regenerate", 0), ("twelve messages", 3), ("edit_prompt", 16), ("changed joint", 1)],
)
def test_what_is_stored_is_not_read_again(tmp_path: Path, act: str, most: int) -> None:
    """The newest pages are read until they meet a stored message that is the same; ``most``: older pages asked for."""
    behaviour = Behaviour(batch="missing", single="missing")
    with MirroredService(tmp_path, behaviour=behaviour, conversations=3, over_http=False) as mirrored:
        key = mirrored.ids()[1]
        for _ in range(60):
            mirrored.person.new_message(key)
        assert mirrored.next_run() == 0
        assert (whole := pages(mirrored)) >= 11
        if act == "edit_prompt":
            mirrored.person.edit_prompt(key, "Something else")
        elif act == "changed joint":  # the oldest message of the newest page says something else than before
            change_oldest_of_newest_page(mirrored, key)
        for _ in range({"twelve messages": 12, "changed joint": 1}.get(act, 0)):
            mirrored.person.new_message(key)
        if act in {"new_message", "regenerate"}:
            getattr(mirrored.person, act)(key)
        assert mirrored.next_run() == 0
        assert pages(mirrored) <= most
        assert [line for line in differences(mirrored) if not act.startswith("changed")] == []
        mirrored.person.new_message(key)
        assert mirrored.next_run(full=True) == 0
        assert pages(mirrored) >= whole
        assert differences(mirrored) == []


def change_oldest_of_newest_page(mirrored: MirroredService, key: str) -> None:
    tree = mirrored.account.tree(key)
    node = tree["current_node"]
    for _ in range(7):
        node = tree["mapping"][node]["parent"]
    tree["mapping"][node]["message"]["content"]["parts"] = ["Changed at the service"]


@pytest.mark.parametrize("how", ["no cursor", "too large"])
def test_a_beginning_that_never_comes_is_said_in_every_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """What came of the branch is stored and never taken for all of it; when the beginning can be had, it arrives."""
    behaviour = Behaviour(batch="missing", single="missing")
    with MirroredService(tmp_path, behaviour=behaviour, conversations=3, over_http=False) as mirrored:
        key = mirrored.ids()[1]
        for _ in range(40):
            mirrored.person.new_message(key)

        def without_cursor(request: ReceivedRequest, data: Any) -> Any:
            if "before" in request.query:
                data["page_info"].pop("start_cursor")
            return data

        most = plural.MOST_BRANCH_BYTES
        if how == "too large":
            monkeypatch.setattr(plural, "MOST_BRANCH_BYTES", 16_000)
        else:
            mirrored.alter_answers(without_cursor)
        sql = "SELECT incomplete_reason FROM conversations WHERE id = ?"
        asked = []
        for _ in range(6):
            assert mirrored.next_run() == 3
            assert mirrored.value(sql, key) == "its older messages did not come"
            assert 10 < stored(mirrored, key) < 80
            asked.append(pages(mirrored))
        assert sum(asked[1:]) <= (1 if how == "too large" else 5)
        mirrored.alter_answers(None)
        monkeypatch.setattr(plural, "MOST_BRANCH_BYTES", most)
        for _ in range(8):
            code = mirrored.next_run()
        assert code == 0
        assert differences(mirrored) == []
