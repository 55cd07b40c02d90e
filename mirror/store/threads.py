"""Read one conversation for display: which one is meant, its facts, and its messages in an order that can be read.

A conversation is a tree, for every edited prompt and regenerated answer begins another branch. The walk below keeps
all of it: at each fork the branches that were left behind come first, oldest first, and the one that goes on last, so
that what a person sees at the service stays one thread from top to bottom.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mirror.errors import UsageError
from mirror.normalize.rows import Attachment, Link
from mirror.store.branches import by_parent

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

MOST_CANDIDATES = 5
_IN_PATH = re.compile(r"/c/([^/]+)")
_HANGING = (
    "SELECT x.message_rowid, x.{1} FROM messages m JOIN {0} x ON x.message_rowid = m.rowid WHERE m.conversation_id = ?"
    " ORDER BY x.message_rowid, x.position"
)
_ID = re.compile(r"[\w.:-]+")


class UnclearReferenceError(UsageError):
    """No conversation is meant, or several could be; ``candidates``: id and title of the first few."""

    def __init__(self, message: str, candidates: tuple[tuple[str, str | None], ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


@dataclass(frozen=True, slots=True)
class Branch:
    """A message begins branch ``number`` of ``of``, counted by age; ``is_visible``: the one shown at the service."""

    number: int
    of: int
    is_visible: bool


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation's row with the names that its ids stand for."""

    id: str
    title: str | None
    url: str
    created_at: str | None
    updated_at: str | None
    message_count: int | None
    model: str | None
    project: str | None
    gpt: str | None
    is_archived: bool
    is_starred: bool
    deleted_at: str | None
    missing_since: str | None
    provider: str
    account: str | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message's row with what hangs on it; ``branch`` where it is one of several answers to the same message."""

    rowid: int
    id: str
    parent_id: str | None
    position: int | None
    role: str | None
    kind: str
    text: str
    created_at: str | None
    model: str | None
    author: str | None
    recipient: str | None
    channel: str | None
    content_type: str | None
    status: str | None
    is_hidden: bool
    removed_at: str | None
    links: tuple[Link, ...]
    attachments: tuple[Attachment, ...]
    branch: Branch | None = None


def find_conversation(conn: sqlite3.Connection, reference: str) -> str:
    """Return the id that is meant by an id, its beginning, an address of the conversation's page, or ``last``.

    Raises UnclearReferenceError where none is or several could be.
    """
    wanted = reference.strip()
    if wanted.lower() == "last":
        return _last(conn)
    row = conn.execute("SELECT id FROM conversations WHERE id = ? OR url = ?", (wanted, wanted)).fetchone()
    if row:
        return str(row[0])
    wanted = _id_in(wanted)
    sql = "SELECT id, title FROM conversations WHERE lower(substr(id, 1, length(?1))) = lower(?1)"
    sql += " ORDER BY length(id) > length(?1), updated_at DESC, id"
    matches = conn.execute(sql, (wanted,)).fetchall()
    if len(matches) == 1 or (matches and len(matches[0][0]) == len(wanted)):
        return str(matches[0][0])
    if not matches:
        raise UnclearReferenceError(
            f"There is no conversation “{wanted}” here. `chatmirror search` finds ids by words."
        )
    few = tuple((str(row[0]), row[1]) for row in matches[:MOST_CANDIDATES])
    named = "; ".join(f"{found} “{title or 'Untitled'}”" for found, title in few)
    more = f"; and {len(matches) - len(few):,} more" if len(matches) > len(few) else ""
    raise UnclearReferenceError(f"{len(matches):,} conversations begin with “{wanted}”: {named}{more}.", few)


def _last(conn: sqlite3.Connection) -> str:
    row = conn.execute("SELECT id FROM conversations ORDER BY updated_at DESC, id LIMIT 1").fetchone()
    if row is None:
        raise UnclearReferenceError(
            "There are no conversations here yet. Run `chatmirror sync` or `chatmirror import`."
        )
    return str(row[0])


def _id_in(reference: str) -> str:
    """Return the id in an address, or the reference itself if it can be one."""
    if "/" in reference:
        try:
            path = unquote(urlsplit(reference).path)
        except ValueError:
            path = ""
        if match := _IN_PATH.search(path):
            return match[1]
        if "/share/" in path:
            raise UnclearReferenceError(
                "A share link does not say which conversation it shows; give that one's address."
            )
    if not _ID.fullmatch(reference):
        raise UnclearReferenceError(f"“{reference}” is neither an id nor the address of a conversation.")
    return reference


