"""What two workspaces of one login share: a conversation in the lists of both, and the limit on reads by id."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService

from mirror.simulator import Behaviour, ManualClock, SimulatedWorkspace, generated_account

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.simulator import ReceivedRequest


@pytest.mark.parametrize("times", ["equal", "the first is newer", "the second is newer"])
def test_nothing_changes_where_nothing_changed_at_the_service(tmp_path: Path, times: str) -> None:
    """One row has one workspace: the one with the newer time, else the one that had it first."""
    account = generated_account(ManualClock(), 4, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))
    with MirroredService(tmp_path, account) as mirrored:
        key = mirrored.ids()[1]
        row = dict(mirrored.account.conversations[key])
        other = {"the first is newer": -60, "the second is newer": 60, "equal": 0}[times]
        copied: list[dict[str, Any]] = []

        def answer(request: ReceivedRequest, data: Any) -> Any:
            is_main = request.path.endswith("/conversations") and request.query.get("is_archived") == "false"
            if not is_main or "conversation_origin" in request.query or request.query.get("offset") != "0":
                return data
            if request.headers.get("chatgpt-account-id") != "ws-team":
                copied[:] = [deepcopy(item) for item in data["items"] if item["id"] == key]
                return data
            time = mirrored.clock.seconds if not copied else row["update_time"] + other
            extra = [item | {"title": "As the team calls it", "update_time": time} for item in copied]
            return data | {"items": extra + data["items"], "total": len(extra) + len(data["items"])}

        mirrored.alter_answers(answer)
        mirrored.next_run()
        settled = mirrored.rows("SELECT title, account_id FROM conversations WHERE id = ?", key)
        for _ in range(4):
            mirrored.next_run()
            assert mirrored.changes().get(key) is None
            assert mirrored.rows("SELECT title, account_id FROM conversations WHERE id = ?", key) == settled
        is_teams = times == "the second is newer"
        assert settled[0][0] == ("As the team calls it" if is_teams else row["title"])


@pytest.mark.parametrize("answer", [(503, {}), (403, {}), (429, {}), (200, {})])
@pytest.mark.parametrize("team", [0, 5])
def test_an_empty_workspace_while_nobody_says_who_asks(tmp_path: Path, team: int, answer: tuple[int, Any]) -> None:
    """It keeps no other from being read, whose rows show that the login is known; without such a one it is an error."""
    account = generated_account(ManualClock(), 0, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))
    with MirroredService(tmp_path, account, over_http=False) as mirrored:
        for n in range(team):
            mirrored.person.new_conversation(f"Talk {n}", workspace="ws-team")
        mirrored.alter_answers(lambda request, data: answer if request.path.endswith("/me") else data)
        says_that_nobody_asks = answer[0] == 200
        without = {429: 6, 200: 4}.get(answer[0], 5)
        assert mirrored.next_run() == (0 if team and not says_that_nobody_asks else without)
        stored = 0 if says_that_nobody_asks else team
        assert mirrored.value("SELECT count(*) FROM conversations") == stored
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT count(*) FROM conversations") == team


def two_workspaces(tmp_path: Path, personal: int, team: int, **behaviour: Any) -> tuple[MirroredService, list[str]]:
    """A service that gives conversations by id only; also the ids of the team's."""
    account = generated_account(ManualClock(), personal, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))
    mirrored = MirroredService(tmp_path, account, Behaviour(batch="missing", **behaviour), over_http=False)
    return mirrored, [mirrored.person.new_conversation(f"Talk {n}", workspace="ws-team") for n in range(team)]


def reads_by_id(mirrored: MirroredService) -> int:
    return sum("/conversation/" in request.path for request in mirrored.service.requests)


def test_reads_by_id_that_one_workspace_took_stop_the_other_only_at_the_limit_of_both(tmp_path: Path) -> None:
    """An older mirror kept a budget with each workspace; what the first one used counted against the second one's."""
    mirrored, ours = two_workspaces(tmp_path, 26, 6)
    with mirrored:
        assert mirrored.next_run() == 0
        old = {mirrored.account.workspaces[0].id: 30, "ws-team": 20}
        with closing(sqlite3.connect(mirrored.path)) as conn, conn:
            conn.execute("DELETE FROM _settings WHERE key LIKE 'login:%'")
            for account_id, budget in old.items():
                sql = "UPDATE _settings SET value = json_set(value, '$.single_read_budget', ?) WHERE key = ?"
                assert conn.execute(sql, (budget, f"source:{account_id}")).rowcount == 1
        for _ in range(2):
            for key in (*mirrored.ids()[:25], *ours[:5]):
                mirrored.person.new_message(key)
            assert mirrored.next_run() == 0
            assert reads_by_id(mirrored) == 30


def test_a_limit_that_one_workspace_met_is_kept_by_all(tmp_path: Path) -> None:
    """It is the login that is limited, and the person who would be locked out."""
    mirrored, _ = two_workspaces(tmp_path, 20, 30, bucket=25)
    with mirrored:
        personal = [key for key in mirrored.ids() if mirrored.account.home(key) != "ws-team"]
        assert mirrored.next_run() == 6
        budget = json.loads(mirrored.value("SELECT value FROM _settings WHERE key = 'login:chatgpt'"))
        assert 10 < budget["single_read_budget"] < 20
        mirrored.behaviour.bucket = None
        for key in personal:
            mirrored.person.new_message(key)
        assert mirrored.next_run() == 6
        assert reads_by_id(mirrored) == budget["single_read_budget"]
        codes = [mirrored.next_run() for _ in range(4)]
        assert codes[-1] == 0
        assert mirrored.value("SELECT count(*) FROM conversations") == 50
