"""Conversations of projects that the main list leaves out: known in every run, whatever the sidebar says."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService, differences

from mirror.simulator import Behaviour

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

SIDEBAR = "/gizmos/snorlax/sidebar"
SILENT: dict[str, Any] = {
    "500": (500, {"detail": "Internal Server Error"}),
    "404": (404, {"detail": "Not Found"}),
    "empty": (200, {"items": [], "cursor": None}),
}


def project_requests(mirrored: MirroredService) -> list[ReceivedRequest]:
    return [r for r in mirrored.service.requests if r.path.endswith("/conversations") and "/gizmos/" in r.path]


def silence(mirrored: MirroredService, how: str) -> None:
    mirrored.alter_answers(lambda request, data: SILENT[how] if request.path.endswith(SIDEBAR) else data)


def hide_in_main(mirrored: MirroredService, keys: set[str]) -> None:
    """Let the main list leave these out."""

    def alter(request: ReceivedRequest, data: Any) -> Any:
        if request.path.endswith("/backend-api/conversations"):
            return {**data, "items": [row for row in data["items"] if row["id"] not in keys]}
        return data

    mirrored.alter_answers(alter)


def failing(how: str) -> int:
    """Return how a run ends that cannot read the sidebar, where only that tells of new projects."""
    return 3 if how in {"500", "404"} else 0


def marks(mirrored: MirroredService) -> int:
    sql = "SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL OR missing_since IS NOT NULL"
    return int(mirrored.value(sql))


@pytest.mark.parametrize(
    ("how", "conversations"), [("fine", 12), ("500", 12), ("404", 12), ("empty", 12), ("fine", 130), ("404", 130)]
)
@pytest.mark.parametrize("full", [False, True])
def test_they_are_known_in_every_run(tmp_path: Path, how: str, conversations: int, *, full: bool) -> None:
    """The sidebar says nothing of what changes in a project, or nothing at all: each change arrives in the next run.

    Where it fails, it is named: the chats of a project that nobody has seen would be nowhere else.
    """
    behaviour = Behaviour(main_excludes_projects=True)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=conversations, over_http=False) as mirrored:
        projects = [mirrored.person.new_project(f"Project {n}") for n in range(3)]
        keys = [mirrored.person.new_conversation("Loaf", project=project) for project in projects]
        assert mirrored.next_run() == 0
        if how != "fine":
            silence(mirrored, how)
        for n in range(4):
            mirrored.person.new_message(keys[n % 3])
            assert mirrored.next_run(full=full and n == 1) == failing(how)
            assert differences(mirrored) == []
            assert len(project_requests(mirrored)) <= 4
        assert marks(mirrored) == 0


@pytest.mark.parametrize("how", list(SILENT))
def test_a_sidebar_that_was_silent_in_the_first_run(tmp_path: Path, how: str) -> None:
    """As soon as it speaks, the projects' conversations arrive, and are known from then on."""
    with MirroredService(tmp_path, behaviour=Behaviour(main_excludes_projects=True), over_http=False) as mirrored:
        key = mirrored.person.new_conversation("Loaf", project=mirrored.person.new_project("Bread"))
        silence(mirrored, how)
        assert mirrored.next_run() == (3 if how == "500" else 0)
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        silence(mirrored, how)
        mirrored.person.new_message(key)
        assert mirrored.next_run() == failing(how)
        assert differences(mirrored) == []


@pytest.mark.parametrize(
    ("how", "conversations"), [("fine", 12), ("500", 12), ("404", 12), ("empty", 12), ("fine", 130), ("404", 130)]
)
def test_when_the_main_list_begins_to_leave_them_out(tmp_path: Path, how: str, conversations: int) -> None:
    """Nobody is missing, and what changes in a project arrives."""
    with MirroredService(tmp_path, conversations=conversations, over_http=False) as mirrored:
        projects = [mirrored.person.new_project(f"Project {n}") for n in range(3)]
        keys = [mirrored.person.new_conversation(f"Loaf {n}", project=projects[n % 3]) for n in range(9)]
        assert mirrored.next_run() == 0
        assert mirrored.next_run() == 0
        mirrored.behaviour.main_excludes_projects = True
        if how != "fine":
            silence(mirrored, how)
        for n in range(3):
            mirrored.person.new_message(keys[n])
            assert mirrored.next_run() == failing(how)
            assert differences(mirrored) == []
        assert marks(mirrored) == 0


