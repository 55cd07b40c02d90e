"""Conversations of Work stand in a list of their own: read after the others, and never missed in the main list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService, differences

from mirror.simulator import Behaviour

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

WORDS = ("What is left to do?", "Three things.")


def work_chats(mirrored: MirroredService, count: int, origin: str = "tpp") -> list[str]:
    return [mirrored.person.new_conversation(f"Work {n}", *WORDS, origin=origin) for n in range(count)]


def work_requests(mirrored: MirroredService) -> list[ReceivedRequest]:
    return [request for request in mirrored.service.requests if request.query.get("conversation_origin")]


def message(mirrored: MirroredService) -> str | None:
    found: str | None = mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
    return found


def marks(mirrored: MirroredService) -> int:
    """How many conversations are marked missing or deleted."""
    sql = "SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL OR missing_since IS NOT NULL"
    return int(mirrored.value(sql))


def fail_work_list(mirrored: MirroredService, status: int) -> None:
    def alter(request: ReceivedRequest, data: Any) -> Any:
        return (status, {"detail": "No"}) if request.query.get("conversation_origin") else data

    mirrored.alter_answers(alter)


@pytest.mark.parametrize("work", ["apart", "together", "refused", "ignored"])
@pytest.mark.parametrize("conversations", [3, 130])
def test_they_are_stored_whatever_the_service_makes_of_the_parameter(
    tmp_path: Path, work: str, conversations: int
) -> None:
    """Live and archived ones, new messages and new ones; nothing is marked, and later runs read only what changed."""
    with MirroredService(
        tmp_path, behaviour=Behaviour(work=work), conversations=conversations, over_http=False
    ) as mirrored:
        keys = work_chats(mirrored, 12) + work_chats(mirrored, 2, "flora")
        mirrored.person.archive(keys[3])
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        for _ in range(2):
            assert mirrored.next_run() == 0
            assert mirrored.reads() == 0
        mirrored.person.new_message(keys[0])
        mirrored.person.archive(keys[5])
        mirrored.person.unarchive(keys[3])
        keys += work_chats(mirrored, 1)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        for full in (False, False, True, False):
            assert mirrored.next_run(full=full) == 0
        assert marks(mirrored) == 0


def test_they_are_read_after_the_ordinary_ones(tmp_path: Path) -> None:
    """The ordinary conversations are safe before anything is asked of the other list."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        work_chats(mirrored, 2)
        assert mirrored.next_run() == 0
        paths = [request.path for request in mirrored.service.requests]
        first_read = next(n for n, path in enumerate(paths) if path.endswith("/batch"))
        assert all(request.number > first_read for request in work_requests(mirrored))


