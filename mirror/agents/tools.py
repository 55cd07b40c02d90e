"""The three tools, as functions of a database: each answers with JSON of a bounded length."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mirror import render
from mirror.agents.answers import Answer, key, short, stated
from mirror.errors import UsageError
from mirror.store import threads
from mirror.store.overview import newest_conversations
from mirror.store.search.known import refuse_unknown
from mirror.store.search.search import Filters, search, split_marks
from mirror.text import readable_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from mirror.store.conversation_list import ListedConversation
    from mirror.store.search.files import FileHit
    from mirror.store.search.search import Hit, Passage

MOST_RESULTS = 50  # conversations of one answer, whatever was asked for; by judgement: more would be cut anyway
_MOST_LINKS = 10  # sources of one message; by judgement: the text itself names most of them


def search_chats(conn: sqlite3.Connection, query: str, filters: Filters, *, limit: int, latest: bool) -> str:
    """Answer with the conversations and files that a search finds."""
    refuse_unknown(conn, filters)
    most = min(MOST_RESULTS, max(1, limit))
    found = search(conn, query, filters, most, latest=latest)
    answer = Answer(stated(conversations_found=found.conversations, files_found=found.files_found), "results")
    given = answer.add_all([*map(_hit, found.hits), *map(_file, found.files)])
    notes = []
    if found.is_partial:
        notes.append("No conversation holds all of the words; these hold most of them.")
    if found.is_widened:
        notes.append("Nothing on the visible branches; these are from other branches.")
    if given < len(found.hits) + len(found.files) or found.conversations > len(found.hits):
        notes.append(f"There is more: narrow it by words or filters, or raise limit (at most {MOST_RESULTS}).")
    return answer.finished(
        note=" ".join(notes), next="read_chat(id, message=the id of a passage) reads on from there." if answer else ""
    )


def _hit(hit: Hit) -> dict[str, Any]:
    return stated(
        id=key(hit.conversation_id),
        title=short(hit.title),
        updated=hit.updated_at,
        deleted=hit.deleted_at,
        lacks=list(map(short, hit.missing)),
        messages_found=hit.matches,
        passages=list(map(_passage, hit.passages)),
    )


def _passage(passage: Passage) -> dict[str, Any]:
    return stated(
        message=key(passage.id),
        role=short(passage.role),
        kind=passage.kind,
        at=passage.created_at,
        text="".join(piece for piece, _ in split_marks(passage.snippet)),
        is_on_another_branch=not passage.is_on_visible_branch,
    )


def _file(file: FileHit) -> dict[str, Any]:
    return stated(
        file=readable_name(file.name or file.file_id),
        found_in=file.kind,
        text="".join(piece for piece, _ in split_marks(file.snippet)),
        chats=[{"id": key(one.conversation_id), "title": short(one.title)} for one in file.conversations],
    )


@dataclass(frozen=True, slots=True)
class ReadingRange:
    """What of a chat is to be read: messages ``first`` to ``last``, counted from 1, or those from ``message`` on.

    ``offset``: characters of the first one's text to leave out, because they were read already. ``branches``: all of
    them, ``hidden``: also what the service does not show. Where a message is of another branch, or hidden, they are
    read as if that had been asked for.
    """

    first: int = 1
    last: int | None = None
    message: str | None = None
    offset: int = 0
    branches: bool = False
    hidden: bool = False


def read_chat(conn: sqlite3.Connection, reference: str, wanted: ReadingRange, *, database: str = "") -> str:
    """Answer with messages of a conversation, as many as there is room for, and how to get the rest.

    ``database``: what the next call has to name, where there are several.
    """
    if wanted.last is not None and wanted.last < 1:
        raise UsageError("Messages are counted from 1; leave last out to read to the end.")
    found = threads.find_conversation(conn, reference)
    view = threads.conversation(conn, found)
    wanted, shown = _with_message(conn, found, wanted)
    last = min(wanted.last or len(shown), len(shown))
    answer = Answer(_about(view, len(shown), wanted), "messages")
    rest = _add_messages(answer, shown[wanted.first - 1 : last], wanted.first, max(0, wanted.offset))
    return answer.finished(rest=_how_to_go_on(found, rest, wanted, last, database))


def _with_message(
    conn: sqlite3.Connection, found: str, wanted: ReadingRange
) -> tuple[ReadingRange, list[threads.MessageView]]:
    """Return the messages that are read, and the range in them."""
    for branches, hidden in (
        (wanted.branches, wanted.hidden),
        (True, wanted.hidden),
        (wanted.branches, True),
        (True, True),
    ):
        messages = threads.messages(conn, found, all_branches=branches)
        shown = [message for message in messages if hidden or render.is_shown(message)]
        first = max(1, wanted.first) if wanted.message is None else _place_of(shown, wanted.message)
        if first is not None:
            return replace(wanted, first=first, branches=branches, hidden=hidden), shown
    raise UsageError(f"There is no message “{short(wanted.message)}” in this chat.")


def _place_of(shown: Sequence[threads.MessageView], message_id: str) -> int | None:
    return next((number for number, message in enumerate(shown, 1) if key(message.id) == key(message_id)), None)


def _about(view: threads.ConversationView, total: int, wanted: ReadingRange) -> dict[str, Any]:
    return stated(
        id=key(view.id),
        title=short(view.title),
        url=short(view.url),
        created=view.created_at,
        updated=view.updated_at,
        model=short(view.model),
        project=short(view.project),
        is_archived=view.is_archived,
        deleted=view.deleted_at,
        incomplete=None if view.is_complete else short(view.incomplete_reason or "for an unknown reason"),
        branches="all, one after the other" if wanted.branches else "the visible one",
        with_hidden=wanted.hidden,
        messages_in_all=total,
    )


def _add_messages(
    answer: Answer, messages: Sequence[threads.MessageView], first: int, offset: int
) -> tuple[int, int] | None:
    """Add messages; return the number of the first that is left and the offset into its text, None if none is."""
    for number, message in enumerate(messages, first):
        skipped = offset if number == first else 0
        text, item = message.text[skipped:], _message(message, number, skipped)
        if answer.add(item | {"text": text}):
            continue
        return number, skipped + answer.add_beginning(item, text)
    return None


def _message(message: threads.MessageView, number: int, skipped: int) -> dict[str, Any]:
    branch = message.branch
    return stated(
        n=number,
        role=short(message.role),
        kind=message.kind,
        at=message.created_at,
        model=short(message.model),
        tool=short(message.author) if message.role == "tool" else None,
        removed=message.removed_at,
        branch=f"{branch.number} of {branch.of}" if branch else None,
        files=[short(render.file_line(one)) for one in message.attachments[:_MOST_LINKS]],
        sources=[short(url) for url, _ in list(render.unlinked_sources(message))[:_MOST_LINKS]],
        text_begins_at=skipped,
    )


def _how_to_go_on(found: str, rest: tuple[int, int] | None, wanted: ReadingRange, last: int, database: str) -> str:
    if rest is None:
        return ""
    number, offset = rest
    named = {
        "id": f'"{key(found)}"',
        "first": number,
        "last": wanted.last,
        "offset": offset,
        "branches": "true" if wanted.branches else "",
        "hidden": "true" if wanted.hidden else "",
        "database": f'"{key(database)}"' if database else "",
    }
    arguments = ", ".join(f"{name}={value}" for name, value in named.items() if value)
    return f"read_chat({arguments}) goes on, up to message {last}."


def recent_chats(conn: sqlite3.Connection, filters: Filters, *, limit: int, skip: int) -> str:
    """Answer with the conversations that changed last."""
    refuse_unknown(conn, filters)
    most, skip = min(MOST_RESULTS, max(1, limit)), min(max(0, skip), sys.maxsize - MOST_RESULTS)
    found = newest_conversations(conn, most + 1, filters, skip)
    answer = Answer({}, "chats")
    given = answer.add_all(map(_summary, found[:most]))
    return answer.finished(rest=f"The same with skip={skip + given} goes on." if given < len(found) else "")


def _summary(one: ListedConversation) -> dict[str, Any]:
    return stated(
        id=key(one.id),
        title=short(one.title),
        updated=one.at,
        messages=one.message_count,
        project=short(one.project),
        is_archived=one.is_archived,
        is_starred=one.is_starred,
        deleted=one.deleted_at,
    )
