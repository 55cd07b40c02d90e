"""The page of one conversation: turns in reading order, links to every branch, in several pages.

Prompts and answers are open; code, tool output, quotes and canvases are folded; reasoning is folded and can be opened
or left out; what the service hides is shown on request. All of that is in the address: ``message`` (a node, which the
page then shows on its branch), ``page`` (a number, or ``all``), ``reasoning`` (``folded``, ``open``, ``off``),
``hidden`` (``on``) and ``find`` (words, which are marked, with links from one message that has them to the next).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from datasette import Response  # type: ignore[import-untyped] # it has no types
from datasette.utils import tilde_decode  # type: ignore[import-untyped] # as above

from mirror import render
from mirror.browse import access, databases, pages
from mirror.browse.blocks import Block, block_of
from mirror.browse.files import FileAddresses, on_page
from mirror.browse.marks import with_marks
from mirror.browse.pagination import MessagePage, ShownMessage, fit_one_page, messages_to_show, paginated
from mirror.browse.prompts import prompt_list
from mirror.browse.sidebar import sidebar
from mirror.browse.tool_runs import pieces_of
from mirror.services import speaker_of
from mirror.store import file_rows, threads
from mirror.store.branches import path_through, tree_nodes
from mirror.store.search.in_conversation import matching_rowids
from mirror.store.search.query import parse_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirror.browse.prompts import PromptList
    from mirror.browse.sidebar import Sidebar
    from mirror.browse.tool_runs import Piece
    from mirror.store.branches import TreeNode
    from mirror.store.search.query import Word

SECONDS = 20.0  # by judgement: a reader waits no longer for a page
REASONING = ("folded", "open", "off")


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What the address asks for. ``is_whole``: all on one page, ``page=all``."""

    message: str | None = None
    page: int | None = None
    is_whole: bool = False
    reasoning: str = "folded"
    hidden: bool = False
    find: str = ""

    @classmethod
    def of(cls, arguments: Any) -> PageOptions:
        """Read them; what makes no sense is treated as absent."""
        page, reasoning = arguments.get("page") or "", arguments.get("reasoning")
        return cls(
            message=arguments.get("message"),
            page=int(page) if page.isdecimal() and len(page) < 7 else None,  # noqa: PLR2004 - no conversation has a million pages
            is_whole=page == "all",
            reasoning=reasoning if reasoning in REASONING else "folded",
            hidden=arguments.get("hidden") == "on",
            find=arguments.get("find") or "",
        )

    def query(self, **changes: str | int | None) -> dict[str, str | int | None]:
        """Return them as the query of an address, with some changed.

        Without a page number, the page is found by the message; ``page=all`` stays.
        """
        stated: dict[str, str | int | None] = {
            "message": self.message,
            "page": self.page,
            "reasoning": None if self.reasoning == "folded" else self.reasoning,
            "hidden": "on" if self.hidden else None,
            "find": self.find,
        }
        query = stated | changes
        return query | {"page": query["page"] or ("all" if self.is_whole else None)}


@dataclass(slots=True)
class Turn:
    """What one speaker says in a row; the output of an assistant's tools is part of its turn."""

    speaker: str
    role: str
    model: str | None
    created_at: str | None
    provider: str
    has_open_reasoning: bool = False
    blocks: list[Block] = field(default_factory=list)

    @property
    def pieces(self) -> list[Piece]:
        """Its blocks, those of tools in runs."""
        return list(pieces_of(self.blocks, self.provider, has_open_reasoning=self.has_open_reasoning))

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Address and title of the pages that its answers name, each once; those of a fold stand in it."""
        return list({url: (url, title) for b in self.blocks if b.summary is None for url, title in b.sources}.values())


@dataclass(frozen=True, slots=True)
class Finds:
    """The messages of the path that have the words: how many, which one is shown (0: none), and those beside it.

    ``elsewhere``: how many others have them, on other branches or hidden.
    """

    count: int
    number: int
    before: TreeNode | None
    after: TreeNode | None
    elsewhere: int


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page of the conversation, and when its first message was written."""

    number: int
    created_at: str | None


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """All that the page shows. ``first`` to ``last`` of ``total`` messages; pages count from 1.

    ``links``: the pages to which it leads; ``can_be_whole``: whether all would fit one page.
    ``hidden``, ``thoughts`` and ``others``: how many messages of the path are hidden or reasoning, and how many are on
    other branches. ``fork``: the first message at which these part from the path.
    """

    view: threads.ConversationView
    service: str
    turns: list[Turn]
    page: int
    pages: int
    links: list[PageLink]
    can_be_whole: bool
    prompts: PromptList | None
    first: int
    last: int
    total: int
    hidden: int
    thoughts: int
    others: int
    fork: TreeNode | None
    sidebar: Sidebar
    canvases: list[file_rows.CanvasVersion]
    finds: Finds | None


