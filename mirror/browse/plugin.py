"""The Datasette plugin: what makes ``datasette chats.db`` the way to read and search one's own chats.

One module of hooks for Datasette 0.65 and 1.0, which ignore each other's. A hook that raises would break every page of
the server, so each one here is small and gives nothing rather than fail; what they do stands in the modules beside.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pluggy import HookimplMarker

from mirror.browse import cjk_search, conversation, databases, functions, home, links, pages, search

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable

    from datasette.app import Datasette  # type: ignore[import-untyped] # as above
    from markupsafe import Markup

hookimpl = HookimplMarker("datasette")  # the same as datasette.hookimpl, with types
DATABASE = r"(?P<database>[^/.]+)"


@hookimpl
def startup(datasette: Datasette) -> Callable[[], Awaitable[None]]:
    """Find out which databases are ours."""

    async def recognise() -> None:
        await databases.recognise(datasette)

    return recognise


@hookimpl
def get_metadata(datasette: Datasette) -> dict[str, Any]:
    """Tell 0.65 how to show our tables, and lead from its pages to ours."""
    return links.described(datasette, databases.metadata(datasette))


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Add the SQL functions where there is something for them to read."""
    if databases.is_chatmirror(conn):
        functions.register(conn)


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    """Serve our pages."""
    return [
        (rf"^/{DATABASE}/-/home$", pages.answering(home.show)),
        (rf"^/{DATABASE}/-/search$", pages.answering(search.show)),
        (rf"^/{DATABASE}/-/conversation/(?P<id>[^/]+)$", pages.answering(conversation.show)),
        (r"^/-/chatmirror/(?P<name>[^/]+)$", pages.serve_asset),
    ]


@hookimpl
def register_output_renderer() -> dict[str, Any]:
    """Offer a conversation's row as Markdown, too."""
    return {"extension": "md", "render": conversation.as_markdown, "can_render": conversation.can_be_markdown}


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[Any], Any]:
    """Make Datasette's own search box find words inside runs of characters."""
    return cjk_search.wrapper(datasette)


@hookimpl
def render_cell(
    row: Any, value: object, column: str, table: str | None, database: str, datasette: Any
) -> Markup | None:
    """Link titles to the conversation's page, and what is counted or named to what it stands for."""
    if table is None or database not in databases.mirrors(datasette).settings:
        return None
    with suppress(KeyError, IndexError, TypeError):
        return links.cell(pages.Addresses(datasette, database), table, column, row, value)
    return None


@hookimpl
def extra_css_urls(database: str | None, datasette: Datasette) -> list[str]:
    """Give Datasette's own pages of our tables a style sheet."""
    if database in databases.mirrors(datasette).settings:
        return [pages.Addresses(datasette, str(database)).asset("tables.css")]
    return []


@hookimpl
def menu_links(datasette: Datasette) -> list[dict[str, str]]:
    """Lead to the mirrors from every page's menu."""
    names = databases.mirrors(datasette).settings
    return [{"href": pages.Addresses(datasette, name)("home"), "label": f"Chats in {name}"} for name in names]


@hookimpl
def database_actions(datasette: Datasette, database: str) -> list[dict[str, str]]:
    """Lead from a mirror's database page to our pages."""
    return links.actions(datasette, database)


@hookimpl
def table_actions(datasette: Datasette, database: str) -> list[dict[str, str]]:
    """Lead from a mirror's tables to our pages."""
    return links.actions(datasette, database)


@hookimpl
def row_actions(datasette: Datasette, database: str, table: str, row: Any) -> list[dict[str, str]]:
    """Lead from a conversation's row to its page (1.0)."""
    with suppress(KeyError, IndexError, TypeError):
        if table == "conversations" and database in databases.mirrors(datasette).settings:
            address = pages.Addresses(datasette, database).conversation(row["id"])
            return [{"href": address, "label": "Read this conversation"}]
    return []


@hookimpl
def top_homepage(datasette: Datasette) -> Markup | None:
    """Lead to the mirrors from the front page (1.0)."""
    return links.strips(datasette, list(databases.mirrors(datasette).settings))


@hookimpl
def top_database(datasette: Datasette, database: str) -> Markup | None:
    """Lead to our pages from the database page (1.0)."""
    return links.strips(datasette, [database])


@hookimpl
def top_table(datasette: Datasette, database: str) -> Markup | None:
    """Lead to our pages from the tables (1.0)."""
    return links.strips(datasette, [database])
