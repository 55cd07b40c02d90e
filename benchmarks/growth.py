"""How the cost of each operation grows with the mirror, beside what the operation must touch."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import click

from benchmarks.drawing import Curve
from benchmarks.made_export import Scale, planted_words, write_export
from benchmarks.measured import MB, Cost, NotRun, best, chatmirror, run, size_of
from benchmarks.syncs import CHANGES, AccountSize, account_served
from benchmarks.webserver import getter, median, serving, warm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

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
    "search, the most frequent word", "ms", "counts and ranks a great part of all messages: proportional"
)
PAGE = Operation("page of a conversation", "ms", "reads one conversation through indexes: flat")
OPERATIONS = (IMPORT, MEMORY, CHECK, FIRST, UNCHANGED, CHANGED, RARE, FREQUENT, PAGE)


class Grown(NamedTuple):
    """A mirror at one size, and what each operation took there; one that failed is not in ``taken``."""

    conversations: int
    messages: int
    size: int
    taken: dict[Operation, float]


def sizes_up_to(largest: int, smallest: int = 1_000) -> list[int]:
    """Return 1,000, 3,000, 10,000 … conversations."""
    return [size for factor in FACTORS if (size := smallest * factor) <= largest]


def grown_mirrors(folder: Path, sizes: Sequence[int], pages: int = PAGES) -> Iterator[Grown]:
    """Yield what everything takes at each size; each failure is named on the screen and costs its own points."""
    for size in sizes:
        yield _grown(folder, size, pages)


def _grown(folder: Path, size: int, pages: int) -> Grown:
    export, path, taken = folder / "grown.json", folder / "grown.db", dict[Operation, float]()
    messages = write_export(export, size, scale=SCALE)
    _measure(taken, IMPORT, best(1, lambda: run(chatmirror("import", str(export), "-d", str(path)), folder)))
    export.unlink()
    _measure(taken, CHECK, best(1, lambda: run(chatmirror("check", "-d", str(path)), folder)))
    taken |= _read(path, pages)
    disk = size_of(path) if path.exists() else 0
    for file in folder.glob("grown.*"):
        file.unlink()
    taken |= _synced(folder / f"grown-{size}", AccountSize(size, messages=SYNCED_MESSAGES))
    return Grown(size, messages, disk, taken)


def _measure(taken: dict[Operation, float], operation: Operation, cost: Cost | NotRun) -> None:
    if isinstance(cost, Cost):
        taken[operation] = cost.cpu
        if operation is IMPORT:
            taken[MEMORY] = cost.memory / MB
    else:
        click.echo(f"{operation.name}: did not run: {cost.reason}")


def _read(path: Path, pages: int) -> dict[Operation, float]:
    """Return the median of milliseconds of pages that Datasette serves from the system's cache."""
    frequent, rare = planted_words()
    taken = {}
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
            sql = "SELECT id FROM conversations ORDER BY abs(message_count - 10), id LIMIT ?"
            keys = [row[0] for row in conn.execute(sql, (pages,))]
        with serving(path) as port:
            at = f"/{path.stem}/-"
            searches = {RARE: [rare], FREQUENT: [frequent]}
            for operation, words in searches.items():
                taken[operation] = median(warm([getter(port, f"{at}/search?q={quote(word)}") for word in words]))
            taken[PAGE] = median(warm([getter(port, f"{at}/conversation/{key}") for key in keys]))
    except (click.ClickException, OSError, sqlite3.Error) as error:
        click.echo(f"pages: did not run: {error}")
    return taken


def _synced(folder: Path, size: AccountSize) -> dict[Operation, float]:
    taken: dict[Operation, float] = {}
    folder.mkdir()
    with account_served(size) as account:
        _measure(taken, FIRST, best(1, lambda: account.sync(folder)))
        _measure(taken, UNCHANGED, best(1, lambda: account.sync(folder)))
        account.ask(CHANGES)
        _measure(taken, CHANGED, best(1, lambda: account.sync(folder)))
    for file in folder.glob("chats.db*"):
        file.unlink()
    return taken


def head(mirrors: Sequence[Grown]) -> list[str]:
    """Return the head of the table."""
    return ["", "unit", *(f"{mirror.conversations:,}" for mirror in mirrors), "steepness", "what it must touch"]


def lines(mirrors: Sequence[Grown]) -> Iterator[list[str]]:
    """Yield the lines of the table: the mirrors, then each operation with its steepness."""
    yield ["messages", "", *(f"{mirror.messages:,}" for mirror in mirrors), "", ""]
    yield ["mirror on disk", "MB", *(f"{mirror.size / MB:,.0f}" for mirror in mirrors), "", ""]
    for operation in OPERATIONS:
        values = [f"{mirror.taken[operation]:.3g}" if operation in mirror.taken else "-" for mirror in mirrors]
        yield [operation.name, operation.unit, *values, _steepness(points_of(operation, mirrors)), operation.touches]


def points_of(operation: Operation, mirrors: Sequence[Grown]) -> list[tuple[int, float]]:
    """Return the points of an operation's curve."""
    return [(mirror.conversations, mirror.taken[operation]) for mirror in mirrors if operation in mirror.taken]


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
