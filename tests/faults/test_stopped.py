"""A run that a person stops, that sleeps with the computer, or that gets too little memory: the real command.

``CHATMIRROR_KILLS``: at half as many requests, and with as many sizes of memory (all: ``1000000``), ``CHATMIRROR_SEED``
which.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from sqlite3 import connect
from typing import TYPE_CHECKING

import pytest
from invariants import broken
from processes import COMMAND, environment, run_words
from scenarios import Stage, content, differing_rows, stage_of

from mirror.cli.entry import exit_code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scenarios import Content

    from mirror.simulator import ReceivedRequest

POINTS = max(1, int(os.environ.get("CHATMIRROR_KILLS", "2")) // 2)  # each costs two runs of the command
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
NEW = "new"  # the folder in which a stage is kept as it was before anything
SECONDS = 4.0  # until a stopped run has ended: 2 s on a computer that has nothing else to do
pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system has other signals"),
]


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Content]:
    """How many requests a first sync takes, and what it leaves."""
    with staged(tmp_path_factory.mktemp("rehearsed")) as stage:
        assert run_on(stage) == (0, "")
        return len(stage.service.service.requests), content(stage.path)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as made:
        yield made


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A stage with its service, whose clock is that of the command."""
    made = stage_of(folder)
    made.service.clock.seconds = time.time()
    made.keep(folder / NEW)
    with made.service:
        yield made


def signed_in(stage: Stage) -> dict[str, str]:
    """The command's environment with a login, which a stage that is reset keeps."""
    return {**environment(stage), **stage.service.environ}


def run_on(stage: Stage) -> tuple[int, str]:
    """Sync; return the exit code and what was said."""
    ended = run_words([COMMAND, "sync"], stage, signed_in(stage))
    return ended.returncode, ended.stdout + ended.stderr


def run_and(stage: Stage, number: int, act: Callable[[subprocess.Popen[str]], str | None]) -> tuple[int, str]:
    """Sync, and do something at the n-th request, before it is answered; return as ``run_on``.

    What ``act`` returns is what then breaks the answer, see ``Behaviour.break_request``.
    """
    seen = 0

    def on_request(_: ReceivedRequest) -> str | None:
        nonlocal seen
        seen += 1
        return act(process) if seen == number else None

    stage.service.behaviour.break_request = on_request
    with subprocess.Popen(
        [COMMAND, "sync"], cwd=stage.folder, env=signed_in(stage), stderr=subprocess.PIPE, text=True
    ) as process:
        said = process.communicate(timeout=120)[1]
    stage.service.behaviour.break_request = None
    return process.returncode, said


def some(requests: int, name: str) -> list[int]:
    """Return some of the requests, counted from 1."""
    return random.Random(f"{SEED} {name}").sample(range(1, requests + 1), min(POINTS, requests))


def is_caught_up(stage: Stage, expected: Content) -> None:
    """The mirror is whole, and the next run completes it."""
    assert broken(stage.path) == []
    assert run_on(stage) == (0, "")
    assert differing_rows(content(stage.path), expected) == []
    stage.reset(stage.folder.parent / NEW)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_at_any_request_ends_it_and_it_says_what_is_saved(
    stage: Stage, rehearsed: tuple[int, Content], number: int, code: int
) -> None:
    """While the service is silent: the number that is said is that of the stored conversations."""
    sent = []

    def stop(process: subprocess.Popen[str]) -> str:
        sent.append(time.monotonic())
        process.send_signal(number)
        process.wait(60)
        return "reset"

    for at in some(rehearsed[0], f"signal {number}"):
        ended, said = run_and(stage, at, stop)
        assert time.monotonic() - sent[-1] < SECONDS, at
        said = said.lstrip("\n")  # click begins a new line, for where it is typed ^C stands
        assert (ended, said.count("\n")) == (code, 1), (at, said)
        named = re.match(r"chatmirror: stopped; (\d+) conversations saved in this run.* Run again to continue", said)
        assert named, said
        with closing(connect(stage.path)) as conn:
            assert conn.execute("SELECT count(*) FROM conversations").fetchone()[0] == int(named[1]), at
        is_caught_up(stage, rehearsed[1])