@pytest.mark.parametrize("status", [500, 404, 403, 429])
@pytest.mark.parametrize("had_one", [False, True])
def test_a_new_project_while_the_sidebar_fails(tmp_path: Path, status: int, *, had_one: bool) -> None:
    """Its chats can be known from nowhere else: no run is current, until it speaks and they arrive."""
    behaviour = Behaviour(main_excludes_projects=True)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=12, over_http=False) as mirrored:
        if had_one:
            mirrored.person.new_conversation("Loaf", project=mirrored.person.new_project("Bread"))
        assert mirrored.next_run() == 0
        mirrored.person.new_conversation("Tart", project=mirrored.person.new_project("Cake"))
        mirrored.alter_answers(lambda request, data: (status, {}) if request.path.endswith(SIDEBAR) else data)
        assert [mirrored.next_run(full=n == 2) for n in range(4)] == [3] * 4
        assert "the chats of a new project may be missing" in mirrored.value(
            "SELECT message FROM sync_runs ORDER BY id DESC"
        )
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_single_ones_that_the_main_list_leaves_out(tmp_path: Path) -> None:
    """Their project's list is read in every run, and no other project's."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        projects = [mirrored.person.new_project(f"Project {n}") for n in range(5)]
        keys = [mirrored.person.new_conversation(f"Loaf {n}", project=projects[n]) for n in range(5)]
        hide_in_main(mirrored, {keys[2]})
        assert mirrored.next_run() == 0
        for _ in range(3):
            mirrored.person.new_message(keys[2])
            assert mirrored.next_run() == 0
            assert differences(mirrored) == []
            assert [projects[2] in request.path for request in project_requests(mirrored)] == [True]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("hides", ["all", "one"])
def test_a_project_that_refuses_while_the_sidebar_shows_it(tmp_path: Path, hides: str, status: int) -> None:
    """Nobody sees what comes into it, so that it is named in every run; one that may not be read is not."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        bread, other = (mirrored.person.new_project(name) for name in ("Bread", "Other"))
        hidden = {mirrored.person.new_conversation("Loaf", project=bread)}
        mirrored.person.new_conversation("Elsewhere", project=other)
        mirrored.behaviour.main_excludes_projects = hides == "all"
        refuses, may_read = False, True

        def alter(request: ReceivedRequest, data: Any) -> Any:
            if refuses and f"/gizmos/{bread}/conversations" in request.path:
                return status, {"detail": "No"}
            if request.path.endswith(SIDEBAR) and not may_read:
                return without_permission(data, bread)
            if request.path.endswith("/backend-api/conversations"):
                return {**data, "items": [row for row in data["items"] if row["id"] not in hidden]}
            return data

        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 0
        refuses = True
        hidden.add(mirrored.person.new_conversation("Baked since", project=bread))
        for n in range(4):
            assert mirrored.next_run(full=n == 2) == 3
            assert "Bread" in mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        may_read = False
        assert mirrored.next_run() == 0
        refuses, may_read = False, True
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def without_permission(sidebar: Any, project: str) -> Any:
    """Let the sidebar say that the person may not read a project."""
    found = deepcopy(sidebar)
    for row in found["items"]:
        gizmo = row["gizmo"]["gizmo"]
        if gizmo["id"] == project:
            gizmo["current_user_permission"] = {"can_read": False}
    return found


@pytest.mark.parametrize("hidden", [False, True])
def test_a_quiet_run_of_an_account_with_projects(tmp_path: Path, *, hidden: bool) -> None:
    """Their lists are asked for in every run only where the main list leaves them out, and then once each."""
    with MirroredService(tmp_path, behaviour=Behaviour(main_excludes_projects=hidden), over_http=False) as mirrored:
        for n in range(6):
            mirrored.person.new_conversation("Loaf", project=mirrored.person.new_project(f"Project {n}"))
        mirrored.next_run()
        for _ in range(3):
            assert mirrored.next_run() == 0
            assert len(project_requests(mirrored)) == (6 if hidden else 0)
            assert len(mirrored.service.requests) <= (16 if hidden else 10)


def deleted(mirrored: MirroredService) -> set[str]:
    return {row[0] for row in mirrored.rows("SELECT id FROM conversations WHERE deleted_at IS NOT NULL")}


@pytest.mark.parametrize("hidden", [False, True])
def test_a_project_that_is_deleted_is_no_request_for_ever(tmp_path: Path, *, hidden: bool) -> None:
    """Its conversations are proven gone within two weeks, and its list is then asked for no more."""
    with MirroredService(tmp_path, behaviour=Behaviour(main_excludes_projects=hidden), over_http=False) as mirrored:
        keys = []
        for n in range(2):
            project = mirrored.person.new_project(f"Project {n}")
            keys += [mirrored.person.new_conversation(f"Loaf {n}", project=project) for _ in range(2)]
        mirrored.next_run()
        for key in keys[2:]:
            mirrored.person.delete(key)
        del mirrored.account.projects[project]
        requests = []
        for _ in range(14):
            assert mirrored.next_run() == 0
            requests.append(sum(project in request.path for request in project_requests(mirrored)))
        assert deleted(mirrored) == set(keys[2:])
        assert sum(requests) <= 4


