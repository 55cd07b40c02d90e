"""Accounts whose Work conversations are many, elsewhere, or told in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService, differences

from mirror.simulator import Behaviour, ManualClock, SimulatedWorkspace, generated_account

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.simulator import ReceivedRequest


def work_chats(mirrored: MirroredService, count: int, **more: Any) -> list[str]:
    return [
        mirrored.person.new_conversation(f"Work {n}", "Do it.", "Done.", origin="tpp", **more) for n in range(count)
    ]


def work_requests(mirrored: MirroredService) -> list[ReceivedRequest]:
    return [request for request in mirrored.service.requests if request.query.get("conversation_origin")]


def marks(mirrored: MirroredService) -> int:
    sql = "SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL OR missing_since IS NOT NULL"
    return int(mirrored.value(sql))


def test_a_long_work_list_is_read_down_to_what_is_known(tmp_path: Path) -> None:
    """A change deep down moves to its top; quiet runs read one page."""
    with MirroredService(tmp_path, conversations=5, over_http=False) as mirrored:
        keys = work_chats(mirrored, 140)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        for key in (keys[0], keys[70], keys[139]):
            mirrored.person.new_message(key)
            assert mirrored.next_run() == 0
            assert len(work_requests(mirrored)) == 2
            assert differences(mirrored) == []
        assert marks(mirrored) == 0


def test_a_workspace_of_others_has_a_work_list_of_its_own(tmp_path: Path) -> None:
    """Its conversations are stored as its own, and the personal workspace is not asked in vain."""
    account = generated_account(ManualClock(), 5, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))
    with MirroredService(tmp_path, account, over_http=False) as mirrored:
        keys = work_chats(mirrored, 3, workspace="ws-team")
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        sql = "SELECT DISTINCT account_id FROM conversations WHERE id IN (?, ?, ?)"
        assert mirrored.rows(sql, *keys) == [("ws-team",)]
        mirrored.person.new_message(keys[0])
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert all(request.headers.get("chatgpt-account-id") for request in work_requests(mirrored))


@pytest.mark.parametrize("origin", [None, "absent", "chat", 7])
def test_rows_that_do_not_say_that_they_are_of_work(tmp_path: Path, origin: object) -> None:
    """They stand in the list of Work, and nowhere else: that is enough."""
    with MirroredService(tmp_path, conversations=120, over_http=False) as mirrored:
        keys = work_chats(mirrored, 6)
        mirrored.person.archive(keys[0])

        def alter(request: ReceivedRequest, data: Any) -> Any:
            if not request.query.get("conversation_origin"):
                return data
            rows = [{**row, "conversation_origin": origin} for row in data["items"]]
            if origin == "absent":
                rows = [{k: v for k, v in row.items() if k != "conversation_origin"} for row in rows]
            return {**data, "items": rows}

        mirrored.alter_answers(alter)
        for n in range(3):
            mirrored.person.new_message(keys[n])
            assert mirrored.next_run() == 0
            assert differences(mirrored) == []
        assert marks(mirrored) == 0


@pytest.mark.parametrize("later", ["refused", "ignored", "together"])
@pytest.mark.parametrize("conversations", [12, 130])
def test_when_the_service_changes_its_mind(tmp_path: Path, later: str, conversations: int) -> None:
    """From a list apart to one list for all: nothing is lost or missed, and the account is current."""
    with MirroredService(tmp_path, conversations=conversations, over_http=False) as mirrored:
        keys = work_chats(mirrored, 12)
        mirrored.person.archive(keys[1])
        assert mirrored.next_run() == 0
        mirrored.behaviour.work = later
        codes = []
        for n in range(8):
            mirrored.person.new_message(keys[n])
            codes.append(mirrored.next_run())
            assert differences(mirrored) == []
        assert codes[-1] == 0
        assert set(codes) <= {0, 3}
        assert marks(mirrored) == 0


def test_work_conversations_in_a_project(tmp_path: Path) -> None:
    """In the project's list, that of Work, or both."""
    behaviour = Behaviour(main_excludes_projects=True)
    with MirroredService(tmp_path, behaviour=behaviour, over_http=False) as mirrored:
        project = mirrored.person.new_project("Bread")
        keys = work_chats(mirrored, 4, project=project)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        mirrored.behaviour.work = "refused"
        mirrored.person.new_message(keys[0])
        assert mirrored.next_run() in {0, 3}
        assert differences(mirrored) == []
        assert marks(mirrored) == 0


def test_a_dry_run_counts_them(tmp_path: Path) -> None:
    """And stores nothing."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        work_chats(mirrored, 4)
        assert mirrored.sync(dry=True).counts.new == 16
        assert mirrored.value("SELECT count(*) FROM conversations") == 0
        assert mirrored.reads() == 0


def test_counts_of_a_run(tmp_path: Path) -> None:
    """Each conversation is new, changed or unchanged, once."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = work_chats(mirrored, 4)
        mirrored.next_run()
        mirrored.person.new_message(keys[0])
        mirrored.person.new_message(mirrored.ids()[0])
        work_chats(mirrored, 1)
        mirrored.clock.advance(86_400.0)
        counts = mirrored.sync().counts
        assert (counts.listed, counts.new, counts.changed, counts.unchanged) == (17, 1, 2, 14)


def test_an_account_with_nothing_but_work(tmp_path: Path) -> None:
    """Empty ordinary lists are no missing login."""
    with MirroredService(tmp_path, conversations=0, over_http=False) as mirrored:
        work_chats(mirrored, 3)
        for _ in range(3):
            assert mirrored.next_run() == 0
            assert differences(mirrored) == []


def test_an_unfinished_answer_of_work_is_asked_for_once_a_run(tmp_path: Path) -> None:
    """A conversation that was still being written is not read twice in one run."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        (key,) = work_chats(mirrored, 1)
        mirrored.person.start_reply(key)
        mirrored.next_run()
        mirrored.next_run()
        asked = [r for r in mirrored.service.requests if key in r.path or key in r.ids]
        assert len(asked) == 1


def test_an_archived_list_that_leaves_archived_work_out_moves_nobody(tmp_path: Path) -> None:
    """The archived list of Work fails in a run: its conversations are not looked at one by one."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = work_chats(mirrored, 15)
        for key in keys[:12]:
            mirrored.person.archive(key)
        mirrored.next_run()

        def alter(request: ReceivedRequest, data: Any) -> Any:
            is_meant = request.query.get("conversation_origin") and request.query["is_archived"] == "true"
            return (500, {"detail": "No"}) if is_meant else data

        mirrored.alter_answers(alter)
        for _ in range(2):
            assert mirrored.next_run() == 3
            assert mirrored.reads() == 0
        assert marks(mirrored) == 0
