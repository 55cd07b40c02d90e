"""One bad thing costs only itself: the others are stored in the same run, the bad one is named and put off."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService, differences, findings

from mirror.simulator import Behaviour, ManualClock, SimulatedWorkspace, generated_account

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

COUNT = 60


def stored(mirrored: MirroredService) -> set[str]:
    return {row[0] for row in mirrored.rows("SELECT id FROM conversations")}


def put_off(mirrored: MirroredService) -> set[str]:
    return {row[0] for row in mirrored.rows("SELECT conversation_id FROM _listed WHERE retry_at IS NOT NULL")}


def message(mirrored: MirroredService) -> str:
    found: str = mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
    return found


@pytest.mark.parametrize("batch", ["normal", "missing"])
@pytest.mark.parametrize("bad", [[0], [3, 27, 58], list(range(10)), list(range(50, 60)), list(range(0, 60, 4))])
def test_conversations_that_always_answer_500(tmp_path: Path, bad: list[int], batch: str) -> None:
    """Wherever they are: all others are stored, exit 3, and the next run is cheap."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch=batch), conversations=COUNT, over_http=False) as mirrored:
        broken = {mirrored.ids()[n] for n in bad}
        mirrored.behaviour.poisoned = frozenset(broken)
        assert mirrored.next_run() == 3
        assert stored(mirrored) == set(mirrored.ids()) - broken
        assert put_off(mirrored) == broken
        first = len(mirrored.service.requests)
        assert first <= 48 + 8 * len(bad) + (COUNT if batch == "missing" else 0)  # 48: with the two lists of Work
        assert mirrored.next_run() == 3
        assert len(mirrored.service.requests) <= 25 + 5 * len(bad)
        mirrored.behaviour.poisoned = frozenset()
        for _ in range(4):
            mirrored.next_run()
        assert stored(mirrored) == set(mirrored.ids())


@pytest.mark.parametrize("how", ["reset", "short", "garbage", "half_gzip", "html_503", "html_200", "error_503"])
@pytest.mark.parametrize("batch", ["normal", "missing"])
def test_conversations_whose_answer_never_comes_whole(tmp_path: Path, how: str, batch: str) -> None:
    """Reset, cut, no JSON or a web page, for three of sixty, by whatever endpoint."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch=batch), conversations=COUNT, over_http=False) as mirrored:
        broken = {mirrored.ids()[n] for n in (0, 1, 40)}

        def breaks(request: ReceivedRequest) -> str | None:
            is_bad = broken.intersection(request.ids) or any(key in request.path for key in broken)
            return how if is_bad else None

        mirrored.behaviour.break_request = breaks
        assert mirrored.next_run() == 3
        assert stored(mirrored) == set(mirrored.ids()) - broken
        assert len(mirrored.service.requests) <= 85 + (COUNT if batch == "missing" else 0)


@pytest.mark.parametrize("junk", ["number", "depth"])
@pytest.mark.parametrize("batch", ["normal", "missing"])
def test_a_payload_that_pythons_json_refuses(tmp_path: Path, junk: str, batch: str) -> None:
    """It is stored like the others, and its text is found."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch=batch), over_http=False) as mirrored:
        key = mirrored.ids()[3]
        mirrored.behaviour.odd_values = {key: junk}
        assert mirrored.next_run() == 0
        assert stored(mirrored) == set(mirrored.ids())
        assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ? AND text <> ''", key) > 0
        body = mirrored.value("SELECT count(*) FROM _payloads WHERE conversation_id = ?", key)
        assert body == 1
        assert mirrored.next_run() == 0


@pytest.mark.parametrize(("status", "code"), [(404, None), (403, None), (404, "conversation_not_found")])
def test_neighbours_that_are_refused_close_no_endpoint(tmp_path: Path, status: int, code: str | None) -> None:
    """Three in a row, without batches: the other 57 are stored."""
    with MirroredService(
        tmp_path, behaviour=Behaviour(batch="missing"), conversations=COUNT, over_http=False
    ) as mirrored:
        denied = mirrored.ids()[5:8]

        def alter(request: ReceivedRequest, data: Any) -> Any:
            is_denied = any(key in request.path for key in denied)
            return (status, {"detail": {"code": code, "message": "No"}}) if is_denied else data

        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 3
        assert stored(mirrored) == set(mirrored.ids()) - set(denied)
        assert len(mirrored.asked("/api/auth/session")) <= 2


@pytest.mark.parametrize("answer", [(404, {"detail": "Not Found"}), (400, {"detail": "Bad"}), (200, {})])
def test_one_stray_refusal_of_the_batch_endpoint(tmp_path: Path, answer: tuple[int, Any]) -> None:
    """Batches go on in the same run."""
    with MirroredService(tmp_path, conversations=COUNT, over_http=False) as mirrored:
        strays = [answer]
        mirrored.alter_answers(
            lambda request, data: strays.pop() if strays and request.path.endswith("/batch") else data
        )
        assert mirrored.next_run() == 0
        assert stored(mirrored) == set(mirrored.ids())
        assert len(mirrored.asked("/conversations/batch")) >= COUNT // 10