@pytest.mark.parametrize("rejected", [False, True])
def test_projects_that_others_share(tmp_path: Path, *, rejected: bool) -> None:
    """They are asked for, unless the service refuses that on three days."""
    behaviour = Behaviour(main_excludes_projects=True, owned_only_rejected=rejected)
    with MirroredService(tmp_path, behaviour=behaviour, over_http=False) as mirrored:
        own, other = mirrored.person.new_project("Mine"), mirrored.person.new_project("Theirs")
        mirrored.account.projects_of_others.add(other)
        keys = [mirrored.person.new_conversation("Loaf", project=project) for project in (own, other)]
        assert mirrored.next_run() == 0
        stored = {row[0] for row in mirrored.rows("SELECT id FROM conversations WHERE project_id IS NOT NULL")}
        assert stored == (set(keys[:1]) if rejected else set(keys))
        assert [mirrored.next_run() for _ in range(3)] == [0, 0, 0]
        assert [r.query["owned_only"] for r in mirrored.asked(SIDEBAR)] == ["true" if rejected else "false"]


@pytest.mark.parametrize("owner", ["user-Other", {"user_id": "user-Other"}, {"name": "Ann"}])
@pytest.mark.parametrize("status", [403, 404])
def test_what_other_members_do_not_show_is_no_failure_for_ever(tmp_path: Path, owner: Any, status: int) -> None:
    """Asked for twice, then now and then; it arrives when it is shown. The person's own ones go on being named."""
    with MirroredService(tmp_path, behaviour=Behaviour(main_excludes_projects=True), over_http=False) as mirrored:
        project = mirrored.person.new_project("Ours")
        mine, theirs = (mirrored.person.new_conversation("Loaf", project=project) for _ in range(2))
        mirrored.behaviour.batch_omits = frozenset({mine, theirs})
        denied = {mine, theirs}

        def alter(request: ReceivedRequest, data: Any) -> Any:
            if "/gizmos/" in request.path and request.path.endswith("/conversations"):
                owners = {mine: mirrored.account.user_id, theirs: owner}
                return {**data, "items": [{**row, "owner": owners[row["id"]]} for row in data["items"]]}
            return (status, {"detail": "No"}) if any(key in request.path for key in denied) else data

        mirrored.alter_answers(alter)
        assert [mirrored.next_run() for _ in range(3)] == [3, 3, 3]
        assert mirrored.rows("SELECT conversation_id FROM _listed WHERE stored_us IS NULL") == [(mine,)]
        denied.discard(mine)
        for _ in range(4):
            last = mirrored.next_run()
        assert last == 0
        assert len(differences(mirrored)) == 1
        denied.clear()
        assert mirrored.next_run(full=True) == 0
        assert differences(mirrored) == []


def test_what_fails_of_other_members_stays_named(tmp_path: Path) -> None:
    """A server error is no refusal."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        project = mirrored.person.new_project("Ours")
        theirs = mirrored.person.new_conversation("Loaf", project=project)
        mirrored.account.tree(theirs)["owner"] = "user-Other"
        mirrored.behaviour.poisoned = frozenset({theirs})
        assert [mirrored.next_run() for _ in range(5)] == [3] * 5


@pytest.mark.parametrize(("can_read", "code"), [(True, 3), (False, 0)])
def test_a_project_that_the_person_may_not_read(tmp_path: Path, *, can_read: bool, code: int) -> None:
    """The sidebar shows it and its list is refused: a failure only where the person may read it."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        permission = {"can_read": can_read}
        project = mirrored.person.new_project("Theirs", current_user_permission=permission)
        mirrored.account.projects_of_others.add(project)
        mirrored.alter_answers(lambda request, data: (403, {"detail": "No"}) if project in request.path else data)
        assert mirrored.next_run() == code


