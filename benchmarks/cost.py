"""What a sync costs, in requests and seconds: ``python -m benchmarks.cost`` prints the table.

The simulated service runs in a process of its own, with real latency, so that its work is not counted. Each run is one
``chatmirror sync`` process, with the pacing that a user gets; ``--quick`` waits for nothing and shows requests and CPU.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mirror.chatgpt.site import ORDINARY
from mirror.simulator import Behaviour, Simulator, generated_account

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

CHANGES = 10
LEFT_OUT = {"status", "recipient", "metadata", "weight", "end_turn"}  # of a message, by exports since June 2026
HEAD = f"{'run':<34}{'requests':>9}{'target':>8}{'wall s':>9}{'best s':>8}{'ratio':>7}{'CPU s':>8}{'ms/conv.':>10}"


class RunCost(NamedTuple):
    """One run: requests sent, seconds of wall-clock time and of CPU (user and system, of the whole process)."""

    requests: int
    wall: float
    cpu: float


def serve(pipe: Connection, conversations: int, archived: int, messages: int, latency: float) -> None:
    """Run the service.

    Down the pipe comes how many conversations to change, or a path at which to write an export of all; None ends it.
    """
    shift = [0.0]
    account = generated_account(lambda: time.time() + shift[0], conversations, messages, archived=archived)
    with Simulator(account, Behaviour(latency=latency)) as service:
        pipe.send((service.url, service.session_cookie))
        while (wish := pipe.recv()) is not None:
            shift[0] += 60
            if isinstance(wish, Path):
                wish.write_text(json.dumps([poor(account.shown(key)) for key in account.conversations]))
            else:
                for key in list(account.conversations)[:wish]:
                    service.person.new_message(key)
            pipe.send(wish)


def poor(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a conversation as an export of June 2026 keeps it: nodes without children, messages without their fate."""
    mapping = {}
    for key, node in tree["mapping"].items():
        message = {name: value for name, value in (node["message"] or {}).items() if name not in LEFT_OUT}
        mapping[key] = {"id": key, "parent": node["parent"], "message": message or None}
    return {**tree, "mapping": mapping}


def timed_sync(folder: Path, environ: dict[str, str], *arguments: str) -> RunCost:
    """Run one ``chatmirror sync``, or another command, and read what it cost."""
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "mirror", *(arguments or ["sync"])], cwd=folder, env=environ)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    if status:
        raise SystemExit(f"the sync ended with {os.waitstatus_to_exitcode(status)}")
    with closing(sqlite3.connect(folder / "chats.db")) as conn:
        requests = conn.execute("SELECT requests FROM sync_runs ORDER BY id DESC LIMIT 1").fetchone()[0]
    return RunCost(requests, wall, usage.ru_utime + usage.ru_stime)


def print_row(name: str, cost: RunCost, target: float, latency: float, stored: int) -> None:
    """Print one row. ``best``: the least that pacing and latency allow, one request at a time."""
    best = cost.requests * max(ORDINARY.spacing, latency)
    each = f"{1000 * cost.cpu / stored:.1f}" if stored else ""
    click.echo(
        f"{name:<34}{cost.requests:>9}{target:>8.0f}{cost.wall:>9.1f}{best:>8.1f}{cost.wall / best:>7.2f}"
        f"{cost.cpu:>8.2f}{each:>10}"
    )


def measure(conversations: int, archived: int, messages: int, latency: float, scale: str) -> None:
    """Print runs of one account: the first, one without changes, one with a few; and those after an import of all."""
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
        print_row(
            f"first sync, {size}", timed_sync(folder, environ), 1.15 * (every / 10 + every / 100 + 10), latency, every
        )
        unchanged = timed_sync(folder, environ)
        print_row(f"unchanged, {size}", unchanged, 10 + archived / 100, latency, 0)
        ours.send(CHANGES)
        ours.recv()
        print_row(f"{CHANGES} changes, {size}", timed_sync(folder, environ), unchanged.requests + 2, latency, CHANGES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours.send(folder / "conversations.json")
        ours.recv()
        environ = {"CHATMIRROR_BASE_URL": url, "CHATGPT_SESSION_TOKEN": cookie, "CHATMIRROR_WAIT_SCALE": scale}
        brought = timed_sync(folder, {}, "import", "conversations.json")
        click.echo(
            f"{f'import of {every:,}, as of June 2026':<34}{'':>17}{brought.wall:>9.1f}{'':>15}{brought.cpu:>8.2f}"
        )
        print_row(
            "first sync after it", timed_sync(folder, environ), 1.15 * (every / 10 + every / 100 + 10), latency, every
        )
        print_row("unchanged after it", timed_sync(folder, environ), 10 + archived / 100, latency, 0)
    ours.send(None)
    service.join()


@click.command()
@click.option("--conversations", default="1000,10000", show_default=True, help="Account sizes.")
@click.option("--archived", default=0, show_default=True, help="Archived conversations in each account.")
@click.option("--messages", default=30, show_default=True, help="Messages a conversation.")
@click.option("--latency", default=0.1, show_default=True, help="Seconds before every answer.")
@click.option("--quick", is_flag=True, help="No latency and no waits: requests and CPU only.")
def main(conversations: str, archived: int, messages: int, latency: float, quick: bool) -> None:  # noqa: FBT001 - click
    """Print what a first sync and later ones cost."""
    click.echo(HEAD)
    for size in conversations.split(","):
        measure(int(size), archived, messages, 0.0 if quick else latency, "0" if quick else "1")


if __name__ == "__main__":
    main()