async def conversation_page(datasette: Any, request: Any) -> Response:
    """Answer with the page."""
    database = access.database_of(datasette, request)
    await access.ensure_allowed(datasette, request, database, access.CHAT_TABLES)
    key = tilde_decode(request.url_vars["id"])
    options = PageOptions.of(request.args)
    try:
        at = pages.Addresses(datasette, database)
        page = await access.read_in_time(
            datasette, database, lambda conn: load_conversation_page(conn, key, options, at), SECONDS
        )
    except threads.UnclearReferenceError as error:
        advice = "It may have another id, or be in another mirror."
        return pages.error_page(datasette, database, 404, error.message, advice)
    title = page.view.title or "Untitled"
    return pages.render_page(datasette, database, "conversation", page=page, options=options, title=title)


def load_conversation_page(
    conn: sqlite3.Connection, key: str, options: PageOptions, at: pages.Addresses
) -> ConversationPage:
    """Read what the page shows; raises UnclearReferenceError for an unknown conversation."""
    view = threads.conversation(conn, key)
    nodes = tree_nodes(conn, key)
    path = path_through(nodes, options.message)
    shown = messages_to_show(path, hidden=options.hidden, reasoning=options.reasoning != "off")
    can_be_whole = fit_one_page(shown)
    part = _page_of(shown, options, can_be_whole=can_be_whole)
    messages = threads.messages_by_rowid(conn, key, [one.node.rowid for one in part.messages])
    words = parse_words(options.find)
    turns = turns_of(part.messages, TurnParts(messages, file_rows.of_messages(conn, key), at), view.provider, options)
    if words:
        _mark(turns, words)
    not_empty = [step.node for step in path if not step.node.is_empty]
    return ConversationPage(
        view=view,
        service=speaker_of(view.provider),
        turns=turns,
        page=part.page,
        pages=part.pages,
        links=[PageLink(number, _begun(shown, part.starts[number - 1])) for number in part.near],
        can_be_whole=can_be_whole,
        prompts=prompt_list(conn, shown, part),
        first=part.first,
        last=part.first + len(part.messages) - 1,
        total=len(shown),
        hidden=sum(1 for node in not_empty if node.is_hidden),
        thoughts=sum(1 for step in path if step.node.kind == "reasoning"),
        others=sum(1 for node in nodes if not node.is_empty) - len(not_empty),
        fork=next((one.node for one in shown if one.fork), None),
        sidebar=sidebar(conn, view),
        canvases=file_rows.canvases(conn, key),
        finds=_finds(conn, words, nodes, shown, options.message) if words else None,
    )


def _page_of(shown: list[ShownMessage], options: PageOptions, *, can_be_whole: bool) -> MessagePage:
    if options.is_whole and can_be_whole:
        return MessagePage(shown, page=1, pages=1, first=1, starts=[0])
    return paginated(shown, options.page, options.message)


def _begun(shown: list[ShownMessage], place: int) -> str | None:
    return shown[place].node.created_at if place < len(shown) else None


