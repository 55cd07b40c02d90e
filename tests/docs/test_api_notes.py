"""docs/api-notes.md: every reference to one of its sections leads to a heading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from doc_tables import DOCS, ROOT, page, sections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NUMBER = re.compile(r"§\s?(\d+(?:\.\d+)*)")
_HEADING = re.compile(r"(\d+(?:\.\d+)*)\.? ")
_MARK = re.compile(r"`\[([^\]]+)\]`")
FOLDERS = ("mirror", "tests", "migrations", "benchmarks", "docs")


def files() -> Iterator[Path]:
    """Yield every text of the tree that may refer to the notes."""
    for folder in FOLDERS:
        for suffix in ("*.py", "*.md", "*.html", "*.js", "*.css"):
            yield from (ROOT / folder).rglob(suffix)
    yield from ROOT.glob("*.md")


def headings() -> list[str]:
    """Return the numbers of the sections, in the order of the page."""
    return [match[1] for heading in sections(page("api-notes.md")) if (match := _HEADING.match(heading))]


def test_every_reference_has_its_heading() -> None:
    """``API notes §3.4`` anywhere in the tree leads somewhere; what does not is named with its file."""
    known = set(headings())
    lost = {
        f"{path.relative_to(ROOT)}: §{number}"
        for path in files()
        for number in _NUMBER.findall(path.read_text("utf-8"))
        if number not in known
    }
    assert lost == set()


def test_sections_are_in_order() -> None:
    """Numbers rise and none comes twice, so that a reader finds a section by turning pages."""
    numbers = [tuple(map(int, number.split("."))) for number in headings()]
    assert numbers == sorted(set(numbers))


def test_marks_of_confidence_are_those_explained() -> None:
    """Only the three marks that the page explains, with a date or a word more where there is one."""
    strange = [mark for mark in _MARK.findall(page("api-notes.md")) if not re.match(r"(2\+|1|inf)(, .+)?$", mark)]
    assert strange == []


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_pages_name_no_machine_and_no_secret(path: Path) -> None:
    """No page holds a path of somebody's computer, a real address or anything that looks like a token."""
    text = path.read_text("utf-8")
    assert not re.search(r"/(?:home|root|work|tmp|Users)/\w", text)
    assert not re.search(r"eyJ[\w-]{10,}|\b[\w.+-]+@(?!example\.)[\w-]+\.\w+", text)
