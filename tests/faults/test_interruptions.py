"""Exceptions at any lines of any job: the mirror stays whole after each, and the next run reaches the same end.

Half of them are Ctrl-C. The others are what a system, SQLite or a mistake of the program's own raises; after these a
sync may put something off and say so, and the run after a week reaches the end.

``CHATMIRROR_FAULT_POINTS`` says how many in all (the long run: 40,000), ``CHATMIRROR_SEED`` at which lines.
"""

from __future__ import annotations

import gc
import os
import random
from typing import TYPE_CHECKING

import pytest
from interrupting import ORDINARY, executed_lines, interrupt, points_of
from scenarios import SCENARIOS, Ends, Stage, differing_rows, outcome, settled, stage_of

from mirror.errors import ChatmirrorError
from mirror.store.database import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from interrupting import Point

POINTS = int(os.environ.get("CHATMIRROR_FAULT_POINTS", "5100"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
PARTS = 4  # of each scenario's points: a test each, so that several processes share them
CHAIN = 8  # interruptions from one start, each of the run that followed the one before
LATER = 9  # days: what was put off is tried again after at most seven
INTERRUPTED = [name for name, scenario in SCENARIOS.items() if scenario.share]


@pytest.fixture
def few_objects() -> Iterator[None]:
    """Let the collector of garbage, which each interruption calls, look only at what comes from now on."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("few_objects")
# An exception between the opening of a file or socket and the line that remembers it leaves that to the end of the
# process, as Ctrl-C does.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", INTERRUPTED)
@pytest.mark.timeout(7200)
def test_an_exception_at_any_line(tmp_path: Path, name: str, part: int) -> None:
    scenario, template = SCENARIOS[name], tmp_path / "template"
    stage = stage_of(tmp_path, over_http=part == 0)
    with stage.service:
        scenario.prepare(stage)
        with Writer(stage.path):
            pass  # the migrations of a new mirror are a scenario of their own
        stage.keep(template)
        _, before = settled(stage)
        stage.reset(template)
        scenario.act(stage)  # what is imported late is not a line of the job
        stage.reset(template)
        lines = executed_lines(lambda: scenario.act(stage))
        ends = Ends(scenario, before, outcome(stage))
        assert settled(stage)[0] == []
        most = POINTS * scenario.share // sum(s.share for s in SCENARIOS.values())
        rng = random.Random(f"{SEED} {name}")
        points = points_of(lines, most, rng)[part::PARTS]
        assert points
        order = {line: n for n, line in enumerate(lines)}
        reached = 0
        for begin in range(0, len(points), CHAIN):
            chain = sorted(points[begin : begin + CHAIN], key=lambda point: order[point.file, point.line])
            errors = [_ordinary(point, rng) if begin // CHAIN % 2 else KeyboardInterrupt() for point in chain]
            reached += _chain(ends, stage, template, list(zip(chain, errors, strict=True)))
        assert reached >= 0.9 * len(points)  # caches may make a later run shorter than the counted one


def _ordinary(point: Point, rng: random.Random) -> Exception:
    """Return what is raised at a point; where a ValueError answers that a text is no time, it is no mistake."""
    error = rng.choice(ORDINARY)()
    return MemoryError() if isinstance(error, ValueError) and point.file.endswith("/values.py") else error


def _chain(ends: Ends, stage: Stage, template: Path, chain: Sequence[tuple[Point, BaseException]]) -> int:
    """Interrupt one run after the other, then let one end; return how many points were reached."""
    scenario = ends.scenario
    stage.reset(template)
    stage.days, reached = 1, 0
    for n, (point, error) in enumerate(chain):
        if not interrupt(lambda: scenario.act(stage), point, error):
            stage.reset(template)  # the runs before it left too little to do
            if not interrupt(lambda: scenario.act(stage), point, error):
                continue
        reached += 1
        error.with_traceback(None)
        gc.collect()  # as the end of the process would: connections and locks that the exception kept
        assert ends.wrong_with(stage) == [], chain[: n + 1]
    if _ended_with_error(ends, stage):
        assert any(isinstance(error, Exception) for _, error in chain), chain
        stage.days = LATER
        assert not _ended_with_error(ends, stage), chain
    assert differing_rows(outcome(stage), ends.after) == [], chain
    assert settled(stage)[0] == [], chain
    return reached


def _ended_with_error(ends: Ends, stage: Stage) -> bool:
    try:
        return ends.scenario.act(stage) is not None
    except ChatmirrorError:
        return True
