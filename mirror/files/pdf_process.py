"""The process that reads PDF files for ``mirror.files.pdf``: a path in JSON comes in on a line, its text goes out."""

from __future__ import annotations

import json
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path

from mirror.files.pdf import PDF_MEMORY, PDF_SECONDS
from mirror.files.text import LONGEST_TEXT


def main() -> None:
    """Answer until the input ends."""
    logging.disable()
    _limit_memory()
    for line in sys.stdin:
        # Should nobody be left to end this process, it ends itself.
        if hasattr(signal, "alarm"):
            signal.alarm(2 * PDF_SECONDS)
        sys.stdout.write(json.dumps(_text_of(Path(json.loads(line)))) + "\n")
        sys.stdout.flush()


def _limit_memory() -> None:
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limits
        import resource  # noqa: PLC0415 - see above

        resource.setrlimit(resource.RLIMIT_AS, (PDF_MEMORY, PDF_MEMORY))


def _text_of(path: Path) -> str:
    """Return the text up to the first page that cannot be read."""
    from pypdf import PdfReader  # noqa: PLC0415 - an extra

    found: list[str] = []
    length = 0
    # Whatever a damaged file makes the library raise, there is no more text.
    with suppress(Exception), PdfReader(path) as reader:
        for page in reader.pages:
            text = page.extract_text()
            found.append(text)
            length += len(text) + 1
            if length > LONGEST_TEXT:
                break
    return "\n".join(found)


if __name__ == "__main__":
    main()
