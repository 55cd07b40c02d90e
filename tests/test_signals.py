"""Ctrl-C and SIGTERM end a command wherever they come, also where Python loses what they raise."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import os, sys, time, weakref
from mirror.cli.entry import exit_code_of
from mirror.cli.interruptions import Interruptions

def signal_comes(*_):
    os.kill(os.getpid(), {number:d})
    time.sleep(0.1)

class Finalized:
    __del__ = signal_comes

class Referred:
    pass

def run():
    with Interruptions():
{body}

sys.exit(exit_code_of(run, debug=False))
"""
STOPPED = "chatmirror: stopped; what is saved stays. Run again to continue.\n"
# Ways in which Python drops an exception, or makes another one of it.
LOST = {
    "finalizer": "Finalized()\ntime.sleep(60)",
    "callback": "one = Referred()\nheld = weakref.ref(one, signal_comes)\ndel one\ntime.sleep(60)",
    "a function that SQLite calls": (
        "import sqlite3; from pathlib import Path; from mirror.store.storage_errors import translated\n"
        "conn = sqlite3.connect(':memory:')\n"
        "conn.create_function('stopped', 0, signal_comes)\n"
        "with translated(Path('chats.db')):\n"
        "    conn.execute('SELECT stopped()')"
    ),
    "another error": "try:\n    signal_comes()\nexcept KeyboardInterrupt:\n    raise ImportError('of C') from None",
}


def ended(number: int, body: str) -> subprocess.CompletedProcess[str]:
    indented = "".join(f"        {line}\n" for line in body.splitlines())
    program = PROGRAM.format(number=number, body=indented)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("lost", list(LOST))
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_a_signal_raises_is_not_lost(number: int, code: int, lost: str) -> None:
    found = ended(number, LOST[lost])
    assert (found.returncode, found.stderr) == (code, STOPPED)


def test_what_is_put_away_is_not_disturbed() -> None:
    """However long it takes, with errors of its own in between."""
    body = (
        "try:\n    signal_comes()\nfinally:\n    time.sleep(0.8)\n    try:\n        raise ValueError\n"
        "    except ValueError:\n        time.sleep(0.8)\n    print('put away')"
    )
    found = ended(signal.SIGINT, body)
    assert (found.returncode, found.stdout, found.stderr) == (130, "put away\n", STOPPED)


@pytest.mark.parametrize(("patience", "printed"), [(5, "put away\n"), (0, "")])
def test_a_second_signal_disturbs_only_what_takes_long(patience: int, printed: str) -> None:
    """Two presses of Ctrl-C are one; where putting things away hangs, a later one ends that as well."""
    body = (
        f"from mirror.cli import interruptions\ninterruptions.PATIENCE = {patience}\n"
        "try:\n    signal_comes()\nfinally:\n    signal_comes()\n    print('put away')"
    )
    found = ended(signal.SIGINT, body)
    assert (found.returncode, found.stdout, found.stderr) == (130, printed, STOPPED)


def test_an_error_of_putting_things_away_is_the_signals() -> None:
    """It does not ask a person to look at what only did not end."""
    body = (
        "from mirror.errors import StorageError\n"
        "try:\n    signal_comes()\nfinally:\n    raise StorageError('SQLite refused it.')"
    )
    found = ended(signal.SIGTERM, body)
    assert (found.returncode, found.stderr) == (143, STOPPED)


def test_what_is_ignored_stays_ignored() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C."""
    ignored = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    program = ignored + PROGRAM.format(number=signal.SIGINT, body="        signal_comes()")
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    assert (found.returncode, found.stderr) == (0, "")


def test_before_anything_has_begun_the_process_just_ends(tmp_path: Path) -> None:
    """Without a traceback of what was being imported."""
    (tmp_path / "click.py").write_text(f"import os, time\nos.kill(os.getpid(), {signal.SIGINT:d})\ntime.sleep(30)\n")
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom mirror.cli import main; main()",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert (found.returncode, found.stderr) == (-signal.SIGINT, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_what_is_left_of_the_process(number: int) -> None:
    """Without a traceback, and without an alarm that outlives who would take it."""
    late = f"""
def signal_comes_late():
    os.kill(os.getpid(), {number:d})
    time.sleep(1)

signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the command line does at its beginning
atexit.register(signal_comes_late)
"""
    program = PROGRAM.format(number=number, body="        signal_comes()")
    program = program.replace("sys.exit(", f"{late}sys.exit(")
    found = subprocess.run(
        [sys.executable, "-c", f"import atexit, signal\n{program}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (found.returncode, found.stderr) == (-number, STOPPED)
