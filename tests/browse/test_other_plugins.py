"""Tools and plugins that people use on the same file, with the commands that docs/search.md gives."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from commands import run
from datasette.app import Datasette  # type: ignore[import-untyped] # it has no types
from mirrors import open_mirror
from served import awaited

from mirror.browse.graphql import help_graphql

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "search.md").read_text("utf-8")


@pytest.fixture
def mirror(demo: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the demo's mirror, its log folded in."""
    source = next(demo[0].glob("**/*.db"))
    path = tmp_path / "chats.db"
    with closing(sqlite3.connect(source)) as conn:
        conn.execute("VACUUM INTO ?", (str(path),))
    return path


def test_sqlite_utils_makes_the_indexes_anew_that_are_named(mirror: Path) -> None:
    """Without names it meets ``messages_cjk``, whose text FTS5 does not have."""
    command = re.search(r"sqlite-utils rebuild-fts chats.db [a-z_ ]+", PAGE)
    assert command
    assert run(mirror.parent, *command[0].split()) == (0, "", "")
    with closing(sqlite3.connect(mirror)) as conn:
        assert conn.execute("SELECT count(*) FROM messages_fts WHERE messages_fts MATCH 'bread'").fetchone()[0]


OTHERS = ("search_all", "graphql", "auth_passwords", "mcp", "export_notebook")
PAGES = ("chats", "chats/conversations", "chats/messages", "chats/longest_conversations", "chats/-/home")


@pytest.mark.skipif(
    not any(find_spec(f"datasette_{name}") for name in OTHERS), reason="none of the other plugins is installed"
)
def test_pages_stay_whole_beside_other_plugins(mirror: Path) -> None:
    """Datasette's pages of a mirror, ours, and those of the plugins that are installed."""
    theirs = {"search_all": "-/search?q=bread", "export_notebook": "chats/conversations.Notebook"}
    for page in (*PAGES, *(page for name, page in theirs.items() if find_spec(f"datasette_{name}"))):
        assert awaited(_get(mirror, page)) == 200, page


@pytest.mark.skipif(find_spec("datasette_graphql") is None, reason="datasette-graphql is not installed")
def test_graphql_answers_for_a_mirror(mirror: Path) -> None:
    """Though its hidden tables refer to those that are shown."""
    path = mirror.rename(mirror.with_name("asked.db"))  # it keeps the first Datasette that it sees with each name
    found = awaited(_ask(path, '{messages(search: "bread") {nodes {conversation_id {title}}}}'))
    assert found["data"]["messages"]["nodes"][0]["conversation_id"]["title"]


class Reference(NamedTuple):
    """As sqlite-utils names a foreign key."""

    table: str


class Known(NamedTuple):
    """What datasette-graphql knows of a table."""

    fks_back: list[Reference]


def test_graphql_learns_of_no_hidden_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a mirror it is told of references from tables that are shown, of other databases of all; once in a process."""
    utils = SimpleNamespace(introspect_tables=lambda _: {"x": Known([Reference("messages"), Reference("_payloads")])})
    monkeypatch.setitem(sys.modules, "datasette_graphql.utils", utils)
    help_graphql()
    once = utils.introspect_tables
    help_graphql()
    assert utils.introspect_tables is once
    with closing(open_mirror()) as ours, closing(sqlite3.connect(":memory:")) as theirs:
        assert utils.introspect_tables(ours) == {"x": Known([Reference("messages")])}
        assert len(utils.introspect_tables(theirs)["x"].fks_back) == len(("messages", "_payloads"))


async def _started(path: Path) -> Datasette:
    datasette = Datasette([str(path)])
    await datasette.invoke_startup()
    return datasette


async def _get(path: Path, page: str) -> int:
    answer = await (await _started(path)).client.get(f"/{page}")
    return int(answer.status_code)


async def _ask(path: Path, query: str) -> Any:
    answer = await (await _started(path)).client.post(f"/graphql/{path.stem}", json={"query": query})
    assert answer.status_code == 200, answer.text
    return answer.json()