def test_a_dead_endpoint_is_asked_once_a_run(tmp_path: Path) -> None:
    """And used again as soon as it answers."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch="missing"), conversations=20, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        assert len(mirrored.asked("/conversations/batch")) <= 2
        for key in mirrored.ids():
            mirrored.person.new_message(key)
        assert mirrored.next_run() == 0
        assert len(mirrored.asked("/conversations/batch")) == 1
        mirrored.behaviour.batch = "normal"
        for key in mirrored.ids():
            mirrored.person.new_message(key)
        assert mirrored.next_run() == 0
        assert len(mirrored.asked("/conversations/batch")) == 2


def test_one_stray_429_teaches_no_budget(tmp_path: Path) -> None:
    """A pause, and then everything else is read in the same run and in the next one."""
    behaviour = Behaviour(batch="missing")
    with MirroredService(tmp_path, behaviour=behaviour, conversations=COUNT, over_http=False) as mirrored:
        strays = ["429"]
        behaviour.break_request = lambda request: strays.pop() if strays and "/conversation/" in request.path else None
        assert mirrored.next_run() == 0
        assert stored(mirrored) == set(mirrored.ids())
        for key in mirrored.ids():
            mirrored.person.new_message(key)
        assert mirrored.next_run() == 0


def test_a_conversation_longer_than_a_runs_budget(tmp_path: Path) -> None:
    """Others first; the pages that came are stored, and it is named as incomplete."""
    behaviour = Behaviour(batch="missing", single="missing", bucket=80)
    account = generated_account(ManualClock(), 20, 4)
    with MirroredService(tmp_path, account, behaviour, over_http=False) as mirrored:
        key = mirrored.person.new_conversation("Endless")
        for _ in range(700):
            mirrored.person.new_message(key)
        assert mirrored.next_run() == 6
        assert stored(mirrored) == set(mirrored.ids())
        came = mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key)
        assert 300 <= came < 700
        assert mirrored.value("SELECT is_complete FROM conversations WHERE id = ?", key) == 0
        mirrored.behaviour.bucket = None
        for _ in range(3):
            mirrored.next_run(full=True)
        assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) > 700


SIDE = {
    "memories": "/memories",
    "instructions": "/user_system_messages",
    "pins": "/pins",
    "shared": "/shared_conversations",
    "projects": "/gizmos/snorlax/sidebar",
}


@pytest.mark.parametrize("how", ["reset", "garbage", "html_503", "error_500", "html_200", "429", 401, 403, 404])
@pytest.mark.parametrize("name", [*SIDE, "starred"])
def test_a_side_list_that_fails(tmp_path: Path, name: str, how: str | int) -> None:
    """Conversations are read as ever, and the exit code is theirs.

    Only projects that could never be listed are told by it: chats may stand in their lists alone.
    """
    never_read = name == "projects" and how in {"reset", "garbage", "html_503", "error_500", "html_200", "429"}

    def is_meant(request: ReceivedRequest) -> bool:
        if name == "starred":
            return "is_starred" in request.query
        return request.path.endswith(SIDE[name])

    with MirroredService(tmp_path, over_http=False) as mirrored:
        if isinstance(how, str):
            mirrored.behaviour.break_request = lambda request: how if is_meant(request) else None
        else:
            mirrored.alter_answers(lambda request, data: (how, {"detail": "No"}) if is_meant(request) else data)
        assert mirrored.next_run() == (3 if never_read else 0)
        assert stored(mirrored) == set(mirrored.ids())
        assert len(mirrored.service.requests) <= 20


def test_a_projects_list_that_is_refused_for_ever(tmp_path: Path) -> None:
    """Nobody has ever seen its chats, so it is named; everything else is stored."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        project = mirrored.person.new_project("Left")
        mirrored.alter_answers(
            lambda request, data: (404, {"detail": "Gizmo not found"}) if project in request.path else data
        )
        assert [mirrored.next_run() for _ in range(2)] == [3, 3]
        assert "Left" in message(mirrored)
        assert stored(mirrored) == set(mirrored.ids())


def test_a_project_that_was_read_and_is_refused_now(tmp_path: Path) -> None:
    """The project was left or deleted: everything is current."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        project = mirrored.person.new_project("Left")
        assert mirrored.next_run() == 0
        mirrored.alter_answers(
            lambda request, data: (404, {"detail": "Gizmo not found"}) if project in request.path else data
        )
        assert [mirrored.next_run(full=True) for _ in range(2)] == [0, 0]


def test_projects_that_could_never_be_listed_are_said(tmp_path: Path) -> None:
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.behaviour.break_request = lambda request: "error_500" if "sidebar" in request.path else None
        assert mirrored.next_run() == 3
        assert stored(mirrored) == set(mirrored.ids())
        mirrored.behaviour.break_request = None
        assert mirrored.next_run() == 0


@pytest.mark.parametrize("how", ["full", "news"])
def test_what_failed_is_tried_again_at_once(tmp_path: Path, how: str) -> None:
    """A full run, or news of the conversation, ends its pause."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[4]
        mirrored.behaviour.poisoned = frozenset({key})
        for _ in range(4):
            assert mirrored.next_run() == 3
        mirrored.behaviour.poisoned = frozenset()
        if how == "news":
            mirrored.person.new_message(key)
        assert mirrored.next_run(full=how == "full") == 0
        assert stored(mirrored) == set(mirrored.ids())


