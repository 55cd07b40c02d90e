"""The plural endpoint: one conversation's visible branch, newest page first (API notes §3.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.completeness import NO_MESSAGES, is_of_another_conversation
from mirror.chatgpt.site import BY_ID
from mirror.source import Fetched, NotFetched
from mirror.values import as_dict

if TYPE_CHECKING:
    from mirror.chatgpt.session import Session

# Turns of a page: what the web client asks for; 100 can fail (API notes §3.3). Larger: long conversations fail.
TURNS_A_PAGE = 10
# Pages of one conversation, against cursors without end. Smaller: a very long one stays incomplete.
MOST_BRANCH_PAGES = 2_000


class _PagesError(Exception):
    """The pages cannot be put together; the text says why."""


def fetch_branch(session: Session, conversation_id: str) -> Fetched | NotFetched:
    """Ask for a conversation's visible branch, all of its pages; raises what ``Session.get`` raises.

    The pages are put together as one payload, as if the service had sent them in one.
    """
    path = f"/conversations/{conversation_id}"
    params: dict[str, Any] = {"include_has_versions": "true", "num_turns": TURNS_A_PAGE}
    first = session.get(path, params, BY_ID).data
    if not isinstance(first, dict) or not isinstance(first.get("messages"), list):
        return NotFetched(conversation_id, "the answer holds neither a tree nor messages")
    if is_of_another_conversation(first, conversation_id):
        return NotFetched(conversation_id, "the answer is another conversation's")
    try:
        messages, is_whole = _all_messages(session, path, params, first)
    except _PagesError as error:
        return NotFetched(conversation_id, str(error))
    payload = {**first, "messages": messages}
    payload.pop("page_info", None)
    return Fetched(
        conversation_id,
        payload,
        json.dumps(payload, ensure_ascii=False).encode("utf-8", "surrogateescape"),
        "plural",
        path,
        proves_absence=False,
        is_branch_only=True,
        incomplete_reason=_incomplete_reason(messages, is_whole=is_whole),
    )


def _incomplete_reason(messages: list[Any], *, is_whole: bool) -> str | None:
    if not messages:
        return NO_MESSAGES
    return None if is_whole else "its older messages did not come"


def _all_messages(session: Session, path: str, params: dict[str, Any], first: dict[str, Any]) -> tuple[list[Any], bool]:
    """Return the messages of all pages, oldest first, and whether they reach the beginning."""
    messages, page = list(first["messages"]), first
    used: set[str] = set()
    while (cursor := _older_cursor(page)) and len(used) < MOST_BRANCH_PAGES:
        if cursor in used:
            raise _PagesError("the page cursor repeats")
        used.add(cursor)
        page = as_dict(session.get(f"{path}/messages", {"before": cursor, **params}, BY_ID).data)
        if not isinstance(page.get("messages"), list):
            raise _PagesError("a page of it holds no messages")
        messages = _with_older(page["messages"], messages)
    return messages, cursor is None


def _older_cursor(page: dict[str, Any]) -> str | None:
    """Return the cursor to older messages.

    ``has_previous_page`` decides, whatever the rest says (API notes §3.3). None where there are none; "" where there
    are some and nothing says how to ask for them.
    """
    info = as_dict(page.get("page_info"))
    if not info.get("has_previous_page"):
        return None
    cursor = info.get("start_cursor")
    return cursor if isinstance(cursor, str) else ""


def _with_older(older: list[Any], newer: list[Any]) -> list[Any]:
    """Put a page of older messages before the newer ones; pages can overlap."""
    known = {_message_id(message) for message in newer} - {None}
    return [message for message in older if _message_id(message) not in known] + newer


def _message_id(message: object) -> str | None:
    found = as_dict(message).get("id")
    return found if isinstance(found, str) and found else None
