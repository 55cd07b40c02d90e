"""The form of the service's answers: a change of it is told once, and nothing of a person is kept."""

from __future__ import annotations

import random
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService

from mirror.chatgpt.site import SITE
from mirror.health import freshness
from mirror.simulator import ManualClock, generated_account
from mirror.simulator.exchange import Response, html_response, json_response
from mirror.simulator.faults import challenge
from mirror.simulator.story.demo_account import demo_account
from mirror.skeleton import DEEPEST, MOST_PARTS, TAKEN_A_RUN, Skeletons
from mirror.store import status as store
from mirror.store.database import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirror.simulator import ReceivedRequest


@pytest.fixture
def mirrored(tmp_path: Path) -> Any:
    with MirroredService(tmp_path) as mirrored:
        yield mirrored


def altered(path: str, alter: Callable[[Any], Any]) -> Callable[[ReceivedRequest, Any], Any]:
    """Change the JSON of answers whose path ends so."""
    return lambda request, data: alter(data) if request.path.endswith(path) else data


def told(mirrored: MirroredService) -> list[str]:
    """What the last run told with -v."""
    return [note.removeprefix("the API changed: ") for note in mirrored.notes if note.startswith("the API changed")]


def status(mirrored: MirroredService) -> list[str]:
    with closing(open_reader(mirrored.path)) as conn:
        return list(freshness.lines(store.read(conn), mirrored.clock()))


def runs(mirrored: MirroredService, count: int) -> list[str]:
    found = []
    for _ in range(count):
        assert mirrored.next_run() == 0
        found += told(mirrored)
    return found


def each_row(change: Callable[[dict[str, Any]], Any]) -> Callable[[Any], Any]:
    def alter(data: Any) -> Any:
        for row in data.get("items", []):
            change(row)
        return data

    return alter


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record.pop(key, None)


def test_nothing_is_told_while_nothing_changes(mirrored: MirroredService) -> None:
    """Not even with news of every kind: optional keys, deletions, full runs."""
    found = runs(mirrored, 3)
    for key in mirrored.ids()[:4]:
        mirrored.person.new_message(key)
        mirrored.person.remember("a memory")
        found += runs(mirrored, 1)
    mirrored.person.delete(mirrored.ids()[0])
    assert found + runs(mirrored, 10) == []


def test_a_new_key_is_told_once(mirrored: MirroredService) -> None:
    runs(mirrored, 2)
    mirrored.alter_answers(altered("/conversations", each_row(lambda row: row.update(sparkle_level=1))))
    mirrored.next_run()
    assert told(mirrored) == ["GET /backend-api/conversations: new key items[].sparkle_level"]
    assert any("new key items[].sparkle_level" in line for line in status(mirrored))
    assert runs(mirrored, 3) == []
    assert any("new key items[].sparkle_level" in line for line in status(mirrored)), "days later, too"
    assert runs(mirrored, 14) == []
    assert not any("sparkle_level" in line for line in status(mirrored)), "old news"


def test_a_key_that_vanished_is_told_once_and_optional_ones_are_not(mirrored: MirroredService) -> None:
    runs(mirrored, 3)
    mirrored.alter_answers(altered("/conversations", each_row(without("workspace_id"))))
    assert runs(mirrored, 3) == ["GET /backend-api/conversations: key items[].workspace_id does not come any more"]


def test_a_key_at_the_top_of_an_answer(mirrored: MirroredService) -> None:
    runs(mirrored, 3)
    mirrored.alter_answers(altered("/me", lambda data: data))
    mirrored.alter_answers(altered("/conversations", lambda data: {**data, "next_shard": "a"}))
    assert runs(mirrored, 2) == ["GET /backend-api/conversations: new key next_shard"]


def test_another_type_is_told_once(mirrored: MirroredService) -> None:
    runs(mirrored, 3)
    change = each_row(lambda row: row.update(is_archived=str(row["is_archived"])))
    mirrored.alter_answers(altered("/conversations", change))
    found = runs(mirrored, 2)
    assert [line.partition(" instead of ")[0] for line in found] == [
        "GET /backend-api/conversations: key items[].is_archived is string"
    ]


def test_a_status_is_told_once_and_failures_that_pass_are_not(mirrored: MirroredService) -> None:
    runs(mirrored, 2)
    mirrored.alter_answers(altered("/memories", lambda _: (410, {"detail": "Gone"})))
    assert runs(mirrored, 2) == [
        "GET /backend-api/memories: new status 410",
    ]
    mirrored.alter_answers(altered("/memories", lambda _: (500, {})))
    assert runs(mirrored, 3) == []


