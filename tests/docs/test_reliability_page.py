"""docs/reliability.md: the tests that it names exist, and its exit codes are those of the program."""

from __future__ import annotations

import ast
import re

import pytest
from doc_tables import ROOT, codes, page, rows, sections

from mirror import errors

_TEST = re.compile(r"tests/[\w/]+\.py::\w+")


def named() -> list[str]:
    """Return the tests that the page names."""
    return sorted({code for code in codes(page("reliability.md")) if "::" in code})


@pytest.mark.parametrize("name", named())
def test_the_test_exists(name: str) -> None:
    """A promise whose test was renamed or removed is named."""
    assert _TEST.fullmatch(name)
    path, function = name.split("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_promise_has_a_test() -> None:
    """No row of a table of promises, or of faults, is without one."""
    promises = sections(page("reliability.md"))
    for heading in ("Complete", "Current", "Durable", "Private", "Polite", "Findable", "Faults and their tests"):
        assert rows(promises[heading])
        assert [cells[0] for cells in rows(promises[heading]) if "::" not in cells[1]] == []


def test_exit_codes_are_as_written() -> None:
    """Each code of an error class stands on the page with its class."""
    written = {int(cells[0]): cells[1] for cells in rows(sections(page("reliability.md"))["Exit codes"]) if cells[1]}
    found = errors.ChatmirrorError.__subclasses__()
    real = {kind.exit_code: f"`{kind.__name__}`" for kind in found if kind.exit_code != 1}
    assert written == real


def test_the_order_of_severity_is_as_written() -> None:
    """Of several causes the most severe decides."""
    stated = re.search(r"most severe one decides: ([\d, ]+)\.", page("reliability.md"))
    assert stated is not None
    assert [int(number) for number in stated[1].split(", ")] == [kind.exit_code for kind in errors.SEVERITY]
