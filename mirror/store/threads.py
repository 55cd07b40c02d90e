"""Read one conversation for display: which one is meant, its row, its messages in order.

A conversation is a tree, because every edited prompt and regenerated answer begins another branch. With all branches,
those that the service does not show come first at each fork, oldest first, and the one that it shows comes last, so
that the visible thread can be read from top to bottom.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from mirror.errors import UsageError
from mirror.rows import Attachment, Draft, Link
from mirror.services import conversation_id_in
from mirror.store.branches import by_parent

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

MOST_CANDIDATES = 5  # named where an id is not clear; by judgement: they still fit an error line
_BEGINNING = 8  # characters of an id that are taken for one where words were asked for; the first part of a UUID
_ID = re.compile(r"[\w.:-]+")
_ATTACHMENT_COLUMNS = tuple(f.name for f in fields(Attachment))
_MESSAGE_COLUMNS = (
    *("rowid", "id", "parent_id", "position", "role", "kind", "text", "created_at", "model", "author", "recipient"),
    *("channel", "content_type", "status", "removed_at"),
)


class UnclearReferenceError(UsageError):
    """No conversation is meant, or several could be; ``candidates``: id and title of the first few."""

    def __init__(self, message: str, candidates: tuple[tuple[str, str | None], ...] = ()) -> None:
        super().__init__(message)
        self.candidates = candidates


@dataclass(frozen=True, slots=True)
class BranchNumber:
    """Branch ``number`` of ``of``, oldest first; ``is_visible``: the one that the service shows."""

    number: int
    of: int
    is_visible: bool


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation's row with the names of its project, GPT and workspace. ``url`` None: the service has no page."""

    id: str
    title: str | None
    url: str | None
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
    is_complete: bool = True
    incomplete_reason: str | None = None
    project_id: str | None = None
    gpt_id: str | None = None


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message's row with its links and attachments; ``branch`` where it begins one of several."""

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
    branch: BranchNumber | None = None
    drafts: tuple[Draft, ...] = ()


def find_conversation(conn: sqlite3.Connection, reference: str) -> str:
    """Return the id that is meant by an id, its beginning, an address, ``last``, or words of a title.

    Raises UnclearReferenceError where none is or several could be.
    """
    wanted = reference.strip()
    if wanted.lower() == "last":
        return _last(conn)
    row = conn.execute("SELECT id FROM conversations WHERE id = ? OR url = ?", (wanted, wanted)).fetchone()
    if row:
        return str(row["id"])
    wanted = _id_in(wanted)
    return _by_id(conn, wanted) or _by_title(conn, wanted)


def named_by_id(conn: sqlite3.Connection, typed: str) -> str | None:
    """Return the id that is meant by an id, eight or more characters of its beginning, or an address; else None."""
    wanted = typed.strip()
    if "/" in wanted:
        wanted = conversation_id_in(wanted) or wanted
    row = conn.execute("SELECT id FROM conversations WHERE id = ? OR url = ?", (wanted, wanted)).fetchone()
    if row or len(wanted) < _BEGINNING:
        return str(row["id"]) if row else None
    with suppress(UnclearReferenceError):  # several begin so
        return _by_id(conn, wanted)
    return None


def _by_id(conn: sqlite3.Connection, wanted: str) -> str | None:
    if not _ID.fullmatch(wanted):
        return None
    sql = "SELECT id, title FROM conversations WHERE lower(substr(id, 1, length(?1))) = lower(?1)"
    sql += " ORDER BY length(id) > length(?1), updated_at DESC, id"
    matches = conn.execute(sql, (wanted,)).fetchall()
    if not matches:
        return None
    if len(matches) == 1 or len(matches[0]["id"]) == len(wanted):  # an id can be the beginning of another one
        return str(matches[0]["id"])
    raise _ambiguous(f"conversations begin with “{wanted}”", matches)


