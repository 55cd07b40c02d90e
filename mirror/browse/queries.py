"""The known queries in Datasette: canned queries of 0.65, stored queries of 1.0, for those who may view what they read.

A query whose name somebody's own query, table or view has is left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirror.browse.access import is_allowed
from mirror.browse.databases import mirrors
from mirror.store.datasette_internal import DENIED_QUERIES, SOURCE, forget_queries

if TYPE_CHECKING:
    from mirror.store.known_queries import KnownQuery


async def canned_queries(datasette: Any, actor: Any, database: str) -> dict[str, dict[str, Any]]:
    """Return the queries for 0.65, each refused to whom may not use it.

    0.65 fails where a query is there for one visitor and not for another.
    """
    own = datasette.metadata("queries", database=database, fallback=False) or {}
    offered = [query for query in mirrors(datasette).queries.get(database, ()) if query.name not in own]
    return {
        query.name: {"sql": query.sql, "title": query.title, "description": query.description, "hide_sql": True}
        | ({} if await _is_readable(datasette, actor, database, query) else {"allow": False})
        for query in offered
    }


async def store_queries(datasette: Any) -> None:
    """Add the queries to 1.0, whose own are stored before this."""
    await datasette.get_internal_database().execute_write_fn(forget_queries)
    offered = mirrors(datasette).queries
    for database, queries in offered.items():
        offered[database] = [query for query in queries if await _is_stored(datasette, database, query)]


async def _is_stored(datasette: Any, database: str, query: KnownQuery) -> bool:
    """Store a query; False where its name is taken."""
    if await datasette.get_query(database, query.name) is not None:
        return False
    # Trusted: it needs no permission for SQL of one's own, as in 0.65.
    await datasette.add_query(
        database,
        query.name,
        query.sql,
        title=query.title,
        description=query.description,
        hide_sql=True,
        parameters=["words"] if ":words" in query.sql else None,
        is_trusted=True,
        source=SOURCE,
        replace=False,
    )
    return True


async def denied_queries(datasette: Any, actor: Any) -> Any:
    """Return the rule for 1.0 by which nobody uses a query without the permission to view what it reads."""
    from datasette.permissions import PermissionSQL  # type: ignore[import-untyped] # noqa: PLC0415 - 0.65 has none

    denied = [
        (database, query.name)
        for database, queries in mirrors(datasette).queries.items()
        for query in queries
        if not await _is_readable(datasette, actor, database, query)
    ]
    return PermissionSQL(sql=DENIED_QUERIES, params={"chatmirror_denied": json.dumps(denied)}) if denied else None


async def _is_readable(datasette: Any, actor: Any, database: str, query: KnownQuery) -> bool:
    for table in query.tables:
        if not await is_allowed(datasette, actor, database, table):
            return False
    return True
