"""One address that always asks for a long pause ends the run, by name; a later run does without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mirrored_service import MirroredService

from mirror.simulator import Behaviour, ManualClock, SimulatedWorkspace, generated_account

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirror.simulator import ReceivedRequest


def stored(mirrored: MirroredService) -> set[str]:
    return {row[0] for row in mirrored.rows("SELECT id FROM conversations")}


def message(mirrored: MirroredService) -> str:
    return str(mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC"))


def pause_at(mirrored: MirroredService, is_asked: Callable[[ReceivedRequest], bool], status: int = 429) -> None:
    """Ask for a pause of 20 minutes, in each answer to what is asked for so."""
    answer = (status, {"detail": "Later"}, {"Retry-After": ["1200"]})
    mirrored.alter_answers(lambda request, data: answer if is_asked(request) else data)


BESIDE: dict[str, Callable[[ReceivedRequest], bool]] = {
    "your memories": lambda request: request.path.endswith("/memories"),
    "your custom instructions": lambda request: request.path.endswith("/user_system_messages"),
    "the list of projects": lambda request: request.path.endswith("/sidebar"),
    "the starred list": lambda request: request.query.get("is_starred") == "true",
    "the archived list": lambda request: (
        request.query.get("is_archived") == "true" and "conversation_origin" not in request.query
    ),
    "the pinned list": lambda request: request.path.endswith("/pins"),
    "the shared list": lambda request: request.path.endswith("/shared_conversations"),
    "the list of your workspaces": lambda request: "/accounts/check" in request.path,
}


@pytest.mark.parametrize("name", list(BESIDE))
@pytest.mark.parametrize("status", [429, 503])
def test_what_stands_beside_the_conversations(tmp_path: Path, name: str, status: int) -> None:
    """The run that it ends names it; what is new comes in the next one, which does not ask for it.

    Without some of it no run is current: that is asked for again first, for all may have been limited for an hour.
    """
    is_needed = name in {"the list of projects", "the archived list", "the list of your workspaces"}
    with MirroredService(tmp_path) as mirrored:
        assert mirrored.next_run() == 0
        pause_at(mirrored, BESIDE[name], status)
        mirrored.person.new_conversation("New")
        assert mirrored.next_run(full=True) == 6
        assert f"asked to wait 20 minutes when it was asked for {name}, so the run stopped" in message(mirrored)
        mirrored.person.new_conversation("Newer")
        if is_needed:
            assert mirrored.next_run(full=True) == 6
        assert mirrored.next_run(full=True) in ({3, 5} if is_needed else {0})
        assert stored(mirrored) == set(mirrored.ids())
        assert not any(map(BESIDE[name], mirrored.service.requests))
        mirrored.alter_answers(None)
        assert mirrored.next_run(full=True) == 0
        assert any(map(BESIDE[name], mirrored.service.requests))


def test_it_is_asked_for_more_seldom(tmp_path: Path) -> None:
    """Of three weeks of runs only a few end there, and all else is stored within three runs."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.next_run()
        pause_at(mirrored, BESIDE["the archived list"])
        codes: list[int] = []
        known = [set(mirrored.ids())] * 3
        for n in range(21):
            mirrored.person.new_conversation(f"New {n}")
            known.append(set(mirrored.ids()))
            codes.append(mirrored.next_run())
            assert known[n + 1] <= stored(mirrored)
        assert codes.count(6) <= 6
        assert set(codes) == {5, 6}


def test_a_list_of_one_project(tmp_path: Path) -> None:
    with MirroredService(tmp_path) as mirrored:
        project = mirrored.person.new_project("Bakery")
        mirrored.person.move(mirrored.ids()[0], project)
        assert mirrored.next_run() == 0
        pause_at(mirrored, lambda request: request.path.endswith(f"/{project}/conversations"))
        mirrored.person.new_conversation("New")
        assert mirrored.next_run(full=True) == 6
        assert f"the list of the project {project}" in message(mirrored)
        assert [mirrored.next_run(full=True) for _ in range(2)] == [6, 5]
        assert stored(mirrored) == set(mirrored.ids())


@pytest.mark.parametrize("name", ["the main list", "the archived list", "the list of projects"])
def test_a_list_that_is_needed_is_asked_for_in_the_next_run(tmp_path: Path, name: str) -> None:
    """For all may have been limited for an hour."""
    asked = {**BESIDE, "the main list": lambda request: request.query.get("is_archived") == "false"}
    with MirroredService(tmp_path) as mirrored:
        pause_at(mirrored, asked[name])
        assert mirrored.next_run() == 6
        assert f"when it was asked for {name}" in message(mirrored)
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert stored(mirrored) == set(mirrored.ids())


def test_the_main_list_of_one_workspace_keeps_no_other_unread(tmp_path: Path) -> None:
    """Every other run does without it, if it ends one after the other."""
    account = generated_account(ManualClock(), 6, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "Bakery", "workspace"))
    with MirroredService(tmp_path, account, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        own = "chatgpt-account-id"
        pause_at(mirrored, lambda r: r.query.get("is_archived") == "false" and own not in r.headers)
        key = mirrored.person.new_conversation("New", workspace="ws-team")
        codes = [mirrored.next_run() for _ in range(4)]
        assert codes == [6, 6, 5, 6]
        assert key in stored(mirrored)


ENDPOINTS: dict[str, Callable[[ReceivedRequest, str], bool]] = {
    "batch": lambda request, key: key in request.ids,
    "by id": lambda request, key: key in request.path,
    "any": lambda request, key: key in request.ids or key in request.path,
}


@pytest.mark.parametrize("where", list(ENDPOINTS))
@pytest.mark.parametrize("place", [0, 7])
@pytest.mark.parametrize("known", [False, True], ids=["first run", "later run"])
def test_one_conversation(tmp_path: Path, where: str, place: int, *, known: bool) -> None:
    """All others come: in the next run, or in the third one after it where every endpoint asks for the pause."""
    batch = "missing" if where == "by id" else "normal"
    with MirroredService(tmp_path, behaviour=Behaviour(batch=batch), conversations=24) as mirrored:
        ids = mirrored.ids()
        if known:
            assert mirrored.next_run() == 0
            for key in reversed(ids[:9]):
                mirrored.clock.advance(60)
                mirrored.person.rename(key, f"Renamed {key}")
        bad = ids[place]
        pause_at(mirrored, lambda request: ENDPOINTS[where](request, bad))
        assert mirrored.next_run() == 6
        named = "several conversations at once" if where != "by id" else f"the conversation {bad}"
        assert f"when it was asked for {named}" in message(mirrored)
        if where == "any":
            assert mirrored.next_run() == 6
            assert f"the conversation {bad}" in message(mirrored)
            assert mirrored.next_run() == 6  # batches are asked for again
        assert mirrored.next_run() == (0 if where == "batch" else 3)
        left = {row[0] for row in mirrored.rows("SELECT conversation_id FROM _listed WHERE stored_us IS NOT list_us")}
        assert left == (set() if where == "batch" else {bad})
        mirrored.alter_answers(None)
        for _ in range(4):
            last = mirrored.next_run()
        assert last == 0
        assert stored(mirrored) == set(ids)
