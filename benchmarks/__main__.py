"""What chatmirror costs, beside the least that must be done and beside other programs: ``python -m benchmarks``.

It makes its data (``benchmarks.made_export``), and measures on the same files in one run: commands beside floors
(``ratios``), other programs from the package index (``peers``), single cases (``single_cases``), and how everything
grows (``growth``). Seconds of processor time are those of whole processes, user and system, the best of several runs.
``--quick`` takes small data once. Nothing here asserts anything: ratios are compared, not seconds.

``--write FOLDER`` writes the tables as ``RESULTS.md`` and the curves as ``growth.svg``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from benchmarks import growth, peers, ratios, single_cases
from benchmarks.made_export import planted_words, write_export
from benchmarks.measured import MB, machine, size_of
from benchmarks.report import Report
from benchmarks.single_cases import CaseSizes

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = click.Path(path_type=Path, file_okay=False)


class Extent(NamedTuple):
    """How much is measured: conversations of the export, runs of each command, sizes of mirrors, pages of each."""

    conversations: int
    times: int
    cases: CaseSizes
    sizes: Sequence[int]
    pages: int


QUICK = Extent(50, 1, CaseSizes(messages=2_000, text=2_000_000, account=30, growing=300), (50,), 2)


def measure_commands(report: Report, bench: ratios.Bench, export: str) -> None:
    """Measure commands beside floors, and say how large the mirror is."""
    report.say("## Commands, beside the least that must be done")
    report.say(
        "Ratios are of processor time, in one run on the same file. An import that reads by a second process is both:"
        " the memory is that of the larger one."
    )
    report.table(ratios.HEAD, bench.lines())
    report.say(
        f"{export}. On disk the mirror takes {bench.disk('chats.db')} of that (aim 1.50), the floor"
        f" {bench.disk('floor.db')}."
    )


def measure_peers(report: Report, bench: ratios.Bench, every: Sequence[peers.Installed]) -> None:
    """Measure the other programs on the same file."""
    report.say("## Other programs, the same file")
    report.say(
        "`import : it` is what `import` of chatmirror takes, divided by what the program takes. The search is for a"
        " rare word: of a program with a server the server's answer, of every other one a whole process."
    )
    report.table(peers.HEAD, peers.lines(every, bench))


def measure_cases(report: Report, folder: Path, sizes: CaseSizes, *, gigabyte: bool) -> None:
    """Measure single cases."""
    report.say("## Single cases")
    report.say("Syncs are against the simulated service, in another process, without waits.")
    report.table(single_cases.HEAD, single_cases.lines(folder, sizes, gigabyte=gigabyte))


def measured(report: Report, folder: Path, extent: Extent, environments: Path | None, *, gigabyte: bool) -> str:
    """Measure everything in a folder, other programs where there is one for them; return the curves."""
    every = []
    if environments is not None:
        environments.mkdir(parents=True, exist_ok=True)
        every = [peers.installed(peer, environments) for peer in peers.PEERS]
        report.say(f"Beside it: {', '.join(f'{found.peer.name} {found.version or found.reason}' for found in every)}.")
    export = folder / "conversations.json"
    messages = write_export(export, extent.conversations)
    size = f"{extent.conversations:,} conversations, {messages:,} messages, {size_of(export) / MB:,.1f} MB"
    bench = ratios.Bench(folder, extent.times, export, planted_words()[1])
    measure_commands(report, bench, f"The export: {size} of made-up words")
    if every:
        measure_peers(report, bench, every)
    measure_cases(report, folder, extent.cases, gigabyte=gigabyte)
    return growth.measure(report, folder, extent.sizes, extent.pages)


@click.command()
@click.option("--conversations", default=2_000, show_default=True, help="Size of the export.")
@click.option("--times", default=3, show_default=True, help="Runs of each command; the best one counts.")
@click.option("--largest", default=10_000, show_default=True, help="Conversations of the largest mirror that grows.")
@click.option("--gigabyte", is_flag=True, help="Import an export of 1 GB as well, which takes minutes.")
@click.option("--peers", "environments", type=FOLDER, help="Keep the other programs' environments there.")
@click.option("--write", "target", type=FOLDER, help="Write RESULTS.md and growth.svg there.")
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
    if target is not None:
        target.mkdir(parents=True, exist_ok=True)
    report = Report()
    report.say("# What chatmirror costs")
    options = "--quick" if quick else f"--conversations {conversations} --times {times} --largest {largest}"
    options += " --gigabyte" if gigabyte else ""
    report.say(f"Written by `python -m benchmarks {options} --write benchmarks`. {machine()}")
    extent = QUICK if quick else Extent(conversations, times, CaseSizes(), growth.sizes_up_to(largest), growth.PAGES)
    with tempfile.TemporaryDirectory() as name:
        kept = environments or (None if quick else Path(name, "environments"))
        try:
            drawing = measured(report, Path(name), extent, kept and kept.absolute(), gigabyte=gigabyte)
            if target is not None:
                (target / "growth.svg").write_text(drawing, encoding="utf-8")
        finally:  # an hour's figures are not lost to what comes last
            if target is not None:
                report.write(target / "RESULTS.md")


if __name__ == "__main__":
    main()
