"""How the cost of each operation grows with the mirror, beside what the operation must touch."""

from __future__ import annotations

import math
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import click

from benchmarks.drawing import Curve, drawn, short
from benchmarks.made_export import Scale, planted_words, write_export
from benchmarks.measured import FAILURES, MB, Cost, NotRun, best, chatmirror, machine, run, size_of
from benchmarks.report import Report
from benchmarks.syncs import CHANGES, AccountSize, account_served
from benchmarks.webserver import getter, median, serving, warm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Conversations of about ten messages of ordinary questions and short answers, 15 KB each: 100,000 of them are 1.5 GB.
SCALE = Scale(turns=(1.2, 0.8), question=(3.0, 1.0), answer=(4.0, 0.8))
SYNCED_MESSAGES = 4  # of a conversation that is synced: with more, the simulated service would take most of the time
PAGES = 15  # of conversations that are asked for at each size
FACTORS = (1, 3, 10, 30, 100)


class Operation(NamedTuple):
    """What is measured, in which unit, and what it must touch, which says how steep its curve may be."""

    name: str
    unit: str
    touches: str


IMPORT = Operation("import", "CPU s", "reads and stores every message of the export: proportional")
MEMORY = Operation("import", "MB of memory", "holds a bounded part of the export at a time: flat")
CHECK = Operation("check", "CPU s", "reads every payload, row and index entry: proportional")
FIRST = Operation("first sync", "CPU s", "reads every page of the lists and every conversation: proportional")
UNCHANGED = Operation("sync without changes", "CPU s", "reads the first page of each list: flat")
CHANGED = Operation(f"sync with {CHANGES} changes", "CPU s", f"reads and stores {CHANGES} conversations: flat")
RARE = Operation("search, a rare word", "ms", "ranks the messages that hold the word: proportional to these, few")
FREQUENT = Operation(
    "search, the most frequent word",
    "ms",
    "ranks up to 20,000 matches, and of more looks at the newest: flat from there",
)
PAGE = Operation("page of a conversation", "ms", "reads one conversation through indexes: flat")
OPERATIONS = (IMPORT, MEMORY, CHECK, FIRST, UNCHANGED, CHANGED, RARE, FREQUENT, PAGE)


class Taken:
    """What operations took at one size, in their units; ``failures``: those that failed, and why."""

    def __init__(self) -> None:
        self.values: dict[Operation, float] = {}
        self.failures: list[str] = []

    def add(self, operation: Operation, cost: Cost | NotRun) -> None:
        """Add the processor time of a command."""
        if isinstance(cost, NotRun):
            self.failures.append(f"{operation.name} did not run: {cost.reason}")
            return
        self.values[operation] = cost.cpu
        if operation is IMPORT:
            self.values[MEMORY] = cost.memory / MB


class Grown(NamedTuple):
    """A mirror at one size: its bytes, and what each operation took there."""

    conversations: int
    messages: int
    size: int
    taken: Taken


def sizes_up_to(largest: int, smallest: int = 1_000) -> list[int]:
    """Return 1,000, 3,000, 10,000 … conversations."""
    return [size for factor in FACTORS if (size := smallest * factor) <= largest]


def grown_mirrors(folder: Path, sizes: Sequence[int], pages: int = PAGES) -> Iterator[Grown]:
    """Yield what everything takes at each size; each failure is named on the screen and costs its own points."""
    for size in sizes:
        yield _grown(folder, size, pages)


def _grown(folder: Path, size: int, pages: int) -> Grown:
    export, path, taken = folder / "grown.json", folder / "grown.db", Taken()
    messages = write_export(export, size, scale=SCALE)
    taken.add(IMPORT, best(1, lambda: run(chatmirror("import", str(export), "-d", str(path)), folder)))
    export.unlink()
    taken.add(CHECK, best(1, lambda: run(chatmirror("check", "-d", str(path)), folder)))
    _read(path, pages, taken)
    disk = size_of(path) if path.exists() else 0
    for file in folder.glob("grown.*"):
        file.unlink()
    _sync(folder / f"grown-{size}", AccountSize(size, messages=SYNCED_MESSAGES), taken)
    return Grown(size, messages, disk, taken)


def _read(path: Path, pages: int, taken: Taken) -> None:
    """Measure the median of milliseconds of pages that Datasette serves from the system's cache."""
    frequent, rare = planted_words()
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
            sql = "SELECT id FROM conversations ORDER BY abs(message_count - 10), id LIMIT ?"
            keys = [row[0] for row in conn.execute(sql, (pages,))]
        asked = {RARE: [f"search?q={quote(rare)}"], FREQUENT: [f"search?q={quote(frequent)}"]}
        asked[PAGE] = [f"conversation/{key}" for key in keys]
        with serving(path) as port:
            for operation, addresses in asked.items():
                actions = [getter(port, f"/{path.stem}/-/{address}") for address in addresses]
                taken.values[operation] = median(warm(actions))
    except FAILURES as error:
        taken.failures.append(f"pages did not run: {error}")


