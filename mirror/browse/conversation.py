"""The page of one conversation: turns in reading order, every branch one step away, long ones in pages.

What a person reads stands open; code, tool output, quotes and canvases are folded; thoughts are folded and can be
opened or left out; what the service hides comes when asked for. Everything is in the address: ``message`` (a node, on
whose branch the page then is), ``page``, ``reasoning`` (``folded``, ``open``, ``off``) and ``hidden`` (``on``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from datasette import Response  # type: ignore[import-untyped] # it has no types
from datasette.utils import tilde_decode  # type: ignore[import-untyped] # as above

from mirror import render
from mirror.browse import access, databases, pages
from mirror.browse.blocks import Block, block
from mirror.browse.pagination import Shown, shown, window
from mirror.store import branches, threads

if TYPE_CHECKING:
    import sqlite3

SECONDS = 20.0
ASSISTANT = "ChatGPT"
REASONING = ("folded", "open", "off")
_NEIGHBOUR = (
    "SELECT id, title FROM conversations WHERE (updated_at, id) {0} (?, ?) ORDER BY updated_at {1}, id {1} LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the address asks for."""

    message: str | None = None
    page: int | None = None
    reasoning: str = "folded"
    hidden: bool = False

    @classmethod
    def of(cls, arguments: Any) -> Wishes:
        """Read them; what makes no sense is as if it were not there."""
        page, reasoning = arguments.get("page") or "", arguments.get("reasoning")
        return cls(
            message=arguments.get("message"),
            page=int(page) if page.isdecimal() and len(page) < 7 else None,  # noqa: PLR2004 - no conversation has a million pages
            reasoning=reasoning if reasoning in REASONING else "folded",
            hidden=arguments.get("hidden") == "on",
        )

    def query(self, **changes: str | int | None) -> dict[str, str | int | None]:
        """Return them as a query, some changed."""
        stated: dict[str, str | int | None] = {
            "message": self.message,
            "page": self.page,
            "reasoning": None if self.reasoning == "folded" else self.reasoning,
            "hidden": "on" if self.hidden else None,
        }
        return stated | changes


@dataclass(slots=True)
class Turn:
    """What one speaker says in a row; what an assistant's tools answer belongs to its turn."""

    speaker: str
    role: str
    model: str | None
    created_at: str | None
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The conversation before or after, by time."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Reading:
    """All that the page shows. ``first`` to ``last`` of ``total`` messages; pages count from 1."""

    view: threads.ConversationView
    turns: list[Turn]
    page: int
    pages: int
    first: int
    last: int
    total: int
    hidden: int
    thoughts: int
    others: int
    older: Neighbour | None
    newer: Neighbour | None


async def show(datasette: Any, request: Any) -> Response:
    """Answer with the page."""
    database = access.database_of(datasette, request)
    await access.ensure(datasette, request, database, access.CHATS)
    key = tilde_decode(request.url_vars["id"])
    wishes = Wishes.of(request.args)
    try:
        reading = await access.read(datasette, database, lambda conn: read(conn, key, wishes), SECONDS)
    except threads.UnclearReferenceError as error:
        return pages.sorry(
            datasette, database, 404, error.message, "It may have another id, or stand in another mirror."
        )
    return pages.page(datasette, database, "conversation", r=reading, w=wishes, title=reading.view.title or "Untitled")


def read(conn: sqlite3.Connection, key: str, wishes: Wishes) -> Reading:
    """Read what the page shows; raises UnclearReferenceError for an unknown conversation."""
    view = threads.conversation(conn, key)
    nodes = branches.nodes(conn, key)
    way = branches.path(nodes, wishes.message)
    all_shown = shown(way, hidden=wishes.hidden, reasoning=wishes.reasoning != "off")
    part = window(all_shown, wishes.page, wishes.message)
    found = threads.messages_by_rowid(conn, key, [one.node.rowid for one in part.shown])
    return Reading(
        view=view,
        turns=_turns(part.shown, found, wishes),
        page=part.page,
        pages=part.pages,
        first=part.first,
        last=part.first + len(part.shown) - 1,
        total=len(all_shown),
        hidden=sum(1 for step in way if step.node.is_hidden and not step.node.is_empty),
        thoughts=sum(1 for step in way if step.node.kind == "reasoning"),
        others=sum(1 for node in nodes if not node.is_empty) - sum(1 for step in way if not step.node.is_empty),
        older=_neighbour(conn, view, "<", "DESC"),
        newer=_neighbour(conn, view, ">", "ASC"),
    )


def _turns(part: list[Shown], found: dict[int, threads.MessageView], wishes: Wishes) -> list[Turn]:
    turns: list[Turn] = []
    for one in part:
        message = found[one.node.rowid]
        role = "assistant" if message.role == "tool" else message.role or "unknown"
        if not turns or turns[-1].role != role or one.fork or role == "user":
            speaker = ASSISTANT if role == "assistant" else render.turn(message)
            turns.append(Turn(speaker, role, None, message.created_at))
        if message.role == "assistant":
            turns[-1].model = turns[-1].model or message.model
        turns[-1].blocks.append(block(message, one, is_open=wishes.reasoning == "open"))
    return turns


def _neighbour(conn: sqlite3.Connection, view: threads.ConversationView, sign: str, order: str) -> Neighbour | None:
    if view.updated_at is None:
        return None
    row = conn.execute(_NEIGHBOUR.format(sign, order), (view.updated_at, view.id)).fetchone()
    return Neighbour(row[0], row[1] or "Untitled") if row else None


def can_be_markdown(datasette: Any, database: str, table: str | None, view_name: str) -> bool:
    """Offer Markdown on the row page of a conversation."""
    return view_name == "row" and table == "conversations" and database in databases.mirrors(datasette).settings


async def as_markdown(datasette: Any, request: Any, database: str, rows: list[Any]) -> Response:
    """Answer with a conversation as Markdown; ``?_branches=all`` for all of its branches."""
    if database not in databases.mirrors(datasette).settings or not rows or "id" not in rows[0].keys():  # noqa: SIM118 - a row of SQLite is no dict
        return Response.text("Only a conversation of a chatmirror database can be read as Markdown.", status=404)
    await access.ensure(datasette, request, database, access.CHATS)
    key, all_branches = rows[0]["id"], request.args.get("_branches") == "all"

    def markdown(conn: sqlite3.Connection) -> str:
        found = threads.messages(conn, key, all_branches=all_branches)
        return render.markdown(threads.conversation(conn, key), found, all_branches=all_branches)

    text = await access.read(datasette, database, markdown, SECONDS)
    return Response(text, content_type="text/markdown; charset=utf-8", headers={"x-content-type-options": "nosniff"})