@pytest.mark.parametrize("how", ["error_500", "reset"])
def test_a_projects_list_that_fails(tmp_path: Path, how: str) -> None:
    """Its error is told, and conversations are read."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        project = mirrored.person.new_project("Broken")
        mirrored.behaviour.break_request = lambda request: how if project in request.path else None
        assert mirrored.next_run() == 5
        assert "Broken" in message(mirrored)
        assert stored(mirrored) == set(mirrored.ids())


@pytest.mark.parametrize("status", [403, 404])
def test_a_workspace_that_is_refused(tmp_path: Path, status: int) -> None:
    """The others are read, in whatever order, with few sign-ins and few requests for it."""
    account = generated_account(ManualClock(), 12, 4)
    account.workspaces += [SimulatedWorkspace(f"ws-{name}", name, "workspace", "team") for name in "abc"]
    with MirroredService(tmp_path, account, over_http=False) as mirrored:
        for name in "abc":
            mirrored.person.new_conversation("Talk", workspace=f"ws-{name}")
        refusal = {"detail": {"message": "Account not found", "code": "invalid_account_id_header"}}
        mirrored.alter_answers(
            lambda request, data: (status, refusal) if request.headers.get("chatgpt-account-id") == "ws-b" else data
        )
        assert mirrored.next_run() == 5
        assert len(stored(mirrored)) == 14
        assert len(mirrored.asked("/api/auth/session")) == 1
        for_it = [r for r in mirrored.service.requests if r.headers.get("chatgpt-account-id") == "ws-b"]
        assert len(for_it) <= 4


@pytest.mark.parametrize("path", ["is_starred", "/pins", "/shared_conversations", "/gizmos/g-p-"])
def test_a_list_that_calls_the_workspace_a_wrong_one(tmp_path: Path, path: str) -> None:
    """Where the main list came it is the fault of that one list: those of Work are read as ever."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        mirrored.person.new_conversation("Plan", project=mirrored.person.new_project("Garden"))
        mirrored.person.new_conversation("Task", origin="tpp")
        assert mirrored.next_run() == 0
        refusal = {"detail": {"message": "Account not found", "code": "invalid_account_id_header"}}
        mirrored.alter_answers(
            lambda request, data: (403, refusal) if path in request.path or path in request.query else data
        )
        mirrored.person.new_conversation("Second task", origin="tpp")
        assert mirrored.next_run(full=True) == 0
        assert stored(mirrored) == set(mirrored.ids())


LISTS: dict[str, Callable[[ReceivedRequest], bool]] = {
    "main": lambda request: request.query.get("is_archived") == "false",
    "archived": lambda request: request.query.get("is_archived") == "true",
    "shared": lambda request: request.path.endswith("/shared_conversations"),
}


@pytest.mark.parametrize("how", ["429", "challenge"])
def test_a_list_of_workspaces_that_is_refused_alone(tmp_path: Path, how: str) -> None:
    """The workspaces that are known are read, as after any other failure of that list, and the code says so."""
    account = generated_account(ManualClock(), 6, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "Bakery", "workspace"))
    with MirroredService(tmp_path, account) as mirrored:
        assert mirrored.next_run() == 0
        mirrored.behaviour.break_request = lambda request: how if "/accounts/check" in request.path else None
        new = {mirrored.person.new_conversation("New"), mirrored.person.new_conversation("New", workspace="ws-team")}
        assert mirrored.next_run() == 3
        assert new <= stored(mirrored)
        assert "did not list your workspaces" in message(mirrored)


@pytest.mark.parametrize("name", ["main", "archived"])
def test_a_list_that_is_locked_for_the_whole_run(tmp_path: Path, name: str) -> None:
    """What the other lists show is read in this run; the code says that one is limited."""
    with MirroredService(tmp_path, conversations=20, over_http=False) as mirrored:
        for key in mirrored.ids()[:5]:
            mirrored.person.archive(key)
        mirrored.behaviour.break_request = lambda request: "429" if LISTS[name](request) else None
        assert mirrored.next_run() == 6
        assert len(stored(mirrored)) == (5 if name == "main" else 15)
        refused = sum(request.status == 429 for request in mirrored.service.requests)
        assert refused <= 4
        mirrored.behaviour.break_request = None
        assert mirrored.next_run() == 0
        assert stored(mirrored) == set(mirrored.ids())


def test_a_list_that_is_locked_after_its_first_page(tmp_path: Path) -> None:
    """The rows of the pages that came are read in this run."""
    with MirroredService(tmp_path, conversations=150, over_http=False) as mirrored:
        mirrored.behaviour.break_request = lambda request: (
            "429" if LISTS["main"](request) and request.query["offset"] != "0" else None
        )
        assert mirrored.next_run() == 6
        assert len(stored(mirrored)) >= 96


def test_a_connection_that_is_lost_ends_the_run_quickly(tmp_path: Path) -> None:
    """After the lists nothing answers any more: exit 5 after a bounded number of requests."""
    with MirroredService(tmp_path, conversations=COUNT, over_http=False) as mirrored:
        mirrored.behaviour.break_request = lambda request: (
            "reset" if "/conversation" in request.path and not request.path.endswith("/conversations") else None
        )
        assert mirrored.next_run() == 5
        assert mirrored.reads() <= 30