@pytest.mark.parametrize("count", [0, 5])
def test_a_quiet_run_stays_within_its_requests(tmp_path: Path, count: int) -> None:
    """One request for each list of Work where there are such conversations, and seldom one where there are none."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        work_chats(mirrored, count)
        assert mirrored.next_run() == 0
        asked = []
        for _ in range(6):
            assert mirrored.next_run() == 0
            assert len(mirrored.service.requests) <= 10
            asked.append(len(work_requests(mirrored)))
        assert asked == [2] * 6 if count else sum(asked) <= 3


@pytest.mark.parametrize("work", ["refused", "ignored"])
def test_a_list_that_is_refused_is_asked_for_by_one_request(tmp_path: Path, work: str) -> None:
    """And read from the first run on in which it is given."""
    with MirroredService(tmp_path, behaviour=Behaviour(work=work), over_http=False) as mirrored:
        for expected in (2, 1, 1):
            assert mirrored.next_run() == 0
            assert len(work_requests(mirrored)) <= expected
        mirrored.behaviour.work = "apart"
        work_chats(mirrored, 3)
        assert max(mirrored.next_run(), mirrored.next_run()) == 0
        assert differences(mirrored) == []


def test_the_first_one_arrives_within_two_runs(tmp_path: Path) -> None:
    """Where there was none, the list is looked at every other day."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.next_run()
        mirrored.next_run()
        work_chats(mirrored, 1)
        mirrored.next_run()
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize(
    ("status", "conversations", "full"),
    [(500, 12, False), (500, 130, False), (500, 12, True), (404, 12, True), (403, 12, False), (429, 12, False)],
)
def test_a_work_list_that_fails_costs_only_itself(
    tmp_path: Path,
    status: int,
    conversations: int,
    full: bool,
) -> None:
    """It is named, exit 3; the main list's conversations are stored, and none of Work counts as missing."""
    with MirroredService(tmp_path, conversations=conversations, over_http=False) as mirrored:
        keys = work_chats(mirrored, 9)
        mirrored.person.archive(keys[1])
        assert mirrored.next_run() == 0
        fail_work_list(mirrored, status)
        for _ in range(3):
            mirrored.person.new_message(mirrored.ids()[0])
            mirrored.person.new_message(keys[2])
            assert mirrored.next_run(full=full) == 3
            assert "Work list" in (message(mirrored) or "")
            assert {line[:36] for line in differences(mirrored)} == {keys[2]}
            assert marks(mirrored) == 0
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_first_run_whose_work_list_fails_is_not_current(tmp_path: Path) -> None:
    """There may be conversations that nobody has seen; they arrive when the list does."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = work_chats(mirrored, 3)
        fail_work_list(mirrored, 500)
        assert mirrored.next_run() == 3
        assert len(differences(mirrored)) == len(keys)
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_parameter_that_always_fails_is_no_alarm_for_ever(tmp_path: Path) -> None:
    """The service answers some parameters with 500: after three runs that is taken for a refusal."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        fail_work_list(mirrored, 500)
        assert [mirrored.next_run() for _ in range(6)] == [3, 3, 3, 0, 0, 0]


def test_failures_with_good_runs_between_are_no_refusal(tmp_path: Path) -> None:
    """Also where nothing stands in the list any more: what comes into either of the two arrives in the next run."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        [key] = work_chats(mirrored, 1)
        assert mirrored.next_run() == 0
        mirrored.person.delete(key)
        for _ in range(3):
            assert mirrored.next_run() == 0
        for _ in range(4):
            fail_work_list(mirrored, 500)
            assert mirrored.next_run() == 0
            mirrored.alter_answers(None)
            assert mirrored.next_run() == 0
        [key] = work_chats(mirrored, 1)
        mirrored.person.archive(key)
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT is_full FROM sync_runs ORDER BY id DESC") == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize("full", [False, True])
def test_when_the_main_list_begins_to_leave_them_out(tmp_path: Path, *, full: bool) -> None:
    """They were in both lists, and then in one only: nothing is missing, and nothing is asked for one by one."""
    with MirroredService(tmp_path, behaviour=Behaviour(work="together"), over_http=False) as mirrored:
        keys = work_chats(mirrored, 20)
        assert mirrored.next_run() == 0
        mirrored.behaviour.work = "apart"
        mirrored.person.new_message(keys[0])
        for _ in range(3):
            assert mirrored.next_run(full=full) == 0
            assert differences(mirrored) == []
            assert marks(mirrored) == 0


def test_deleted_ones_are_proven_like_others(tmp_path: Path) -> None:
    """Gone from their own list, then denied twice by id."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = work_chats(mirrored, 4)
        mirrored.next_run()
        mirrored.person.delete(keys[1])
        for _ in range(3):
            assert mirrored.next_run() == 0
        sql = "SELECT id FROM conversations WHERE deleted_at IS NOT NULL"
        assert [row[0] for row in mirrored.rows(sql)] == [keys[1]]


def test_a_work_list_that_collapses_is_a_safety_stop(tmp_path: Path) -> None:
    """Its conversations are known like any others."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = work_chats(mirrored, 20)
        assert mirrored.next_run() == 0
        mirrored.behaviour.omitted = frozenset(keys[5:])
        assert mirrored.next_run() == 7
        assert mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0


def test_stars_of_work_conversations_stay(tmp_path: Path) -> None:
    """The list of starred ones may leave them out, which takes no star away."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = work_chats(mirrored, 130)
        mirrored.person.star(keys[0])
        for _ in range(3):
            assert mirrored.next_run() == 0
            assert differences(mirrored) == []