def _finds(
    conn: sqlite3.Connection,
    words: Sequence[Word],
    nodes: list[TreeNode],
    shown: list[ShownMessage],
    message: str | None,
) -> Finds:
    rowids = matching_rowids(conn, words, [node.rowid for node in nodes])
    found = [one.node for one in shown if one.node.rowid in rowids]
    places = {one.node.id: n for n, one in enumerate(shown)}
    at = places.get(message or "", -1)
    before = [node for node in found if places[node.id] < at]
    after = [node for node in found if places[node.id] > at]
    number = len(before) + 1 if len(before) + len(after) < len(found) else 0
    previous, following = before[-1] if before else None, after[0] if after else None
    return Finds(len(found), number, previous, following, len(rowids) - len(found))


def _mark(turns: list[Turn], words: Sequence[Word]) -> None:
    """Mark words in all blocks; a fold with one in it is open."""
    marked = iter(with_marks([block.html for turn in turns for block in turn.blocks], words))
    for turn in turns:
        pairs = [(block, next(marked)) for block in turn.blocks]
        turn.blocks = [replace(block, html=html, is_open=block.is_open or "<mark>" in html) for block, html in pairs]


@dataclass(frozen=True, slots=True)
class TurnParts:
    """What turns are made of: messages by rowid, files by id, and addresses."""

    messages: dict[int, threads.MessageView]
    files: dict[str, file_rows.FileRow]
    at: FileAddresses


def turns_of(part: list[ShownMessage], shown: TurnParts, provider: str, options: PageOptions) -> list[Turn]:
    """Return messages as turns, in the same order."""
    turns: list[Turn] = []
    has_open_reasoning = options.reasoning == "open"
    for one in part:
        message = shown.messages[one.node.rowid]
        role = "assistant" if message.role == "tool" else message.role or "unknown"
        if not turns or turns[-1].role != role or one.fork or role == "user":
            speaker = speaker_of(provider) if role == "assistant" else render.speaker_name(message, provider)
            turns.append(Turn(speaker, role, None, message.created_at, provider, has_open_reasoning))
        if message.role == "assistant":
            turns[-1].model = turns[-1].model or message.model
        files = [on_page(attachment, shown.files, shown.at) for attachment in message.attachments]
        block = block_of(message, one, provider, files, has_open_reasoning=has_open_reasoning, wanted=options.message)
        turns[-1].blocks.append(block)
    for turn in turns:
        _open_only_canvas(turn)
    return turns


def _open_only_canvas(turn: Turn) -> None:
    """Open the canvases of a turn that says nothing else."""
    if turn.role == "assistant" and all(block.summary is not None for block in turn.blocks):
        turn.blocks = [replace(one, is_open=one.is_open or one.message.kind == "canvas") for one in turn.blocks]


def can_be_markdown(datasette: Any, database: str, table: str | None, view_name: str) -> bool:
    """Offer Markdown on the row page of a conversation."""
    return view_name == "row" and table == "conversations" and database in databases.mirrors(datasette).settings


async def as_markdown(datasette: Any, request: Any, database: str, rows: list[Any]) -> Response:
    """Answer with a conversation as Markdown; ``?_branches=all`` for all of its branches."""
    if database not in databases.mirrors(datasette).settings or not rows or "id" not in rows[0].keys():  # noqa: SIM118 - a row of SQLite is no dict
        return Response.text("Only a conversation of a chatmirror database can be read as Markdown.", status=404)
    await access.ensure_allowed(datasette, request, database, access.CHAT_TABLES)
    key, all_branches = rows[0]["id"], request.args.get("_branches") == "all"

    def rendered(conn: sqlite3.Connection) -> str:
        messages = threads.messages(conn, key, all_branches=all_branches)
        at, known = pages.Addresses(datasette, database), file_rows.of_messages(conn, key)
        places = {file_id: at.file(file_id, row.sha256) for file_id, row in known.items() if row.sha256}
        view = threads.conversation(conn, key)
        return render.conversation_markdown(view, messages, all_branches=all_branches, files=places)

    text = await access.read_in_time(datasette, database, rendered, SECONDS)
    return Response(text, content_type="text/markdown; charset=utf-8", headers={"x-content-type-options": "nosniff"})
