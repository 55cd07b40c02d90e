"""What each command costs beside the least that must be done: floor and chatmirror on the same file in one run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from benchmarks.measured import (
    Cost,
    NotRun,
    best,
    cells,
    chatmirror,
    environment,
    on_one_processor,
    ratio,
    run,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = ["", "CPU s", "wall s", "memory MB", "ratio of CPU", "aim"]


def floor(*arguments: str) -> list[str]:
    """Return the command of a floor."""
    return [sys.executable, "-m", "benchmarks.floor", *arguments]


class Bench:
    """Measures commands on one export, in one folder; ``word`` is one that its messages hold."""

    def __init__(self, folder: Path, times: int, export: Path, word: str) -> None:
        self.folder, self.times, self.export, self.word = folder, times, export, word
        self.environ = environment(folder, CHATMIRROR_DB=str(folder / "chats.db"))
        self.floor: Cost | NotRun = NotRun("not measured yet")  # of an import
        self.imported: Cost | NotRun = self.floor

    def fresh(self, command: list[str], *made: str) -> Cost | NotRun:
        """Run a command as often as asked for, without what the run before made; return the best run."""

        def once() -> Cost:
            for name in made:
                for path in self.folder.glob(f"{name}*"):
                    path.unlink()
            return run(command, self.folder, self.environ)

        return best(self.times, once)

    def search(self) -> Cost:
        """Search for the word once."""
        return run(chatmirror("search", self.word), self.folder, self.environ)

    def disk(self, name: str) -> str:
        """Return the size of a file that was made, divided by that of the export."""
        path = self.folder / name
        return f"{size_of(path) / size_of(self.export):.2f}" if path.exists() else "(did not run)"

    def lines(self) -> Iterator[list[str]]:
        """Yield the lines of the table."""
        yield from self._imports()
        yield from self._whole_mirror()
        for arguments, aim in (
            (("--help",), "0.10 s"),
            (("search", self.word), "0.15 s"),
            (("show", "last"), "0.15 s"),
        ):
            yield [*cells(f"`{' '.join(arguments)}`", self.fresh(chatmirror(*arguments))), "", aim]

    def _imports(self) -> Iterator[list[str]]:
        export = str(self.export)
        self.floor = self.fresh(floor("import", export, "floor.db"), "floor.db")
        yield [*cells("floor: parse, rows, packed payloads, one index", self.floor), "", ""]
        if hasattr(os, "sched_setaffinity"):
            alone = self.fresh(on_one_processor(chatmirror("import", export)), "chats.db")
            yield [*cells("`import` on one processor", alone), ratio(alone, self.floor), "2.50"]
        self.imported = self.fresh(chatmirror("import", export), "chats.db")
        yield [
            *cells("`import` on all of them, with a second process if it is large", self.imported),
            ratio(self.imported, self.floor),
            "",
        ]
        again = self.fresh(chatmirror("import", export))
        yield [*cells("`import` of the same again, beside the first", again), ratio(again, self.imported), "0.10"]

    def _whole_mirror(self) -> Iterator[list[str]]:
        least, whole = self.fresh(floor("check", "chats.db")), self.fresh(chatmirror("check"))
        yield [*cells("floor: inflate, hash, parse, read, check index", least), "", ""]
        yield [*cells("`check`", whole), ratio(whole, least), "1.50"]
        rebuilt = self.fresh(chatmirror("rebuild"))
        yield [*cells("`rebuild` where nothing differs, beside `check`", rebuilt), ratio(rebuilt, whole), "1.50"]
        least = together(self.fresh(floor("backup", "chats.db", "copy.db"), "copy.db"), whole)
        yield [*cells("floor: SQLite's backup call, and `check` as its proof", least), "", ""]
        copied = self.fresh(chatmirror("backup", "backup.db"), "backup.db")
        yield [*cells("`backup`", copied), ratio(copied, least), "1.20"]


def together(first: Cost | NotRun, second: Cost | NotRun) -> Cost | NotRun:
    """Return what two processes cost, one after the other."""
    if isinstance(first, NotRun):
        return first
    if isinstance(second, NotRun):
        return second
    return Cost(first.cpu + second.cpu, first.wall + second.wall, max(first.memory, second.memory))
