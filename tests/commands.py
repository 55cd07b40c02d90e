"""The programs that are installed, run as a person runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import canaries
from click.testing import CliRunner

from mirror.cli.group import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BIN = Path(sys.executable).parent


def run(folder: Path, *command: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr."""
    found = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=folder, capture_output=True, check=False, timeout=60
    )
    canaries.note_program(command, found.stdout, found.stderr)
    return found.returncode, found.stdout.decode(), found.stderr.decode()


def run_here(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run chatmirror on the folder's ``chats.db`` without a process of its own: for many runs of one kind."""
    found = CliRunner().invoke(cli, arguments, env={"CHATMIRROR_DB": str(folder / "chats.db")})
    canaries.note_program(("chatmirror", *arguments), found.stdout_bytes, found.stderr_bytes)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.stdout, found.stderr


@contextmanager
def started(
    *command: str,
    cwd: Path,
    env: Mapping[str, str],
    stdout: int | IO[str] | None = None,
    stderr: int | IO[str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the background, which Ctrl-C ends; nothing of it is left after the block."""
    canaries.note_program(command)
    process = _start(command, cwd=cwd, env=env, stdout=stdout, stderr=stderr)
    try:
        yield process
    finally:
        process.terminate()  # what ends in order also removes its own files
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=10)
        with suppress(ProcessLookupError):  # nothing is left already
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()  # reaps it, and closes its pipes


def _start(command: tuple[str, ...], **how: object) -> subprocess.Popen[bytes]:
    # A shell starts what is in the background with SIGINT ignored, and ignoring is inherited through exec, while a
    # handler is reset to the default. Its own session makes a process group that can be killed as a whole.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, start_new_session=True, **how)  # type: ignore[call-overload, no-any-return]
    finally:
        signal.signal(signal.SIGINT, inherited or signal.SIG_DFL)


def wait_until(is_reached: Callable[[], bool], process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait for something that a running program does; fail where the program ends before it."""
    end = time.monotonic() + seconds
    while not is_reached():
        assert process.poll() is None, f"the program ended too early, with {process.returncode}"
        assert time.monotonic() < end, f"not reached in {seconds} s"
        time.sleep(0.01)
