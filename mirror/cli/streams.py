"""The standard streams, whatever they lead to: what cannot be printed costs no work and no exit code.

Under cron, in pipes and in scripts a stream can be closed (`2>&-`), its disk full, or its reader gone.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _ForgivingFile(io.FileIO):
    """A file that takes whatever is written to it, and drops what the system does not take."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Make every stream one that can be used: closed ones lead nowhere, errors are printed where they can be."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free number, which is that of the closed stream: no other file, such as the database, is given
            # it. Where something else has it already, the next one does as well.
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - until the process ends
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.stderr = _forgiving(sys.stderr)


def forgive_stdout() -> None:
    """Let stdout take everything: for a command whose work is something else than what it prints."""
    sys.stdout = _forgiving(sys.stdout)


def _forgiving(stream: TextIO) -> TextIO:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # no file, as in a test
        return stream
    raw = _ForgivingFile(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)