PAGE = b"<!DOCTYPE html><html><h1>Sorry</h1></html>"


@pytest.mark.parametrize("path", ["/api/auth/session", "/backend-api/memories"])
@pytest.mark.parametrize(
    "answer",
    [
        challenge(),
        *[html_response(status, PAGE) for status in (200, 403, 404, 500)],
        Response(403, b"error code: 1020", {"Content-Type": ["text/plain; charset=UTF-8"]}),
        *[json_response(status, {"detail": "Later"}) for status in (408, 503)],
    ],
    ids=lambda answer: f"{answer.status} {answer.headers['Content-Type'][0].partition(';')[0]} {len(answer.body)}",
)
def test_nights_of_browser_checks_and_error_pages_are_no_news(
    mirrored: MirroredService, path: str, answer: Response
) -> None:
    """What stands between the service and the mirror, and its servers that fail, say nothing of its API."""
    mirrored.over_http = False
    runs(mirrored, 3)
    for nights in (1, 3):
        mirrored.behaviour.replace_response = lambda request: answer if request.path == path else None
        for _ in range(nights):
            mirrored.next_run()
            assert told(mirrored) == []
        mirrored.behaviour.replace_response = None
        assert runs(mirrored, 3) == []
    assert not [line for line in status(mirrored) if "answers otherwise" in line]


@pytest.mark.parametrize("code", [403, 404, 422])
def test_a_refusal_of_the_service_itself_is_told_once(mirrored: MirroredService, code: int) -> None:
    """That it gave an answer here before, and refuses now, is news of its API."""
    runs(mirrored, 2)
    mirrored.alter_answers(altered("/memories", lambda _: (code, {"detail": "No"})))
    assert runs(mirrored, 3) == [f"GET /backend-api/memories: new status {code}"]


def test_a_content_type_is_told_once(mirrored: MirroredService) -> None:
    runs(mirrored, 2)
    mirrored.alter_answers(altered("/memories", lambda data: (200, data, {"Content-Type": ["application/x-ndjson"]})))
    assert runs(mirrored, 2) == ["GET /backend-api/memories: new content type application/x-ndjson"]


def test_rare_keys_are_no_news(mirrored: MirroredService) -> None:
    """A key that one row of many holds for the first time may be an optional one that was never met."""
    runs(mirrored, 2)

    def alter(data: Any) -> Any:
        for row in data["items"][:1]:
            row["seldom_seen"] = True
        return data

    mirrored.alter_answers(altered("/conversations", alter))
    found = runs(mirrored, 1)
    assert found == [], found


def test_a_key_that_was_kept_counts_also_where_it_comes_once(mirrored: MirroredService) -> None:
    """With one row a night nothing comes twice."""
    mirrored.alter_answers(altered("/conversations", each_row(lambda row: row.update(sparkle_level=1))))
    runs(mirrored, 3)
    for key in mirrored.ids()[1:]:
        mirrored.person.delete(key)
    for _ in range(6):
        mirrored.next_run(accept_deletions=True)
        assert told(mirrored) == []
    assert mirrored.value("SELECT missed FROM _skeletons WHERE name = 'items[].sparkle_level'") == 0


def test_an_account_that_grows_tells_nothing(tmp_path: Path) -> None:
    """Each night brings chats of another kind: thoughts, canvases, tools, pictures, with keys of their own."""
    clock = ManualClock()
    told_of = demo_account(clock, random.Random(1))
    trees = [told_of.tree(key) for key in told_of.conversations]
    account = generated_account(clock, 0, 4)
    with MirroredService(tmp_path, account, verify=True) as mirrored:
        found = []
        for n, tree in enumerate(trees):
            account.add({**tree, "update_time": clock(), "gizmo_id": None, "conversation_template_id": None})
            if n % 4 == 3:
                mirrored.next_run()
                found += told(mirrored)
        assert found == []


# -- what is kept


def test_an_unknown_key_that_stands_in_one_place_is_left_out_with_all_below_it() -> None:
    rows = [{"id": 1, "title": 2, "create_time": 3} for _ in range(3)]
    once = [*rows, {**rows[0], "diary": {"title": 1, "items": [{"id": 1}]}}]
    assert not [path for path in taken({"items": once}) if "diary" in path]
    assert "items[].diary.items[].id" in taken({"items": [*once, once[-1]]})
    assert "diary" in taken({"items": [], "total": 0, "limit": 1, "diary": 1}), "an answer's own keys are no map"


