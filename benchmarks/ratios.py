"""What each command costs beside the least that must be done: ``python -m benchmarks.ratios`` prints the table.

It makes an export (``benchmarks.made_export``), and times floor (``benchmarks.floor``), chatmirror and any other
program on the same file in one run: processor time of the whole process, user and system, the best of several runs.
``--quick`` takes a small export once. Nothing here asserts anything: ratios are compared, not seconds.

``--write FOLDER`` writes the table as ``RESULTS.md`` and draws how an import grows with the export.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from benchmarks.growth import drawn
from benchmarks.made_export import write_export
from mirror import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

GROWTH = (0.05, 0.1, 0.25, 0.5, 1.0)  # parts of the export for the curve
MB = 1e6


class Cost(NamedTuple):
    """What a process took: seconds of processor time and of wall-clock time, bytes of memory at most."""

    cpu: float
    wall: float
    memory: int


class Row(NamedTuple):
    """One line: what was done, what it took, and what it is compared with (None: nothing)."""

    name: str
    cost: Cost
    beside: Cost | None = None

    def cells(self) -> list[str]:
        """Return the columns as text."""
        ratio = f"{self.cost.cpu / self.beside.cpu:.2f}" if self.beside else ""
        return [self.name, f"{self.cost.cpu:.2f}", f"{self.cost.wall:.2f}", f"{self.cost.memory / MB:.0f}", ratio]


HEAD = ["", "CPU s", "wall s", "memory MB", "ratio of CPU"]


def run(command: Sequence[str], folder: Path) -> Cost:
    """Run a program and read what it cost; its output goes nowhere."""
    begin = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise click.ClickException(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    scale = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - begin, usage.ru_maxrss * scale)


def best(times: int, action: Callable[[], Cost]) -> Cost:
    """Return the run that took the least processor time."""
    return min(action() for _ in range(times))


def floor(*arguments: str) -> list[str]:
    """Return the command of a floor."""
    return [sys.executable, "-m", "benchmarks.floor", *arguments]


def chatmirror(*arguments: str) -> list[str]:
    """Return a command of chatmirror on ``chats.db``."""
    return [sys.executable, "-m", "mirror", *arguments]


class Bench:
    """Measures in one folder; the program is imported from where this is run."""

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times = folder, times
        here = str(Path(__file__).parents[1])
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled
        os.environ["CHATMIRROR_DB"] = str(folder / "chats.db")

    def fresh(self, command: list[str], *made: str) -> Cost:
        """Run a command as often as asked for, without what the run before made; return the best run."""

        def once() -> Cost:
            for name in made:
                for path in self.folder.glob(f"{name}*"):
                    path.unlink()
            return run(command, self.folder)

        return best(self.times, once)

    def rows(self, export: Path, peers: Sequence[tuple[str, str]]) -> Iterator[Row]:
        """Yield the lines of the table."""
        least = self.fresh(floor("import", str(export), "floor.db"), "floor.db")
        yield Row("floor: parse, rows, packed payloads, one index", least)
        first = self.fresh(chatmirror("import", str(export)), "chats.db")
        yield Row("`import`", first, least)
        yield Row("`import` of the same again, beside the first", self.fresh(chatmirror("import", str(export))), first)
        for name, command in peers:
            yield Row(name, self.fresh([part.format(export=export) for part in command.split()]), least)
        least = self.fresh(floor("check", "chats.db"))
        yield Row("floor: inflate, hash, parse, read, check index", least)
        whole = self.fresh(chatmirror("check"))
        yield Row("`check`", whole, least)
        yield Row("`rebuild` where nothing differs, beside `check`", self.fresh(chatmirror("rebuild")), whole)
        least = self.fresh(floor("backup", "chats.db", "copy.db"), "copy.db")
        least = Cost(least.cpu + whole.cpu, least.wall + whole.wall, max(least.memory, whole.memory))
        yield Row("floor: SQLite's backup call, and `check` as its proof", least)
        yield Row("`backup`", self.fresh(chatmirror("backup", "backup.db"), "backup.db"), least)
        for arguments in (("--help",), ("search", "mountain"), ("show", "last")):
            yield Row(f"`{' '.join(arguments)}`", self.fresh(chatmirror(*arguments)))

    def growth(self, conversations: int) -> Iterator[tuple[int, float]]:
        """Yield how many messages exports of several sizes hold, and the processor time of their import."""
        for part in GROWTH:
            export = self.folder / "part.json"
            messages = write_export(export, max(1, round(conversations * part)))
            yield messages, self.fresh(chatmirror("import", str(export), "-d", "part.db"), "part.db").cpu


def machine() -> str:
    """Return what it was measured on."""
    return (
        f"chatmirror {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    )


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [HEAD, ["---", *["---:"] * (len(HEAD) - 1)], *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(folder: Path, head: str, rows: Sequence[Row], points: Sequence[tuple[int, float]]) -> None:
    """Write the results and the curve."""
    (folder / "growth.svg").write_text(drawn(points, "messages", "CPU s of an import"), encoding="utf-8")
    text = (
        f"# What chatmirror costs\n\n{head}\n\n"
        f"Ratios are of processor time, user and system, in one run on the same data.\n\n{table(rows)}\n\n"
        "![Processor time of an import by messages: a straight line.](growth.svg)\n"
    )
    (folder / "RESULTS.md").write_text(text, encoding="utf-8")


@click.command()
@click.option("--conversations", default=2_000, show_default=True, help="Size of the export.")
@click.option("--times", default=3, show_default=True, help="Runs of each command; the best one counts.")
@click.option("--peer", "peers", multiple=True, type=(str, str), metavar="NAME COMMAND", help="{export} is its file.")
@click.option("--write", "target", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER")
@click.option("--quick", is_flag=True, help="A small export, once.")
def main(conversations: int, times: int, peers: tuple[tuple[str, str], ...], target: Path | None, quick: bool) -> None:  # noqa: FBT001 - click
    """Print what commands cost beside the least that must be done."""
    conversations, times = (100, 1) if quick else (conversations, times)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export = folder / "conversations.json"
        messages = write_export(export, conversations)
        size = export.stat().st_size
        bench = Bench(folder, times)
        rows = []
        for row in bench.rows(export, peers):
            rows.append(row)
            click.echo(f"{row.cells()[0]:<52}{''.join(f'{cell:>12}' for cell in row.cells()[1:])}")
        disk, least = (folder / "chats.db").stat().st_size / size, (folder / "floor.db").stat().st_size / size
        head = (
            f"{machine()}. The export: {conversations:,} conversations, {messages:,} messages, {size / MB:,.1f} MB of"
            f" made-up words; the mirror takes {disk:.2f} of that on disk, the floor {least:.2f}."
        )
        click.echo(head)
        if target is not None:
            command = (
                f"python -m benchmarks.ratios --conversations {conversations} --times {times} --write {target.name}"
            )
            written(target, f"Written by `{command}`. {head}", rows, list(bench.growth(conversations)))


if __name__ == "__main__":
    main()
