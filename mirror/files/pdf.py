"""The text of PDF files, by pypdf where it is installed, in a process of its own.

A file can be made so that reading it takes hours or all memory. So it is read in another process, which may take only
so much of both; that costs the text of this one file.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from contextlib import suppress
from threading import Timer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Seconds for the text of one PDF. Fewer: long ones are not searched; more: one made to be slow costs so much of a run.
PDF_SECONDS = 20
# Bytes of address space for it; Python and pypdf take 150 MB of it. Fewer: large ones are not searched; more: a run
# takes more memory than it should.
PDF_MEMORY = 512 * 1024 * 1024
# Bytes of a PDF beyond which it is not read: such ones are scanned pictures.
LARGEST_PDF = 64 * 1024 * 1024
_OWN_NAMES = ("CHATGPT_", "CHATMIRROR_")


def has_pdf_reader() -> bool:
    """Tell whether PDF files can be read: the extra ``chatmirror[pdf]`` is installed."""
    return importlib.util.find_spec("pypdf") is not None


class PdfTexts:
    """Reads PDF files. Use as a context manager: its process ends with it.

    ``command``: another process that answers as ``mirror.files.pdf_process`` does.
    """

    def __init__(self, seconds: float = PDF_SECONDS, command: Sequence[str] | None = None) -> None:
        # -P: nothing is imported from the folder in which the command was given.
        own = [sys.executable, "-P", "-m", "mirror.files.pdf_process", str(2 * seconds)]
        self.seconds, self._command = seconds, own if command is None else command
        self._process: subprocess.Popen[str] | None = None
        self._cannot_start = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def text_of(self, path: Path) -> tuple[str, bool] | None:
        """Return the text of a PDF and whether that is all of it; None where no process can be started to read it.

        Empty and not all of it where it is damaged, or takes too much time or memory; may raise OSError.
        """
        if path.stat().st_size > LARGEST_PDF:
            return "", False
        process = self._running()
        if process is None:
            return None
        found = self._answer(process, str(path))
        if found is None:
            self._end()
            return "", False
        text, is_whole = found
        return str(text), bool(is_whole)

    def _running(self) -> subprocess.Popen[str] | None:
        if self._process is not None and self._process.poll() is not None:
            self._end()  # somebody ended it
        if self._process is None and not self._cannot_start:
            self._process = _started(self._command)
            if self._answer(self._process, "") is None:
                self._end()
                self._cannot_start = True
        return self._process

    def _answer(self, process: subprocess.Popen[str], asked: str) -> Any:
        """Return the answer to a path, or to nothing at all; None where the process ends instead."""
        if process.stdin is None or process.stdout is None:
            return None
        timer = Timer(self.seconds, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())
        except (OSError, ValueError):  # it was ended, or ran out of memory
            return None
        finally:
            timer.cancel()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            with suppress(OSError, ValueError):  # what it was to be told and never read
                self._process.communicate()
            self._process = None


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own module
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env=_without_secrets(os.environ),
    )


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what is ours, such as the login: it reads what anybody may have sent."""
    return {name: value for name, value in environ.items() if not name.upper().startswith(_OWN_NAMES)}
