"""A running Datasette as the tests ask it."""

from __future__ import annotations

import asyncio
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


Found = TypeVar("Found")


def awaited(what: Coroutine[Any, Any, Found]) -> Found:
    """Run a coroutine in a thread of its own: another test's browser may keep an event loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, what).result()


class Pages:
    """A running Datasette: ``get`` returns status and text, ``rows`` what a query returns."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def follow(self, path: str) -> str:
        """Return the text of a page, after one redirect if there is one."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            moved, text = answer.headers["location"], answer.read().decode()
        return self.get(moved)[1] if moved else text

    def rows(self, sql: str, database: str = "chats") -> list[list[Any]]:
        query = urlencode({"sql": sql, "_shape": "arrays"})
        status, text = self.get(f"/{database}.json?{query}")
        if status == 302:  # 1.0 has another address for queries
            status, text = self.get(f"/{database}/-/query.json?{query}")
        assert status == 200, text
        found = json.loads(text)
        rows: list[list[Any]] = found["rows"] if isinstance(found, dict) else found
        return rows


# What one Datasette serves for all tests, by name of the database: starting it takes longer than most tests. ``many``
# in conftest.py does it.
BUILDERS: dict[str, Callable[[Path], None]] = {}
SETTINGS: dict[str, dict[str, Any]] = {}


def served_as(
    name: str, settings: dict[str, Any] | None = None
) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Let ``many`` serve the mirror that the function builds, with these settings of a database."""

    def register(build: Callable[[Path], None]) -> Callable[[Path], None]:
        BUILDERS[name] = build
        if settings is not None:
            SETTINGS[name] = settings
        return build

    return register


class Serve(Protocol):
    """Starts Datasette with arguments."""

    def __call__(self, *arguments: str) -> Pages: ...
