"""Exceptions at any lines of any job: the mirror stays whole after each, and the next run reaches the same end.

``CHATMIRROR_FAULT_POINTS`` says how many in all (the long run: 40,000), ``CHATMIRROR_SEED`` at which lines.
"""

from __future__ import annotations

import gc
import os
import random
from typing import TYPE_CHECKING

import pytest
from interrupting import executed_lines, interrupt, points_of
from scenarios import SCENARIOS, Scenario, Stage, content, differing_rows, stage_of, violations

from mirror.store.database import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from interrupting import Point
    from scenarios import Content

POINTS = int(os.environ.get("CHATMIRROR_FAULT_POINTS", "5100"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
PARTS = 4  # of each scenario's points: a test each, so that several processes share them
CHAIN = 8  # interruptions from one start, each of the run that followed the one before


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
@pytest.mark.parametrize("name", list(SCENARIOS))
@pytest.mark.timeout(7200)
def test_an_exception_at_any_line(tmp_path: Path, name: str, part: int) -> None:
    scenario, template = SCENARIOS[name], tmp_path / "template" / "chats.db"
    template.parent.mkdir()
    stage = stage_of(tmp_path, over_http=part == 0)
    with stage.service:
        scenario.prepare(stage)
        with Writer(stage.path):
            pass  # the migrations of a new mirror are a scenario of their own
        stage.path.replace(template)
        stage.reset(template)
        scenario.act(stage)  # what is imported late is not a line of the job
        stage.reset(template)
        lines = executed_lines(lambda: scenario.act(stage))
        reference = content(stage.path)
        assert violations(stage.path) == []
        most = POINTS * scenario.share // sum(s.share for s in SCENARIOS.values())
        points = points_of(lines, most, random.Random(f"{SEED} {name}"))[part::PARTS]
        assert points
        order = {line: n for n, line in enumerate(lines)}
        reached = 0
        for begin in range(0, len(points), CHAIN):
            chain = sorted(points[begin : begin + CHAIN], key=lambda point: order[point.file, point.line])
            reached += _chain(scenario, stage, template, chain, reference)
        assert reached >= 0.9 * len(points)  # caches may make a later run shorter than the counted one


def _chain(scenario: Scenario, stage: Stage, template: Path, chain: Sequence[Point], reference: Content) -> int:
    """Interrupt one run after the other, then let one end; return how many points were reached."""
    stage.reset(template)
    reached = 0
    for n, point in enumerate(chain):
        if not interrupt(lambda: scenario.act(stage), point):
            stage.reset(template)  # the runs before it left too little to do
            if not interrupt(lambda: scenario.act(stage), point):
                continue
        reached += 1
        gc.collect()  # as the end of the process would: connections and locks that the exception kept
        assert scenario.begins_damaged or violations(stage.path) == [], chain[: n + 1]
    scenario.act(stage)
    assert differing_rows(content(stage.path), reference) == [], chain
    assert violations(stage.path) == [], chain
    return reached
