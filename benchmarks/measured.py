"""Processes that are measured, and how what they cost is written."""

from __future__ import annotations

import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import click

from mirror import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MB = 1e6
# What measuring may end with; each costs its own line, or its table the rest, and never the others.
FAILURES = (click.ClickException, OSError, EOFError, ValueError, sqlite3.Error, subprocess.SubprocessError)
MOST_SECONDS = 3600.0  # of one process; one that takes longer is stopped and named


class Cost(NamedTuple):
    """What a process took: seconds of processor time (user and system) and of wall-clock time, bytes of memory at most.

    ``written``: bytes that it handed to the system to write, a database's log and its checkpoint both; 0 without Linux.
    """

    cpu: float
    wall: float
    memory: int
    written: int = 0


class NotRun(NamedTuple):
    """Why there is no figure."""

    reason: str


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a measured process: the program as it lies here, and nothing of the person's."""
    here = str(Path(__file__).parents[1])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": here, "HOME": str(folder), **settings}


def chatmirror(*arguments: str) -> list[str]:
    """Return a command of chatmirror."""
    return [sys.executable, "-m", "mirror", *arguments]


def on_one_processor(command: list[str]) -> list[str]:
    """Return what runs a command on one processor, where the system can be told so."""
    pinned = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); os.execvp(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-I", "-S", "-c", pinned, *command]


def run(command: Sequence[str], folder: Path, environ: dict[str, str] | None = None) -> Cost:
    """Run a program in a folder and read what it cost; ClickException with its last line if it fails."""
    with tempfile.TemporaryDirectory() as name:
        figures, said = Path(name, "figures.json"), Path(name, "said.txt")
        launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py")), str(figures)]
        with said.open("wb") as file:
            _run_in_time([*launcher, *command], folder, environ or environment(folder), file)
        if not figures.exists():
            raise click.ClickException(f"did not start, or took more than {MOST_SECONDS:,.0f} s: {_last_line(said)}")
        code, *cost = json.loads(figures.read_text("ascii"))
        if code:
            raise click.ClickException(f"ended with {code} after {cost[1]:.0f} s: {_last_line(said)}")
        return Cost(*cost)


def _run_in_time(command: list[str], folder: Path, environ: dict[str, str], said: IO[bytes]) -> None:
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        process.wait(MOST_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(said: Path) -> str:
    lines = said.read_text("utf-8", errors="replace").splitlines()
    return next((line.strip().replace("|", "/") for line in reversed(lines) if line.strip()), "it said nothing")


def best(times: int, action: Callable[[], Cost]) -> Cost | NotRun:
    """Return the run that took the least processor time, or why there is none: one failure costs its own line."""
    try:
        return min(action() for _ in range(times))
    except FAILURES as error:
        return NotRun(str(error))


def cells(name: str, cost: Cost | NotRun) -> list[str]:
    """Return the name, seconds of processor time and wall-clock time, and memory, as a table has them."""
    if isinstance(cost, NotRun):
        return [f"{name}: did not run: {cost.reason}", "", "", ""]
    return [name, f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.memory / MB:.0f}"]


def ratio(cost: Cost | NotRun, least: Cost | NotRun, of: str = "cpu") -> str:
    """Return one cost divided by another, as text; nothing where one is missing."""
    if isinstance(cost, NotRun) or isinstance(least, NotRun):
        return ""
    return f"{getattr(cost, of) / max(getattr(least, of), 1e-9):.2f}"


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def machine() -> str:
    """Return what it is measured on."""
    return (
        f"chatmirror {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" {platform.system()} {platform.machine()}, {os.cpu_count()} processors."
    )
