"""Text put into other text: on one line, or in a Markdown fence."""

from __future__ import annotations

import re

_BACKTICKS = re.compile(r"`{3,}")


def one_line(text: str) -> str:
    """Return text on one line, every run of blanks and line ends as one blank."""
    return " ".join(text.split())


def fenced(code: str, language: str = "") -> str:
    """Return code in a Markdown fence that the code itself cannot close."""
    longest = max((len(run) for run in _BACKTICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"
