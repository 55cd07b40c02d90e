"""docs/glossary.md: what it points to is there."""

from __future__ import annotations

import importlib
import re
from contextlib import closing
from functools import cache

import pytest
from doc_tables import codes, page, rows
from mirrors import open_mirror

TERMS = list(rows(page("glossary.md")))


@cache
def schema() -> frozenset[str]:
    """Return every table, and every column as ``table.column``."""
    with closing(open_mirror()) as conn:
        tables = [row["name"] for row in conn.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
        columns = {f"{t}.{row['name']}" for t in tables for row in conn.execute(f'PRAGMA table_info("{t}")')}
    return frozenset(tables) | columns


def is_in_program(name: str) -> bool:
    """Whether it is a module below ``mirror``, or something in one."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(["mirror", *parts[:n]]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part, None)
        return found is not None
    return False


@pytest.mark.parametrize("cells", TERMS, ids=lambda cells: cells[0])
def test_the_place_of_a_term_exists(cells: list[str]) -> None:
    """A table, column, module or class that was renamed is named here."""
    places = codes(cells[2])
    assert places
    assert [place for place in places if place not in schema() and not is_in_program(place)] == []


def test_terms_are_explained_once() -> None:
    """Each term has one meaning, in one sentence."""
    terms = [cells[0] for cells in TERMS]
    assert sorted(set(terms)) == sorted(terms)
    assert [cells[0] for cells in TERMS if re.search(r"\. [A-Z]", cells[1])] == []
