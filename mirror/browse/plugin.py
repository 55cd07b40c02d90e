"""The Datasette plugin, with which ``datasette chats.db`` shows and searches one's own chats.

One module of hooks for Datasette 0.65 and 1.0, each of which ignores the other's. A hook that raises would break every
page of the server, so each one here is small and returns nothing rather than fail; the other modules do the work.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pluggy import HookimplMarker

from mirror.browse import (
    access,
    agents,
    cjk_search,
    conversation,
    conversations,
    databases,
    descriptions,
    files,
    front_page,
    graphql,
    home,
    host_names,
    links,
    pages,
    queries,
    search,
)
from mirror.browse.functions import register_functions
from mirror.store.schema import is_chatmirror

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable

    from datasette.app import Datasette  # type: ignore[import-untyped] # as above
    from markupsafe import Markup

hookimpl = HookimplMarker("datasette")  # the same as datasette.hookimpl, with types
DATABASE = r"(?P<database>[^/.]+)"


@hookimpl
def startup(datasette: Datasette) -> Callable[[], Awaitable[None]]:
    """Find out which databases are mirrors, and tell Datasette what it shows of them."""

    async def recognise() -> None:
        found = await databases.recognise(datasette)
        graphql.help_graphql()
        if hasattr(datasette, "metadata"):  # 0.65
            descriptions.describe_in_metadata(datasette, found.settings)
            return
        with suppress(Exception):  # without descriptions or queries, all else works
            await descriptions.describe_in_internal_database(datasette, found.settings)
            await queries.store_queries(datasette)

    return recognise


@hookimpl
def get_metadata(datasette: Datasette, key: str | None, database: str | None) -> dict[str, Any]:
    """Tell 0.65 how to show our tables, and link from its pages to ours."""
    return databases.metadata(datasette, key, database)


@hookimpl(tryfirst=True)  # so that a query of another plugin takes the place of ours
def canned_queries(datasette: Datasette, database: str, actor: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Offer the known queries (0.65)."""

    async def offered() -> dict[str, Any]:
        return await queries.canned_queries(datasette, actor, database)

    return offered


@hookimpl
def permission_resources_sql(datasette: Datasette, actor: Any, action: str) -> Any:
    """Let nobody use a known query without the permission to view what it reads (1.0)."""
    return queries.denied_queries(datasette, actor) if action == "view-query" else None


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Add the SQL functions to connections to a mirror."""
    if is_chatmirror(conn):
        register_functions(conn)


@hookimpl
def register_routes() -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    """Serve our pages."""
    return [
        (rf"^/{DATABASE}/-/home$", pages.with_error_pages(home.home_page)),
        (rf"^/{DATABASE}/-/search$", pages.with_error_pages(search.search_page)),
        (rf"^/{DATABASE}/-/conversation/(?P<id>[^/]+)$", pages.with_error_pages(conversation.conversation_page)),
        (rf"^/{DATABASE}/-/conversations$", pages.with_error_pages(conversations.conversations_page)),
        (rf"^/{DATABASE}/-/pictures$", pages.with_error_pages(files.pictures_page)),
        (rf"^/{DATABASE}/-/file/(?P<id>[^/]+)$", files.file_bytes),
        (r"^/-/chatmirror/(?P<name>[^/]+)$", pages.serve_asset),
    ]


@hookimpl
def register_output_renderer() -> dict[str, Any]:
    """Offer a conversation's row as Markdown."""
    return {"extension": "md", "render": conversation.as_markdown, "can_render": conversation.can_be_markdown}


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[Any], Any]:
    """Answer only under names that the owner knows, lead to the home page, and let Datasette find CJK words."""
    guard, redirect = host_names.guarding(datasette), cjk_search.redirecting(datasette)
    lead_home = front_page.redirecting(datasette)
    return lambda app: guard(lead_home(redirect(app)))


@hookimpl
def render_cell(
    row: Any, value: object, column: str, table: str | None, database: str, datasette: Any
) -> Markup | None:
    """Link titles and ids to the conversation's page, and message counts to the thread."""
    if database not in databases.mirrors(datasette).settings:
        return None
    with suppress(KeyError, IndexError, TypeError):
        return links.linked_cell(pages.Addresses(datasette, database), table, column, row, value)
    return None


@hookimpl
def extra_css_urls(database: str | None, datasette: Datasette) -> list[str]:
    """Give Datasette's own pages of our tables a style sheet."""
    if database in databases.mirrors(datasette).settings:
        return [pages.Addresses(datasette, str(database)).asset("tables.css")]
    return []


@hookimpl
def menu_links(datasette: Datasette, actor: Any) -> Callable[[], Awaitable[list[dict[str, str]]]]:
    """Add the mirrors to every page's menu, for those who may read them."""

    async def entries() -> list[dict[str, str]]:
        names = await access.readable_mirrors(datasette, actor, home.TABLES)
        return [{"href": pages.Addresses(datasette, name)("home"), "label": f"Chats in {name}"} for name in names]

    return entries


@hookimpl
def database_actions(datasette: Datasette, actor: Any, database: str) -> Callable[[], Awaitable[list[dict[str, str]]]]:
    """Link from a mirror's database page to our pages."""
    return _entries(datasette, actor, database)


@hookimpl
def table_actions(datasette: Datasette, actor: Any, database: str) -> Callable[[], Awaitable[list[dict[str, str]]]]:
    """Link from a mirror's tables to our pages."""
    return _entries(datasette, actor, database)


def _entries(datasette: Datasette, actor: Any, database: str) -> Callable[[], Awaitable[list[dict[str, str]]]]:
    async def entries() -> list[dict[str, str]]:
        names = await access.readable_mirrors(datasette, actor, home.TABLES)
        return links.menu_entries(datasette, database) if database in names else []

    return entries


def _lines(datasette: Datasette, request: Any, database: str | None) -> Callable[[], Awaitable[Markup | None]]:
    """Return what makes a line of links for each mirror, or for this one, that whoever asks may read."""

    async def lines() -> Markup | None:
        names = await access.readable_mirrors(datasette, getattr(request, "actor", None), home.TABLES)
        return links.link_lines(datasette, [name for name in names if database in {None, name}])

    return lines


@hookimpl
def row_actions(datasette: Datasette, database: str, table: str, row: Any) -> list[dict[str, str]]:
    """Link from a conversation's row to its page (1.0)."""
    with suppress(KeyError, IndexError, TypeError):
        if table == "conversations" and database in databases.mirrors(datasette).settings:
            address = pages.Addresses(datasette, database).conversation(row["id"])
            return [{"href": address, "label": "Read this conversation"}]
    return []


@hookimpl
def top_homepage(datasette: Datasette, request: Any) -> Callable[[], Awaitable[Markup | None]]:
    """Link to the mirrors from the front page (1.0)."""
    return _lines(datasette, request, None)


@hookimpl
def top_database(datasette: Datasette, request: Any, database: str) -> Callable[[], Awaitable[Markup | None]]:
    """Link to our pages from the database page (1.0)."""
    return _lines(datasette, request, database)


@hookimpl
def top_table(datasette: Datasette, request: Any, database: str) -> Callable[[], Awaitable[Markup | None]]:
    """Link to our pages from the tables (1.0)."""
    return _lines(datasette, request, database)


@hookimpl(optionalhook=True)
def register_mcp_tools(datasette: Datasette, mcp: Any) -> None:
    """Give datasette-mcp, where it is installed, the tools for assistants."""
    agents.register(datasette, mcp)
