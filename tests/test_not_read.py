"""What stands beside the conversations and fails is told by ``status``; the exit code is the conversations' own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService

from mirror.health import freshness
from mirror.simulator import ManualClock, SimulatedWorkspace, generated_account
from mirror.store import status as store
from mirror.store.database import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

SENTENCE = "We are sorry, Anna"


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[MirroredService]:
    with MirroredService(tmp_path) as mirrored:
        yield mirrored


def failing(part: str, answer: Any = (500, {})) -> Callable[[ReceivedRequest, Any], Any]:
    return lambda request, data: answer if part in request.path else data


def status_of(mirrored: MirroredService) -> tuple[list[str], list[dict[str, Any]]]:
    """The lines about what was not read, and the same as JSON."""
    with closing(open_reader(mirrored.path)) as conn:
        state, now = store.read(conn), mirrored.clock()
    lines = list(freshness.lines(state, now))
    assert freshness.verdict(state, now) is None
    (service,) = freshness.as_json(state, now)["services"]
    begin = next((n for n, line in enumerate(lines) if line.startswith("not read")), len(lines))
    others = takewhile(lambda line: line.startswith(" "), lines[begin + 1 :])
    return [line[14:] for line in [*lines[begin : begin + 1], *others]], service["not_read"]


@pytest.mark.parametrize(
    ("path", "answer", "what", "reason"),
    [
        ("/memories", (500, {}), "memories", "HTTP 500"),
        ("/memories", (403, {}), "memories", "HTTP 403"),
        ("/memories", {"nothing": 1}, "memories", "an answer of an unknown form"),
        ("/memories", [], "memories", "an answer of an unknown form"),
        ("/user_system_messages", (500, {}), "instructions", "HTTP 500"),
        ("/user_system_messages", ["x"], "instructions", "an answer of an unknown form"),
        ("/shared_conversations", (500, {}), "shared list", "HTTP 500"),
        ("/pins", (500, {}), "pinned list", "HTTP 500"),
    ],
)
def test_what_fails_is_told_until_it_is_read(
    mirrored: MirroredService, path: str, answer: Any, what: str, reason: str
) -> None:
    assert mirrored.next_run() == 0
    assert status_of(mirrored) == ([], [])
    mirrored.alter_answers(failing(path, answer))
    assert mirrored.next_run(full=True) == 0
    since = mirrored.value("SELECT started_at FROM sync_runs ORDER BY id DESC")[:10]
    assert mirrored.next_run() == 0
    lines, found = status_of(mirrored)
    assert lines == [f"{what}: {reason}, since {since}"]
    assert [(one["account"], one["what"], one["reason"], one["since"][:10]) for one in found] == [
        ("personal", what, reason, since)
    ]
    mirrored.alter_answers(None)
    assert mirrored.next_run(full=True) == 0
    assert status_of(mirrored) == ([], [])


def test_a_work_list_that_is_not_needed(mirrored: MirroredService) -> None:
    """Read last of all, it is told by the status of the run in which it failed, and not by that of a good one."""
    assert mirrored.next_run() == 0
    mirrored.alter_answers(lambda request, data: (500, {}) if request.query.get("conversation_origin") else data)
    for _ in range(2):
        assert mirrored.next_run(full=True) == 0
        lines, _ = status_of(mirrored)
        assert [line.partition(":")[0] for line in lines] == ["Work list", "archived Work list"]
    mirrored.alter_answers(None)
    assert mirrored.next_run(full=True) == 0
    assert status_of(mirrored) == ([], [])


def test_the_name_of_a_gpt(mirrored: MirroredService) -> None:
    conversation = mirrored.account.conversations[mirrored.ids()[0]]
    conversation["gizmo_id"] = "g-abc"
    mirrored.alter_answers(failing("/gizmos/g-abc"))
    assert mirrored.next_run() == 0
    lines, _ = status_of(mirrored)
    assert [line.partition(":")[0] for line in lines] == ["names of GPTs"]
    mirrored.alter_answers(None)
    assert mirrored.next_run() == 0
    assert status_of(mirrored) == ([], [])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((403, {"detail": "Unusual activity has been detected"}), "HTTP 403: “Unusual activity has been detected”"),
        ((422, {}), "HTTP 422"),
        ({"nothing": 1}, "an answer of an unknown form"),
        ({"gizmo": {"id": "g-abc", "display": None}}, "an answer of an unknown form"),
    ],
)
def test_a_gpt_that_is_refused_once_gets_its_name_later(tmp_path: Path, answer: Any, reason: str) -> None:
    """It is without a name till then, is asked for once a week, and stands beside others that are named."""
    with MirroredService(tmp_path, conversations=2, over_http=False) as mirrored:
        mirrored.account.gpts |= {key: {"id": key, "display": {"name": f"Name {key}"}} for key in ("g-abc", "g-other")}
        for key, gpt in zip(mirrored.ids(), ("g-abc", "g-other"), strict=True):
            mirrored.account.conversations[key]["gizmo_id"] = gpt
        mirrored.alter_answers(failing("/gizmos/g-abc", answer))
        asked = []
        for _ in range(8):
            assert mirrored.next_run() == 0
            asked.append(len(mirrored.asked("/gizmos/g-abc")) > 0)
            assert status_of(mirrored)[1][0]["reason"] == reason
        assert asked == [True, *[False] * 6, True]
        named = "SELECT id, name FROM gpts WHERE name IS NOT NULL ORDER BY id"
        assert mirrored.rows(named) == [("g-other", "Name g-other")]
        mirrored.alter_answers(None)
        for _ in range(7):
            assert mirrored.next_run() == 0
        assert mirrored.rows(named) == [("g-abc", "Name g-abc"), ("g-other", "Name g-other")]
        assert status_of(mirrored) == ([], [])


def test_of_several_workspaces_the_one_is_named(tmp_path: Path) -> None:
    account = generated_account(ManualClock(), 6, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "Team Rocket", "workspace", "team"))
    with MirroredService(tmp_path, account) as mirrored:

        def alter(request: ReceivedRequest, data: Any) -> Any:
            is_team = {name.lower(): value for name, value in request.headers.items()}.get(
                "chatgpt-account-id"
            ) == "ws-team"
            return (500, {}) if is_team and "/memories" in request.path else data

        mirrored.alter_answers(alter)
        assert mirrored.next_run(full=True) == 0
        lines, found = status_of(mirrored)
        assert [line.partition(",")[0] for line in lines] == ["Team Rocket: memories: HTTP 500"]
        assert [one["account"] for one in found] == ["Team Rocket"]


@pytest.mark.parametrize("damage", ['{"memories": 5}', '{"memories": {}}', '{"memories": {"reason": 1}}', "[]", "null"])
def test_what_is_damaged_in_it_stops_nothing(mirrored: MirroredService, damage: str) -> None:
    """Status still says the rest, and the next run writes it anew."""
    mirrored.alter_answers(failing("/memories"))
    assert mirrored.next_run() == 0
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("UPDATE _settings SET value = ? WHERE key LIKE 'not_read:%'", (damage,))
        conn.execute("INSERT INTO _drift (provider, seen_at, endpoint, what) VALUES ('chatgpt', 5, 'x', 'y')")
        conn.commit()
    status_of(mirrored)
    assert mirrored.next_run() == 0
    assert status_of(mirrored)[0][0].startswith("memories: HTTP 500")
