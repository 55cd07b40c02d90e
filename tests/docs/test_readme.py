"""README.md, and the commands and queries of every page, against the program."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from doc_tables import DOCS, ROOT, blocks, codes, page, rows, sections

from mirror import errors
from mirror.cli.group import cli
from mirror.services import SERVICES

if TYPE_CHECKING:
    from pathlib import Path

README = page("../README.md")
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("[CS]*.md")), *sorted(DOCS.glob("*.md"))]
# A command in a code span or a line of a block, maybe out of an environment.
_COMMAND = re.compile(r"(?:^|&& |\d \* \* \* +)(?:\.venv/bin/)?chatmirror ([a-z]+)((?: [^\s#|]+)*)", re.MULTILINE)


def queries() -> list[str]:
    """Return every SQL statement of the pages."""
    found = [part for path in PAGES for block in blocks(path.read_text("utf-8"), "sql") for part in block.split(";")]
    return [part.strip() for part in found if part.strip()]


@pytest.mark.parametrize("query", queries())
def test_queries_answer(demo: tuple[Path, str], query: str) -> None:
    """Each SQL query of the pages gives rows on the demo's mirror."""
    with closing(sqlite3.connect(demo[0] / "chats.db")) as conn:
        assert conn.execute(query).fetchall()


def test_there_are_queries() -> None:
    """The pages show what SQL is good for."""
    assert len(queries()) >= 5


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Each link to a file of the repository, and to a heading in one."""
    text = path.read_text("utf-8")
    wrong = []
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)", text):
        file = path.parent / target if target else path
        found = sections(file.read_text("utf-8")) if anchor and file.is_file() else {}
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}
        if not file.exists() or (anchor and anchor not in anchors):
            wrong.append(f"{target}#{anchor}")
    assert wrong == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_exist(path: Path) -> None:
    """Each command that a page names is one, and has the options that the page gives it."""
    text = re.sub(r"<!-- \[\[\[cog.*\[\[\[end\]\]\] -->", "", path.read_text("utf-8"), flags=re.DOTALL)
    shown = [*codes(text), *blocks(text, "")]
    wrong = []
    for name, rest in [match for one in shown for match in _COMMAND.findall(one)]:
        command = cli.commands.get(name)
        options = {option for parameter in command.params for option in parameter.opts} if command else set()
        given = {word.partition("=")[0] for word in rest.split() if re.match(r"--|-.$", word)}
        if command is None or not given <= options:
            wrong.append(f"{name}{rest}")
    assert wrong == []


def test_every_command_has_its_help_in_the_documents() -> None:
    """What ``--help`` says stands there, too; ``cog`` keeps it current."""
    headings = sections(page("commands.md"))
    assert [name for name in cli.commands if f"chatmirror {name}" not in headings] == []


def test_exit_codes_are_as_written() -> None:
    """Every code that the program can end with has its line."""
    written = {
        int(code) for cells in rows(sections(page("troubleshooting.md"))["Exit codes"]) for code in cells[0].split(", ")
    }
    kinds: list[type[errors.ChatmirrorError]] = [errors.ChatmirrorError, *errors.ChatmirrorError.__subclasses__()]
    assert written == {kind.exit_code for kind in kinds} | {0, 130, 143}


def test_environment_variables_are_as_written() -> None:
    """Each variable that the program reads is named, and no other."""
    program = "".join(path.read_text("utf-8") for path in (ROOT / "mirror").rglob("*.py"))
    read = set(re.findall(r'"((?:CHATMIRROR|CHATGPT)_[A-Z_]+)"', program))
    named = set(
        re.findall(r"\b(?:CHATMIRROR|CHATGPT)_[A-Z_]+\b", sections(page("commands.md"))["Environment variables"])
    )
    assert named == read


def test_tables_that_the_pages_name_are_there(demo: tuple[Path, str]) -> None:
    """The tables, views and columns that a reader is sent to."""
    with closing(sqlite3.connect(demo[0] / "chats.db")) as conn:
        tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_master")}
        columns = {f"{table}.{row[1]}" for table in tables for row in conn.execute(f'PRAGMA table_info("{table}")')}
    known = tables | columns | {column.partition(".")[2] for column in columns} | {"datasette"}
    named = {
        code for code in codes(sections(page("search.md"))["In SQL"]) if re.fullmatch(r"_?[a-z]+([_.][a-z]+)*", code)
    }
    assert sorted(named - known) == []
    assert {"conversations", "messages", "thread", "sync_runs", "conversations.is_complete"} <= named


def test_what_is_not_mirrored_is_in_the_readme() -> None:
    """Each thing that ``status`` names stands in the table, in the same words."""
    (table,) = [rows(text) for title, text in sections(README).items() if title.startswith("What is mirrored")]
    told = " ".join(cells[1] for cells in table)
    assert not [name for name in SERVICES["chatgpt"].not_mirrored if name not in told]