def test_a_project_that_shows_nothing_once(tmp_path: Path) -> None:
    """Its chats are alive, and what is new in them arrives as soon as its list shows them again."""
    with MirroredService(
        tmp_path, behaviour=Behaviour(main_excludes_projects=True), conversations=12, over_http=False
    ) as mirrored:
        project = mirrored.person.new_project("Bread")
        keys = [mirrored.person.new_conversation("Loaf", project=project) for _ in range(5)]
        assert mirrored.next_run() == 0
        nothing: dict[str, Any] = {"items": [], "cursor": None}
        mirrored.alter_answers(lambda request, data: nothing if "/gizmos/g-p-" in request.path else data)
        mirrored.next_run()
        mirrored.alter_answers(None)
        for _ in range(3):
            mirrored.person.new_message(keys[0])
            assert mirrored.next_run() == 0
            assert differences(mirrored) == []
            assert marks(mirrored) == 0


@pytest.mark.parametrize(
    "answer", [{}, {"items": None}, {"projects": []}, None, {"items": [{"snorlax": {"id": "g-p-a"}}], "cursor": None}]
)
def test_a_sidebar_of_an_unknown_form_is_no_account_without_projects(tmp_path: Path, answer: Any) -> None:
    with MirroredService(
        tmp_path, behaviour=Behaviour(main_excludes_projects=True), conversations=12, over_http=False
    ) as mirrored:
        mirrored.person.new_conversation("Loaf", project=mirrored.person.new_project("Bread"))
        mirrored.alter_answers(lambda request, data: (200, answer) if request.path.endswith(SIDEBAR) else data)
        assert mirrored.next_run() == 3
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_row_of_the_sidebar_that_is_not_understood_is_said(tmp_path: Path) -> None:
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        mirrored.person.new_conversation("Loaf", project=mirrored.person.new_project("Bread"))

        def with_odd_row(request: ReceivedRequest, data: Any) -> Any:
            if request.path.endswith(SIDEBAR):
                data["items"].append({"snorlax": {"id": "g-p-a"}})
            return data

        mirrored.alter_answers(with_odd_row)
        assert mirrored.next_run() == 0
        assert "1 row of an unknown form" in str(mirrored.rows("SELECT value FROM _settings WHERE key LIKE 'source:%'"))


def test_the_first_chat_of_an_empty_project(tmp_path: Path) -> None:
    """It arrives in the next run, although neither the main list nor the sidebar shows that it came."""
    with MirroredService(
        tmp_path, behaviour=Behaviour(main_excludes_projects=True), conversations=12, over_http=False
    ) as mirrored:
        project = mirrored.person.new_project("Bread")
        shown = dict(mirrored.account.projects[project])

        def still(request: ReceivedRequest, data: Any) -> Any:
            mirrored.account.projects[project].update(shown)
            return data

        mirrored.alter_answers(still)
        assert mirrored.next_run() == 0
        assert mirrored.next_run() == 0
        mirrored.person.new_conversation("Loaf", project=project)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


FLAWED: dict[str, Any] = {
    "says so": lambda data: {**data, "items": data["items"][:1], "has_missing_conversations": True},
    "no times": lambda data: {**data, "items": [{**row, "update_time": None} for row in data["items"][:1]]},
    "repeated cursor": lambda data: {**data, "items": data["items"][:1], "cursor": "0"},
}


@pytest.mark.parametrize("how", list(FLAWED))
@pytest.mark.parametrize("full", [False, True])
def test_a_list_of_a_project_with_a_flaw_is_no_witness(tmp_path: Path, how: str, *, full: bool) -> None:
    """What it shows is stored; the run is not current, and nothing is asked after that it leaves out."""
    with MirroredService(tmp_path, behaviour=Behaviour(main_excludes_projects=True), over_http=False) as mirrored:
        project = mirrored.person.new_project("Bread")
        keys = [mirrored.person.new_conversation(f"Loaf {n}", project=project) for n in range(8)]
        assert mirrored.next_run() == 0
        sql = "SELECT scope, watermark_us, read_to_end_at FROM _scopes WHERE scope IN ('main', ?) ORDER BY scope"
        before = mirrored.rows(sql, f"project:{project}")
        assert len(before) == 2
        mirrored.alter_answers(
            lambda request, data: FLAWED[how](data) if f"/gizmos/{project}/conversations" in request.path else data
        )
        new = mirrored.person.new_conversation("A new loaf", project=project)
        mirrored.person.new_message(mirrored.ids()[0])
        for _ in range(2):
            assert mirrored.next_run(full=full) == 5
            assert "project “Bread” list" in str(mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC"))
            assert marks(mirrored) == 0
            assert not [request for request in mirrored.service.requests if any(key in request.path for key in keys)]
            assert mirrored.rows(sql, f"project:{project}") == before
        assert mirrored.value("SELECT title FROM conversations WHERE id = ?", new) == "A new loaf"
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
