"""datasette-graphql beside a mirror.

Its versions 2.2 and 3.0a1 fail where a hidden table refers to a shown one, as ``_payloads`` does: not only on its own
page but on every page of a table, for it adds an entry to their menu. They look for the fields of the hidden table,
which they have not made. So what they learn of a mirror leaves out the references from hidden tables.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mirror.store.schema import is_chatmirror

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


def help_graphql() -> None:
    """Let datasette-graphql, where it is installed, learn of no references from hidden tables of a mirror."""
    utils: Any = sys.modules.get("datasette_graphql.utils")
    introspect = getattr(utils, "introspect_tables", None)
    if utils is not None and introspect is not None and not hasattr(introspect, "chatmirror"):
        utils.introspect_tables = _without_hidden_references(introspect)


def _without_hidden_references(introspect: Callable[..., Any]) -> Callable[..., Any]:
    def introspected(conn: sqlite3.Connection, *arguments: Any) -> Any:
        found = introspect(conn, *arguments)
        with suppress(AttributeError, TypeError):  # a version that describes tables in another way
            if is_chatmirror(conn):
                return {table: _without_references(known) for table, known in found.items()}
        return found

    introspected.chatmirror = True  # type: ignore[attr-defined] # of a function: it is wrapped once in a process
    return introspected


def _without_references(known: Any) -> Any:
    return known._replace(fks_back=[one for one in known.fks_back if not one.table.startswith("_")])
