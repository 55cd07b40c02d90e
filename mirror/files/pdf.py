"""The text of PDF files, by pypdf where it is installed, in a process of its own.

A file can be made so that reading it takes hours or all memory. So it is read in another process, which may take only
so much of both; that costs the text of this one file.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from contextlib import suppress
from threading import Timer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

# Seconds for the text of one PDF. Fewer: long ones are not searched; more: one made to be slow costs so much of a run.
PDF_SECONDS = 20
# Bytes of address space for it; Python and pypdf take 150 MB of it. Fewer: large ones are not searched; more: a run
# takes more memory than it should.
PDF_MEMORY = 512 * 1024 * 1024
# Bytes of a PDF beyond which it is not read: such ones are scanned pictures.
LARGEST_PDF = 64 * 1024 * 1024


def has_pdf_reader() -> bool:
    """Tell whether PDF files can be read: the extra ``chatmirror[pdf]`` is installed."""
    return importlib.util.find_spec("pypdf") is not None


class PdfTexts:
    """Reads PDF files. Use as a context manager: its process ends with it."""

    def __init__(self, seconds: float = PDF_SECONDS) -> None:
        self.seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def text_of(self, path: Path) -> str:
        """Return the text of a PDF; empty where it has none, is damaged, or takes too much time or memory."""
        if not has_pdf_reader() or path.stat().st_size > LARGEST_PDF:
            return ""
        process = self._process = self._process or _started()
        if process.stdin is None or process.stdout is None:
            return ""
        timer = Timer(self.seconds, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(str(path)) + "\n")
            process.stdin.flush()
            return str(json.loads(process.stdout.readline()))
        except (OSError, ValueError):  # it was ended, or ran out of memory
            self._end()
            return ""
        finally:
            timer.cancel()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            with suppress(OSError, ValueError):  # what it was to be told and never read
                self._process.communicate()
            self._process = None


def _started() -> subprocess.Popen[str]:
    # -P: nothing is imported from the folder in which the command was given.
    command = [sys.executable, "-P", "-m", "mirror.files.pdf_process"]
    return subprocess.Popen(  # noqa: S603 - our own module
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
