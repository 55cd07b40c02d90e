"""SIGKILL of the real command at every request and system call, and a disk that fails at each write.

The calls are all that change something in the command's folder: the mirror and its log, the bytes of files, the stored
login, backups, exports, locks, and the folders of these. After each fault the mirror is whole and what was reported is
there, and running the command again reaches the uninterrupted end, also where that run meets another fault first.

``CHATMIRROR_KILLS``: how many kills of each job at its requests, and how many pairs of faults at its calls (all calls:
``1000000``), ``CHATMIRROR_SEED`` which.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from contextlib import contextmanager
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import pytest
from processes import (
    KillAtRequest,
    calls_on,
    compile_program,
    failing_at,
    needs_strace,
    rehearsing,
    run_command,
    was_hit,
)
from scenarios import SCENARIOS, Ends, Stage, differing_rows, outcome, settled, stage_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from processes import Call

KILLS = int(os.environ.get("CHATMIRROR_KILLS", "2"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
MOMENTS = ("before", "middle", "after")
PARTS = range(2 if KILLS > 20 else 1)  # of the points of each test, so that several processes share long runs
FAILURES = {
    "kill": "signal=KILL",
    "full disk": "error=ENOSPC",
    "broken disk": "error=EIO",
}
# What each failure can happen to: a sync and a removal need no room.
KINDS = {
    "kill": {"write", "sync", "truncate", "open", "mkdir", "rename", "link", "unlink"},
    "full disk": {"write", "open", "mkdir", "rename", "link"},
    "broken disk": {"write", "sync", "truncate", "rename", "link", "unlink"},
}
Point = tuple[str, "Call"]
pytestmark = pytest.mark.timeout(36_000)


class Rehearsed:
    """A scenario that was run once without a fault: what it left, and what it did."""

    def __init__(self, folder: Path, name: str, *, is_traced: bool) -> None:
        self.scenario = SCENARIOS[name]
        self.stage = stage_of(folder)
        self.template, self._copy, self._log = folder / "template", folder / "copy", folder / "calls"
        self._is_traced = is_traced
        compile_program()

    @contextmanager
    def service(self) -> Iterator[None]:
        """Prepare and rehearse; the service is there inside the context."""
        with self.stage.service:
            self.scenario.prepare(self.stage)
            self.stage.keep(self.template)
            with self._copied() as copy:
                _, before = settled(copy)
            self.stage.reset(self.template)
            self.stage.service.service.requests.clear()
            self._run(rehearsing(self._log) if self._is_traced else ())
            self.requests = len(self.stage.service.service.requests)
            self.calls = calls_on(self.stage.folder, self._log) if self._is_traced else []
            self.ends = Ends(self.scenario, before, outcome(self.stage))
            yield

    def fail(self, failure: str, call: Call, point: object) -> None:
        """Run the command with a failure at a call, and look at what that left."""
        ended = run_command(self.stage, self.scenario, failing_at(call, FAILURES[failure], self._log))
        assert was_hit(self.stage.folder, self._log, is_kill=failure == "kill"), (point, "another call was hit")
        assert "Traceback" not in ended.stderr, (point, ended.stderr)
        assert "internal error" not in ended.stderr, (point, ended.stderr)
        expected = {-signal.SIGKILL} if failure == "kill" else {0, 8, 9}
        assert ended.returncode in expected, (point, ended.stderr)
        self.look(point, ended.stderr)

    def look(self, point: object, said: str) -> None:
        """Look at what a fault left; ``said``: what the command had printed by then."""
        with self._copied() as copy:
            assert self.ends.wrong_with(copy, said) == [], (point, said)

    def end(self, point: object) -> list[Call]:
        """Run the command to its end, which has to be the uninterrupted one; return the calls that it made."""
        self._run(rehearsing(self._log) if self._is_traced else (), point)
        assert differing_rows(outcome(self.stage), self.ends.after) == [], point
        with self._copied() as copy:
            assert settled(copy)[0] == [], point
        return calls_on(self.stage.folder, self._log) if self._is_traced else []

    def _run(self, before: Sequence[str], point: object = None) -> None:
        ended = run_command(self.stage, self.scenario, before)
        assert ended.returncode == 0, (point, ended.stderr)

    @contextmanager
    def _copied(self) -> Iterator[Stage]:
        """Yield a copy of the stage: to look at a mirror undoes what a killed run left open."""
        self.stage.keep(self._copy)
        yield Stage(self._copy, self.stage.service)
        shutil.rmtree(self._copy)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["first sync", "sync of changes"])
def test_a_kill_at_any_request(tmp_path: Path, name: str, part: int) -> None:
    rehearsed = Rehearsed(tmp_path, name, is_traced=False)
    with rehearsed.service():
        points = [(moment, n) for moment in MOMENTS for n in range(1, rehearsed.requests + 1)]
        random.Random(f"{SEED} {name}").shuffle(points)
        for moment, number in points[:KILLS][part :: len(PARTS)]:
            rehearsed.stage.reset(rehearsed.template)
            is_killed, said = KillAtRequest(rehearsed.stage, number, moment).run(rehearsed.scenario)
            assert is_killed or (moment, number) == ("after", rehearsed.requests)
            rehearsed.look((moment, number), said)
            rehearsed.end((moment, number))


def spread(calls: Sequence[Call], rng: random.Random) -> list[Point]:
    """Return every failure that can happen at these calls; of the first ones, each kind of call has its share."""
    kinds: dict[tuple[str, str], list[Point]] = {}
    for failure, names in KINDS.items():
        for call in calls:
            if call.kind in names:
                kinds.setdefault((failure, call.kind), []).append((failure, call))
    shuffled = [rng.sample(points, len(points)) for points in kinds.values()]
    rng.shuffle(shuffled)
    return [point for point in chain(*zip_longest(*shuffled)) if point is not None]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_failures_at_any_system_call(tmp_path: Path, name: str, part: int) -> None:
    """A kill or an error at a call, then one in the run after it, then a run to the end."""
    needs_strace(tmp_path)
    rehearsed, rng = Rehearsed(tmp_path, name, is_traced=True), random.Random(f"{SEED} {name}")
    with rehearsed.service():
        stage, after_one = rehearsed.stage, tmp_path / "after one"
        points = spread(rehearsed.calls, rng)
        assert {failure for failure, _ in points} == set(FAILURES)
        for point in points[:KILLS][part :: len(PARTS)]:
            stage.reset(rehearsed.template)
            rehearsed.fail(*point, point)
            stage.keep(after_one)
            stage.reset(after_one)
            calls = rehearsed.end(point)
            for second in spread(calls, rng)[:1]:
                stage.reset(after_one)
                rehearsed.fail(*second, (point, second))
                rehearsed.end((point, second))