@pytest.mark.parametrize("single", ["normal", "missing"])
def test_a_chat_that_one_endpoint_calls_deleted(tmp_path: Path, single: str) -> None:
    """While the list shows it, another endpoint is asked."""
    behaviour = Behaviour(batch="missing", single=single)
    with MirroredService(tmp_path, behaviour=behaviour, over_http=False) as mirrored:
        key = mirrored.ids()[2]
        gone = (404, {"detail": {"code": "conversation_deleted", "message": "Deleted."}})
        mirrored.alter_answers(lambda request, data: gone if request.path.endswith(f"/conversation/{key}") else data)
        assert mirrored.next_run() == 0
        assert key in stored(mirrored)


@pytest.mark.parametrize("part", ["/conversations", "/conversation"])
def test_the_services_own_sentence_is_repeated(tmp_path: Path, part: str) -> None:
    """Unusual activity: the person reads why, not only a number."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        detail = "Unusual activity has been detected from your device.\x1b[0m Try again later."
        mirrored.alter_answers(
            lambda request, data: (403, {"detail": detail}) if f"/backend-api{part}" in request.path else data
        )
        assert mirrored.next_run() in {3, 5}
        assert "Unusual activity has been detected" in message(mirrored)
        assert "\x1b" not in message(mirrored)
        assert len(mirrored.asked("/api/auth/session")) <= 2


ODD_TEXTS = ["\ud83d", "a\0b", "two\nlines", "\x1b[2J", "x" * 50_000]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_an_odd_code_of_one_chat_costs_that_chat(tmp_path: Path, text: str) -> None:
    """A code that is no word is none; the reason is one short line."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[0]

        def alter(request: ReceivedRequest, data: Any) -> Any:
            if key in request.path:
                return (404, {"detail": {"code": text, "message": f"No {text}"}})
            return [tree for tree in data if tree["id"] != key] if request.path.endswith("/batch") else data

        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 3
        assert stored(mirrored) == set(mirrored.ids()) - {key}
        assert message(mirrored).isprintable()
        assert len(message(mirrored)) < 600


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_an_odd_code_of_a_list_costs_that_list(tmp_path: Path, text: str) -> None:
    """The others are read, and the run ends with a line."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.alter_answers(
            lambda request, data: (400, {"detail": {"code": text}}) if LISTS["archived"](request) else data
        )
        assert mirrored.next_run() == 5
        assert stored(mirrored) == set(mirrored.ids())
        assert message(mirrored).isprintable()
        assert len(message(mirrored)) < 600


@pytest.mark.parametrize("text", [*ODD_TEXTS, "\udc80"])
def test_an_odd_text_in_a_branch_costs_nothing(tmp_path: Path, text: str) -> None:
    """Where branches are all that an account gives: put together of pages, they hold what the service sent."""
    behaviour = Behaviour(batch="missing", single="missing")
    with MirroredService(tmp_path, behaviour=behaviour, over_http=False) as mirrored:
        key = mirrored.ids()[0]

        def alter(request: ReceivedRequest, data: Any) -> Any:
            if key in request.path and isinstance(data, dict) and data.get("messages"):
                data = deepcopy(data)
                data["messages"][-1]["content"]["parts"] = [f"before {text} after"]
            return data

        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 0
        assert stored(mirrored) == set(mirrored.ids())
        said = mirrored.rows("SELECT text FROM messages WHERE conversation_id = ?", key)
        assert any(row[0].startswith("before ") and row[0].endswith(" after") for row in said)
        assert findings(mirrored) == []


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_texts_about_the_account_cost_no_chat(tmp_path: Path, text: str) -> None:
    """Names, plans, times, cursors, and ids of what stands beside the chats."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.alter_answers(lambda request, data: _with_odd_text(request.path, deepcopy(data), text))
        assert mirrored.next_run() in {0, 3, 5}
        assert stored(mirrored) >= set(mirrored.ids())
        assert findings(mirrored) == []
        mirrored.alter_answers(None)
        assert mirrored.next_run(full=True) in {0, 3}
        assert findings(mirrored) == []


def _with_odd_text(path: str, data: Any, text: str) -> Any:
    if "detail" in data:
        return data  # a refusal: the workspace that was added here is none
    if path == "/api/auth/session":
        data["user"] |= {"name": text, "email": text, "image": text}
        data |= {"expires": text, "account": {"id": text, "planType": text, "structure": text}}
    elif "/accounts/check/" in path:
        for entry in data["accounts"].values():
            entry["account"] |= {"name": text, "plan_type": text}
        data["accounts"][text] = {"account": {"account_id": text, "name": text, "structure": text}}
    elif path == "/backend-api/conversations":
        data["cursor"] = text
        for row in data["items"][:1]:
            row |= {"title": text, "gizmo_id": text, "owner": {"id": text}, "create_time": text}
    elif path.endswith("/sidebar"):
        file = {"file_id": f"file-{text}", "name": text, "type": text}
        data["items"].append({"gizmo": {"id": f"g-p-{text}", "short_url": text, "display": {"name": text}}})
        data["items"].append({"gizmo": {"id": "g-p-odd", "display": {"name": text}}, "files": [file]})
        data["cursor"] = text
    elif path.endswith("/memories"):
        data["memories"] = [{"id": text, "content": text, "created_timestamp": text}]
    elif path.endswith("/user_system_messages"):
        data |= {"about_user_message": text, text: text}
    return data


