"""Secrets of the simulated services that a test started, looked for in everything that the test left behind.

In all files but the login's own (the folder ``config``), in what was printed, also by programs that ``commands`` ran,
in their arguments, and in what was logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mirror.simulator import Simulator

WATCHED: list[Watched] = []  # those that run, and those that ended in the test that is running
SAID: list[tuple[str, str]] = []  # arguments and output of programs that the running test ran, by name
LENGTH = 48  # characters of a secret that betray it: what is cut, wrapped or in a longer text is found, too
LOGIN_FOLDER = "config"  # where the tests keep the login


@dataclass(slots=True)
class Watched:
    """A service, the folder of what is mirrored from it, and whether it has ended."""

    service: Simulator
    folder: Path
    has_ended: bool = False


def watch(service: Simulator, folder: Path) -> None:
    """Take a service's secrets for canaries until the test ends in which it does: a fixture's lives for several."""
    WATCHED.append(Watched(service, folder))


def end(service: Simulator) -> None:
    """Let a service's secrets be canaries until this test ends."""
    for watched in WATCHED:
        watched.has_ended |= watched.service is service


def forget_ended() -> None:
    """A test has ended."""
    WATCHED[:] = [watched for watched in WATCHED if not watched.has_ended]
    SAID.clear()


def note_program(command: Iterable[str], *output: bytes) -> None:
    """Look through a program's arguments and its output, too, when the test ends."""
    words = list(command)
    SAID.append((f"the arguments of {words[0]}", " ".join(words[1:])))
    SAID.extend((f"the output of {words[0]}", text.decode(errors="surrogateescape")) for text in output)


def all_leaks(folder: Path) -> list[str]:
    """Return where a secret stands, below a test's folder and the folders of all services."""
    folders = {folder, *(watched.folder for watched in WATCHED)}
    outer = [one for one in folders if not any(other in one.parents for other in folders)]
    return [leak for one in outer for leak in leaks(one, [])]


def secrets() -> Iterator[str]:
    """Yield a part of each secret that was given out: the middle of a cookie, the end of a token."""
    for service in (watched.service for watched in WATCHED):
        for cookie in service.sessions.cookies:
            middle = len(cookie) // 2
            yield cookie[middle : middle + LENGTH]
        for token in service.sessions.bearers:
            yield token[-LENGTH:]


def leaks(folder: Path, printed: Iterable[tuple[str, str]]) -> list[str]:
    """Return where a secret stands: files below a folder, and parts of what was printed or logged, by name."""
    wanted = [secret.encode() for secret in secrets()]
    if not wanted:
        return []
    found = [name for name, text in printed if _has_any(text.encode("utf-8", "surrogateescape"), wanted)]
    for path in folder.rglob("*") if folder.is_dir() else ():
        is_login = LOGIN_FOLDER in path.relative_to(folder).parts
        if path.is_file() and not path.is_symlink() and not is_login and _has_any(path.read_bytes(), wanted):
            found.append(str(path.relative_to(folder)))
    return found


def _has_any(data: bytes, wanted: Iterable[bytes]) -> bool:
    return any(secret in data for secret in wanted)
