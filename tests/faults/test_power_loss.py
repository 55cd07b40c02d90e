"""A power cut after any step of the real command: nothing that was reported as saved is lost, and nothing is in part.

Of some of the states that a cut can leave, the same job is run again to its end. What a command did is on the disk when
it has ended.

``CHATMIRROR_POWER_CUTS``: how many cuts of each job (the long run: 25,000), ``CHATMIRROR_SEED`` where.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from power_loss import CUTS, Disk, Step, recording, steps_of, write_image
from processes import COMMAND, environment, needs_strace
from scenarios import (
    DAY,
    FILE_STORED,
    SCENARIOS,
    START,
    STORED,
    Ends,
    Stage,
    differing_rows,
    outcome,
    settled,
    stage_of,
)

from mirror.errors import ChatmirrorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

IMAGES = int(os.environ.get("CHATMIRROR_POWER_CUTS", "125"))
ENDED = max(5, IMAGES // 25)  # of the states after cuts, those from which the job is run again
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
pytestmark = pytest.mark.timeout(36_000)

# The program with another promise to the disk than its own.
WEAKER = """
import functools, sqlite3, sys
class Weaker(sqlite3.Connection):
    def execute(self, sql, *values):
        return super().execute(sql.replace("synchronous=FULL", "synchronous={setting}"), *values)
sqlite3.connect = functools.partial(sqlite3.connect, factory=Weaker)
from mirror.cli import main
main()
"""


class Recorded:
    """A scenario whose command was run once and recorded: the disk from which it began, what it did, how it ended."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._scenario = folder, SCENARIOS[name]
        self.stage, self.steps = stage_of(folder), list[Step]()

    @contextmanager
    def run(self, program: Sequence[str] = (COMMAND,)) -> Iterator[None]:
        """Prepare the scenario and record its command; ``program``: what stands for that. Look at cuts inside."""
        stage, copy = self.stage, Stage(self._folder / "copy", self.stage.service)
        report, log = self._folder / "report", self._folder / "calls"
        with stage.service:
            self._scenario.prepare(stage)
            stage.keep(copy.folder)
            self._disk, (_, before) = Disk(stage.folder), settled(copy)
            with report.open("w") as stream:
                ended = subprocess.run(
                    [*recording(log), *program, *self._scenario.command],
                    cwd=stage.folder,
                    env=environment(stage),
                    stdout=subprocess.DEVNULL,
                    stderr=stream,
                    check=False,
                    timeout=120,
                )
            assert ended.returncode == 0, report.read_text()
            self.steps = steps_of(log, stage.folder, report)
            log.unlink()
            self._ends = Ends(self._scenario, before, outcome(stage))
            stage.service.over_http = False  # for the runs after cuts, which are not of the command
            yield

    def said(self, end: int) -> str:
        """Return what the command had printed after so many steps."""
        return b"".join(step.data for step in self.steps[:end] if step.kind == "report").decode()

    def cuts(self) -> Iterator[tuple[str, list[str]]]:
        """Cut the power at random places, and some times after the last step; yield where, and what is wrong then."""
        last = len(self.steps)
        rng = random.Random(f"{SEED} {last}")
        places = [(rng.randint(1, last), rng.choice(CUTS)) for _ in range(IMAGES)] + [(last, how) for how in CUTS]
        again = set(rng.sample(range(len(places)), ENDED))
        known: dict[int, list[str]] = {}  # many cuts leave the same bytes
        taken = 0
        for number, (end, how) in enumerate(sorted(places)):
            for step in self.steps[taken:end]:
                self._disk.take(step)
            taken = end
            image, said = self._disk.after_a_cut(how, rng), self.said(end)
            key = hash((frozenset(image.items()), said, end == last))
            if key not in known:
                known[key] = self._wrong_with(image, said, has_ended=end == last)
            wrong = known[key] + (self._wrong_at_the_end(image) if number in again else [])
            yield f"after step {end} of {last}, {how}", wrong

    def _wrong_with(self, image: Mapping[str, bytes], said: str, *, has_ended: bool) -> list[str]:
        found = self._ends.wrong_with(self._after_a_cut(image), said)
        if has_ended:
            found += [f"at the end, {line}" for line in self._differing(self._after_a_cut(image))]
        return found

    def _wrong_at_the_end(self, image: Mapping[str, bytes]) -> list[str]:
        """Run the job again after a cut; return how what it leaves differs from what an uninterrupted one does."""
        stage = self._after_a_cut(image)
        try:
            error = self._scenario.act(stage)
        except ChatmirrorError as raised:
            error = raised
        found = [f"the next run says: {error.message}"] if error is not None else []
        return found + [f"after the next run, {line}" for line in self._differing(stage)]

    def _differing(self, stage: Stage) -> list[str]:
        found, left = settled(stage)
        return found + differing_rows(left, self._ends.after)

    def _after_a_cut(self, image: Mapping[str, bytes]) -> Stage:
        copy = self._folder / "cut"
        write_image(image, self.stage.folder, copy)
        return Stage(copy, self.stage.service, days=int((time.time() - START) / DAY) + 2)


CUT = [name for name in SCENARIOS if name != "import"]  # the other one does the same and more


@pytest.mark.parametrize("name", CUT)
def test_a_power_cut_loses_nothing_that_was_saved(tmp_path: Path, name: str) -> None:
    needs_strace(tmp_path)
    recorded = Recorded(tmp_path, name)
    with recorded.run():
        assert sum(step.kind == "sync" for step in recorded.steps) >= 4
        if "sync" in name:
            said = recorded.said(len(recorded.steps))
            assert len(STORED.findall(said)) >= 2
            assert FILE_STORED.search(said)
        for where, wrong in recorded.cuts():
            assert wrong == [], where


@pytest.mark.leaves_damage("a cut that the weaker setting does not survive")
@pytest.mark.parametrize("setting", ["NORMAL", "OFF"])
def test_a_weaker_setting_is_found(tmp_path: Path, setting: str) -> None:
    """With less than FULL the same test fails: it can tell."""
    needs_strace(tmp_path)
    recorded = Recorded(tmp_path, "first sync")
    with recorded.run((sys.executable, "-c", WEAKER.format(setting=setting))):
        assert any(wrong for _, wrong in recorded.cuts())


def test_bytes_are_on_the_disk_before_a_row_says_so(tmp_path: Path) -> None:
    """Each file is synced, then renamed, then its folder is synced, and only then the database is."""
    needs_strace(tmp_path)
    stage, log = stage_of(tmp_path), tmp_path / "calls"
    with stage.service:
        SCENARIOS["first sync"].prepare(stage)
        traced = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,rename", "-o", str(log)]
        environ = environment(stage)
        subprocess.run([*traced, COMMAND, "sync"], cwd=stage.folder, env=environ, check=True, timeout=120)
    calls = [line.partition(" ")[2].strip() for line in log.read_text().splitlines() if "chats." in line]
    renames = [n for n, call in enumerate(calls) if call.startswith("rename(") and ".incoming-" in call]
    assert len(renames) == 4
    for n in renames:
        temporary = calls[n].split('"')[1]
        assert any("fsync" in call and temporary in call for call in calls[:n])
        after = next(call for call in calls[n + 1 :] if "chats.db" in call)
        folders = calls[n + 1 : calls.index(after, n)]
        assert any("chats.files" in call and "fsync" in call for call in folders)
