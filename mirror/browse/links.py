"""Links from Datasette's own pages to ours: in cells, menus and lines above the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from markupsafe import Markup, escape

from mirror.browse.databases import mirrors
from mirror.browse.pages import Addresses
from mirror.text import readable_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LINK_LINE = Markup(
    '<p class="chatmirror"><strong>{}</strong>: <a href="{}">Home</a> · <a href="{}">Search</a>'
    ' · <a href="{}">Conversations</a></p>'
)


def linked_cell(at: Addresses, table: str | None, column: str, row: Mapping[str, Any], value: object) -> Markup | None:
    """Return a cell's value as a link, or None for no change. ``table``: None for the rows of a query.

    May raise KeyError where the row does not have all columns.
    """
    if table == "conversations" and column == "title" and isinstance(value, str):
        return _link(at.conversation(row["id"]), value or "Untitled")
    if table is None and column == "title" and isinstance(value, str):
        return _link(at.conversation(row["conversation_id"]), value or "Untitled")
    if table == "conversations" and column == "message_count" and isinstance(value, int):
        query = urlencode({"conversation_id": row["id"], "_sort": "position"})
        return _link(f"{at.table('thread')}?{query}", value)
    if table in {"files", "attachments"} and column == "name" and isinstance(value, str):
        shown = readable_name(value)
        return None if shown == value else escape(shown)
    if table == "files" and column == "sha256" and isinstance(value, str):
        return _link(at.file(row["id"], value), value[:12])
    if column == "conversation_id":
        return _conversation_link(at, table, row, value)
    return None


def _conversation_link(at: Addresses, table: str | None, row: Mapping[str, Any], value: object) -> Markup | None:
    """Link a message's row to that message on its conversation's page, and other rows to that page."""
    key, label = (value["value"], value["label"]) if isinstance(value, dict) else (value, value)
    if not isinstance(key, str):
        return None
    if table in {"messages", "thread"}:
        return _link(at.conversation(key, f"m{row['rowid']}", message=row["id"]), label)
    return _link(at.conversation(key), label)


def _link(address: str, label: object) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, label)


def link_lines(datasette: Any, names: Sequence[str]) -> Markup | None:
    """Return a line of links for each of these databases that is a mirror."""
    found = [_link_line(Addresses(datasette, name)) for name in names if name in mirrors(datasette).settings]
    return Markup("").join(found) if found else None


def _link_line(at: Addresses) -> Markup:
    return _LINK_LINE.format(at.database, at("home"), at("search"), at("conversations"))


def menu_entries(datasette: Any, database: str) -> list[dict[str, str]]:
    """Return the entries that we add to the menu of a page of this database."""
    if database not in mirrors(datasette).settings:
        return []
    at = Addresses(datasette, database)
    labels = {"home": "Home of the chats", "conversations": "List of the chats", "search": "Search the chats"}
    return [{"href": at(page), "label": label} for page, label in labels.items()]
