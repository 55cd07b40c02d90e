"""The plural endpoint: one conversation's visible branch, newest page first (API notes §3.3).

Of a branch that is stored, only the newest pages are read, until they meet what is stored. A very long branch can have
more pages than one run may ask for: what came is stored with the cursor of the next older page, in the service's own
``page_info``, and the next run goes on at that cursor. Where older pages cannot be had, it says that there are some, so
that no later run takes what came for the whole branch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.body import Body
from mirror.chatgpt.api_paths import api_path
from mirror.chatgpt.completeness import NO_MESSAGES, is_of_another_conversation
from mirror.chatgpt.site import BY_ID
from mirror.source import Fetched, NotFetched
from mirror.values import as_dict
from mirror.web.client import MOST_TRIES, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.chatgpt.session import Session

# Turns of a page: what the web client asks for; 100 can fail (API notes §3.3). Larger: long conversations fail.
TURNS_A_PAGE = 10
# Pages of one conversation, against cursors without end. Smaller: a very long one stays incomplete.
MOST_BRANCH_PAGES = 2_000
# Pages of one conversation that are read before its turn comes again after all others. Smaller: more conversations wait
# for the end of a run; larger: one long conversation uses up what others need.
PAGES_A_TURN = 5
# Bytes of the pages of one conversation, as they came; parsed they take five times as much. Larger: memory beyond its
# bound; smaller: the beginning of a very long one never comes.
MOST_BRANCH_BYTES = 24 * 1024 * 1024
PARAMETERS: dict[str, Any] = {"include_has_versions": "true", "num_turns": TURNS_A_PAGE}
OLDER_LEFT = "its older messages are still to be read"


class StoredPart(NamedTuple):
    """What an earlier run read of a branch, oldest message first, and the cursor to what is older still, if any is."""

    messages: list[Any]
    cursor: str | None


@dataclass(slots=True)
class Branch:
    """A conversation's visible branch while it is read: what came of it, and the cursor to what is older.

    ``cursor``: None where the beginning was reached, "" where there are older messages and nothing says how to ask for
    them. ``stored``: what an earlier run read of it, until the pages read now have met it.
    """

    conversation_id: str
    first: dict[str, Any]
    messages: list[Any]
    cursor: str | None
    size: int  # bytes that came
    stored: StoredPart | None = None
    used: set[str] = field(default_factory=set)
    _before_joining: tuple[list[Any], str] | None = None

    @property
    def path(self) -> str:
        """The address of its first page."""
        return api_path("conversations", self.conversation_id)

    @property
    def has_more(self) -> bool:
        """Whether another page can be asked for, and be held."""
        return bool(self.cursor) and self.size <= MOST_BRANCH_BYTES

    def read(self, session: Session, most_pages: int) -> str | None:
        """Read older pages, at most so many; return why they cannot be put together, None where they can.

        Raises what ``Session.get`` raises; what came before is kept.
        """
        for _ in range(most_pages):
            self._join_stored()
            if not self.cursor or not self.has_more:
                return None
            if self.cursor in self.used:
                return "the page cursor repeats"
            page = self._older_page(session)
            if page is None:
                continue
            if not isinstance(page.get("messages"), list):
                return "a page of it holds no messages"
            self.used.add(self.cursor)
            self.messages = _with_older(page["messages"], self.messages)
            self.cursor = older_cursor(page)
        return None

    def _join_stored(self) -> None:
        """Go on where an earlier run ended, once the pages read now reach down to what it read.

        Where they meet, the message has to be the same: what led to it is then the same, too, as far as a reading can
        know that does not ask for it (a verification does).
        """
        if self.stored is None or not self.cursor:
            return
        oldest = self.messages[0] if self.messages and _message_id(self.messages[0]) else None
        at = next((n for n, m in enumerate(self.stored.messages) if oldest is not None and m == oldest), None)
        if at is None:
            return
        older = self.stored.messages[:at]
        self._before_joining = self.messages, self.cursor
        self.size += len(json.dumps(older))
        self.messages, self.cursor = _with_older(older, self.messages), self.stored.cursor
        self.stored = None

    def _older_page(self, session: Session) -> dict[str, Any] | None:
        """Ask for the next older page; None where a stored cursor is not taken any more, and the newer one is next."""
        before, self._before_joining = self._before_joining, None
        try:
            answer = session.get(f"{self.path}/messages", {"before": self.cursor, **PARAMETERS}, BY_ID)
            page = as_dict(answer.data)
            self.size += len(answer.body)
        except Refused:
            if before is None:
                raise
            page = {}
        if before is None or isinstance(page.get("messages"), list):
            return page
        self.messages, self.cursor = before
        return None

    def fetched(self) -> Fetched:
        """Return its pages as one payload, as if the service had sent them in one."""
        payload = {**self.first, "messages": self.messages}
        payload.pop("page_info", None)
        if self.cursor is not None:
            payload["page_info"] = {"has_previous_page": True} | ({"start_cursor": self.cursor} if self.cursor else {})
        return Fetched(
            self.conversation_id,
            payload,
            Body(_as_bytes(payload)),
            "plural",
            self.path,
            proves_absence=False,
            is_branch_only=True,
            incomplete_reason=self._incomplete_reason(),
            has_more=self.has_more,
        )

    def _incomplete_reason(self) -> str | None:
        if not self.messages:
            return NO_MESSAGES
        if self.cursor is None:
            return None
        return OLDER_LEFT if self.has_more else "its older messages did not come"


def _as_bytes(payload: dict[str, Any]) -> bytes:
    """Return JSON as the service would have sent it; half a character, which no UTF-8 can hold, as an escape."""
    try:
        return json.dumps(payload, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return json.dumps(payload).encode()


def open_branch(
    session: Session,
    conversation_id: str,
    *,
    stored: Callable[[], Any] = lambda: None,
    tries: int = MOST_TRIES,
) -> Branch | NotFetched:
    """Ask for the newest page of a conversation's visible branch; raises what ``Session.get`` raises.

    ``stored``: returns what is stored of it, where it need not be read again; called only where there are older pages.
    """
    answer = session.get(api_path("conversations", conversation_id), PARAMETERS, BY_ID, tries=tries)
    first = answer.data
    if not isinstance(first, dict) or not isinstance(first.get("messages"), list):
        return NotFetched(conversation_id, "the answer holds neither a tree nor messages")
    if is_of_another_conversation(first, conversation_id):
        return NotFetched(conversation_id, "the answer is another conversation's")
    cursor, size = older_cursor(first), len(answer.body)
    part = _stored_part(stored()) if cursor else None
    return Branch(conversation_id, first, list(first["messages"]), cursor, size, part)


def _stored_part(payload: Any) -> StoredPart | None:
    """Return what can be gone on from in a stored payload: its beginning is in it, or can be asked for."""
    messages = as_dict(payload).get("messages")
    cursor = older_cursor(as_dict(payload))
    return StoredPart(messages, cursor) if isinstance(messages, list) and cursor != "" else None


def older_cursor(page: dict[str, Any]) -> str | None:
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
