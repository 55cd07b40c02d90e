"""Ways from Datasette's own pages to ours, and from what a table names to what it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from markupsafe import Markup

from mirror.browse.databases import mirrors
from mirror.browse.pages import Addresses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STRIP = Markup(
    '<p class="chatmirror"><strong>{}</strong>: <a href="{}">Home</a> · <a href="{}">Search</a>'
    ' · <a href="{}">Conversations</a></p>'
)


def cell(at: Addresses, table: str, column: str, row: Mapping[str, Any], value: object) -> Markup | None:
    """Return what stands in a cell instead of its bare value, or None. May raise KeyError for a row that is cut."""
    if table == "conversations" and column == "title" and isinstance(value, str):
        return _link(at.conversation(row["id"]), value or "Untitled")
    if table == "conversations" and column == "message_count" and isinstance(value, int):
        query = urlencode({"conversation_id": row["id"], "_sort": "position"})
        return _link(f"{at.table('thread')}?{query}", value)
    if column == "conversation_id":
        return _conversation(at, table, row, value)
    return None


def _conversation(at: Addresses, table: str, row: Mapping[str, Any], value: object) -> Markup | None:
    """Link a message to itself on its conversation's page, and other rows to that page."""
    key, label = (value["value"], value["label"]) if isinstance(value, dict) else (value, value)
    if not isinstance(key, str):
        return None
    if table in {"messages", "thread"}:
        return _link(at.conversation(key, f"m{row['rowid']}", message=row["id"]), label)
    return _link(at.conversation(key), label)


def _link(address: str, label: object) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, label)


def strips(datasette: Any, names: Sequence[str]) -> Markup | None:
    """Return a line of links for each of these databases that is ours."""
    found = [_strip(Addresses(datasette, name)) for name in names if name in mirrors(datasette).settings]
    return Markup("").join(found) if found else None


def _strip(at: Addresses) -> Markup:
    conversations = at.table("conversations")
    return _STRIP.format(at.database, at("home"), at("search"), conversations)


def actions(datasette: Any, database: str) -> list[dict[str, str]]:
    """Return entries of a page's menu."""
    if database not in mirrors(datasette).settings:
        return []
    at = Addresses(datasette, database)
    return [{"href": at("home"), "label": "Home of the chats"}, {"href": at("search"), "label": "Search the chats"}]


def described(datasette: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    """Add the lines of links as 0.65's descriptions of our databases, where nobody has described them."""
    for name, own in metadata.get("databases", {}).items():
        own["description_html"] = strips(datasette, [name])
        for table in ("conversations", "messages"):
            own["tables"][table]["description_html"] = own["description_html"]
    if metadata:
        metadata["description_html"] = strips(datasette, list(metadata["databases"]))
    return metadata
