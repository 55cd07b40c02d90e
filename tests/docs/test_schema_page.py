"""docs/schema.md against the schema that the migrations make."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from doc_tables import ROOT, codes, page, rows, sections
from mirrors import open_mirror

from mirror import errors
from mirror.rows import KINDS
from mirror.store.descriptions import table_descriptions
from mirror.store.known_queries import KNOWN_QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = page("schema.md")
SECTIONS = sections(TEXT)
# What SQLite and sqlite-utils make for themselves; the page says so in one sentence.
NOT_OURS = re.compile(
    r"sqlite_.*|_sqlite_migrations|idx__sqlite_migrations_.*|(messages|conversations|files|file_texts)_(fts|cjk)(_.*)?"
)


@pytest.fixture(scope="module")
def conn() -> Iterator[sqlite3.Connection]:
    """A new mirror."""
    with closing(open_mirror()) as opened:
        yield opened


def names(conn: sqlite3.Connection, kind: str) -> set[str]:
    """Return the names of tables, views, indexes or triggers that are ours."""
    found = conn.execute("SELECT name FROM sqlite_master WHERE type = ? AND sql IS NOT NULL", (kind,))
    return {row[0] for row in found if not NOT_OURS.fullmatch(row[0])}


def real_columns(conn: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    """Return name and type of each column, the type as the page writes it."""
    found = []
    for row in conn.execute(f'PRAGMA table_info("{table}")'):
        is_not_null = row["notnull"] and not (row["pk"] and row["type"] == "INTEGER")
        found.append((row["name"], row["type"] + " not null" * bool(is_not_null) + " key" * bool(row["pk"])))
    return found


def written_columns(heading: str) -> list[tuple[str, str]]:
    """Return what the page says of a table's columns."""
    return [(codes(cells[0])[0], cells[1]) for cells in rows(SECTIONS[heading])]


def headings() -> set[str]:
    """Return the tables and views that the page has a section for."""
    return {match[1] for heading in SECTIONS if (match := re.fullmatch(r"`(\w+)`", heading))}


def test_every_table_and_view_has_its_section(conn: sqlite3.Connection) -> None:
    """Nothing undocumented, and nothing documented that is not there."""
    assert headings() == names(conn, "table") | names(conn, "view")


@pytest.mark.parametrize("table", sorted(headings()))
def test_columns_are_as_written(conn: sqlite3.Connection, table: str) -> None:
    """Name, type and order of each column."""
    assert written_columns(f"`{table}`") == real_columns(conn, table)


@pytest.mark.parametrize("table", sorted(headings()))
def test_datasette_shows_what_the_page_says(table: str) -> None:
    """Of the table its first paragraph, of each column its meaning, with the marks of Markdown left out."""
    text = SECTIONS[f"`{table}`"].split("\n", 1)[1].split("\n\n", 1)[0].replace("\n", " ").removesuffix("Contract.")
    described = table_descriptions()[table]
    assert described.text == text.replace("`", "").strip()
    meanings = [(codes(cells[0])[0], cells[2].replace("`", "")) for cells in rows(SECTIONS[f"`{table}`"])]
    assert list(described.columns.items()) == meanings


def test_known_queries_are_as_written() -> None:
    """Name and title of each, in docs/search.md."""
    written = [
        cells
        for cells in rows(sections(page("search.md"))["Queries that are ready to use"])
        if len(cells) == len(("name", "title"))
    ]
    assert written == [[f"`{query.name}`", query.title] for query in KNOWN_QUERIES]


def test_public_tables_are_promised_and_plumbing_is_not() -> None:
    """Each public section says that it is contract; those of plumbing stand under their own heading."""
    for name in headings():
        assert ("Contract." in SECTIONS[f"`{name}`"]) is not name.startswith("_"), name


def test_indexes_are_as_written(conn: sqlite3.Connection) -> None:
    """Name, table and columns of each index."""
    written = {codes(cells[0])[0]: codes(cells[1])[0] for cells in rows(SECTIONS["Indexes"])}
    real = {}
    for name in names(conn, "index"):
        table = conn.execute("SELECT tbl_name FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
        columns = [row["name"] for row in conn.execute(f"PRAGMA index_info({name})")]
        real[name] = f"{table}({', '.join(columns)})"
    assert written == real


def test_full_text_indexes_are_as_written(conn: sqlite3.Connection) -> None:
    """Column and tokenizer of each FTS5 table, and the triggers."""
    section = SECTIONS["Full-text indexes"]
    for table, column, tokenizer, _ in rows(section):
        sql = conn.execute("SELECT sql FROM sqlite_master WHERE name = ?", (codes(table)[0],)).fetchone()[0]
        assert codes(tokenizer)[0] in sql
        assert [row["name"] for row in conn.execute(f"PRAGMA table_info({codes(table)[0]})")] == codes(column)
    assert set(codes(section.partition("Triggers:")[2])) == names(conn, "trigger")


@pytest.mark.parametrize(
    "column",
    ["messages.kind", "links.kind", "attachments.kind", "_payloads.origin", "sync_runs.command", "accounts.structure"],
)
def test_values_in_a_mirror_are_among_those_written(demo: tuple[Path, str], column: str) -> None:
    """Where the page names the values of a column, the demo's mirror has no other."""
    table, name = column.split(".")
    cells = next(cells for cells in rows(SECTIONS[f"`{table}`"]) if cells[0] == f"`{name}`")
    with closing(sqlite3.connect(demo[0] / "chats.db")) as conn:
        found = {row[0] for row in conn.execute(f"SELECT DISTINCT {name} FROM {table} WHERE {name} IS NOT NULL")}
    assert found <= set(codes(cells[2]))
    assert found


def test_kinds_of_changes_are_as_written(demo: tuple[Path, str]) -> None:
    """Each kind that the demo's mirror has is on the page, and each on the page is a word of the program."""
    written = {kind for cells in rows(SECTIONS["Kinds of changes"]) for kind in codes(cells[0])}
    with closing(sqlite3.connect(demo[0] / "chats.db")) as conn:
        assert {row[0] for row in conn.execute("SELECT DISTINCT kind FROM changes")} <= written
    program = "".join(path.read_text("utf-8") for path in (ROOT / "mirror").rglob("*.py"))
    assert [kind for kind in written if f'"{kind}"' not in program] == []


def test_kinds_of_messages_are_as_written() -> None:
    """The words of ``messages.kind``."""
    cells = next(cells for cells in rows(SECTIONS["`messages`"]) if cells[0] == "`kind`")
    assert tuple(codes(cells[2])) == KINDS


def test_outcomes_of_runs_are_as_written() -> None:
    """The words of ``sync_runs.outcome``: those of the errors, and the endings that are none."""
    found = [errors.ChatmirrorError]
    for kind in found:
        found += kind.__subclasses__()
    written = set(codes(SECTIONS["`sync_runs`"].partition("\n\n`outcome` is")[2]))
    of_status = {errors.NotFreshError.outcome}  # which is no run
    assert written == {kind.outcome for kind in found} - of_status | {"current", "dry run", "interrupted", "bug"}