def conversation(conn: sqlite3.Connection, conversation_id: str) -> ConversationView:
    """Return a conversation's facts; raises UnclearReferenceError for an id that is not stored."""
    row = conn.execute(
        "SELECT c.id, c.title, c.url, c.created_at, c.updated_at, c.message_count, c.model, p.name, g.name,"
        " c.is_archived, c.is_starred, c.deleted_at, c.missing_since, c.provider, a.name FROM conversations c"
        " LEFT JOIN projects p ON p.id = c.project_id LEFT JOIN gpts g ON g.id = c.gpt_id"
        " LEFT JOIN accounts a ON a.id = c.account_id WHERE c.id = ?",
        (conversation_id,),
    ).fetchone()
    if row is None:
        raise UnclearReferenceError(f"There is no conversation “{conversation_id}” here.")
    values = list(row)
    values[9:11] = map(bool, values[9:11])
    return ConversationView(*values)


def messages(conn: sqlite3.Connection, conversation_id: str, *, all_branches: bool = False) -> list[MessageView]:
    """Return the messages that the service shows and those hidden between them, or those of ``all_branches``."""
    where = "" if all_branches else " AND position IS NOT NULL"
    views = _views(conn, conversation_id, where + " ORDER BY position IS NULL, position, created_at, rowid")
    return _walked(views) if all_branches else views


def messages_by_rowid(conn: sqlite3.Connection, conversation_id: str, rowids: Sequence[int]) -> dict[int, MessageView]:
    """Return some messages of a conversation; at most a page of them."""
    views = _views(conn, conversation_id, f" AND rowid IN ({', '.join('?' * len(rowids))})", *rowids)
    return {view.rowid: view for view in views}


def _views(conn: sqlite3.Connection, conversation_id: str, where: str, *values: int) -> list[MessageView]:
    rows = conn.execute(
        "SELECT rowid, id, parent_id, position, role, kind, text, created_at, model, author, recipient, channel,"
        f" content_type, status, is_hidden, removed_at FROM messages WHERE conversation_id = ?{where}",
        (conversation_id, *values),
    ).fetchall()
    links, files = _links(conn, conversation_id), _attachments(conn, conversation_id)
    views = []
    for rowid, *facts, is_hidden, removed_at in rows:
        hanging = tuple(links.get(rowid, ())), tuple(files.get(rowid, ()))
        views.append(MessageView(*[rowid, *facts, bool(is_hidden), removed_at, *hanging]))
    return views


def _links(conn: sqlite3.Connection, conversation_id: str) -> dict[int, list[Link]]:
    found: dict[int, list[Link]] = {}
    for rowid, *values in conn.execute(_HANGING.format("links", "url, x.title, x.kind"), (conversation_id,)):
        found.setdefault(rowid, []).append(Link(*values))
    return found


def _attachments(conn: sqlite3.Connection, conversation_id: str) -> dict[int, list[Attachment]]:
    columns = "id, x.name, x.mime_type, x.size, x.kind"
    found: dict[int, list[Attachment]] = {}
    for rowid, *values in conn.execute(_HANGING.format("attachments", columns), (conversation_id,)):
        found.setdefault(rowid, []).append(Attachment(*values))
    return found


def _walked(views: list[MessageView]) -> list[MessageView]:
    """Return the messages of a whole tree in reading order, each beginning of a branch marked. Total: loops too."""
    known = {view.id for view in views}
    children = by_parent(views)
    tops = [top for parent, group in children.items() if parent not in known for top in _forked(group)]
    order: list[MessageView] = []
    reached: set[str] = set()
    for start in [*tops, *views]:  # what the tops do not lead to goes round in a circle
        waiting = [start]
        while waiting:
            view = waiting.pop()
            if view.id not in reached:
                reached.add(view.id)
                order.append(view)
                waiting += reversed(_forked(children.get(view.id, [])))
    return order


def _forked(siblings: list[MessageView]) -> list[MessageView]:
    """Return the answers to one message, which come by age, each told which it is, the visible one last."""
    if len(siblings) < 2:  # noqa: PLR2004 - two make a fork
        return siblings
    told = [
        replace(view, branch=Branch(number, len(siblings), view.position is not None))
        for number, view in enumerate(siblings, 1)
    ]
    return sorted(told, key=lambda view: view.position is not None)
