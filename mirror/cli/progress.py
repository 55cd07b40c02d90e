"""What a person at a terminal sees while something runs; without a terminal, nothing."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import click

from mirror.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


REQUESTS = "chatmirror.web"  # the logger that has a line for each request (mirror.connectors)
_ERASE_REST = "\x1b[K"
_BAR, _LEAST_BAR = (
    36,
    10,
)  # columns of a bar: click's own choice; so few that a line of 40 columns has room for the count
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
    """Prints what a sync does: lines with ``-v``; else, on a terminal, a bar, and one line where nothing is to count.

    See ``mirror.sync.outcome.Report``.
    """

    def __init__(self, *, verbose: bool) -> None:
        self.verbose = verbose
        self.done = self.total = self.file_bytes = 0
        self._in_flight = self._drawn = 0
        self._bar: Any = None
        self._line = StatusLine() if not verbose and sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        if self._line is not None:
            self._line.close()

    def note(self, text: str) -> None:
        """See Report."""
        if self.verbose:
            click.echo(safe(text), err=True)
        elif self._line is not None:
            self._line.say(text)

    def fetching(self, total: int) -> None:
        """See Report."""
        self._close()
        self.total += total
        self._begin_bar("Fetching", total)

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
        self._begin_bar("Files", total, lambda _: f"{(self.file_bytes + self._in_flight) / 1e6:,.1f} MB")

    def _begin_bar(self, label: str, total: int, extra: Callable[[Any], str] | None = None) -> None:
        if self._line is not None and total:
            self._line.pause()
            self._bar = bar(label, total, extra)
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

    def stopped(self) -> str:
        """Close what is drawn; return what an interruption leaves: everything that was saved."""
        self._close()
        if self._line is not None:
            self._line.close()
        left = f", {self.total - self.done:,} left" if self.total else ""
        return (
            f"stopped; {self.done:,} conversations saved in this run{left}. What is saved stays. Run again to continue."
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
            if self._line is not None:
                self._line.go_on()


class StatusLine(logging.Handler):
    """One line of a terminal that is written over: what was last said, and how many requests were sent.

    A first run reads lists for minutes before there is anything to count.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._said, self._requests, self._is_paused = "Signing in", 0, False
        self._logger = logging.getLogger(REQUESTS)
        self._level = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)
        self._draw()

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - only that there was one
        """Count a request."""
        self._requests += 1
        self._draw()

    def say(self, text: str) -> None:
        """Show what is done now."""
        self._said = text
        self._draw()

    def pause(self) -> None:
        """Leave the line to something else."""
        self._erase()
        self._is_paused = True

    def go_on(self) -> None:
        """Take the line again."""
        self._is_paused = False

    def close(self) -> None:
        """Leave no trace."""
        if not self._is_paused:
            self._erase()
        self._is_paused = True
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)
        super().close()

    def _draw(self) -> None:
        if self._is_paused:
            return
        count = f" ({self._requests:,} request{'' if self._requests == 1 else 's'})"
        room = columns() - len(count) - 1
        said = safe(self._said)
        said = said if len(said) <= room else said[: max(0, room - 1)] + "…"
        self._write(f"\r{said}{count}{_ERASE_REST}")

    def _erase(self) -> None:
        self._write(f"\r{_ERASE_REST}")

    def _write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def columns() -> int:
    """Return how wide the terminal on stderr is, 80 where it does not say."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def bar(label: str, total: int, extra: Callable[[Any], str] | None = None) -> Any:
    """Return a bar on stderr that fits into one line; ``extra``: what to show beside the count."""
    count = 2 * len(str(total)) + 1
    others = len(label) + len("  []  ") + count + (len("  99,999.9 MB") if extra else 0) + 1
    has_eta = columns() - others - len("  1d 00:00:00") >= _LEAST_BAR
    width = min(_BAR, columns() - others - (len("  1d 00:00:00") if has_eta else 0))
    return click.progressbar(
        length=total,
        label=label,
        file=sys.stderr,
        show_pos=True,
        show_eta=has_eta,
        width=max(1, width),
        item_show_func=extra,
    )


@contextmanager
def item_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield ``progress(done, total)``; draws a bar on a terminal."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    width = max(1, min(_BAR, columns() - len(label) - len("  []  100%  1d 00:00:00") - 1))
    with click.progressbar(length=1, label=label, file=sys.stderr, width=width) as drawn:

        def progress(done: int, total: int) -> None:
            drawn.length = max(1, total)
            drawn.update(done - drawn.pos)

        yield progress
