"""The process that reads PDF files for ``mirror.files.pdf``.

A path in JSON comes in on a line; its text goes out, with whether that is all of it. An empty path is answered as soon
as files can be read.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path

from mirror.files.pdf import PDF_MEMORY
from mirror.files.text import LONGEST_TEXT


def main(most_seconds: float) -> None:
    """Answer until the input ends. ``most_seconds``: for one answer, should nobody be left to end this process."""
    logging.disable()
    _limit_memory()
    import pypdf  # noqa: F401, PLC0415 - an extra; a process that lacks it ends before it answers

    for line in sys.stdin:
        _set_alarm(most_seconds)
        path = json.loads(line)
        sys.stdout.write(json.dumps(_text_of(Path(path)) if path else ["", True]) + "\n")
        sys.stdout.flush()
        _set_alarm(0)


def _set_alarm(seconds: float) -> None:
    """Let this process end after so many seconds; 0: not any more."""
    if hasattr(signal, "setitimer"):  # Windows has none
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limits
        import resource  # noqa: PLC0415 - see above

        resource.setrlimit(resource.RLIMIT_AS, (PDF_MEMORY, PDF_MEMORY))


def _text_of(path: Path) -> tuple[str, bool]:
    """Return the text up to the first page that cannot be read, and whether that is all of it."""
    from pypdf import PdfReader  # noqa: PLC0415 - an extra

    found: list[str] = []
    left = LONGEST_TEXT + 1  # a line's end stands between pages only
    is_whole = False
    # Whatever a damaged file makes the library raise, there is no more text.
    with suppress(Exception), PdfReader(path) as reader:
        for page in reader.pages:
            text = page.extract_text()
            found.append(text[:LONGEST_TEXT])
            left -= len(text) + 1
            if left < 0:
                break
        is_whole = left >= 0
    return "\n".join(found)[:LONGEST_TEXT], is_whole


if __name__ == "__main__":
    main(float(sys.argv[1]))
