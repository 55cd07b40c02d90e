"""Many long searches at once: the other pages are answered all the same."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from datasette.app import Datasette  # type: ignore[import-untyped] # it has no types
from mirrors import bakery
from served import awaited

from mirror.browse import search
from mirror.store.search.search import SearchResult

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

SEARCHES = 12


class LongSearches:
    """Searches that last until they may end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()

    def search(self, _conn: sqlite3.Connection, _asked: search.SearchRequest) -> SearchResult:
        self.begun.release()
        assert self.may_end.wait(60)
        return SearchResult()


@pytest.mark.parametrize(("threads", "at_once"), [(3, 2), (1, 1)])
def test_searches_leave_a_thread_to_the_other_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, at_once: int
) -> None:
    """Of Datasette's three; where somebody gave it a single one, a search takes that."""
    bakery(tmp_path / "chats.db")
    long = LongSearches()
    monkeypatch.setattr(search, "run_search", long.search)

    async def ask() -> list[Any]:
        datasette = Datasette([str(tmp_path / "chats.db")], settings={"num_sql_threads": threads})
        await datasette.invoke_startup()
        searches = [asyncio.create_task(datasette.client.get(f"/chats/-/search?q=rye{n}")) for n in range(SEARCHES)]
        for _ in range(at_once):
            assert await asyncio.to_thread(long.begun.acquire, timeout=60)
        if threads > 1:
            pages = [await datasette.client.get(path) for path in ("/chats/-/home", "/chats/-/conversations")]
            assert [page.status_code for page in pages] == [200, 200]
        assert not long.begun.acquire(blocking=False)
        long.may_end.set()
        return [found.status_code for found in await asyncio.gather(*searches)]

    assert awaited(ask()) == [200] * SEARCHES
