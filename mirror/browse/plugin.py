"""What makes ``datasette chats.db`` pleasant: newest first, titles as labels, facets, plumbing out of sight.

One module for Datasette 0.65 and 1.0, which ignore each other's hooks. A database is taken for a chatmirror's by its
tables and every other one is left alone. A hook that raises would break every page of the server, so each one here is
small and gives nothing rather than fail. What somebody states in their own metadata or configuration goes before this.
"""

from __future__ import annotations

import copy
import re
import sqlite3
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette import Response  # type: ignore[import-untyped] # it has no types
from datasette.utils import tilde_encode  # type: ignore[import-untyped] # as above
from markupsafe import Markup
from pluggy import HookimplMarker

from mirror.browse.style import CSS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from datasette.app import Datasette  # type: ignore[import-untyped] # as above

hookimpl = HookimplMarker("datasette")  # the same as datasette.hookimpl, with types
TABLES = frozenset({"conversations", "messages", "sync_runs", "_payloads"})
SIZE = 50  # rows a page
MOST_INFLATED = 256 * 1024 * 1024  # bytes; the longest payload that the SQL functions unpack
STYLE_PATH = "/-/chatmirror.css"

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


def is_chatmirror(conn: sqlite3.Connection) -> bool:
    """Tell whether a database is a chatmirror's; False for what cannot be read."""
    with suppress(sqlite3.Error):
        names = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return names >= TABLES
    return False


@hookimpl
def startup(datasette: Datasette) -> Callable[[], Awaitable[None]]:
    """Find out which databases are ours, and for 1.0 set what their configuration leaves open."""

    async def recognise() -> None:
        found = {}
        for name, database in datasette.databases.items():
            with suppress(Exception):
                if await database.execute_fn(is_chatmirror):
                    plumbing = [table for table in await database.table_names() if table.startswith("_")]
                    found[name] = {"tables": {**_SETTINGS, **{table: {"hidden": True} for table in plumbing}}}
        datasette.chatmirror_databases = found
        config = getattr(datasette, "config", None)
        if isinstance(config, dict) and not hasattr(datasette, "metadata"):
            _fill(config, {"databases": found})

    return recognise


@hookimpl
def get_metadata(datasette: Datasette) -> dict[str, Any]:
    """Say the same to 0.65, which lets its own metadata go before this and changes what it is given."""
    found = copy.deepcopy(getattr(datasette, "chatmirror_databases", {}))
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


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Add SQL functions that read payloads: ``select chatmirror_inflate(body) from _payloads``."""
    if not is_chatmirror(conn):
        return

    def payload(conversation_id: object) -> str | None:
        # This keeps the connection until it is closed, which Datasette does; sqlite3 offers no weak references.
        return _newest_payload(conn, conversation_id)

    with suppress(sqlite3.Error):
        conn.create_function("chatmirror_inflate", 1, inflate, deterministic=True)
        conn.create_function("chatmirror_payload", 1, payload)


def inflate(body: object) -> str | None:
    """Return the text of a zlib BLOB; None for anything else, and for what is cut or longer than memory should hold."""
    if not isinstance(body, bytes):
        return None
    with suppress(zlib.error):
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(body, MOST_INFLATED)
        return text.decode("utf-8", "replace") if unpacking.eof else None
    return None


def _newest_payload(conn: sqlite3.Connection, conversation_id: object) -> str | None:
    if not isinstance(conversation_id, str):
        return None
    sql = "SELECT body FROM _payloads WHERE conversation_id = ? ORDER BY ranked_us DESC, id DESC LIMIT 1"
    with suppress(sqlite3.Error):
        return next((inflate(row[0]) for row in conn.execute(sql, (conversation_id,))), None)
    return None


@hookimpl
def render_cell(
    row: Any, value: object, column: str, table: str | None, database: str, datasette: Datasette
) -> Markup | None:
    """Link what leads on: a conversation's count of messages to its thread, a message's conversation to that.

    On lists Datasette links the latter by itself, with the title; a row's own page in 0.65 shows the bare id.
    """
    if table is None or database not in getattr(datasette, "chatmirror_databases", {}):
        return None
    with suppress(KeyError, IndexError, TypeError):
        if (table, column) == ("conversations", "message_count") and isinstance(value, int):
            query = urlencode({"conversation_id": row["id"], "_sort": "position"})
            return _link(f"{datasette.urls.table(database, 'thread')}?{query}", value)
        if column == "conversation_id" and isinstance(value, str):
            return _link(datasette.urls.row(database, "conversations", tilde_encode(value)), value)
    return None


def _link(address: str, label: object) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, label)


@hookimpl
def extra_css_urls(database: str | None, datasette: Datasette) -> list[str]:
    """Give our pages the style sheet."""
    if database in getattr(datasette, "chatmirror_databases", {}):
        return [datasette.urls.path(STYLE_PATH)]
    return []


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    """Serve the style sheet."""
    return [(f"^{re.escape(STYLE_PATH)}$", _style)]


async def _style() -> Response:
    return Response(CSS, content_type="text/css; charset=utf-8", headers={"cache-control": "max-age=3600"})