def test_a_second_signal_ends_it_at_once_and_without_a_traceback(stage: Stage, rehearsed: tuple[int, Content]) -> None:
    """Whatever the first one had it do by then."""
    rng = random.Random(SEED)

    def stop(process: subprocess.Popen[str]) -> str:
        process.send_signal(signal.SIGINT)
        time.sleep(rng.random() / 20)
        process.send_signal(signal.SIGINT)
        process.wait(60)
        return "reset"

    for at in some(rehearsed[0], "twice"):
        ended, said = run_and(stage, at, stop)
        assert ended in {130, -signal.SIGINT}, (at, said)
        assert "Traceback" not in said
        is_caught_up(stage, rehearsed[1])


# A run in which a second signal comes while the last line is printed.
LATE = """
import os, signal, click
from mirror.cli import group, main
echo, first = click.echo, []
def late(*said, **how):
    if not first:
        first.append(1)
        os.kill(os.getpid(), signal.{second})
    echo(*said, **how)
click.echo = late
def stopped(**_):
    raise KeyboardInterrupt
group.cli.main = stopped
main()
"""


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_while_the_last_line_is_printed_prints_no_traceback(second: signal.Signals) -> None:
    code = LATE.replace("{second}", second.name)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode in {130, -second}
    assert "Traceback" not in ended.stderr


def test_a_computer_that_sleeps_at_any_request(stage: Stage, rehearsed: tuple[int, Content]) -> None:
    """When it wakes, the connection is cut and the token has ended; the run goes on. A file in flight may wait."""

    def sleep(process: subprocess.Popen[str]) -> str:
        process.send_signal(signal.SIGSTOP)
        sessions = stage.service.service.sessions
        sessions.bearers = dict.fromkeys(sessions.bearers, (0.0, 0))
        time.sleep(0.05)
        process.send_signal(signal.SIGCONT)
        return "reset"

    for at in some(rehearsed[0], "sleep"):
        ended, said = run_and(stage, at, sleep)
        assert (ended, said) == (0, "") or (ended == 3 and "the connection was reset" in said), (at, said)
        is_caught_up(stage, rehearsed[1])


# Megabytes of address space, from what the program's own modules take to what a sync of this size does.
SIZES = range(46, 66)
LIMITED = "import os, resource, sys; n = int(sys.argv[1]) << 20; resource.setrlimit(resource.RLIMIT_AS, (n, n))\n"
LIMITED += "from mirror.cli import main; sys.argv[1:] = ['sync']; main()"


def test_too_little_memory_costs_the_run_and_nothing_else(stage: Stage, rehearsed: tuple[int, Content]) -> None:
    """It says so in plain words; what it stored is whole, and a run with more completes it."""
    pytest.importorskip("resource", reason="this system limits no memory")
    for size in random.Random(SEED).sample(SIZES, min(2 * POINTS, len(SIZES))):
        ended = run_words([sys.executable, "-c", LIMITED, str(size)], stage, signed_in(stage))
        assert ended.returncode in {0, 1}, (size, ended.stderr)
        is_told = "not enough memory" in ended.stderr
        assert is_told or "internal error" not in ended.stderr or "ImportError" in ended.stderr, (size, ended.stderr)
        is_caught_up(stage, rehearsed[1])


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_too_little_memory_is_called_so(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """Not a mistake of the program that somebody should report."""

    def end() -> None:
        raise error

    assert exit_code_of(end, debug=False) == 1
    said = capsys.readouterr().err
    assert said.startswith("chatmirror: There is not enough memory; what is saved is safe.")
    assert "report" not in said
