"""SIGKILL of the real command at every request and system call, and a disk that fails at each write.

After each: the mirror is whole, and running the command again reaches the uninterrupted end.
``CHATMIRROR_KILLS``: how many kills and errors of each kind of test (all of them: ``1000000``), ``CHATMIRROR_SEED``
which.
"""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest
from processes import KillAtRequest, counted_calls, files_of, needs_strace, run_command, strace
from scenarios import SCENARIOS, Scenario, Stage, content, differing_rows, stage_of, violations

if TYPE_CHECKING:
    from pathlib import Path

    from scenarios import Content

KILLS = int(os.environ.get("CHATMIRROR_KILLS", "2"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
MOMENTS = ("before", "middle", "after")
PARTS = range(2 if KILLS > 20 else 1)  # of the points of each test, so that several processes share long runs
pytestmark = pytest.mark.timeout(7200)


class Rehearsed:
    """A scenario that was run once without a fault: what it left, and how many calls it took."""

    def __init__(self, folder: Path, name: str) -> None:
        self.scenario: Scenario = SCENARIOS[name]
        self.template = folder / "template" / "chats.db"
        self.template.parent.mkdir()
        self.stage: Stage = stage_of(folder)
        self.log = folder / "template" / "calls"
        self.reference: Content = {}

    def rehearse(self, *, traced: bool) -> None:
        self.scenario.prepare(self.stage)
        if self.stage.path.exists():
            self.stage.path.replace(self.template)
        self.stage.reset(self.template)
        before = strace(self.log, files_of(self.stage.path)) if traced else []
        self.stage.service.service.requests.clear()
        ended = run_command(self.stage, self.scenario, before)
        assert ended.returncode == 0, ended.stderr
        self.requests = len(self.stage.service.service.requests)
        self.reference = content(self.stage.path)

    def check(self, point: object, saved: frozenset[str] = frozenset()) -> None:
        """Look at what a fault left, and run the command again."""
        stage = self.stage
        assert self.scenario.begins_damaged or violations(stage.path, saved) == [], point
        ended = run_command(stage, self.scenario)
        assert ended.returncode == 0, (point, ended.stderr)
        assert differing_rows(content(stage.path), self.reference) == [], point
        assert violations(stage.path) == [], point


def some(points: list[tuple[str, int]], part: int, name: str) -> list[tuple[str, int]]:
    """Return the points of one part, as many as are asked for."""
    random.Random(f"{SEED} {name}").shuffle(points)
    assert len(points) > part, "the job made no such call"
    return points[:KILLS][part :: len(PARTS)]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["first sync", "sync of changes"])
def test_a_kill_at_any_request(tmp_path: Path, name: str, part: int) -> None:
    rehearsed = Rehearsed(tmp_path, name)
    with rehearsed.stage.service:
        rehearsed.rehearse(traced=False)
        points = [(moment, n) for moment in MOMENTS for n in range(1, rehearsed.requests + 1)]
        for moment, number in some(points, part, name):
            rehearsed.stage.reset(rehearsed.template)
            is_killed = KillAtRequest(rehearsed.stage, number, moment).run(rehearsed.scenario)
            assert is_killed or (moment, number) == ("after", rehearsed.requests)
            rehearsed.check((moment, number))


FAILURES = {
    "kill": "signal=KILL",
    "full disk": "error=ENOSPC",
    "broken disk": "error=EIO",
}
# What each failure can happen to: a sync, a rename and a removal need no room.
CALLS = {
    "kill": ("pwrite64", "fdatasync", "ftruncate", "unlink"),
    "full disk": ("pwrite64",),
    "broken disk": ("pwrite64", "fdatasync", "ftruncate"),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("failure", list(FAILURES))
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_a_failure_at_any_system_call(tmp_path: Path, name: str, failure: str, part: int) -> None:
    needs_strace(tmp_path)
    rehearsed = Rehearsed(tmp_path, name)
    with rehearsed.stage.service:
        rehearsed.rehearse(traced=True)
        calls = counted_calls(rehearsed.log)
        points = [(call, n) for call in CALLS[failure] for n in range(1, calls.get(call, 0) + 1)]
        for call, number in some(points, part, f"{name} {failure}"):
            stage = rehearsed.stage
            stage.reset(rehearsed.template)
            inject = ("-e", f"inject={call}:{FAILURES[failure]}:when={number}")
            ended = run_command(stage, rehearsed.scenario, strace(rehearsed.log, files_of(stage.path), *inject))
            assert "Traceback" not in ended.stderr, (call, number, ended.stderr)
            assert "internal error" not in ended.stderr, (call, number, ended.stderr)
            if failure == "kill":
                assert ended.returncode == -signal.SIGKILL, (call, number)
            else:
                assert ended.returncode in {0, 8, 9}, (call, number, ended.stderr)
                assert "INJECTED" in rehearsed.log.read_text("latin-1"), (call, number)
            rehearsed.check((failure, call, number))
