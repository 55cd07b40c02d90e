"""The command in a process of its own, killed or refused something by the kernel at a place that a test chooses.

Kills at a request come from the simulated service, which knows when it was asked. Kills and errors at a system call
come from strace (https://strace.io, ``-e inject``), where it is installed and allowed. It counts the calls of a name;
which of them are about the stage's folder, a rehearsal tells: the same job from the same start makes the same calls.
"""

from __future__ import annotations

import compileall
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mirror

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scenarios import Scenario, Stage

    from mirror.simulator import ReceivedRequest

COMMAND = str(Path(sys.executable).parent / "chatmirror")
# The calls by which Python and SQLite change files and folders. Not every machine has those with a question mark.
CALLS = "write,pwrite64,fsync,fdatasync,ftruncate,openat,?mkdir,mkdirat,?rename,renameat,renameat2,?link,linkat,?unlink"
CALLS += ",unlinkat"
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")


def environment(stage: Stage) -> dict[str, str]:
    """Return the environment in which the command reaches the stage's service without waiting."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "LANG", "SYSTEMROOT", "TMPDIR", "PYTHONPATH"}
    }
    return {
        **kept,
        **stage.environ,
        "CHATMIRROR_WAIT_SCALE": "0",
        "CHATMIRROR_DB": str(stage.path),
        "HOME": str(stage.folder),
        "PYTHONDONTWRITEBYTECODE": "1",  # which would be calls of the first time only
    }


def run_command(
    stage: Stage, scenario: Scenario, before: Sequence[str] = (), program: Sequence[str] = (COMMAND,)
) -> subprocess.CompletedProcess[str]:
    """Run a scenario's command to its end; ``before``: what it is run under; ``program``: what stands for it."""
    return run_words([*before, *program, *scenario.command], stage, environment(stage))


def run_words(words: Sequence[str], stage: Stage, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program in the stage's folder to its end."""
    return subprocess.run(
        words, cwd=stage.folder, env=environ, capture_output=True, text=True, check=False, timeout=120
    )


class KillAtRequest:
    """Kills the command at its n-th request: before the answer, in the middle of it, or after it."""

    def __init__(self, stage: Stage, number: int, moment: str) -> None:
        self.stage, self.number, self.moment = stage, number, moment
        self._seen = 0
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, scenario: Scenario) -> tuple[bool, str]:
        """Run the command; return whether it was killed, and what it had printed by then."""
        service = self.stage.service
        service.behaviour.break_request = self._on_request
        service.service.sleep = lambda _: self._kill()
        process = subprocess.Popen(
            [COMMAND, *scenario.command],
            cwd=self.stage.folder,
            env=environment(self.stage),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._process = process
        try:
            _, said = process.communicate(timeout=120)
        finally:
            service.behaviour.break_request = None
        return process.returncode == -signal.SIGKILL, said.decode()

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
        [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-o",
            os.devnull,
            "-e",
            "trace=uname",
            "-e",
            "inject=uname:error=EIO",
            "uname",
        ],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=30,
    )
    return None if tried.returncode else "strace is too old, or not allowed to change what a system call returns"


def needs_strace(folder: Path) -> None:
    """Skip a test where system calls cannot be tampered with."""
    problem = strace_problem(folder.parent)
    if problem is not None:
        pytest.skip(problem)


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """The n-th system call (counted from 1) of a name that a command's process makes."""

    name: str
    number: int

    @property
    def kind(self) -> str:
        """What it does, by whichever of the calls that do the same: write, sync, truncate, open, mkdir, rename …"""
        others = {"pwrite64": "write", "fsync": "sync", "fdatasync": "sync", "ftruncate": "truncate"}
        return others.get(self.name, self.name.removesuffix("2").removesuffix("at"))


def rehearsing(log: Path) -> list[str]:
    """Return what a command is run under, so that ``calls_on`` can tell what it did."""
    return _strace(log, "-e", f"trace={CALLS}", *_QUICK)


def failing_at(call: Call, failure: str, log: Path) -> list[str]:
    """Return what a command is run under, so that this happens at a call: ``signal=KILL``, ``error=EIO`` …"""
    quick = () if failure.startswith("signal") else _QUICK  # which delivers no signal
    return _strace(log, "-e", f"trace={call.name}", "-e", f"inject={call.name}:{failure}:when={call.number}", *quick)


# Only the calls that are traced stop the process.
_QUICK = ("--seccomp-bpf",)


def _strace(log: Path, *options: str) -> list[str]:
    return ["strace", "-f", "-qq", "-y", "-s", "64", "-o", str(log), *options]


@cache
def compile_program() -> None:
    """Leave nothing to compile, so that no other process changes by it how many files a command opens."""
    compileall.compile_dir(Path(mirror.__file__).parent, quiet=1)


def calls_on(folder: Path, log: Path) -> list[Call]:
    """Return the calls in a log that change something in a folder, or wait until it is on the disk."""
    counts: dict[str, int] = {}
    found = []
    for name, text in _calls(log):
        counts[name] = counts.get(name, 0) + 1
        if str(folder) in text and (name != "openat" or "O_CREAT" in text):
            found.append(Call(name, counts[name]))
    return found


def was_hit(folder: Path, log: Path, *, is_kill: bool) -> bool:
    """Whether what was to happen at a call happened, and to something in a folder."""
    *_, (_, last) = (call for call in _calls(log) if is_kill or "(INJECTED)" in call[1])
    return str(folder) in last


def _calls(log: Path) -> Iterator[tuple[str, str]]:
    """Yield name and arguments of each call of the process that was started; strace counts those of each thread."""
    first = None
    for line in log.read_text(encoding="latin-1").splitlines():
        if (match := _LINE.match(line)) is not None:
            first = first or match[1]
            if match[1] == first:
                yield match[2], match[3]