def _sync(folder: Path, size: AccountSize, taken: Taken) -> None:
    folder.mkdir()
    try:
        with account_served(size) as account:
            taken.add(FIRST, best(1, lambda: account.sync(folder)))
            taken.add(UNCHANGED, best(1, lambda: account.sync(folder)))
            account.ask(CHANGES)
            taken.add(CHANGED, best(1, lambda: account.sync(folder)))
    except FAILURES as error:
        taken.failures.append(f"syncs did not run: {error}")
    for file in folder.glob("chats.db*"):
        file.unlink()


def head(mirrors: Sequence[Grown]) -> list[str]:
    """Return the head of the table."""
    return ["", "unit", *(f"{mirror.conversations:,}" for mirror in mirrors), "steepness", "what it must touch"]


def lines(mirrors: Sequence[Grown]) -> Iterator[list[str]]:
    """Yield the lines of the table: the mirrors, then each operation with its steepness."""
    yield ["messages", "", *(f"{mirror.messages:,}" for mirror in mirrors), "", ""]
    yield ["mirror on disk", "MB", *(f"{mirror.size / MB:,.0f}" for mirror in mirrors), "", ""]
    for operation in OPERATIONS:
        values = [short(found) if (found := mirror.taken.values.get(operation)) else "-" for mirror in mirrors]
        yield [operation.name, operation.unit, *values, _steepness(points_of(operation, mirrors)), operation.touches]


def points_of(operation: Operation, mirrors: Sequence[Grown]) -> list[tuple[int, float]]:
    """Return the points of an operation's curve."""
    found = [(mirror.conversations, mirror.taken.values.get(operation)) for mirror in mirrors]
    return [(size, value) for size, value in found if value]


def failures(mirrors: Sequence[Grown]) -> Iterator[str]:
    """Yield what failed, and why."""
    for mirror in mirrors:
        yield from (f"{mirror.conversations:,} conversations: {failure}." for failure in mirror.taken.failures)


def _steepness(points: Sequence[tuple[int, float]]) -> str:
    """Return the power of the size by which a cost grows between the two largest sizes."""
    if len(points) < 2:  # noqa: PLR2004 - a line needs two points
        return ""
    (x, y), (larger, more) = points[-2:]
    return f"{math.log(more / y) / math.log(larger / x):.2f}"


def curves(mirrors: Sequence[Grown]) -> list[Curve]:
    """Return the curves of all operations that were measured."""
    found = [(operation, points_of(operation, mirrors)) for operation in OPERATIONS]
    return [Curve(f"{operation.name}, {operation.unit}", points) for operation, points in found if points]


def measure(report: Report, folder: Path, sizes: Sequence[int], pages: int) -> str:
    """Measure mirrors of several sizes; return the curves as SVG."""
    report.say("## How it grows with the number of conversations")
    report.say(
        "Steepness is the power of the size by which a cost grows between the two largest sizes: 1 is proportional, 0"
        " flat. Both axes of the curves are logarithmic, and the dashed line is proportional. Conversations that are"
        f" synced have {SYNCED_MESSAGES} messages each, so that the simulated service is not what takes the"
        " time; pages are the median of what Datasette serves from the system's cache."
    )
    mirrors = []
    for mirror in grown_mirrors(folder, sizes, pages):
        click.echo(f"{mirror.conversations:,} conversations measured")
        mirrors.append(mirror)
    report.table(head(mirrors), lines(mirrors))
    for failure in failures(mirrors):
        report.say(failure)
    report.say("![Nine curves, one for each operation above.](growth.svg)")
    return drawn(curves(mirrors))


@click.command()
@click.option("--largest", default=10_000, show_default=True, help="Conversations of the largest mirror.")
@click.option("--write", "target", type=click.Path(path_type=Path, file_okay=False), help="Where RESULTS.md is.")
def main(largest: int, target: Path | None) -> None:
    """Measure how it grows and nothing else; write that part of RESULTS.md anew, and growth.svg."""
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        drawing = measure(report, Path(name), sizes_up_to(largest), PAGES)
    command = f"python -m benchmarks.growth --largest {largest} --write benchmarks"
    report.say(f"This part was measured by `{command}`. {machine()}")
    if target is not None:
        (target / "growth.svg").write_text(drawing, encoding="utf-8")
        report.write_section(target / "RESULTS.md")


if __name__ == "__main__":
    main()
