"""A web server as a process of its own, and how long its answers take."""

from __future__ import annotations

import http.client
import socket
import statistics
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MOST_SECONDS_TO_START = 600.0  # a server that reads a whole export first takes minutes


@contextmanager
def listening(command: Callable[[int], Sequence[str]], environ: dict[str, str] | None = None) -> Iterator[int]:
    """Run a server on a free port, which ``command`` is given; yield the port when it listens."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)
    try:
        _wait_for(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + MOST_SECONDS_TO_START
    while process.poll() is None and time.monotonic() < end:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise click.ClickException("the server did not start")


@contextmanager
def serving(path: Path) -> Iterator[int]:
    """Serve a mirror by Datasette; yield the port."""
    with listening(lambda port: [sys.executable, "-m", "datasette", str(path), "-p", str(port)]) as port:
        yield port


def getter(port: int, path: str) -> Callable[[], None]:
    """Return a function that requests a page."""

    def get() -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise click.ClickException(f"{path}: {answer.status}")

    return get


def timed(action: Callable[[], None]) -> float:
    """Return milliseconds."""
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def warm(actions: Sequence[Callable[[], None]]) -> list[float]:
    """Do each once, then all of them three times; return the milliseconds of the latter."""
    for action in actions:
        action()
    return [timed(action) for action in actions for _ in range(3)]


def median(times: list[float]) -> float:
    """Return the median."""
    return statistics.median(times)


def percentile_95(times: list[float]) -> float:
    """Return the 95th percentile."""
    return sorted(times)[min(len(times) - 1, round(0.95 * len(times)))]