# -- lists that contradict themselves


def altered_rows(change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> Callable[[ReceivedRequest, Any], Any]:
    """Change the rows of the main list, each with its position in the list."""

    def alter(request: ReceivedRequest, data: Any) -> Any:
        is_main = request.path == "/backend-api/conversations" and LISTS["main"](request)
        if not is_main or "items" not in data:
            return data
        start = int(request.query["offset"])
        return {**data, "items": [change(start + n, row) for n, row in enumerate(data["items"])]}

    return alter


def test_rows_in_another_order_are_read_to_the_end(tmp_path: Path) -> None:
    """A change anywhere in the list is found in the next run; one at a time, so that none shows another's page."""
    with MirroredService(tmp_path, conversations=450, over_http=False) as mirrored:
        mirrored.behaviour.shuffled_rows = True
        assert mirrored.next_run() == 0
        for key in mirrored.ids()[200:204]:
            mirrored.person.new_message(key)
            assert mirrored.next_run() == 0
            assert set(mirrored.changes()) == {key}


def test_small_pages_cost_no_more_requests_each_night(tmp_path: Path) -> None:
    """28 rows come where 100 were asked for: a quiet night stays cheap, and nothing is missed."""
    with MirroredService(tmp_path, behaviour=Behaviour(page_cap=28), conversations=300, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        assert stored(mirrored) == set(mirrored.ids())
        assert mirrored.next_run() == 0
        assert len(mirrored.service.requests) <= 12
        mirrored.person.new_message(mirrored.ids()[290])
        assert mirrored.next_run() == 0
        assert mirrored.ids()[290] in mirrored.changes()


def test_a_list_that_says_it_is_incomplete(tmp_path: Path) -> None:
    """It is not current, and what it shows is stored."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.alter_answers(
            lambda request, data: (
                {**data, "has_missing_conversations": True} if request.path.endswith("/conversations") else data
            )
        )
        assert mirrored.next_run() == 5
        assert "missing" in message(mirrored)
        assert stored(mirrored) == set(mirrored.ids())


@pytest.mark.parametrize("precision", [19, 23])
def test_times_in_another_precision_are_no_news(tmp_path: Path, precision: int) -> None:
    """Seconds or milliseconds for one night: nothing is read again, then or later."""
    with MirroredService(tmp_path, conversations=COUNT, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        mirrored.alter_answers(
            altered_rows(lambda _, row: {**row, "update_time": row["update_time"][:precision] + "Z"})
        )
        assert mirrored.next_run() == 0
        assert mirrored.reads() == 0
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert mirrored.reads() == 0


def test_rows_without_times(tmp_path: Path) -> None:
    """Changes cannot be seen: that is no success."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        mirrored.alter_answers(altered_rows(lambda _, row: {k: v for k, v in row.items() if k != "update_time"}))
        assert mirrored.next_run() == 5
        mirrored.alter_answers(None)
        mirrored.next_run()
        assert mirrored.next_run() == 0


UNREADABLE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "null": lambda row: {**row, "update_time": None},
    "no time": lambda row: {**row, "update_time": "yesterday"},
    "left out": lambda row: {name: value for name, value in row.items() if name != "update_time"},
    "neither time": lambda row: {**row, "update_time": None, "create_time": None},
}


@pytest.mark.parametrize(("how", "is_known"), [*((how, False) for how in UNREADABLE), ("null", True)])
def test_news_of_a_row_without_a_time_arrive(tmp_path: Path, how: str, *, is_known: bool) -> None:
    """Nothing in the list tells of them, so it is read in every run, and nothing else is; also where it sinks."""
    with MirroredService(tmp_path, conversations=COUNT, over_http=False) as mirrored:
        key = mirrored.ids()[0]
        sunk: set[str] = set()

        def alter(request: ReceivedRequest, data: Any) -> Any:
            data = altered_rows(lambda _, row: UNREADABLE[how](row) if row["id"] == key else row)(request, data)
            if request.path == "/backend-api/conversations" and LISTS["main"](request):
                data = {**data, "items": [row for row in data["items"] if row["id"] not in sunk]}
            return data

        if is_known:
            assert mirrored.next_run() == 0
        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 0
        for now_sunk in (set(), {key}, set()):
            sunk = now_sunk
            mirrored.person.new_message(key)
            assert mirrored.next_run() == 0
            assert differences(mirrored) == []
        assert mirrored.next_run() == 0
        assert mirrored.reads() == 1
        mirrored.alter_answers(None)
        assert [mirrored.next_run() for _ in range(3)] == [0, 0, 0]
        assert mirrored.reads() == 0


def test_many_rows_without_a_time(tmp_path: Path) -> None:
    """Their news cannot be seen, which is said, and not all of them are read each night."""
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        mirrored.alter_answers(altered_rows(lambda n, row: row if n % 2 else UNREADABLE["null"](row)))
        assert mirrored.next_run() == 5
        assert "no longer says when many conversations changed" in message(mirrored)
        assert mirrored.reads() == 0
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0


def test_rows_of_an_unknown_form(tmp_path: Path) -> None:
    """A first sync that understands no row is no success."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.alter_answers(altered_rows(lambda n, _: {"ref": n}))
        assert mirrored.next_run() == 5
        assert "unknown form" in message(mirrored)


@pytest.mark.parametrize("conversations", [12, 130])
@pytest.mark.parametrize(
    "odd", [None, 7, {}, {"ref": 3}, {"id": 5}, {"id": None, "title": "T"}, {"id": "c\0"}], ids=repr
)
def test_one_row_that_is_not_understood(tmp_path: Path, odd: object, conversations: int) -> None:
    """A conversation may be missing: the list is named, exit 3 until it is understood, and the others are stored."""
    with MirroredService(tmp_path, conversations=conversations, over_http=False) as mirrored:
        mirrored.behaviour.odd_rows = {"main": [odd]}
        for full in (False, False, True):
            mirrored.person.new_message(mirrored.ids()[0])
            assert mirrored.next_run(full=full) == 3
            assert "1 row of the main list" in message(mirrored)
            assert differences(mirrored) == []
        mirrored.behaviour.odd_rows = {}
        assert mirrored.next_run(full=True) == 0
        assert mirrored.next_run() == 0


def test_odd_rows_are_counted_by_list(tmp_path: Path) -> None:
    """Each once, however often its page was read, and those of a mere selection are no failure."""
    with MirroredService(tmp_path, conversations=120, over_http=False) as mirrored:
        mirrored.person.archive(mirrored.ids()[0])
        mirrored.person.new_conversation("Work", origin="tpp")
        mirrored.behaviour.odd_rows = {"starred": [None]}
        assert mirrored.next_run() == 0
        mirrored.behaviour.odd_rows = {"main": [{"ref": 1}, {"ref": 2}], "archived": [None], "work": [{"id": 7}]}
        assert mirrored.next_run(full=True) == 3
        assert "4 rows of the main, archived and Work lists were not understood" in message(mirrored)


def test_an_odd_row_deep_down_stays_known(tmp_path: Path) -> None:
    """Runs that read only the top say so, too."""
    with MirroredService(tmp_path, conversations=250, over_http=False) as mirrored:

        def alter(request: ReceivedRequest, data: Any) -> Any:
            is_deep = LISTS["main"](request) and request.query["offset"] not in {"0", None}
            return {**data, "items": [*data["items"], {"ref": 1}]} if is_deep and data["items"] else data

        mirrored.alter_answers(alter)
        assert [mirrored.next_run() for _ in range(3)] == [3, 3, 3]
        assert differences(mirrored) == []
        mirrored.alter_answers(None)
        assert [mirrored.next_run(), mirrored.next_run(full=True), mirrored.next_run()] == [3, 0, 0]


def test_a_row_in_the_archived_list_that_says_it_is_not_archived(tmp_path: Path) -> None:
    """The list is read to its end all the same."""
    with MirroredService(tmp_path, conversations=260, over_http=False) as mirrored:
        for key in mirrored.ids()[:240]:
            mirrored.person.archive(key)
        odd = mirrored.ids()[50]

        def alter(request: ReceivedRequest, data: Any) -> Any:
            if not LISTS["archived"](request):
                return data
            rows = [{**row, "is_archived": False} if row["id"] == odd else row for row in data["items"]]
            return {**data, "items": rows}

        mirrored.alter_answers(alter)
        mirrored.next_run()
        assert stored(mirrored) == set(mirrored.ids())


def test_a_time_in_the_future_hides_nothing(tmp_path: Path) -> None:
    """Changes below it are found, also below newer ones that were stored by a run whose list broke off."""
    with MirroredService(tmp_path, conversations=250, over_http=False) as mirrored:
        ahead = mirrored.ids()[0]
        mirrored.alter_answers(
            altered_rows(lambda _, row: {**row, "update_time": "2099-01-01T00:00:00Z"} if row["id"] == ahead else row)
        )
        assert mirrored.next_run() == 0
        for key in [*mirrored.ids()[150:153], *mirrored.ids()[5:125]]:
            mirrored.clock.advance(1)
            mirrored.person.new_message(key)
        mirrored.behaviour.deep_offset_error_from = 50
        assert mirrored.next_run() == 5
        mirrored.behaviour.deep_offset_error_from = None
        assert mirrored.next_run() == 0
        assert set(mirrored.ids()[150:153]) <= {row[0] for row in mirrored.rows("SELECT conversation_id FROM changes")}
        assert differences(mirrored) == []


def with_parameters(mirrored: MirroredService) -> list[ReceivedRequest]:
    return [request for request in mirrored.service.requests if "include_widget_state" in request.query]


@pytest.mark.parametrize("plural", ["normal", "missing"])
@pytest.mark.parametrize("status", [400, 403, 422, 500])
def test_single_reads_ask_for_everything_and_learn_where_that_is_refused(
    tmp_path: Path, status: int, plural: str
) -> None:
    """Two refusals, then reads without the parameters in this run; one read of the next asks with them again."""
    most = {403: 3, 500: 6}.get(status, 2)  # with a fresh token; three tries each where it may be a failure
    behaviour = Behaviour(batch="missing", plural=plural)
    with MirroredService(tmp_path, behaviour=behaviour, over_http=False) as mirrored:
        mirrored.alter_answers(
            lambda request, data: (status, {"detail": []}) if "include_widget_state" in request.query else data
        )
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert 1 <= len(with_parameters(mirrored)) <= most
        assert with_parameters(mirrored)[0].query["include_visually_hidden_messages"] == "true"
        mirrored.person.new_message(mirrored.ids()[0])
        assert mirrored.next_run() == 0
        assert 1 <= len(with_parameters(mirrored)) <= (most + 1) // 2
        mirrored.alter_answers(None)
        mirrored.person.new_message(mirrored.ids()[0])
        assert mirrored.next_run() == 0
        assert len(with_parameters(mirrored)) >= 1


@pytest.mark.parametrize("status", [403, 500])
def test_one_conversation_that_is_refused_teaches_nothing_of_parameters(tmp_path: Path, status: int) -> None:
    """Where they were taken before, a refusal is that conversation's."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch="missing", plural="missing"), over_http=False) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[0]
        mirrored.person.new_message(key)
        mirrored.alter_answers(lambda request, data: (status, {"detail": "No"}) if key in request.path else data)
        assert mirrored.next_run() == 3
        singles = [r for r in mirrored.service.requests if r.path.startswith("/backend-api/conversation/")]
        assert len(with_parameters(mirrored)) == len(singles) > 0


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("bad", [[0], [3], [1, 4, 5]])
def test_conversations_that_alone_are_refused_with_the_parameters(tmp_path: Path, bad: list[int], status: int) -> None:
    """They are read without, and all others with them, in each run that reads some."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch="missing", plural="missing"), over_http=False) as mirrored:
        refused = {mirrored.ids()[n] for n in bad}

        def alter(request: ReceivedRequest, data: Any) -> Any:
            is_refused = "include_widget_state" in request.query and request.path.rsplit("/", 1)[1] in refused
            return (status, {"detail": []}) if is_refused else data

        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert len(with_parameters(mirrored)) == len(mirrored.ids())
        for key in mirrored.ids():
            mirrored.person.new_message(key)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert len(with_parameters(mirrored)) == len(mirrored.ids())
        singles = [r for r in mirrored.service.requests if r.path.startswith("/backend-api/conversation/")]
        assert len(singles) == len(mirrored.ids()) + len(bad)


@pytest.mark.parametrize("batch", ["normal", "missing"])
def test_conversations_that_are_redirected(tmp_path: Path, batch: str) -> None:
    """One and two of sixty cost themselves; nothing goes to the other host."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch=batch), conversations=COUNT, over_http=False) as mirrored:
        sent_away = {mirrored.ids()[n] for n in (0, 30)}

        def breaks(request: ReceivedRequest) -> str | None:
            is_bad = sent_away.intersection(request.ids) or any(key in request.path for key in sent_away)
            return "redirect" if is_bad else None

        mirrored.behaviour.break_request = breaks
        assert mirrored.next_run() == 3
        assert stored(mirrored) == set(mirrored.ids()) - sent_away


def breaking(bad: Collection[str], how: str) -> Callable[[ReceivedRequest], str | None]:
    """Break what is asked for these conversations, by whatever endpoint."""
    return lambda r: how if set(bad).intersection(r.ids) or any(key in r.path for key in bad) else None


@pytest.mark.parametrize("how", ["challenge", "429"])
@pytest.mark.parametrize("batch", ["normal", "missing"])
@pytest.mark.parametrize(("at", "count"), [([0], 20), ([7], 20), ([19], 20), ([0, 13], 20), ([1], 6), ([0], 6)])
def test_conversations_that_alone_are_refused_as_if_all_were(
    tmp_path: Path, how: str, batch: str, at: list[int], count: int
) -> None:
    """A browser check or a 429 for one address only: another conversation comes, so the one is put off by name."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch=batch), conversations=count, over_http=False) as mirrored:
        bad = {mirrored.ids()[n] for n in at}
        mirrored.behaviour.break_request = breaking(bad, how)
        assert mirrored.next_run() == 3
        assert stored(mirrored) == set(mirrored.ids()) - bad
        assert put_off(mirrored) == bad
        refused = {"challenge": 4 * 2, "429": 4 + 2}[how] * len(at)  # of the batch that holds it, and of itself
        assert sum(breaking(bad, how)(request) is not None for request in mirrored.service.requests) <= refused
        assert (
            mirrored.value("SELECT json_extract(value, '$.single_read_budget') FROM _settings WHERE key LIKE 'login:%'")
            is None
        )
        mirrored.behaviour.break_request = None
        for _ in range(2):
            mirrored.next_run()
        assert stored(mirrored) == set(mirrored.ids())


@pytest.mark.parametrize("how", ["challenge", "429"])
def test_batches_alone_are_refused_in_every_run(tmp_path: Path, how: str) -> None:
    """All is read by id, and what changes later, too."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        mirrored.behaviour.break_request = lambda r: how if r.path.endswith("/batch") else None
        for _ in range(2):
            assert mirrored.next_run() == 0
            assert stored(mirrored) == set(mirrored.ids())
            assert sum(request.path.endswith("/batch") for request in mirrored.service.requests) <= 8
            mirrored.person.new_message(mirrored.ids()[3])


@pytest.mark.parametrize(
    ("count", "at", "how", "single", "endpoint"),
    [
        pytest.param(3, 2, "challenge", "normal", None, id="the last of a few, and nothing is known that comes"),
        pytest.param(12, 6, "challenge", "normal", "challenge", id="batches, too, and all others are stored"),
        pytest.param(30, 2, "429", "missing", "challenge", id="before it is known that there are no trees"),
        pytest.param(30, 2, "429", "missing", None, id="the same where batches come"),
    ],
)
def test_one_refused_conversation_and_what_else_is_odd(
    tmp_path: Path, count: int, at: int, how: str, single: str, endpoint: str | None
) -> None:
    """In the third run at the latest it is the only one that is not saved."""
    behaviour = Behaviour(single=single)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=count, over_http=False) as mirrored:
        bad = mirrored.ids()[at]

        def breaks(request: ReceivedRequest) -> str | None:
            if endpoint and request.path.endswith("/batch"):
                return endpoint
            return how if bad in request.path or bad in request.ids else None

        mirrored.behaviour.break_request = breaks
        codes = [mirrored.next_run() for _ in range(4)]
        assert codes[-2:] == [3, 3]
        assert stored(mirrored) == set(mirrored.ids()) - {bad}


