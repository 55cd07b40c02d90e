"""Datasette's front page, in this process: where one mirror is all there is, it leads to that one's home page."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from datasette.app import Datasette  # type: ignore[import-untyped] # it has no types
from mirrors import bakery
from served import awaited

if TYPE_CHECKING:
    from pathlib import Path


def answer(files: list[Path], path: str, **settings: Any) -> tuple[int, str | None]:
    """Status and target of an address."""

    async def ask() -> tuple[int, str | None]:
        datasette = Datasette([str(file) for file in files], **settings)
        await datasette.invoke_startup()
        found = await datasette.client.get(path)
        return found.status_code, found.headers.get("location")

    return awaited(ask())


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    bakery(tmp_path / "chats.db")
    return tmp_path / "chats.db"


def test_one_mirror_alone_is_what_the_front_page_leads_to(mirror: Path) -> None:
    assert answer([mirror], "/") == (302, "/chats/-/home")
    assert answer([mirror], "/?all") == (200, None)
    assert answer([mirror], "/", settings={"base_url": "/own/"}) == (302, "/own/chats/-/home")


@pytest.mark.parametrize(
    "denied", [{"allow": False}, {"databases": {"chats": {"tables": {"messages": {"allow": False}}}}}]
)
def test_who_may_not_read_it_is_led_nowhere(mirror: Path, denied: dict[str, Any]) -> None:
    assert answer([mirror], "/", metadata=denied)[1] is None


def test_beside_another_database_the_front_page_stays(mirror: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as conn:
        conn.execute("CREATE TABLE t (a)")
    assert answer([mirror, other], "/") == (200, None)
