"""Who may see what, and reading a database in a thread.

Datasette 0.65 and 1.0 ask for permissions in different ways. Neither checks any for a plugin's routes, so each page of
ours names the tables that it reads.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datasette.utils import sqlite_timelimit, tilde_decode  # type: ignore[import-untyped] # it has no types
from datasette.utils.asgi import Forbidden, NotFound  # type: ignore[import-untyped] # as above

from mirror.browse.databases import mirrors
from mirror.store.schema import UNFORESEEN, explanation, is_outdated
from mirror.store.storage_errors import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
CHAT_TABLES = (
    "conversations",
    "messages",
    "links",
    "attachments",
    "files",
    "file_texts",
    "projects",
    "gpts",
    "accounts",
)


class TooLongError(Exception):
    """Reading took more time than a page may."""


ALTERED = "values in it are damaged, or another program altered it"
OLDER = "it was made by an older chatmirror; run `chatmirror check` once, which updates it"


class UnreadableError(Exception):
    """SQLite cannot read what a page needs: the file is damaged, or a table is missing."""


def database_of(datasette: Any, request: Any) -> str:
    """Return the database that a request names; NotFound if it is not a mirror."""
    name = tilde_decode(request.url_vars["database"])
    if name not in mirrors(datasette).settings or name not in datasette.databases:
        raise NotFound(f"No chatmirror database {name}")
    return str(name)


async def ensure_allowed(datasette: Any, request: Any, database: str, tables: Sequence[str]) -> None:
    """Raise Forbidden unless whoever asks may see all of these tables."""
    for table in tables:
        if not await is_allowed(datasette, getattr(request, "actor", None), database, table):
            raise Forbidden(f"view-table {table}")


async def readable_mirrors(datasette: Any, actor: Any, tables: Sequence[str]) -> list[str]:
    """Return the mirrors of which somebody may see all of these tables."""
    found = mirrors(datasette).settings
    return [name for name in found if await _are_allowed(datasette, actor, name, tables)]


async def _are_allowed(datasette: Any, actor: Any, database: str, tables: Sequence[str]) -> bool:
    for table in tables:
        if not await is_allowed(datasette, actor, database, table):
            return False
    return True


async def is_allowed(datasette: Any, actor: Any, database: str, table: str) -> bool:
    """Tell whether somebody may see a table; ``actor`` None: whoever has not signed in."""
    if hasattr(datasette, "permission_allowed"):  # 0.65
        try:
            await datasette.ensure_permissions(
                actor, [("view-table", (database, table)), ("view-database", database), "view-instance"]
            )
        except Forbidden:
            return False
        return True
    from datasette.resources import TableResource  # type: ignore[import-untyped] # noqa: PLC0415 - 0.65 has none

    resource = TableResource(database=database, table=table)
    return bool(await datasette.allowed(action="view-table", resource=resource, actor=actor))


def is_altered(conn: sqlite3.Connection) -> bool:
    """Tell whether tables or values are not what a page may expect, which explains an error that nobody foresaw."""
    return explanation(conn, Path()) is not None


async def search_in_time(datasette: Any, database: str, job: Callable[[sqlite3.Connection], T], seconds: float) -> T:
    """Do what ``read_in_time`` does, for a search: it waits while others take all of Datasette's threads but one.

    The last one is for the other pages, which would wait until all searches are answered.
    """
    searching = mirrors(datasette).searching
    loop = asyncio.get_running_loop()
    if loop not in searching:
        searching[loop] = asyncio.Semaphore(max(1, datasette.setting("num_sql_threads") - 1))
    async with searching[loop]:
        return await read_in_time(datasette, database, job, seconds)


async def read_in_time(datasette: Any, database: str, job: Callable[[sqlite3.Connection], T], seconds: float) -> T:
    """Run a job on a reading connection, in a thread.

    TooLongError when its queries take more than ``seconds``, UnreadableError for a damaged file.
    """

    def limited(conn: sqlite3.Connection) -> T:
        try:
            with sqlite_timelimit(conn, seconds * 1000):
                return job(conn)
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted" and is_outdated(conn):
                raise UnreadableError(OLDER) from error
            raise
        except UNFORESEEN as error:
            if is_altered(conn):
                raise UnreadableError(ALTERED) from error
            raise

    try:
        found: T = await datasette.get_database(database).execute_fn(limited)
    except sqlite3.DatabaseError as error:
        if str(error) == "interrupted":
            raise TooLongError from error
        raise UnreadableError(reason(error)) from error
    return found
