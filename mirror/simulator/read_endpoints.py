"""The endpoints that give conversations: batch, single, plural; their limit (API notes §3, §8)."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from mirror.simulator import answer_shapes
from mirror.simulator.parameters import number, unprocessable

if TYPE_CHECKING:
    from mirror.simulator.account import SimulatedAccount
    from mirror.simulator.behaviour import Behaviour
    from mirror.simulator.parameters import JsonAnswer

MOST_IDS = 10
TOO_MANY_TURNS = 100  # on a huge conversation
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
LOCK = "Too many requests. We've temporarily limited access to your conversations to protect your data."


def not_found(code: str, message: str) -> JsonAnswer:
    """Return a 404 with its code."""
    return 404, {"detail": {"message": message, "code": code, "can_retry": False}}


class ReadBucket:
    """The limit on reads: a bucket of about two hundred, refilled about once a minute."""

    def __init__(self, account: SimulatedAccount) -> None:
        self.account, self.used, self.since = account, 0.0, account.clock()

    def take(self, capacity: int, per_minute: float) -> bool:
        """Take one read; False when none is left."""
        now = self.account.clock()
        self.used, self.since = max(0.0, self.used - (now - self.since) * per_minute / 60), now
        if self.used + 1 > capacity:
            return False
        self.used += 1
        return True


class ReadEndpoints:
    """Answers every read of a conversation."""

    def __init__(self, account: SimulatedAccount, behaviour: Behaviour) -> None:
        self.account, self.behaviour, self.bucket = account, behaviour, ReadBucket(account)

    def anonymous(self) -> JsonAnswer:
        """Return what a read shows without a login; the message is localised, the code is not (§1.3)."""
        return not_found("conversation_inaccessible", "Inicia sesión para ver esta conversación.")

    def is_limited(self) -> bool:
        """Whether the bucket refuses this read."""
        return self.behaviour.bucket is not None and not self.bucket.take(
            self.behaviour.bucket, self.behaviour.refill_per_minute
        )

    def refusal(self) -> JsonAnswer:
        """Return the 429."""
        return 429, {"detail": LOCK if self.behaviour.locks_out else "Too many requests"}

    def retry_after(self) -> dict[str, list[str]]:
        """Return the header that may come with a 429; usually none does."""
        text = self.behaviour.retry_after
        if text is None:
            return {}
        return {"Retry-After": [answer_shapes.http_date(self.account.clock() + 60) if text == "date" else text]}

    def _find(self, workspace: str, key: str) -> dict[str, Any] | JsonAnswer:
        if key in self.behaviour.poisoned:
            return 500, {"detail": "Something went wrong, please try reloading the conversation."}
        if key in self.account.deleted:
            return not_found("conversation_deleted", "This conversation has been deleted.")
        if key not in self.account.conversations:
            if not UUID.fullmatch(key):
                return unprocessable("conversation_id", "Input should be a valid UUID", key, where="path")
            return not_found("conversation_not_found", "Conversation not found")
        if self.account.home(key) != workspace:
            return self.anonymous()
        if key in self.behaviour.shapeless:
            return {"status": "ok"}
        shown = self.account.shown(key)
        odd = self.behaviour.odd_values.get(key)
        return {**shown, "experiment": f"odd value: {odd}"} if odd else shown

    def _is_huge(self, key: str) -> bool:
        return self.behaviour.all_huge or key in self.behaviour.huge

    def single(self, workspace: str, key: str) -> JsonAnswer:
        """``GET /conversation/{id}``."""
        if self.behaviour.single == "missing":
            return 404, {"detail": "Not Found"}
        if self.behaviour.single == "broken" or self._is_huge(key):
            return 500, {"detail": "Internal Server Error"}
        found = self._find(workspace, key)
        if isinstance(found, tuple):
            return found
        return 200, answer_shapes.single(found, self.account.old_titles.get(key), self.behaviour)

    def batch(self, workspace: str, body: Any) -> JsonAnswer:
        """``POST /conversations/batch``: at most ten ids; what is unknown is left out."""
        ids = body.get("conversation_ids") if isinstance(body, dict) else None
        if self.behaviour.batch == "missing":
            return 404, {"detail": "Not Found"}
        if not isinstance(ids, list) or len(ids) > MOST_IDS:
            text = "Value error, conversation_ids must contain at most 10 entries"
            return 422, {"detail": [{"type": "value_error", "loc": ["body"], "msg": text}]}
        if self.behaviour.poisoned.intersection(ids):
            return 500, {"detail": "Internal Server Error"}
        found = [c for key in ids if isinstance(c := self._batched(workspace, key), dict)]
        trees = [self._tree(c) for c in found]
        if self.behaviour.batch == "shuffled":
            self.account.rng.shuffle(trees)
        return 200, {"conversations": trees} if self.behaviour.batch == "wrapped" else trees

    def _tree(self, found: dict[str, Any]) -> dict[str, Any]:
        key = found.get("conversation_id")
        return answer_shapes.batched(found, self.account.old_titles.get(key), self.behaviour) if key else found

    def _batched(self, workspace: str, key: Any) -> Any:
        if not isinstance(key, str) or key in self.behaviour.batch_omits or self._is_huge(key):
            return None
        # A batch goes on showing deleted conversations: being in one does not prove that a conversation still exists.
        if key in self.account.deleted:
            return self.account.shown(key) if self.behaviour.batch_shows_deleted else None
        return {"id": key, "status": "ok"} if key in self.behaviour.shapeless else self._find(workspace, key)

    def plural(self, workspace: str, key: str, query: dict[str, str], *, is_older_page: bool) -> JsonAnswer:
        """``GET /conversations/{id}`` and its ``/messages?before=`` or ``after=``."""
        turns = number(query, "num_turns", 0)
        if self.behaviour.plural == "missing":
            return 404, {"detail": "Not Found"}
        if self.behaviour.plural == "broken" or (turns >= TOO_MANY_TURNS and self._is_huge(key)):
            return 500, {"detail": "Internal Server Error"}
        if turns < 1:
            return unprocessable("num_turns", "Field required", query.get("num_turns"))
        found = self._find(workspace, key)
        if isinstance(found, tuple) or "mapping" not in found:
            return found if isinstance(found, tuple) else (200, found)
        answer = self._window(answer_shapes.flat_messages(found), query, turns * self.behaviour.messages_a_turn)
        return 200, answer if is_older_page else {
            **answer_shapes.plural(found, self.account.old_titles.get(key), self.behaviour),
            **answer,
        }

    def _window(self, messages: list[dict[str, Any]], query: dict[str, str], size: int) -> dict[str, Any]:
        whole, behaviour = len(messages), self.behaviour
        before = _cursor_position(query.get("before"))
        start, end = _window_bounds(whole, before, _cursor_position(query.get("after")), size)
        # An older window is asked for once with the plain cursor (blank), then with the one that the blank one gave.
        is_blank = behaviour.plural_blank_windows and before is not None and not query["before"].endswith("=.")
        cursor = _window_cursor(end if is_blank or behaviour.plural_repeats_cursor else start)
        info = {
            "start_cursor": f"{cursor}." if is_blank else cursor,
            "end_cursor": _window_cursor(end),
            "has_previous_page": start > 0 or is_blank or behaviour.plural_repeats_cursor,
            "has_next_page": end < whole or behaviour.plural_lies_about_next,
        }
        overlap = 0 if before is None else behaviour.plural_overlap
        page = [] if is_blank else messages[start : min(whole, end + overlap)]
        return {"messages": page, "page_info": info, "safe_urls": [], "blocked_urls": []}


def _window_bounds(whole: int, before: int | None, after: int | None, size: int) -> tuple[int, int]:
    """Return where a window of ``size`` messages begins and ends."""
    if after is not None:
        return after, min(whole, after + size)
    end = whole if before is None else before
    return max(0, end - size), end


def _window_cursor(position: int) -> str:
    # Fourteen bytes, so that it always ends in "=" and must be encoded to travel.
    return base64.urlsafe_b64encode(f"messg:{position:08}".encode()).decode()


def _cursor_position(cursor: str | None) -> int | None:
    try:
        return int(base64.urlsafe_b64decode((cursor or "").removesuffix(".")).decode().removeprefix("messg:"))
    except ValueError:
        return None
