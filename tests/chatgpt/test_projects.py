"""Which projects there are, and whose lists are read again."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from scripted_wire import session_of

from mirror.chatgpt.memory import ChatGPTMemory
from mirror.chatgpt.projects import Projects, project_id_of
from mirror.chatgpt.refusals import SHARED_PROJECTS
from mirror.source import Listed, Scope


def gizmo(key: str, **fields: Any) -> dict[str, Any]:
    return {"gizmo": {"gizmo": {"id": key, "display": {"name": key.upper()}, "updated_at": 1, **fields}}}


def loaded(*rows: dict[str, Any], memory: ChatGPTMemory | None = None, unshown: tuple[str, ...] = ()) -> Projects:
    session, _ = session_of(lambda request: {"items": list(rows), "cursor": None})
    projects = Projects(session, memory or ChatGPTMemory())
    projects.load(unshown)
    return projects


def row(key: str, project: str | None = None, *, is_archived: bool = False) -> dict[str, Listed]:
    return {key: Listed(key, 1, project_id=project, is_archived=is_archived)}


def test_every_page_of_the_sidebar_is_read() -> None:
    """Until there is no cursor, or one that brings nothing new."""
    pages = {None: ([gizmo("g-p-1")], "x"), "x": ([gizmo("g-p-2")], "y"), "y": ([gizmo("g-p-2")], "z")}
    asked = []

    def answer(request: Any) -> Any:
        asked.append(request.params.get("cursor"))
        items, cursor = pages[asked[-1]]
        return {"items": items, "cursor": cursor}

    session, _ = session_of(answer)
    projects = Projects(session, ChatGPTMemory())
    projects.load()
    assert list(projects.by_id) == ["g-p-1", "g-p-2"]
    assert asked == [None, "x", "y"]
    assert [scope.label for scope in projects.scopes()] == ["project “G-P-1”", "project “G-P-2”"]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_sidebar_whose_cursor_repeats_was_not_read_to_its_end(*, is_known: bool) -> None:
    """There may be projects that nobody has seen."""
    session, _ = session_of(lambda request: {"items": [gizmo("g-p-1")], "cursor": "0"})
    memory = ChatGPTMemory(sidebar_read=is_known)
    projects = Projects(session, memory)
    projects.load()
    assert list(projects.by_id) == ["g-p-1"]
    assert ("never" in str(projects.error)) is not is_known
    assert memory.not_read == {"names of projects": "the page cursor repeats"}


def test_a_sidebar_that_is_silent_hides_no_project() -> None:
    """Rows name projects, and where only their own lists show their chats, those of earlier runs are asked."""
    answers: list[tuple[int, dict[str, Any]]] = [(500, {}), (404, {})]
    for silent in answers:
        session, _ = session_of(partial(lambda answer, _request: answer, silent))
        projects = Projects(session, ChatGPTMemory())
        projects.note_rows(row("c1", "g-p-9"))
        projects.load()
        assert list(projects.by_id) == ["g-p-9"]
        assert (projects.error is not None) is (silent[0] == 500)
        memory = ChatGPTMemory(projects_seen={"project:g-p-7": "[]"})
        projects = Projects(session, memory)
        projects.load(["project:g-p-8"])
        assert list(projects.by_id) == ["g-p-7", "g-p-8"]
        assert "the chats of a new project may be missing" in str(projects.error)
        projects = Projects(session, memory)
        projects.note_rows(row("c1", "g-p-9"), is_main=True)
        projects.load()
        assert projects.error is None  # the main list shows the chats of projects, and names a new one


def test_a_list_is_read_when_the_sidebar_shows_a_change() -> None:
    """Never read, or said to have changed since."""
    memory = ChatGPTMemory()
    projects = loaded(gizmo("g-p-1"), gizmo("g-p-2"), memory=memory)
    assert projects.changed([]) == {"project:g-p-1", "project:g-p-2"}
    projects.note_read("g-p-1", is_empty=False)
    assert projects.changed(["project:g-p-1"]) == {"project:g-p-2"}
    assert projects.changed([]) == {"project:g-p-1", "project:g-p-2"}
    later = loaded(gizmo("g-p-1", num_interactions=5), memory=memory)
    assert later.changed(["project:g-p-1"]) == {"project:g-p-1"}


@pytest.mark.parametrize(
    ("main", "unshown", "changed"),
    [
        (row("c1", "g-p-1"), (), set()),
        (row("c2"), ("project:g-p-1",), {"project:g-p-1", "project:g-p-2"}),
        (row("c2", "g-p-2"), ("project:g-p-1",), {"project:g-p-1"}),
        (row("c2"), ("work",), set()),
    ],
    ids=["shows them", "lacks them all", "lacks one", "lacks others"],
)
def test_whose_lists_are_read_where_the_main_list_lacks_conversations(
    main: dict[str, Listed], unshown: tuple[str, ...], changed: set[str]
) -> None:
    """Of every project where it names none, else of those from which it was seen to lack something."""
    memory = ChatGPTMemory()
    projects = loaded(gizmo("g-p-1"), gizmo("g-p-2"), memory=memory)
    for key in ("g-p-1", "g-p-2"):
        projects.note_read(key, is_empty=False)
    later = loaded(gizmo("g-p-1"), gizmo("g-p-2"), memory=memory, unshown=unshown)
    later.note_rows(main, is_main=True)
    assert later.changed(["project:g-p-1", "project:g-p-2"]) == changed


def test_a_refused_project_is_asked_for_now_and_then() -> None:
    """In the next full run, or after a week."""
    memory = ChatGPTMemory()
    projects = loaded(memory=memory, unshown=("project:g-p-1",))
    assert list(projects.by_id) == ["g-p-1"]
    projects.note_refused("g-p-1")
    assert list(loaded(memory=memory, unshown=("project:g-p-1",)).by_id) == []
    projects.load(["project:g-p-1"], full=True)
    assert list(projects.by_id) == ["g-p-1"]
    memory.projects_refused["project:g-p-1"] -= 8 * 86_400.0
    assert list(loaded(memory=memory, unshown=("project:g-p-1",)).by_id) == ["g-p-1"]


@pytest.mark.parametrize("status", [400, 403, 422])
def test_projects_of_others_are_asked_for_until_that_is_refused(status: int) -> None:
    """Then only the person's own ones."""

    def answer(request: Any) -> Any:
        asked.append(request.params["owned_only"])
        return {"items": [gizmo("g-p-1"), gizmo("g-1")]} if asked[-1] == "true" else (status, {})

    asked: list[str] = []
    session, _ = session_of(answer)
    memory = ChatGPTMemory()
    projects = Projects(session, memory)
    projects.load()
    assert list(projects.by_id) == ["g-p-1"]
    assert not memory.refusals.may_ask(SHARED_PROJECTS)
    asked.clear()
    Projects(session, memory).load()
    assert asked == ["true"]


@pytest.mark.parametrize(("name", "project_id"), [("project:g-p-1", "g-p-1"), ("main", None), ("projects", None)])
def test_whose_list_it_is(name: str, project_id: str | None) -> None:
    """By the list's name, as it is stored."""
    assert project_id_of(Scope(name, name)) == project_id
