"""What a person at a terminal sees while something runs; without a terminal, nothing."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import click

from mirror.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_MEGABYTE = 1_000_000  # bytes of a file between two drawings of the bar


class SilentReport:
    """Prints nothing. See ``mirror.sync.outcome.Report``."""

    def note(self, text: str) -> None:
        """See Report."""

    def fetching(self, total: int) -> None:
        """See Report."""

    def stored(self, title: str) -> None:
        """See Report."""

    def fetching_files(self, total: int) -> None:
        """See Report."""

    def file_came(self, size: int) -> None:
        """See Report."""

    def file_done(self, name: str, size: int, why: str | None = None) -> None:
        """See Report."""


class ProgressReport:
    """Prints what a sync does: lines with ``-v``, else a bar on a terminal.

    See ``mirror.sync.outcome.Report``.
    """

    def __init__(self, *, verbose: bool) -> None:
        self.verbose = verbose
        self.done = self.total = self.file_bytes = 0
        self._in_flight = self._drawn = 0
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def note(self, text: str) -> None:
        """See Report."""
        if self.verbose:
            click.echo(safe(text), err=True)

    def fetching(self, total: int) -> None:
        """See Report."""
        self._close()
        self.total += total
        if not self.verbose and sys.stderr.isatty():
            self._bar = click.progressbar(length=total, label="Fetching", file=sys.stderr, show_pos=True)
            self._bar.__enter__()

    def stored(self, title: str) -> None:
        """See Report."""
        self.done += 1
        if self.verbose:
            click.echo(f"  {self.done}/{self.total} {safe(title)}", err=True)
        elif self._bar is not None:
            self._bar.update(1)

    def fetching_files(self, total: int) -> None:
        """See Report."""
        self._close()
        if not self.verbose and sys.stderr.isatty():
            self._bar = click.progressbar(
                length=total,
                label="Files",
                file=sys.stderr,
                show_pos=True,
                item_show_func=lambda _: f"{(self.file_bytes + self._in_flight) / 1e6:,.1f} MB",
            )
            self._bar.__enter__()

    def file_came(self, size: int) -> None:
        """See Report."""
        self._in_flight = size
        if self._bar is not None and abs(size - self._drawn) >= _MEGABYTE:
            self._drawn = size
            self._bar.render_progress()

    def file_done(self, name: str, size: int, why: str | None = None) -> None:
        """See Report."""
        self.file_bytes += size
        self._in_flight = self._drawn = 0
        if self.verbose:
            done = f"{size:,} bytes" if why is None else f"not stored: {why}"
            click.echo(f"  file {safe(name)}: {safe(done)}", err=True)
        elif self._bar is not None:
            self._bar.update(1, "")

    def stopped(self) -> None:
        """Print what an interruption leaves: everything that was saved."""
        self._close()
        left = f", {self.total - self.done:,} left" if self.total else ""
        click.echo(f"chatmirror: stopped; {self.done:,} conversations saved{left}. Run again to continue.", err=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


@contextmanager
def item_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield ``progress(done, total)``; draws a bar on a terminal."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(1, total)
            bar.update(done - bar.pos)

        yield progress
