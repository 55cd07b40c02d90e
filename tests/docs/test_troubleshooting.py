"""docs/troubleshooting.md quotes the lines that the program prints: a person looks for the words that they saw."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from doc_tables import page, rows, sections

import mirror

OF_THE_SHELL = "command not found, in cron's mail"
CELLS = [line for line, _ in rows(sections(page("troubleshooting.md"))["It says"]) if line != OF_THE_SHELL]
LINES = [line for cell in CELLS for line in cell.split(", or: ")]


@cache
def texts() -> frozenset[str]:
    """Return all texts in the program's source, with an ellipsis for each value in them."""
    found = set()
    for path in Path(mirror.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                found.add("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return frozenset(found)


@pytest.mark.parametrize("line", LINES)
def test_a_quoted_line_is_one_that_the_program_prints(line: str) -> None:
    assert any(line in text for text in texts())


def test_there_are_lines_to_compare() -> None:
    assert len(LINES) > 5
