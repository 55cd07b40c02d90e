"""The command in a process of its own, killed or refused something by the kernel at a place that a test chooses.

Kills at a request come from the simulated service, which knows when it was asked. Kills and errors at a system call
come from strace (https://strace.io, ``-e inject``), where it is installed and allowed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scenarios import Scenario, Stage

    from mirror.simulator import ReceivedRequest

COMMAND = str(Path(sys.executable).parent / "chatmirror")
WRITES = ("pwrite64", "fdatasync", "fsync", "ftruncate", "rename", "unlink")
_LINE = re.compile(r"^\d+ +(\w+)\(")


def environment(stage: Stage) -> dict[str, str]:
    """Return the environment in which the command reaches the stage's service without waiting."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "LANG", "SYSTEMROOT", "TMPDIR", "PYTHONPATH"}
    }
    return {
        **kept,
        **stage.service.environ,
        "CHATMIRROR_WAIT_SCALE": "0",
        "CHATMIRROR_DB": str(stage.path),
        "HOME": str(stage.folder),
    }


def arguments(stage: Stage, scenario: Scenario) -> tuple[str, ...]:
    """Return the command line of a scenario."""
    return (*scenario.command, *map(str, stage.archives)) if scenario.command == ("import",) else scenario.command


def run_command(
    stage: Stage, scenario: Scenario, before: Sequence[str] = (), program: Sequence[str] = (COMMAND,)
) -> subprocess.CompletedProcess[str]:
    """Run a scenario's command to its end; ``before``: what it is run under; ``program``: what stands for it."""
    return subprocess.run(
        [*before, *program, *arguments(stage, scenario)],
        cwd=stage.folder,
        env=environment(stage),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class KillAtRequest:
    """Kills the command at its n-th request: before the answer, in the middle of it, or after it."""

    def __init__(self, stage: Stage, number: int, moment: str) -> None:
        self.stage, self.number, self.moment = stage, number, moment
        self._seen = 0
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, scenario: Scenario) -> bool:
        """Run the command; return whether it was killed."""
        service = self.stage.service
        service.behaviour.break_request = self._on_request
        service.service.sleep = lambda _: self._kill()
        process = subprocess.Popen(
            [COMMAND, *arguments(self.stage, scenario)],
            cwd=self.stage.folder,
            env=environment(self.stage),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._process = process
        try:
            process.wait(timeout=120)
        finally:
            service.behaviour.break_request = None
        return process.returncode == -signal.SIGKILL

    def _on_request(self, _: ReceivedRequest) -> str | None:
        self._seen += 1
        if self.moment == "after":
            if self._seen == self.number + 1:
                self._kill()
            return None
        if self._seen != self.number:
            return None
        if self.moment == "before":
            self._kill()
            return "reset"
        return "drip"

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()


@cache
def strace_problem(folder: Path) -> str | None:
    """Return why system calls cannot be tampered with here; None: they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, "-e", "trace=uname", "-e", "inject=uname:error=EIO", "uname"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=30,
    )
    return None if tried.returncode else "strace is not allowed to change what a system call returns"


def needs_strace(folder: Path) -> None:
    """Skip a test where system calls cannot be tampered with."""
    problem = strace_problem(folder.parent)
    if problem is not None:
        pytest.skip(problem)


def strace(log: Path, paths: Sequence[Path], *options: str) -> list[str]:
    """Return what a command is run under, so that its calls on these files are written to a log."""
    named = [word for path in paths for word in ("-P", str(path))]
    return ["strace", "-f", "-qq", "-o", str(log), *named, "-e", f"trace={','.join(WRITES)}", *options]


def counted_calls(log: Path) -> Mapping[str, int]:
    """Return how often each system call is in a log."""
    found: dict[str, int] = {}
    for line in log.read_text(encoding="latin-1").splitlines():
        if (match := _LINE.match(line)) is not None:
            found[match[1]] = found.get(match[1], 0) + 1
    return found


def files_of(path: Path) -> list[Path]:
    """Return the files of a database, those that SQLite makes beside it included."""
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal", ".lock"))]
