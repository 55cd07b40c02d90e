"""Raise an exception at any line of the program that a job executes, as Ctrl-C, a full disk or an own mistake does.

The lines of a job are counted once; a point is a line and which of its executions is interrupted. Only frames of the
package itself are looked at, so that a run with a point is hardly slower than one without.
"""

from __future__ import annotations

import errno
import sqlite3
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mirror
from mirror.errors import ChatmirrorError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from types import FrameType

PACKAGE = str(Path(mirror.__file__).parent)
MIGRATIONS = str(Path(mirror.__file__).parent.parent / "migrations")
ELSEWHERE = f"{PACKAGE}/simulator"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One execution (counted from 1) of one line of a file."""

    file: str
    line: int
    occurrence: int

    def __str__(self) -> str:
        return f"{Path(self.file).relative_to(Path(PACKAGE).parent)}:{self.line} the {self.occurrence}. time"


def executed_lines(act: Callable[[], object]) -> Counter[tuple[str, int]]:
    """Run a job; return how often it executed each line of the program."""
    found: Counter[tuple[str, int]] = Counter()

    def trace_lines(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            found[frame.f_code.co_filename, frame.f_lineno] += 1
        return trace_lines

    _traced(act, lambda frame, *_: trace_lines if _is_ours(frame.f_code.co_filename) else None)
    return found


def _disk_error() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR, "SQLITE_IOERR"
    return error


# What a job can meet beside Ctrl-C, and may hold for its own affair: it may go on, or end with an error of its own.
ORDINARY: tuple[Callable[[], Exception], ...] = (
    lambda: OSError(errno.ENOSPC, "No space left on device"),
    _disk_error,
    MemoryError,
    lambda: ValueError("a mistake of the program's own"),
)


def interrupt(act: Callable[[], object], point: Point, error: BaseException) -> bool:
    """Run a job with an exception raised at a point; return whether the point was reached.

    Ctrl-C may end the job with nothing but itself; any other exception also with an error of the program's.
    """
    left = point.occurrence

    def trace_lines(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if event == "line" and frame.f_lineno == point.line:
            left -= 1
            if left == 0:
                raise error
        return trace_lines

    try:
        _traced(act, lambda frame, *_: trace_lines if frame.f_code.co_filename == point.file else None)
    except BaseException as ended:
        is_its_own = isinstance(error, Exception) and isinstance(ended, ChatmirrorError)
        if left > 0 or not (type(ended) is type(error) or is_its_own):
            raise
    return left <= 0


def _traced(act: Callable[[], object], trace: Callable[..., Any]) -> None:
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)


def _is_ours(file: str) -> bool:
    return file.startswith((PACKAGE, MIGRATIONS)) and not file.startswith(ELSEWHERE)


def points_of(lines: Counter[tuple[str, int]], most: int, rng: random.Random) -> list[Point]:
    """Return so many points, spread over all lines: the first time, then a random time, then the last."""
    keys = sorted(lines)
    rng.shuffle(keys)
    found: dict[Point, None] = {}
    for choose in (lambda _: 1, lambda count: rng.randint(1, count), lambda count: count):
        found |= dict.fromkeys(Point(*key, choose(lines[key])) for key in keys)
    while len(found) < most and keys:
        key = rng.choice(keys)
        found[Point(*key, rng.randint(1, lines[key]))] = None
        if len(found) >= sum(lines.values()):
            break
    return list(found)[:most]
