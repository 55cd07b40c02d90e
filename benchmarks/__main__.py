"""What chatmirror costs, beside the least that must be done and beside other programs: ``python -m benchmarks``.

It makes its data (``benchmarks.made_export``), and measures on the same files in one run: commands beside floors
(``ratios``), other programs from the package index (``peers``), single cases (``single_cases``), and how everything
grows (``growth``). Seconds of processor time are those of whole processes, user and system, the best of several runs.
``--quick`` takes small data once. Nothing here asserts anything: ratios are compared, not seconds.

``--write FOLDER`` writes the tables as ``RESULTS.md`` and the curves as ``growth.svg``.
"""

from __future__ import annotations

import os
import platform
import shlex
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks import growth, peers, ratios, single_cases
from benchmarks.drawing import drawn
from benchmarks.made_export import planted_words, write_export
from benchmarks.measured import MB, size_of
from benchmarks.single_cases import CaseSizes
from mirror import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

QUICK_CASES = CaseSizes(messages=2_000, text=2_000_000, account=30, growing=300)
QUICK_SIZES = (50,)  # conversations of the mirrors that grow


class Report:
    """Tables that are printed while they are measured, and kept as Markdown."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def say(self, text: str) -> None:
        """Add a paragraph."""
        click.echo(f"{text}\n")
        self.parts.append(text)

    def table(self, head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
        """Add a table, line by line."""
        kept = [head, ["---", *["---:"] * (len(head) - 1)]]
        _print(head)
        for line in lines:
            _print(line)
            kept.append(line)
        click.echo()
        self.parts.append("\n".join(f"| {' | '.join(line)} |" for line in kept))

    def write(self, path: Path) -> None:
        """Write everything as one file."""
        path.write_text("\n\n".join(self.parts) + "\n", encoding="utf-8")


def _print(line: Sequence[str]) -> None:
    click.echo(f"{line[0]:<64}{''.join(f'{cell:>12}  ' for cell in line[1:])}".rstrip())


def machine() -> str:
    """Return what it is measured on."""
    return (
        f"chatmirror {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" {platform.system()} {platform.machine()}, {os.cpu_count()} processors."
    )


def measure_commands(report: Report, bench: ratios.Bench, export: str) -> None:
    """Measure commands beside floors, and say how large the mirror is."""
    report.say("## Commands, beside the least that must be done")
    report.say("Ratios are of processor time, in one run on the same file.")
    report.table(ratios.HEAD, bench.lines())
    size = size_of(bench.export)
    disk = [
        f"{size_of(path) / size:.2f}" for name in ("chats.db", "floor.db") if (path := bench.folder / name).exists()
    ]
    report.say(f"{export}. On disk a mirror takes {disk[0]} of that (aim 1.50), the floor {disk[-1]}.")


def measure_peers(report: Report, bench: ratios.Bench, environments: Path) -> None:
    """Install and measure the other programs on the same file."""
    report.say("## Other programs, the same file")
    report.say(
        "`import : it` is what `import` of chatmirror takes, divided by what the program takes. The search is for a rare"
        " word: of a program with a server the server's answer, of every other one a whole process."
    )
    every = [peers.installed(peer, environments) for peer in peers.PEERS]
    report.table(peers.HEAD, peers.lines(every, bench))


def measure_cases(report: Report, folder: Path, sizes: CaseSizes, *, gigabyte: bool) -> None:
    """Measure single cases."""
    report.say("## Single cases")
    report.say("Syncs are against the simulated service, in another process, without waits.")
    report.table(single_cases.HEAD, single_cases.lines(folder, sizes, gigabyte=gigabyte))


def measure_growth(report: Report, folder: Path, sizes: Sequence[int], pages: int) -> str:
    """Measure mirrors of several sizes; return the curves as SVG."""
    report.say("## How it grows with the number of conversations")
    report.say(
        "Steepness is the power of the size by which a cost grows between the two largest sizes: 1 is proportional, 0"
        " flat. Both axes of the curves are logarithmic, and the dashed line is proportional. Conversations that are"
        f" synced have {growth.SYNCED_MESSAGES} messages each, so that the simulated service is not what takes the"
        " time; pages are the median of what Datasette serves from the system's cache."
    )
    mirrors = []
    for mirror in growth.grown_mirrors(folder, sizes, pages):
        click.echo(f"{mirror.conversations:,} conversations measured")
        mirrors.append(mirror)
    report.table(growth.head(mirrors), growth.lines(mirrors))
    report.say("![Nine curves, one for each operation above.](growth.svg)")
    return drawn(growth.curves(mirrors))


@click.command()
@click.option("--conversations", default=2_000, show_default=True, help="Size of the export.")
@click.option("--times", default=3, show_default=True, help="Runs of each command; the best one counts.")
@click.option("--largest", default=10_000, show_default=True, help="Conversations of the largest mirror that grows.")
@click.option("--gigabyte", is_flag=True, help="Import an export of 1 GB as well, which takes minutes.")
@click.option("--peers", "environments", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Keep the other programs' virtual environments there.")  # fmt: skip
@click.option("--write", "target", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER")
@click.option("--quick", is_flag=True, help="Small data, once; other programs only with --peers.")
def main(
    conversations: int,
    times: int,
    largest: int,
    environments: Path | None,
    target: Path | None,
    *,
    gigabyte: bool,
    quick: bool,
) -> None:
    """Measure everything and print it."""
    conversations, times = (50, 1) if quick else (conversations, times)
    report = Report()
    report.say("# What chatmirror costs")
    report.say(f"Written by `python -m benchmarks {shlex.join(sys.argv[1:])}`. {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export = folder / "conversations.json"
        messages = write_export(export, conversations)
        size = (
            f"{conversations:,} conversations, {messages:,} messages, {size_of(export) / MB:,.1f} MB of made-up words"
        )
        bench = ratios.Bench(folder, times, export, planted_words()[1])
        measure_commands(report, bench, f"The export: {size}")
        if environments or not quick:
            place = (environments or folder / "environments").absolute()
            place.mkdir(parents=True, exist_ok=True)
            measure_peers(report, bench, place)
        measure_cases(report, folder, QUICK_CASES if quick else CaseSizes(), gigabyte=gigabyte)
        sizes = QUICK_SIZES if quick else growth.sizes_up_to(largest)
        drawing = measure_growth(report, folder, sizes, 2 if quick else growth.PAGES)
    if target is not None:
        (target / "growth.svg").write_text(drawing, encoding="utf-8")
        report.write(target / "RESULTS.md")


if __name__ == "__main__":
    main()