def _by_title(conn: sqlite3.Connection, wanted: str) -> str:
    """Return the one conversation whose title this is, or else the one whose title has these words."""
    rows = conn.execute("SELECT id, title FROM conversations WHERE title <> '' ORDER BY updated_at DESC, id").fetchall()
    whole, words = " ".join(wanted.casefold().split()), wanted.casefold().split()
    matches = [row for row in rows if " ".join(row["title"].casefold().split()) == whole]
    if words and not matches:
        matches = [row for row in rows if all(word in row["title"].casefold() for word in words)]
    if len(matches) == 1:
        return str(matches[0]["id"])
    if not matches:
        if _ID.fullmatch(wanted):
            raise UnclearReferenceError(
                f"There is no conversation “{wanted}” here, by id or title. `chatmirror search` finds ids by words."
            )
        raise UnclearReferenceError(
            f"“{wanted}” is neither an id nor the address of a conversation, and no title has these words."
        )
    raise _ambiguous(f"titles have “{wanted}”", matches)


def _ambiguous(what: str, matches: list[sqlite3.Row]) -> UnclearReferenceError:
    few = tuple((str(row["id"]), row["title"]) for row in matches[:MOST_CANDIDATES])
    named = "; ".join(f"{found} “{title or 'Untitled'}”" for found, title in few)
    more = f"; and {len(matches) - len(few):,} more" if len(matches) > len(few) else ""
    return UnclearReferenceError(f"{len(matches):,} {what}, give the id: {named}{more}.", few)


def _last(conn: sqlite3.Connection) -> str:
    row = conn.execute("SELECT id FROM conversations ORDER BY updated_at DESC, id LIMIT 1").fetchone()
    if row is None:
        raise UnclearReferenceError(
            "There are no conversations here yet. Run `chatmirror sync` or `chatmirror import`."
        )
    return str(row["id"])


def _id_in(reference: str) -> str:
    """Return the id in an address of a conversation, else the reference itself."""
    if "/" in reference:
        if found := conversation_id_in(reference):
            return found
        if "/share/" in reference:
            raise UnclearReferenceError(
                "A share link does not say which conversation it shows; give that conversation's own address."
            )
    return reference


def conversation(conn: sqlite3.Connection, conversation_id: str) -> ConversationView:
    """Return a conversation's row with names; UnclearReferenceError if it is not stored."""
    # All columns: a mirror that an older version wrote, such as a backup, lacks the newest of them.
    row = conn.execute(
        "SELECT c.*, p.name AS project, g.name AS gpt, a.name AS account FROM conversations c"
        " LEFT JOIN projects p ON p.id = c.project_id LEFT JOIN gpts g ON g.id = c.gpt_id"
        " LEFT JOIN accounts a ON a.id = c.account_id WHERE c.id = ?",
        (conversation_id,),
    ).fetchone()
    if row is None:
        raise UnclearReferenceError(f"There is no conversation “{conversation_id}” here.")
    shown = {f.name for f in fields(ConversationView)}
    values: dict[str, Any] = {name: value for name, value in dict(row).items() if name in shown}
    values |= {name: bool(values[name]) for name in ("is_archived", "is_starred", "is_complete") if name in values}
    return ConversationView(**values | {"url": None if row["url"] == row["id"] else row["url"]})


def messages(conn: sqlite3.Connection, conversation_id: str, *, all_branches: bool = False) -> list[MessageView]:
    """Return the messages of the visible branch, hidden ones too, or those of ``all_branches``."""
    where = "" if all_branches else " AND position IS NOT NULL"
    views = _views(conn, conversation_id, where + " ORDER BY position IS NULL, position, created_at, rowid")
    return in_reading_order(views) if all_branches else views


def messages_by_rowid(conn: sqlite3.Connection, conversation_id: str, rowids: Sequence[int]) -> dict[int, MessageView]:
    """Return some messages of a conversation."""
    # As one value: of those that are bound each for itself SQLite takes 999 in older builds.
    views = _views(conn, conversation_id, " AND rowid IN (SELECT value FROM json_each(?))", json.dumps(list(rowids)))
    return {view.rowid: view for view in views}


