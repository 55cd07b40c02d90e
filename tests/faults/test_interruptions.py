"""An exception at any line of any job: the mirror stays whole, and the next run reaches the same end.

``CHATMIRROR_FAULT_POINTS`` says at how many lines in all (the long run: 40,000),
``CHATMIRROR_SEED`` which.
"""

from __future__ import annotations

import gc
import os
import random
from typing import TYPE_CHECKING

import pytest
from interrupting import Point, executed_lines, interrupt, points_of
from scenarios import SCENARIOS, Scenario, Stage, content, differing_rows, stage_of, violations

if TYPE_CHECKING:
    from pathlib import Path

    from scenarios import Content

POINTS = int(os.environ.get("CHATMIRROR_FAULT_POINTS", "280"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
PARTS = 4  # of each scenario's points: a test each, so that several processes share them


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", list(SCENARIOS))
@pytest.mark.timeout(3600)
def test_an_exception_at_any_line(tmp_path: Path, name: str, part: int) -> None:
    scenario, template = SCENARIOS[name], tmp_path / "template" / "chats.db"
    template.parent.mkdir()
    stage = stage_of(tmp_path)
    with stage.service:
        scenario.prepare(stage)
        if stage.path.exists():
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
        reached = 0
        for point in points:
            reached += _one(scenario, stage, template, point, reference)
        assert reached >= len(points) * 0.9  # caches may make a later job shorter than the counted one


def _one(scenario: Scenario, stage: Stage, template: Path, point: Point, reference: Content) -> bool:
    stage.reset(template)
    is_reached = interrupt(lambda: scenario.act(stage), point)
    gc.collect()  # as the end of the process would: connections and locks that the exception kept
    assert scenario.begins_damaged or violations(stage.path) == [], point
    scenario.act(stage)
    assert differing_rows(content(stage.path), reference) == [], point
    assert violations(stage.path) == [], point
    return is_reached
