"""Diagnostics on stderr: requests (``-v``) and an error's frames (``CHATMIRROR_DEBUG=1``).

They go through ``logging``, under the name "chatmirror": "chatmirror.web" logs each request at level INFO (method,
path, status and size), "chatmirror.cli" logs at level DEBUG what ended a command. What is logged can be put into a
public bug report: an exception is shown as its type and its frames (file, line, function), never with its own message
or a variable, for those can hold a cookie, a token or the text of a chat. What a run says of titles and projects is no
diagnostics and not logged: it goes to the run's ``Report``.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

import mirror
from mirror.terminal import safe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

LOGGER = "chatmirror"
MOST_FRAMES = 60  # the innermost ones: an endless recursion has a thousand, all alike


class FramesFormatter(logging.Formatter):
    """Formats an exception as its type and frames only."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text that is safe on a terminal."""
        return safe(super().format(record), newlines=True)

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name that logging calls
        """Return the frames of an exception and of those that led to it, the last one first."""
        error = ei[1] if isinstance(ei, tuple) else None
        return "\n".join(_lines(error))


def show_requests() -> None:
    """Log requests to stderr."""
    _log_to_stderr(logging.INFO)


def show_errors() -> None:
    """Log requests, and what ends a command, to stderr."""
    _log_to_stderr(logging.DEBUG)


def log_ending(error: BaseException) -> None:
    """Log what ended a command."""
    logging.getLogger(f"{LOGGER}.cli").debug("This ended the command:", exc_info=error)


def _log_to_stderr(level: int) -> None:
    logger = logging.getLogger(LOGGER)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(FramesFormatter("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)
    logger.setLevel(min(level, logger.level))


def _lines(error: BaseException | None) -> Iterator[str]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield f"{'caused by ' if len(seen) > 1 else ''}{type(error).__name__}"
        yield from _frames(error.__traceback__)
        # Also what ``raise ... from None`` hides: that is done to keep a message from being shown, and none is here.
        error = error.__cause__ or error.__context__


def _frames(trace: TracebackType | None) -> Iterator[str]:
    for frame in extract_tb(trace)[-MOST_FRAMES:]:
        yield f"  {_without_home(frame.filename)}:{frame.lineno} in {frame.name}"


def _without_home(filename: str) -> str:
    """Return a file's path from its package on; what is before it may hold a person's name."""
    roots = sorted([*sys.path, str(Path(mirror.__file__).parents[1])], key=len, reverse=True)
    for root in roots:
        if root and filename.startswith(root + os.sep):
            return filename[len(root) + 1 :]
    return Path(filename).name
