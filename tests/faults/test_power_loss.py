"""A power cut after any write of the real command: nothing that was reported as saved is lost, and nothing is in part.

``CHATMIRROR_POWER_CUTS``: how many cuts of each of the four jobs (the long run: 25,000).
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from power_loss import CUTS, Disk, Step, options, steps_of, write_image
from processes import COMMAND, arguments, environment, files_of, needs_strace
from scenarios import SCENARIOS, Stage, stage_of, violations

from mirror.errors import ChatmirrorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

IMAGES = int(os.environ.get("CHATMIRROR_POWER_CUTS", "250"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
READ = re.compile(r"GET /backend-api/conversation/([0-9a-f-]{36}) 200")
pytestmark = pytest.mark.timeout(7200)

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


def recorded(stage: Stage, name: str, program: Sequence[str] = (COMMAND,)) -> list[Step]:
    """Run a scenario's command and return what it did to the mirror's files, and what it reported."""
    report, log = stage.folder / "report", stage.folder / "calls"
    words = ("sync", "-v") if SCENARIOS[name].command == ("sync",) else arguments(stage, SCENARIOS[name])
    with report.open("w") as stream:
        ended = subprocess.run(
            [*options([*files_of(stage.path), report]), "-o", str(log), *program, *words],
            cwd=stage.folder,
            env=environment(stage),
            stdout=subprocess.DEVNULL,
            stderr=stream,
            check=False,
            timeout=120,
        )
    assert ended.returncode == 0, report.read_text()
    return steps_of(log, report)


def cuts(stage: Stage, before: dict[str, bytes], steps: Sequence[Step]) -> Iterator[tuple[str, list[str]]]:
    """Cut the power at random places; yield where, and what is wrong then."""
    rng = random.Random(f"{SEED} {len(steps)}")
    # Files are renamed to their hashes once they are synced (see below), so each cut finds all of them.
    (stage.folder / "cut.files").symlink_to("chats.files")
    known: dict[int, list[str]] = {}  # many cuts leave the same bytes
    for _ in range(IMAGES):
        end, how = rng.randint(1, len(steps)), rng.choice(CUTS)
        disk = Disk({path: bytearray(data) for path, data in before.items()})
        for step in steps[:end]:
            disk.take(step)
        image, kept = disk.after_a_cut(how, rng), saved(steps[:end])
        key = hash((frozenset(image.items()), kept))
        if key not in known:
            known[key] = _wrong_with(image, stage, kept)
        yield f"after step {end} of {len(steps)}, {how}", known[key]


def _wrong_with(image: dict[str, bytes], stage: Stage, kept: frozenset[str]) -> list[str]:
    copy = stage.folder / "cut.db"
    write_image(image, stage.path, copy)
    try:
        return violations(copy, kept)
    except ChatmirrorError as error:
        return [error.message]


def saved(steps: Sequence[Step]) -> frozenset[str]:
    """Return the conversations that the command was done with: it reported the next request after each of them."""
    text = b"".join(step.data for step in steps if step.kind == "report").decode()
    return frozenset(READ.findall(text)[:-1])


@pytest.mark.parametrize("name", ["first sync", "sync of changes", "import of a newer export", "migration"])
def test_a_power_cut_loses_nothing_that_was_saved(tmp_path: Path, name: str) -> None:
    needs_strace(tmp_path)
    stage = stage_of(tmp_path)
    with stage.service:
        stage.service.behaviour.batch = "missing"  # one conversation a request, so that each report counts
        SCENARIOS[name].prepare(stage)
        before = {str(stage.path): stage.path.read_bytes()} if stage.path.exists() else {}
        steps = recorded(stage, name)
        assert sum(step.kind == "sync" for step in steps) >= 4
        if "sync" in name:
            assert len(saved(steps)) >= 2
        for where, wrong in cuts(stage, before, steps):
            assert wrong == [], where


@pytest.mark.parametrize("setting", ["NORMAL", "OFF"])
def test_a_weaker_setting_is_found(tmp_path: Path, setting: str) -> None:
    """With less than FULL the same test fails: it can tell."""
    needs_strace(tmp_path)
    stage = stage_of(tmp_path)
    with stage.service:
        stage.service.behaviour.batch = "missing"
        steps = recorded(stage, "first sync", (sys.executable, "-c", WEAKER.format(setting=setting)))
        assert any(wrong for _, wrong in cuts(stage, {}, steps))


def test_bytes_are_on_the_disk_before_a_row_says_so(tmp_path: Path) -> None:
    """Each file is synced, then renamed, then its folder is synced, and only then the database is."""
    needs_strace(tmp_path)
    stage, log = stage_of(tmp_path), tmp_path / "calls"
    with stage.service:
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
