"""Which databases are mirrors, and how Datasette's own pages show their tables.

A database is recognised by its tables, whatever its file is called; every other one is left alone. What somebody states
in their own metadata or configuration takes precedence over what is stated here.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mirror.store.known_queries import KNOWN_QUERIES
from mirror.store.schema import is_chatmirror

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Semaphore

    from datasette.app import Datasette  # type: ignore[import-untyped] # it has no types

    from mirror.browse.counts import MonthlyCounts
    from mirror.store.known_queries import KnownQuery

SIZE = 50  # rows of a page of Datasette's; by judgement: messages are tall, and its default of 100 makes long pages

_TABLE_SETTINGS: dict[str, dict[str, Any]] = {
    "conversations": {
        "label_column": "title",
        "sort_desc": "updated_at",
        "facets": ["project_id", "is_archived", "model"],
        "size": SIZE,
    },
    "messages": {"sort_desc": "created_at", "facets": ["role", "kind", "model"], "size": SIZE},
    "files": {"label_column": "name", "sort_desc": "created_at", "facets": ["state", "kind", "source"], "size": SIZE},
    "projects": {"label_column": "name"},
    "changes": {"sort_desc": "id", "facets": ["kind"], "size": SIZE},
    "memories": {"sort_desc": "first_seen_at", "size": SIZE},
    "gpts": {"label_column": "name"},
    "sync_runs": {"sort_desc": "started_at", "size": SIZE},
}
_TEXTS = frozenset({"description", "description_html", "columns"})


@dataclass(slots=True)
class Mirrors:
    """The mirrors among the databases of a running Datasette: settings, counts and known queries, by name.

    ``searching``: of each event loop, what a search waits for while others take the threads that they may.
    """

    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, MonthlyCounts] = field(default_factory=dict)
    queries: dict[str, list[KnownQuery]] = field(default_factory=dict)
    searching: WeakKeyDictionary[AbstractEventLoop, Semaphore] = field(default_factory=WeakKeyDictionary)


def mirrors(datasette: Datasette) -> Mirrors:
    """Return what was found when Datasette started; nothing before that."""
    found = getattr(datasette, "chatmirror", None)
    return found if isinstance(found, Mirrors) else Mirrors()


def were_recognised(datasette: Datasette) -> bool:
    """Return whether Datasette has started, so that its mirrors are known."""
    return isinstance(getattr(datasette, "chatmirror", None), Mirrors)


async def recognise(datasette: Datasette) -> Mirrors:
    """Find the mirrors, and for 1.0 set what their configuration does not state."""
    found = Mirrors()
    for name, database in datasette.databases.items():
        with suppress(Exception):
            if await database.execute_fn(is_chatmirror):
                names = {*await database.table_names(), *await database.view_names()}
                hidden = {table: {"hidden": True} for table in names if table.startswith("_")}
                found.settings[name] = {"tables": {**copy.deepcopy(_TABLE_SETTINGS), **hidden}}
                found.queries[name] = _known_queries(names)
    datasette.chatmirror = found
    config = getattr(datasette, "config", None)
    if isinstance(config, dict) and not hasattr(datasette, "metadata"):
        _add_missing(config, {"databases": found.settings})
    _leave_out_other_orders(found, getattr(datasette, "_metadata_local", None) or {})
    return found


def _known_queries(names: set[str]) -> list[KnownQuery]:
    """Return those that a database with these tables and views can answer.

    Datasette would show a query in place of a table or view of its name.
    """
    return [query for query in KNOWN_QUERIES if query.name not in names and names >= {*query.tables}]


def _leave_out_other_orders(found: Mirrors, stated: dict[str, Any]) -> None:
    """Take back the order of the tables for which the metadata of 0.65 states another one."""
    for name, settings in found.settings.items():
        for table, own in settings["tables"].items():
            if "sort" in dict_at(stated, "databases", name, "tables", table):
                own.pop("sort_desc", None)


def metadata(datasette: Datasette, key: str | None, database: str | None) -> dict[str, Any]:
    """Return a copy of the settings for 0.65, which merges its own metadata over them, in place.

    Only what is asked for, by the arguments of ``Datasette.metadata``: it asks about each permission of each table. It
    is asked for everything where it shows its metadata to whoever comes, which tells nothing of mirrors.
    """
    settings = mirrors(datasette).settings
    if database is not None:
        names = [database] if database in settings else []
    else:
        names = list(settings) if key == "databases" else []
    left_out = frozenset() if key in {None, "databases"} else _TEXTS
    return {"databases": {name: _copied(settings[name], left_out) for name in names}} if names else {}


def _copied(settings: dict[str, Any], left_out: frozenset[str]) -> dict[str, Any]:
    """Return a copy of the dictionaries; the values of settings are replaced, never changed."""
    return {
        name: _copied(value, left_out) if isinstance(value, dict) else value
        for name, value in settings.items()
        if name not in left_out
    }


def _add_missing(config: dict[str, Any], settings: dict[str, Any]) -> None:
    """Add, level by level, what a configuration does not state."""
    todo = [(config, copy.deepcopy(settings))]
    while todo:
        stated, ours = todo.pop()
        for key, value in ours.items():
            if key == "sort_desc" and "sort" in stated:
                continue
            present = stated.setdefault(key, value)
            if present is not value and isinstance(present, dict) and isinstance(value, dict):
                todo.append((present, value))


def dict_at(config: Any, *keys: str) -> dict[str, Any]:
    """Return the dictionary at these keys of a configuration, an empty one where there is none."""
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config if isinstance(config, dict) else {}
