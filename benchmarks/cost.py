"""What a sync costs, in requests and seconds: ``python -m benchmarks.cost`` prints the table.

The simulated service runs in a process of its own, with real latency, so that its work is not counted. Each run is one
``chatmirror sync`` process, with the pacing that a user gets; ``--quick`` waits for nothing and shows requests and CPU.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks.measured import chatmirror, run
from benchmarks.syncs import CHANGES, AccountSize, account_served, requests_of_last_run
from mirror.chatgpt.site import ORDINARY

if TYPE_CHECKING:
    from benchmarks.measured import Cost
    from benchmarks.syncs import ServedAccount

HEAD = f"{'run':<34}{'requests':>9}{'target':>8}{'wall s':>9}{'best s':>8}{'ratio':>7}{'CPU s':>8}{'ms/conv.':>10}"


class Syncs:
    """Syncs of one account into the mirror of one folder, each printed as a row."""

    def __init__(self, account: ServedAccount, size: AccountSize, folder: Path) -> None:
        self.account, self.size, self.folder = account, size, folder

    def row(self, name: str, target: float, stored: int) -> int:
        """Sync, print the row, and return how many requests it took; ``stored``: conversations that it stored."""
        cost = self.account.sync(self.folder)
        requests = requests_of_last_run(self.folder)
        print_row(name, cost, requests, target, self.size.latency, stored)
        return requests

    def first(self, name: str) -> None:
        """Sync all conversations; the least are ten to a read and a hundred to a page of the list."""
        self.row(name, 1.15 * (self.size.every / 10 + self.size.every / 100 + 10), self.size.every)


def print_row(name: str, cost: Cost, requests: int, target: float, latency: float, stored: int) -> None:
    """Print one row. ``best``: the least that pacing and latency allow, one request at a time."""
    best = requests * max(ORDINARY.spacing, latency)
    each = f"{1000 * cost.cpu / stored:.1f}" if stored else ""
    click.echo(
        f"{name:<34}{requests:>9}{target:>8.0f}{cost.wall:>9.1f}{best:>8.1f}{cost.wall / best:>7.2f}"
        f"{cost.cpu:>8.2f}{each:>10}"
    )


def measure(size: AccountSize, scale: str) -> None:
    """Print runs of one account: the first, one without changes, one with a few; and those after an import of all."""
    quiet = 10 + size.archived / 100
    with account_served(size, scale) as account:
        with tempfile.TemporaryDirectory() as name:
            syncs = Syncs(account, size, Path(name))
            text = f"{size.conversations:,}" + (f" + {size.archived:,} archived" if size.archived else "")
            syncs.first(f"first sync, {text}")
            unchanged = syncs.row(f"unchanged, {text}", quiet, 0)
            account.ask(CHANGES)
            syncs.row(f"{CHANGES} changes, {text}", unchanged + 2, CHANGES)
        with tempfile.TemporaryDirectory() as name:
            syncs = Syncs(account, size, Path(name))
            account.ask(syncs.folder / "conversations.json")
            brought = run(chatmirror("import", "conversations.json"), syncs.folder)
            text = f"import of {size.every:,}, as of June 2026"
            click.echo(f"{text:<34}{'':>17}{brought.wall:>9.1f}{'':>15}{brought.cpu:>8.2f}")
            syncs.first("first sync after it")
            syncs.row("unchanged after it", quiet, 0)


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
        account = AccountSize(int(size), archived, messages, latency=0.0 if quick else latency)
        measure(account, "0" if quick else "1")


if __name__ == "__main__":
    main()
