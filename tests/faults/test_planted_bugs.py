"""The tests have teeth: each planted bug turns at least one of its tests red.

It runs the suite's own tests again for each bug, some minutes in all, so only where ``CHATMIRROR_PLANTED_BUGS=1`` asks
for it; that the code of each bug still stands is checked always.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from planted_bugs import BUGS, PlantedBug
from processes import needs_strace

ROOT = Path(__file__).resolve().parent.parent.parent
IS_ASKED_FOR = os.environ.get("CHATMIRROR_PLANTED_BUGS", "") not in {"", "0"}
COPIED = ("mirror", "migrations", "tests", "pyproject.toml")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program and its tests, to plant bugs into."""
    folder = tmp_path_factory.mktemp("program")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    return folder


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_the_place_of_a_bug_exists(bug: PlantedBug) -> None:
    found = (ROOT / bug.file).read_text("utf-8").count(bug.code)
    assert found == 1, f"the code that {bug.name!r} changes stands {found} times"


@pytest.mark.skipif(not IS_ASKED_FOR, reason="CHATMIRROR_PLANTED_BUGS=1 plants bugs, for some minutes")
@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_planted_bug_is_seen(program: Path, bug: PlantedBug) -> None:
    if any("power_loss" in test for test in bug.tests):
        needs_strace(program)
    _assert_green(program, bug.tests)
    path = program / bug.file
    text = path.read_text("utf-8")
    path.write_text(text.replace(bug.code, bug.bug), "utf-8")
    try:
        ended = _run_tests(program, bug.tests)
    finally:
        path.write_text(text, "utf-8")
    assert ended.returncode == 1, ended.stdout[-2000:] + ended.stderr[-2000:]
    assert re.search(r"\d+ failed", ended.stdout), ended.stdout[-2000:]


@cache
def _assert_green(program: Path, tests: tuple[str, ...]) -> None:
    """Assert that tests pass without a bug: a broken test sees every one."""
    ended = _run_tests(program, tests)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]


def _run_tests(program: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHATMIRROR_", "PYTEST_XDIST"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "--show-capture=no", *tests],
        cwd=program,
        env={**kept, "PYTHONPATH": str(program), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
