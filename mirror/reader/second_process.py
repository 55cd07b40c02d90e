"""Readings from a second process, which parses, normalizes and packs while this one writes.

The process is Python again, with the search path of this one. It is told by its standard input what to read, and
answers through its standard output with a pickle for each item; it opens no database, and asks nothing of anybody. Its
answer begins after a mark, for what else Python runs when it starts may print, too.

Where it cannot be started, or ends before it has said that it is through, this process reads what is left by itself:
the same file gives the same items in the same order.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, Self

from mirror.archive import StoredTexts, open_archive
from mirror.reader.reading import Reading, readings
from mirror.rows import VALUES_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from types import TracebackType

    from mirror.archive import Archive, Known, Problem, Skipped, StoredText

    Item = Reading | Known | Problem | Skipped

# By measurement: a second process takes a fifth of a second of processor time to start, and 6 MB are read in as much.
WORTH_A_PROCESS = 12 * 1024 * 1024
# What the process may be ahead, where the system lets a pipe hold it: the longer one waits for the disk.
PIPE_BYTES = 1024 * 1024
LOOK_EVERY = 1.0  # seconds: so much later than the first process it may end
_START = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from mirror.reader.second_process import main
main()
"""


@dataclass(frozen=True, slots=True)
class _Task:
    """What the process is told: what to read, and what is set in this one that reading depends on.

    ``stored``: what need not be read. ``mark``: bytes after which its answer begins. ``names_in``: how names of files
    are encoded, with what is done about those that are not. ``most_digits``: of a number. ``asked_by``: the first
    process.
    """

    path: str
    stored: Sequence[StoredText]
    mark: bytes
    names_in: tuple[str, str]
    most_digits: int
    asked_by: int


def _names_in() -> tuple[str, str]:
    return sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


def readings_of(path: Path, archive: Archive, stored: Sequence[StoredText]) -> Generator[Item]:
    """Yield what is read of an opened archive; ``stored``: what need not be read. Raises what reading it raises."""
    count = 0
    if archive.total_bytes >= WORTH_A_PROCESS and _processors() > 1:
        with _SecondProcess(path, stored) as process:
            for archive.position, item in process:
                count += 1
                yield item
        if process.is_through:
            return
    yield from islice(readings(archive, StoredTexts(stored)), count, None)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _SecondProcess:
    """The process as this one sees it: iterate over its items, each with how far the archive is read, in bytes.

    ``is_through``: all items came. Where it ends before that the iteration ends, without an error.
    """

    def __init__(self, path: Path, stored: Sequence[StoredText]) -> None:
        self._path = path
        self._stored = stored
        self._process: Any = None
        self.is_through = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _trace: TracebackType | None) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # also where it is through, for then nothing is left for it to do
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what it was to be told and never read
                    pipe.close()
            process.wait()

    def __iter__(self) -> Generator[tuple[int, Item]]:
        try:
            self._start()
            while (answer := pickle.load(self._process.stdout)) is not None:  # noqa: S301 - of our own process
                yield answer
        except Exception:  # noqa: BLE001 - what came is no pickle, which raises whatever its bytes happen to ask for
            return
        self.is_through = True

    def _start(self) -> None:
        import subprocess  # noqa: PLC0415 - slow to load, and most imports need none

        if not sys.executable or getattr(sys, "frozen", False):
            raise FileNotFoundError("this program is not run by a Python that could be started again")
        command = [sys.executable, "-I", *(["-B"] if sys.dont_write_bytecode else []), "-c", _START]
        pipe = subprocess.PIPE
        # What it would say of an error, this process says when it comes to the same place.
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)  # noqa: S603 - this Python
        _widen(self._process.stdout)
        to, mark = self._process.stdin, os.urandom(16).hex().encode() + b"\n"
        # The path by which this very package was found comes last, for what is beside it must hide nothing of Python.
        pickle.dump([*sys.path, str(Path(__file__).parents[2])], to)
        most_digits = sys.get_int_max_str_digits()
        pickle.dump(_Task(str(self._path), self._stored, mark, _names_in(), most_digits, os.getpid()), to)
        to.close()
        while not (line := self._process.stdout.readline()).endswith(mark):
            if not line:
                raise EOFError("it has ended")


def _widen(pipe: IO[bytes]) -> None:
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - not there on other systems

        try:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            return  # the person's pipes hold too much already: it works with less, too


def _made_again(kind: type, values: Callable[[Any], tuple[Any, ...]], row: object) -> tuple[Any, ...]:
    return kind, values(row)


# Rows are pickled by their values, in a third of the time that frozen dataclasses take by themselves.
_BY_VALUES: dict[type, Any] = {kind: partial(_made_again, kind, values) for kind, values in VALUES_OF.items()}


def _write(to: IO[bytes], position: int, item: Item) -> None:
    pickler = pickle.Pickler(to, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _BY_VALUES
    pickler.dump((position, item))
    to.flush()


def main() -> None:
    """Be the second process, until all is read or the first process is gone. The person's Ctrl-C is for that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task: _Task = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this one
    if sys.platform != "win32":  # which names no other parent once the first one is gone
        Thread(target=_end_with, args=[task.asked_by], daemon=True).start()
    if task.names_in != _names_in():
        return  # it would call files otherwise
    sys.set_int_max_str_digits(task.most_digits)
    with _taken_from_others(sys.stdout.fileno()) as to:
        to.write(task.mark)
        with open_archive(Path(task.path)) as archive:
            for item in readings(archive, StoredTexts(task.stored)):
                if isinstance(item, Reading):
                    item.body.pack()
                _write(to, archive.position, item)
        pickle.dump(None, to)


def _end_with(first: int) -> None:
    # A closed output tells that the first process is gone, but only who has something to say.
    while os.getppid() == first:
        time.sleep(LOOK_EVERY)
    os._exit(1)


def _taken_from_others(descriptor: int) -> IO[bytes]:
    """Return what a descriptor leads to, where nothing goes any more that is written to the descriptor."""
    taken = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return os.fdopen(taken, "wb")
