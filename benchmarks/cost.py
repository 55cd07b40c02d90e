"""What a night costs, in requests and seconds: ``python -m benchmarks.cost`` prints the table; nothing is asserted.

The simulated service runs in a process of its own, with real latency, so that its work is not counted. Each run is one
``chatmirror sync`` process, with the pacing that a user gets; ``--quick`` waits for nothing and shows requests and CPU.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from mirror.chatgpt.site import ORDINARY
from mirror.simulator import Behaviour, Simulator, generated_account

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

DAY = 86_400.0
CHANGES = 10
HEAD = f"{'night':<34}{'requests':>9}{'target':>8}{'wall s':>9}{'best s':>8}{'ratio':>7}{'CPU s':>8}{'ms/conv.':>10}"


class Cost(NamedTuple):
    """One run: requests sent, seconds of wall and CPU (user and system, of the whole process)."""

    requests: int
    wall: float
    cpu: float


def serve(pipe: Connection, conversations: int, archived: int, messages: int, latency: float) -> None:
    """Run the service; every line that comes down the pipe is so many changes to make."""
    shift = [0.0]
    account = generated_account(lambda: time.time() + shift[0], conversations, messages, archived=archived)
    with Simulator(account, Behaviour(latency=latency)) as service:
        pipe.send((service.url, service.session_cookie))
        while (count := pipe.recv()) is not None:
            shift[0] += 60
            for key in list(account.conversations)[:count]:
                service.person.new_message(key)
            pipe.send(count)


def sync(folder: Path, environ: dict[str, str]) -> Cost:
    """Run one ``chatmirror sync`` and read what it cost."""
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "mirror", "sync"], cwd=folder, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    if status:
        raise SystemExit(f"the sync ended with {os.waitstatus_to_exitcode(status)}")
    with closing(sqlite3.connect(folder / "chats.db")) as conn:
        requests = conn.execute("SELECT requests FROM sync_runs ORDER BY id DESC LIMIT 1").fetchone()[0]
    return Cost(requests, wall, usage.ru_utime + usage.ru_stime)


def show(name: str, cost: Cost, target: float, latency: float, stored: int) -> None:
    """Print one row. ``best``: what the pacing policy allows at this latency, one request at a time."""
    best = cost.requests * max(ORDINARY.spacing, latency)
    each = f"{1000 * cost.cpu / stored:.1f}" if stored else ""
    click.echo(
        f"{name:<34}{cost.requests:>9}{target:>8.0f}{cost.wall:>9.1f}{best:>8.1f}{cost.wall / best:>7.2f}"
        f"{cost.cpu:>8.2f}{each:>10}"
    )


def measure(conversations: int, archived: int, messages: int, latency: float, scale: str) -> None:
    """Print the three nights of one account."""
    ours, theirs = multiprocessing.Pipe()
    service = multiprocessing.Process(
        target=serve, args=(theirs, conversations, archived, messages, latency), daemon=True
    )
    service.start()
    url, cookie = ours.recv()
    every = conversations + archived
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {"CHATMIRROR_BASE_URL": url, "CHATGPT_SESSION_TOKEN": cookie, "CHATMIRROR_WAIT_SCALE": scale}
        size = f"{conversations:,}" + (f" + {archived:,} archived" if archived else "")
        show(f"first fill, {size}", sync(folder, environ), 1.15 * (every / 10 + every / 100 + 10), latency, every)
        quiet = sync(folder, environ)
        show(f"unchanged, {size}", quiet, 10 + archived / 100, latency, 0)
        ours.send(CHANGES)
        ours.recv()
        show(f"{CHANGES} changes, {size}", sync(folder, environ), quiet.requests + 2, latency, CHANGES)
    ours.send(None)
    service.join()


@click.command()
@click.option("--conversations", default="1000,10000", show_default=True, help="Account sizes.")
@click.option("--archived", default=0, show_default=True, help="Archived conversations in each account.")
@click.option("--messages", default=30, show_default=True, help="Messages a conversation.")
@click.option("--latency", default=0.1, show_default=True, help="Seconds before every answer.")
@click.option("--quick", is_flag=True, help="No latency and no waits: requests and CPU only.")
def main(conversations: str, archived: int, messages: int, latency: float, quick: bool) -> None:  # noqa: FBT001 - click
    """Print what first fills and nights cost."""
    click.echo(HEAD)
    for size in conversations.split(","):
        measure(int(size), archived, messages, 0.0 if quick else latency, "0" if quick else "1")


if __name__ == "__main__":
    main()
