"""docs/architecture.md and the other pages: floors, paths and links are those of the tree."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from doc_tables import DOCS, ROOT, codes, page, rows, sections

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [*sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]*))?\)")
_PATH = re.compile(r"(?:mirror|tests|docs|benchmarks|migrations)/[\w./]*")
# Where a path in a page may begin: at the top of the tree, or in the package.
_ROOTS = (ROOT, ROOT / "mirror")


def test_the_floors_are_those_of_the_contract() -> None:
    """The table has the layers of import-linter, from top to bottom."""
    written = [codes(cells[0]) for cells in rows(sections(page("architecture.md"))["The floors"])]
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contract if one["type"] == "layers" and one["containers"] == ["mirror"])
    assert written == [[name.strip() for name in re.split(r"[:|]", layer)] for layer in layers]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """A link to another page or to a heading of it."""
    lost = []
    for target, anchor in _LINK.findall(path.read_text("utf-8")):
        other = (path.parent / target).resolve() if target else path
        if not other.exists() or (anchor and anchor not in anchors(other.read_text("utf-8"))):
            lost.append(f"{target}#{anchor}")
    assert lost == []


def anchors(text: str) -> set[str]:
    """Return the anchors that a forge makes of headings."""
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in sections(text))
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_paths_exist(path: Path) -> None:
    """Every file or folder of the tree that a page names in backticks is there."""
    named = {code.partition("::")[0] for code in codes(path.read_text("utf-8"))}
    paths = {name for name in named if _PATH.fullmatch(name) or re.fullmatch(r"[\w/]+\.py|[a-z]+/", name)}
    assert [name for name in sorted(paths) if not any((root / name).exists() for root in _ROOTS)] == []


@pytest.mark.parametrize("name", ["../CONTRIBUTING.md", "architecture.md"])
def test_names_of_the_program_exist(name: str) -> None:
    """A function, class or constant that a page sends a reader to is somewhere in the program."""
    program = "".join(
        path.read_text("utf-8")
        for folder in ("mirror", "tests", "migrations")
        for path in (ROOT / folder).rglob("*.py")
    )
    named = {part for code in codes(page(name)) if re.fullmatch(r"[\w.]+", code) for part in code.split(".")}
    files = {"py", "md", "toml"}
    assert [part for part in sorted(named - files) if not re.search(rf"\b{part}\b", program)] == []


def test_the_picture_is_well_formed_and_says_what_it_shows() -> None:
    """It is drawn without a tool, and read aloud it still says something."""
    root = ET.parse(DOCS / "architecture.svg").getroot()
    kinds = [child.tag.rpartition("}")[2] for child in root]
    assert kinds[:2] == ["title", "desc"]
    words = {text for node in root.iter() if (text := (node.text or "").strip())}
    assert {"sync", "ingest", "normalize", "store", "chats.db"} <= words