@pytest.mark.parametrize(("how", "code", "most"), [("challenge", 5, 8), ("429", 6, 10)])
@pytest.mark.parametrize("batch", ["normal", "missing"])
@pytest.mark.parametrize("granted", [0, 1])
def test_a_block_of_all_conversations_ends_the_run_quickly(
    tmp_path: Path, how: str, code: int, most: int, batch: str, granted: int
) -> None:
    """One more request, or two, ask for another conversation; what came before is stored."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch=batch), conversations=20, over_http=False) as mirrored:
        broken: list[ReceivedRequest] = []

        def breaks(request: ReceivedRequest) -> str | None:
            if "/conversation" not in request.path or request.path.endswith("/conversations"):
                return None
            broken.append(request)
            return how if len(broken) > granted else None

        mirrored.behaviour.break_request = breaks
        assert mirrored.next_run() == code
        assert len(broken) <= granted + most
        assert put_off(mirrored) == set()


ODD_TREES: dict[str, Callable[[dict[str, Any], str], None]] = {
    "a parent that is missing": lambda tree, leaf: tree["mapping"][leaf].update(parent="nobody"),
    "a parent that is no id": lambda tree, leaf: tree["mapping"][leaf].update(parent={"a": 1}),
    "a child that is missing": lambda tree, leaf: tree["mapping"][leaf].update(children=["nobody"]),
    "an unknown newest message": lambda tree, _: tree.update(current_node="nobody"),
    "no newest message": lambda tree, _: tree.update(current_node=None),
    "a newest message that is no id": lambda tree, _: tree.update(current_node=5),
}


@pytest.mark.parametrize("odd", list(ODD_TREES))
def test_one_odd_thing_in_a_tree_costs_no_branch(tmp_path: Path, odd: str) -> None:
    """It holds all that the branch shows, so it is odd and not cut: stored with every branch, in the first run."""
    with MirroredService(tmp_path, conversations=12, verify=True, over_http=False) as mirrored:
        key = mirrored.ids()[3]
        mirrored.person.regenerate(key)
        mirrored.person.edit_prompt(key, "Asked otherwise")
        tree = mirrored.account.tree(key)
        leaf = next(node for node, one in tree["mapping"].items() if one["message"] and node != tree["current_node"])
        total = sum(one["message"] is not None for one in tree["mapping"].values())

        def alter(_: ReceivedRequest, shown: Any) -> Any:
            data = deepcopy(shown)
            for found in data if isinstance(data, list) else [data]:
                ids = {found.get("conversation_id"), found.get("id")} if isinstance(found, dict) else set()
                if key in ids and found.get("mapping"):
                    ODD_TREES[odd](found, leaf)
            return data

        mirrored.alter_answers(alter)
        for _ in range(3):
            assert mirrored.next_run() == 0
            assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) == total
            assert mirrored.value("SELECT is_complete FROM conversations WHERE id = ?", key) == 1


def test_a_long_title_leaves_the_line_readable(tmp_path: Path) -> None:
    """Nor does one of several lines: what a run ends with is one line that a person can read."""
    with MirroredService(tmp_path, conversations=3, over_http=False) as mirrored:
        key = mirrored.ids()[0]
        mirrored.account.tree(key)["title"] = "First line\nSecond " + "x" * 1_000_000
        mirrored.behaviour.poisoned = frozenset({key})
        assert mirrored.next_run() == 3
        assert len(message(mirrored)) < 1000
        assert "\n" not in message(mirrored)