def beginnings(conn: sqlite3.Connection, rowids: Sequence[int], length: int) -> dict[int, str]:
    """Return the first ``length`` characters of the texts of some messages, without blanks before them."""
    sql = "SELECT rowid, substr(ltrim(text, char(32, 9, 10, 13)), 1, ?) AS text FROM messages"
    sql += " WHERE rowid IN (SELECT value FROM json_each(?))"
    return {row["rowid"]: row["text"] for row in conn.execute(sql, (length, json.dumps(list(rowids))))}


def _views(conn: sqlite3.Connection, conversation_id: str, where: str, *values: str) -> list[MessageView]:
    # All columns: a mirror that an older version wrote, such as a backup, lacks the newest of them.
    sql = f"SELECT * FROM messages WHERE conversation_id = ?{where}"
    rows = conn.execute(sql, (conversation_id, *values)).fetchall()
    links, attachments = _links(conn, conversation_id), _attachments(conn, conversation_id)
    return [
        MessageView(
            **{name: row[name] for name in _MESSAGE_COLUMNS},
            is_hidden=bool(row["is_hidden"]),
            drafts=_drafts(row),
            links=tuple(links.get(row["rowid"], ())),
            attachments=tuple(attachments.get(row["rowid"], ())),
        )
        for row in rows
    ]


def _drafts(row: sqlite3.Row) -> tuple[Draft, ...]:
    """Return a message's drafts; none where the column lacks or is damaged."""
    stored = row["drafts"] if "drafts" in row.keys() else None  # noqa: SIM118 - a row of SQLite is no dict
    if not stored:
        return ()
    try:
        return tuple(
            Draft(str(one["kind"]), str(one["title"]), str(one["text"]), at if isinstance(at, int) else None)
            for one in json.loads(stored)
            for at in [one.get("at")]
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _links(conn: sqlite3.Connection, conversation_id: str) -> dict[int, list[Link]]:
    rows = conn.execute(
        "SELECT l.message_rowid, l.url, l.title, l.kind FROM messages m JOIN links l ON l.message_rowid = m.rowid"
        " WHERE m.conversation_id = ? ORDER BY l.message_rowid, l.position",
        (conversation_id,),
    )
    found: dict[int, list[Link]] = {}
    for row in rows:
        found.setdefault(row["message_rowid"], []).append(Link(url=row["url"], title=row["title"], kind=row["kind"]))
    return found


def _attachments(conn: sqlite3.Connection, conversation_id: str) -> dict[int, list[Attachment]]:
    rows = conn.execute(
        f"SELECT a.message_rowid, {', '.join(f'a.{name}' for name in _ATTACHMENT_COLUMNS)}"
        " FROM messages m JOIN attachments a ON a.message_rowid = m.rowid"
        " WHERE m.conversation_id = ? ORDER BY a.message_rowid, a.position",
        (conversation_id,),
    )
    found: dict[int, list[Attachment]] = {}
    for row in rows:
        attachment = Attachment(**{name: row[name] for name in _ATTACHMENT_COLUMNS})
        found.setdefault(row["message_rowid"], []).append(attachment)
    return found


def in_reading_order(views: list[MessageView]) -> list[MessageView]:
    """Return the messages of a whole tree in reading order, each once, with branches marked."""
    known = {view.id for view in views}
    children = by_parent(views)
    roots = [root for parent, group in children.items() if parent not in known for root in _marked_branches(group)]
    order: list[MessageView] = []
    reached: set[str] = set()
    for start in [*roots, *views]:  # what no root leads to is part of a circle
        waiting = [start]
        while waiting:
            view = waiting.pop()
            if view.id not in reached:
                reached.add(view.id)
                order.append(view)
                waiting += reversed(_marked_branches(children.get(view.id, [])))
    return order


def _marked_branches(siblings: list[MessageView]) -> list[MessageView]:
    """Return the answers to one message, given oldest first, marked, with the visible one last."""
    if len(siblings) < 2:  # noqa: PLR2004 - one answer is no fork
        return siblings
    marked = [
        replace(view, branch=BranchNumber(number, len(siblings), view.position is not None))
        for number, view in enumerate(siblings, 1)
    ]
    return sorted(marked, key=lambda view: view.position is not None)
