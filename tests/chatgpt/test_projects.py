"""Which projects there are, and whose lists are read again."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from scripted_wire import session_of

from mirror.chatgpt.memory import ChatGPTMemory
from mirror.chatgpt.projects import Projects, project_id_of
from mirror.source import Listed, Scope


def gizmo(key: str, **fields: Any) -> dict[str, Any]:
    return {"gizmo": {"gizmo": {"id": key, "display": {"name": key.upper()}, "updated_at": 1, **fields}}}


def loaded(*rows: dict[str, Any], memory: ChatGPTMemory | None = None) -> Projects:
    session, _ = session_of(lambda request: {"items": list(rows), "cursor": None})
    projects = Projects(session, memory or ChatGPTMemory())
    projects.load()
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
        memory = ChatGPTMemory(main_lacks_projects=True, projects_seen={"project:g-p-7": "[]"})
        projects = Projects(session, memory)
        projects.load()
        assert list(projects.by_id) == ["g-p-7"]
        assert projects.error is None


def test_a_list_is_read_when_the_sidebar_shows_a_change() -> None:
    """Never read, or said to have changed since."""
    memory = ChatGPTMemory()
    projects = loaded(gizmo("g-p-1"), gizmo("g-p-2"), memory=memory)
    assert projects.changed([]) == {"project:g-p-1", "project:g-p-2"}
    projects.note_whole_project("g-p-1", {})
    assert projects.changed(["project:g-p-1"]) == {"project:g-p-2"}
    assert projects.changed([]) == {"project:g-p-1", "project:g-p-2"}
    later = loaded(gizmo("g-p-1", num_interactions=5), memory=memory)
    assert later.changed(["project:g-p-1"]) == {"project:g-p-1"}


@pytest.mark.parametrize(
    ("main", "project", "lacks"),
    [
        (row("c1", "g-p-1"), row("c1", "g-p-1"), False),
        (row("c2"), row("c1", "g-p-1"), True),
        (row("c2"), row("c1", "g-p-1", is_archived=True), False),
        (None, row("c1", "g-p-1"), False),
    ],
    ids=["shows them", "lacks them", "archived ones are elsewhere", "not read"],
)
def test_whether_the_main_list_lacks_conversations_of_projects(
    main: dict[str, Listed] | None, project: dict[str, Listed], lacks: bool
) -> None:
    """Then every project's list is read in every run."""
    memory = ChatGPTMemory()
    projects = loaded(gizmo("g-p-1"), memory=memory)
    if main is not None:
        projects.note_whole_main(main)
    projects.note_whole_project("g-p-1", project)
    assert memory.main_lacks_projects is lacks
    assert projects.changed(["project:g-p-1"]) == ({"project:g-p-1"} if lacks else set())


@pytest.mark.parametrize(("name", "project_id"), [("project:g-p-1", "g-p-1"), ("main", None), ("projects", None)])
def test_whose_list_it_is(name: str, project_id: str | None) -> None:
    """By the list's name, as it is stored."""
    assert project_id_of(Scope(name, name)) == project_id
