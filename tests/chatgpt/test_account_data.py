"""What the account has beside conversations, in every form that was seen."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_wire import USER_ID, session_of

from mirror.chatgpt.account_data import (
    gpt_item,
    instructions_items,
    memory_items,
    project_item,
    projects_page,
    workspaces,
)
from mirror.chatgpt.identity import identify
from mirror.source import Workspace

TEAM = {"account": {"account_id": "ws-1", "structure": "workspace", "name": "Team", "plan_type": "team"}}
OWN = {"account": {"account_id": "own", "structure": "personal", "name": None, "plan_type": "plus"}}


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ({"ws-1": TEAM, "own": OWN}, [("own", True), ("ws-1", False)]),
        ({"default": OWN, "own": OWN}, [("own", True)]),
        ({"key": {"account": {"structure": "personal"}}}, [("key", True)]),
        ({"key": {"account": {}}}, [("key", True)]),
        ({"ws-1": {"account": {**TEAM["account"], "is_deactivated": True}}}, []),
        ({"ws-1": None, "ws-2": {"account": None}}, []),
        ([], []),
        (None, []),
    ],
)
def test_the_workspaces(accounts: object, expected: list[tuple[str, bool]]) -> None:
    """Each once, the personal one first, without those that are deactivated."""
    found = workspaces({"accounts": accounts})
    assert [(workspace.id, workspace.is_personal) for workspace in found] == expected


@pytest.mark.parametrize("data", [None, 5, [], {}, "x"])
def test_no_workspaces(data: object) -> None:
    """An answer of an unknown form lists none."""
    assert workspaces(data) == ()


PROJECT = {"id": "g-p-1", "display": {"name": "P"}}


@pytest.mark.parametrize(
    ("data", "ids", "cursor"),
    [
        ({"items": [{"gizmo": {"gizmo": PROJECT}}], "cursor": "x"}, ["g-p-1"], "x"),
        ({"items": [{"gizmo": PROJECT}], "cursor": ""}, ["g-p-1"], None),
        ({"items": [{"resource": {"gizmo": PROJECT}}], "cursor": None}, ["g-p-1"], None),
        ({"items": [PROJECT]}, ["g-p-1"], None),
        ({"items": [PROJECT, {"gizmo": {"id": "x"}}, {"id": 5}, {"id": "g-\ud83d"}, None, {}]}, ["g-p-1"], None),
        ({"items": [{"id": "g-a-gpt"}]}, [], None),
        ({"items": [], "cursor": 5}, [], None),
    ],
)
def test_a_page_of_the_sidebar(data: object, ids: list[str], cursor: str | None) -> None:
    """However the projects are wrapped."""
    page = projects_page(data)
    assert page is not None
    assert [project["id"] for project in page.projects] == ids
    assert page.cursor == cursor
    assert page.odd == (5 if "'id': 5" in str(data) else 0)


@pytest.mark.parametrize(
    "data",
    [
        *({}, None, [], {"items": None}, {"items": {"a": 1}}, {"projects": [PROJECT]}),
        {"items": [{"gizmo": {"gizmo": {"gizmo": {"gizmo": PROJECT}}}}]},
        {"items": [{"gizmo": {"id": "x"}}, None, {}]},
    ],
)
def test_a_page_of_an_unknown_form(data: object) -> None:
    """It is no account without projects."""
    assert projects_page(data) is None


def test_a_project() -> None:
    """With its address; one that only a list row named has nothing else."""
    full = {**PROJECT, "short_url": "g-p-1-p", "instructions": "Be kind", "created_at": 1_700_000_000}
    item = project_item(full)
    assert (item.kind, item.id) == ("project", "g-p-1")
    assert item.row["url"] == "https://chatgpt.com/g/g-p-1-p/project"
    assert (item.row["name"], item.row["instructions"]) == ("P", "Be kind")
    assert item.row["created_at"] == "2023-11-14T22:13:20.000Z"
    assert project_item({"id": "g-p-2"}).row == {"url": "https://chatgpt.com/g/g-p-2/project"}


@pytest.mark.parametrize(
    ("data", "name", "url"),
    [
        ({"gizmo": {"id": "g-1", "short_url": "g-1-n", "display": {"name": "N"}}}, "N", "https://chatgpt.com/g/g-1-n"),
        ({"gizmo": {"id": "g-1"}}, "g-1", "https://chatgpt.com/g/g-1"),
        ({}, "g-1", "https://chatgpt.com/g/g-1"),
        (None, "g-1", "https://chatgpt.com/g/g-1"),
    ],
)
def test_a_custom_gpt(data: object, name: str, url: str) -> None:
    """Its name, else its id."""
    row = gpt_item("g-1", data).row
    assert (row["name"], row["url"]) == (name, url)


def test_the_memories() -> None:
    """Each with its text; one without an id keeps the same one from run to run."""
    rows: list[Any] = [{"id": "m", "content": "Likes tea"}, {"content": "Has a cat"}, {"id": "x"}, None]
    first, second = memory_items({"memories": rows})
    assert (first.id, first.row["content"]) == ("m", "Likes tea")
    assert second.id == next(iter(memory_items({"memories": rows[1:2]}))).id


@pytest.mark.parametrize("data", [None, [], {}, {"memories": 5}])
def test_no_memories(data: object) -> None:
    """An answer of an unknown form holds none."""
    assert list(memory_items(data)) == []


@pytest.mark.parametrize(
    ("data", "content"),
    [
        ({"object": "x", "enabled": True, "name_user_message": "Ida"}, "enabled: true\n\nname_user_message: Ida"),
        ({"object": "x", "about_user_message": "", "disabled_tools": []}, ""),
        ([], None),
        (None, None),
    ],
)
def test_the_instructions(data: object, content: str | None) -> None:
    """A paragraph for each field that has something."""
    assert [item.row["content"] for item in instructions_items(data)] == ([] if content is None else [content])


# -- whose login it is


def test_whose_login_it_is() -> None:
    """The session names the person, accounts/check the workspaces."""
    session, _ = session_of(lambda request: {"accounts": {"own": OWN, "ws-1": TEAM}})
    identity = identify(session)
    assert identity.user_id == USER_ID
    assert [workspace.id for workspace in identity.workspaces] == ["own", "ws-1"]
    assert identity.lists_all_workspaces


@pytest.mark.parametrize("odd", [None, {"account": None}, {"account": [OWN]}, {"account": {"account_id": 5}}])
def test_a_workspace_that_is_not_understood(odd: Any) -> None:
    """What the others are is known, and not that there are no more."""
    session, _ = session_of(lambda request: {"accounts": {"own": odd, "ws-1": TEAM}})
    identity = identify(session)
    assert [workspace.id for workspace in identity.workspaces] == ["ws-1"]
    assert not identity.lists_all_workspaces
    assert identity.workspaces_failure == "1 of an unknown form"


@pytest.mark.parametrize("answer", [(404, {}), (403, {}), {"accounts": {}}, []])
def test_a_service_that_lists_no_workspaces(answer: Any) -> None:
    """The login's own one is left, and silence about others is not their end."""
    session, _ = session_of(lambda request: answer)
    identity = identify(session)
    assert identity.workspaces == (Workspace(USER_ID, is_personal=True),)
    assert not identity.lists_all_workspaces
    session, _ = session_of(lambda request: answer)
    session.login.account_id = "ws-9"
    [workspace] = identify(session).workspaces
    assert (workspace.id, workspace.is_personal) == ("ws-9", False)


@pytest.mark.parametrize(
    ("answer", "failure"), [((404, {}), None), ((500, {}), "HTTP 500"), ({}, "an answer of an unknown form")]
)
def test_a_service_that_fails_to_list_workspaces(answer: Any, failure: str | None) -> None:
    """A failure is told from an account that is not offered the list."""
    session, _ = session_of(lambda request: answer)
    assert identify(session).workspaces_failure == failure
