"""Read the tables and headings of the pages in docs/, so that tests can compare them with the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
_CODE = re.compile(r"`([^`]+)`")
_FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
_RULE = re.compile(r"\|[\s:|-]+\|")


def page(name: str) -> str:
    """Return the text of a page: ``limits.md`` in docs/, or ``../README.md``."""
    return (DOCS / name).read_text("utf-8")


def sections(text: str) -> dict[str, str]:
    """Return heading -> the lines below it, up to the next heading of any level. Headings in code blocks are none."""
    found: dict[str, list[str]] = {}
    heading, is_code = "", False
    for line in text.splitlines():
        is_code ^= line.lstrip().startswith("```")
        if not is_code and (match := re.match(r"#+ (.+)", line)):
            heading = match[1].strip()
        found.setdefault(heading, []).append(line)
    return {name: "\n".join(lines) for name, lines in found.items()}


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each table row, headings left out."""
    lines = text.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        is_heading = bool(_RULE.fullmatch(after))
        if line.startswith("|") and not is_heading and not _RULE.fullmatch(line):
            yield [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def codes(text: str) -> list[str]:
    """Return what stands in single backticks, outside of code blocks."""
    return _CODE.findall(_FENCED.sub("", text))


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
