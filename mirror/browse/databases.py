"""Which databases are a chatmirror's, and what Datasette's own pages should do with their tables.

A database is taken for one of ours by its tables, whatever its file is called; every other one is left alone. What
somebody states in their own metadata or configuration goes before what stands here.
"""

from __future__ import annotations

import copy
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasette.app import Datasette  # type: ignore[import-untyped] # it has no types

    from mirror.browse.counts import Counts

TABLES = frozenset({"conversations", "messages", "sync_runs", "_payloads"})
SIZE = 50  # rows a page

_SETTINGS: dict[str, dict[str, Any]] = {
    "conversations": {
        "label_column": "title",
        "sort_desc": "updated_at",
        "facets": ["project_id", "is_archived", "model"],
        "size": SIZE,
    },
    "messages": {"sort_desc": "created_at", "facets": ["role", "kind", "model"], "size": SIZE},
    "projects": {"label_column": "name"},
    "gpts": {"label_column": "name"},
    "sync_runs": {"sort_desc": "started_at", "size": SIZE},
}


@dataclass(slots=True)
class Mirrors:
    """Our databases of a running Datasette: settings by name, and what is costly to count, by name."""

    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)


def mirrors(datasette: Datasette) -> Mirrors:
    """Return what was found at the start; nothing before it."""
    found = getattr(datasette, "chatmirror", None)
    return found if isinstance(found, Mirrors) else Mirrors()


def is_chatmirror(conn: sqlite3.Connection) -> bool:
    """Tell whether a database is a chatmirror's; False for what cannot be read."""
    with suppress(sqlite3.Error, UnicodeDecodeError):  # the message of a damaged schema may be no text
        names = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return names >= TABLES
    return False


async def recognise(datasette: Datasette) -> None:
    """Find our databases, and for 1.0 set what their configuration leaves open."""
    found = Mirrors()
    for name, database in datasette.databases.items():
        with suppress(Exception):
            if await database.execute_fn(is_chatmirror):
                plumbing = [table for table in await database.table_names() if table.startswith("_")]
                found.settings[name] = {"tables": {**_SETTINGS, **{table: {"hidden": True} for table in plumbing}}}
    datasette.chatmirror = found
    config = getattr(datasette, "config", None)
    if isinstance(config, dict) and not hasattr(datasette, "metadata"):
        _fill(config, {"databases": found.settings})


def metadata(datasette: Datasette) -> dict[str, Any]:
    """Return the same for 0.65, which lets its own metadata go before this and changes what it is given."""
    found = copy.deepcopy(mirrors(datasette).settings)
    stated = getattr(datasette, "_metadata_local", None) or {}
    for name, settings in found.items():
        for table, own in settings["tables"].items():
            if "sort" in _at(stated, "databases", name, "tables", table):
                own.pop("sort_desc", None)
    return {"databases": found} if found else {}


def _fill(config: dict[str, Any], settings: dict[str, Any]) -> None:
    """Set, level by level, what a configuration does not state."""
    todo = [(config, copy.deepcopy(settings))]
    while todo:
        mine, theirs = todo.pop()
        for key, value in theirs.items():
            if key == "sort_desc" and "sort" in mine:
                continue
            present = mine.setdefault(key, value)
            if present is not value and isinstance(present, dict) and isinstance(value, dict):
                todo.append((present, value))


def _at(config: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config if isinstance(config, dict) else {}
