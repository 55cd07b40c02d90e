"""Tools and plugins that people use on the same file, with the commands that docs/search.md gives."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from commands import run
from datasette.app import Datasette  # type: ignore[import-untyped] # it has no types

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


@pytest.mark.skipif(find_spec("datasette_graphql") is None, reason="datasette-graphql is not installed")
def test_graphql_answers_for_a_copy_without_the_originals(mirror: Path) -> None:
    """As the page says; for the mirror itself it fails."""
    statements = re.findall(r'^sqlite3 (\S+) "(.+)"$', PAGE, re.MULTILINE)
    assert len(statements) == 2
    for name, sql in statements:
        with closing(sqlite3.connect(mirror.parent / name)) as conn:
            conn.execute(sql.replace("VACUUM INTO '", f"VACUUM INTO '{mirror.parent}/"))
            conn.commit()
    found = asyncio.run(_ask(mirror.parent / statements[1][0], '{messages(search: "bread") {nodes {text}}}'))
    assert found["data"]["messages"]["nodes"]


async def _ask(path: Path, query: str) -> Any:
    datasette = Datasette([str(path)])
    await datasette.invoke_startup()
    answer = await datasette.client.post(f"/graphql/{path.stem}", json={"query": query})
    assert answer.status_code == 200, answer.text
    return answer.json()
