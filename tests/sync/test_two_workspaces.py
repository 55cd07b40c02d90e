"""One conversation that the lists of two workspaces show, under two titles."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService

from mirror.simulator import ManualClock, SimulatedWorkspace, generated_account

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