def taken(*answers: object, path: str = "/backend-api/conversations") -> list[str]:
    skeletons = Skeletons(SITE.words)
    for data in answers:
        skeletons.take("GET", path, data)
    (skeleton,) = skeletons.by_endpoint.values()
    return sorted(skeleton.kept_parts(SITE.words.known_keys))


@pytest.mark.parametrize(
    "key",
    [
        "6840a1b2-0001-4000-8000-00000000abcd",
        "file-AbC123",
        "user-x1Y2",
        "anna@example.org",
        "https://example.org/anna",
        "Anna Example",
        "anna",
        "annas_diary",
        "Ännchen",
        "2026-11-26",
        "",
        "a" * 200,
        "日記",
        "deadbeef",
    ],
)
def test_keys_of_maps_are_not_kept(key: str) -> None:
    record = {"id": "1", "title": "2", "create_time": 3, "new_thing": {key: {"title": 1}}}
    assert taken({"items": [record, record]}) == sorted(
        ["", "items", "items[]"]
        + [
            f"items[].{name}"
            for name in ("id", "title", "create_time", "new_thing", "new_thing.*", "new_thing.*.title")
        ]
    )


def test_a_map_of_ids_is_one_wildcard_whatever_its_ids_are() -> None:
    nodes: dict[str, Any] = {key: {"id": key, "children": []} for key in ("root", "user", "title", "content", "u1")}
    assert taken({"id": 1, "mapping": nodes})[2:4] == ["mapping", "mapping.*"]


@pytest.mark.parametrize("key", ["Anna", "anna@example.org", "a b", "x" * 41, "file_00000abc", "it's", "a.b", "a[]"])
def test_what_is_no_name_of_a_program_is_not_kept_beside_known_keys_either(key: str) -> None:
    found = taken({"id": 1, "title": 2, "create_time": 3, key: 4})
    assert found == ["", "*", "create_time", "id", "title"]


def test_a_new_key_beside_known_ones_is_kept() -> None:
    assert "sparkle_level2" in taken({"id": 1, "title": 2, "sparkle_level2": 3})
    assert "sparkleLevel" in taken({"id": 1, "title": 2, "sparkleLevel": 3})


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/backend-api/conversation/6840-1", "/backend-api/conversation/{id}"),
        ("/backend-api/conversations/6840-1/messages", "/backend-api/conversations/{id}/messages"),
        ("/backend-api/gizmos/g-p-1/conversations", "/backend-api/gizmos/{id}/conversations"),
        ("/backend-api/anna/../me", "/backend-api/{id}/{id}/me"),
    ],
)
def test_paths_hold_no_ids(path: str, template: str) -> None:
    skeletons = Skeletons(SITE.words)
    skeletons.note("GET", path, 200, "application/json; charset=anna")
    assert list(skeletons.by_endpoint) == [f"GET {template}"]
    assert list(skeletons.by_endpoint[f"GET {template}"].content_types) == ["application/json"]


def test_what_is_kept_is_bounded() -> None:
    deep: Any = {"message": 1}
    for _ in range(500):
        deep = {"message": deep, "id": 1}
    known = sorted(SITE.words.known_keys)
    wide = {key: dict.fromkeys(known, 1) for key in known}
    found = taken(deep, wide, [[[]] * 1000] * 1000, {str(n): n for n in range(100_000)})
    assert len(found) <= MOST_PARTS
    assert max(path.count(".") for path in found) <= DEEPEST


def test_skeletons_of_large_answers_cost_little() -> None:
    node = {"id": "n", "message": {"id": "m", "content": {"parts": ["text"]}, "metadata": {"citations": []}}}
    batch = [{"mapping": {f"n{n}": node for n in range(5000)}} for _ in range(10)]
    skeletons = Skeletons(SITE.words)
    begun = time.process_time()
    for _ in range(10 * TAKEN_A_RUN):
        skeletons.take("POST", "/backend-api/conversations/batch", batch)
    assert time.process_time() - begun < 5, "20 of these answers, 20 ms each"


def test_every_address_of_a_run_is_known_by_its_words(mirrored: MirroredService) -> None:
    """Otherwise addresses of different kinds would be one endpoint."""
    runs(mirrored, 2)
    for (endpoint,) in mirrored.rows("SELECT DISTINCT endpoint FROM _skeletons"):
        words = endpoint.split("/")
        assert words.count("{id}") <= 1, endpoint
        assert words[-1] != "{id}" or words[-2] in {"conversation", "conversations", "gizmos"}, endpoint
