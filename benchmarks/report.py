"""Tables that are printed while they are measured, and written as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from benchmarks.measured import FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


class Report:
    """Paragraphs and tables; a table that cannot go on says why in its last line."""

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
        try:
            for line in lines:
                _print(line)
                kept.append(line)
        except FAILURES as error:
            kept.append([f"the rest did not run: {error}", *[""] * (len(head) - 1)])
            _print(kept[-1])
        click.echo()
        self.parts.append("\n".join(f"| {' | '.join(line)} |" for line in kept))

    def write(self, path: Path) -> None:
        """Write everything as one file."""
        path.write_text("\n\n".join(self.parts) + "\n", encoding="utf-8")

    def write_section(self, path: Path) -> None:
        """Write everything, which begins with a heading, in the place of the section of a file that has it."""
        section = "\n\n".join(self.parts) + "\n"
        written = path.read_text(encoding="utf-8") if path.exists() else ""
        before, _, rest = written.partition(self.parts[0] + "\n")
        _, following, after = rest.partition("\n## ")
        path.write_text(before + section + following + after, encoding="utf-8")


def _print(line: Sequence[str]) -> None:
    click.echo(f"{line[0]:<64}{''.join(f'{cell:>12}  ' for cell in line[1:])}".rstrip())
