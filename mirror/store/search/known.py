"""Whether a filter can find anything: a mistyped role, kind, model or project looks like a search without a match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.errors import UsageError
from mirror.rows import KINDS
from mirror.store.search.files import FILE_KINDS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirror.store.search.request import Filters

SEARCHED_ROLES = ("user", "assistant", "tool", "system")
SEARCHED_KINDS = (*KINDS, *FILE_KINDS)
MOST_NAMED = 20  # models or projects named where another one was asked for: a few lines of a terminal


def refuse_unknown(conn: sqlite3.Connection, filters: Filters) -> None:
    """Raise UsageError, with the choices, for a role, kind, model or project that nothing here has."""
    _refuse(conn, "role", filters.role, SEARCHED_ROLES)
    _refuse(conn, "kind", filters.kind, SEARCHED_KINDS)
    if filters.model is not None and not _is_used(conn, "model", filters.model):
        sql = "SELECT model AS name FROM messages WHERE model <> '' GROUP BY model ORDER BY count(*) DESC, model"
        raise _unknown("model", filters.model, _names(conn, sql))
    named = "SELECT 1 FROM projects WHERE id = ?1 OR name = ?1 COLLATE NOCASE"
    if filters.project is not None and conn.execute(named, (filters.project,)).fetchone() is None:
        raise _unknown(
            "project", filters.project, _names(conn, "SELECT name FROM projects WHERE name <> '' ORDER BY name")
        )


def _refuse(conn: sqlite3.Connection, column: str, asked: str | None, known: Sequence[str]) -> None:
    # A service may have roles of its own, which are stored as they came.
    if asked is not None and asked not in known and not _is_used(conn, column, asked):
        raise _unknown(column, asked, known)


def _is_used(conn: sqlite3.Connection, column: str, value: str) -> bool:
    return conn.execute(f"SELECT 1 FROM messages WHERE {column} = ? LIMIT 1", (value,)).fetchone() is not None


def _names(conn: sqlite3.Connection, sql: str) -> list[str]:
    return [str(row["name"]) for row in conn.execute(sql)]


def _unknown(what: str, asked: str, known: Sequence[str]) -> UsageError:
    more = f" and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else ""
    choices = f"choose {', '.join(known[:MOST_NAMED])}{more}" if known else f"there is no {what} at all"
    return UsageError(f"There is no {what} “{asked}” in this mirror; {choices}.")
