"""Reading conversations from the simulated service: batch, single, plural, and the limit on them (API notes §3, §8)."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from mirror.simulator import shapes
from mirror.simulator.asking import number, unprocessable

if TYPE_CHECKING:
    from mirror.simulator.account import Account
    from mirror.simulator.asking import Answer
    from mirror.simulator.knobs import Knobs

MOST_IDS = 10
TOO_MANY_TURNS = 100  # on a huge conversation
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
LOCK = "Too many requests. We've temporarily limited access to your conversations to protect your data."


def missing(code: str, message: str) -> Answer:
    """Return a 404 with its code."""
    return 404, {"detail": {"message": message, "code": code, "can_retry": False}}


class Bucket:
    """About two hundred reads, refilled about once a minute."""

    def __init__(self, account: Account) -> None:
        self.account, self.used, self.since = account, 0.0, account.clock()

    def take(self, capacity: int, per_minute: float) -> bool:
        """Take one read; False when none is left."""
        now = self.account.clock()
        self.used, self.since = max(0.0, self.used - (now - self.since) * per_minute / 60), now
        if self.used + 1 > capacity:
            return False
        self.used += 1
        return True


class Reads:
    """Answers every read of a conversation."""

    def __init__(self, account: Account, knobs: Knobs) -> None:
        self.account, self.knobs, self.bucket = account, knobs, Bucket(account)

    def anonymous(self) -> Answer:
        """Return what a read shows to nobody in particular; the message is localised, the code is not (§1.3)."""
        return missing("conversation_inaccessible", "Inicia sesión para ver esta conversación.")

    def limited(self) -> bool:
        """Whether the bucket refuses this read."""
        return self.knobs.bucket is not None and not self.bucket.take(self.knobs.bucket, self.knobs.refill_per_minute)

    def refusal(self) -> Answer:
        """Return the 429."""
        return 429, {"detail": LOCK if self.knobs.locks_out else "Too many requests"}

    def retry_after(self) -> dict[str, list[str]]:
        """Return the header that may come with a 429; usually none does."""
        text = self.knobs.retry_after
        if text is None:
            return {}
        return {"Retry-After": [shapes.http_date(self.account.clock() + 60) if text == "date" else text]}

    def _find(self, workspace: str, key: str) -> dict[str, Any] | Answer:
        if key in self.knobs.poisoned:
            return 500, {"detail": "Something went wrong, please try reloading the conversation."}
        if key in self.account.deleted:
            return missing("conversation_deleted", "This conversation has been deleted.")
        if key not in self.account.conversations:
            if not UUID.fullmatch(key):
                return unprocessable("conversation_id", "Input should be a valid UUID", key, where="path")
            return missing("conversation_not_found", "Conversation not found")
        if self.account.home(key) != workspace:
            return self.anonymous()
        return {"status": "ok"} if key in self.knobs.shapeless else self.account.shown(key)

    def _is_huge(self, key: str) -> bool:
        return self.knobs.all_huge or key in self.knobs.huge

    def single(self, workspace: str, key: str) -> Answer:
        """``GET /conversation/{id}``."""
        if self.knobs.single == "missing":
            return 404, {"detail": "Not Found"}
        if self.knobs.single == "broken" or self._is_huge(key):
            return 500, {"detail": "Internal Server Error"}
        found = self._find(workspace, key)
        if isinstance(found, tuple):
            return found
        return 200, shapes.single(found, self.account.old_titles.get(key), self.knobs)

    def batch(self, workspace: str, body: Any) -> Answer:
        """``POST /conversations/batch``: at most ten ids; what is unknown is left out."""
        ids = body.get("conversation_ids") if isinstance(body, dict) else None
        if self.knobs.batch == "missing":
            return 404, {"detail": "Not Found"}
        if not isinstance(ids, list) or len(ids) > MOST_IDS:
            text = "Value error, conversation_ids must contain at most 10 entries"
            return 422, {"detail": [{"type": "value_error", "loc": ["body"], "msg": text}]}
        if self.knobs.poisoned.intersection(ids):
            return 500, {"detail": "Internal Server Error"}
        found = [c for key in ids if isinstance(c := self._batched(workspace, key), dict)]
        trees = [self._tree(c) for c in found]
        if self.knobs.batch == "shuffled":
            self.account.chance.shuffle(trees)
        return 200, {"conversations": trees} if self.knobs.batch == "wrapped" else trees

    def _tree(self, found: dict[str, Any]) -> dict[str, Any]:
        key = found.get("conversation_id")
        return shapes.batched(found, self.account.old_titles.get(key), self.knobs) if key else found

    def _batched(self, workspace: str, key: Any) -> Any:
        if not isinstance(key, str) or key in self.knobs.batch_omits or self._is_huge(key):
            return None
        # A batch goes on showing what was deleted: a hit is no proof of life.
        if key in self.account.deleted:
            return self.account.shown(key) if self.knobs.batch_shows_deleted else None
        return {"id": key, "status": "ok"} if key in self.knobs.shapeless else self._find(workspace, key)

    def plural(self, workspace: str, key: str, query: dict[str, str], *, older: bool) -> Answer:
        """``GET /conversations/{id}`` and its ``/messages?before=`` or ``after=``."""
        turns = number(query, "num_turns", 0)
        if self.knobs.plural == "missing":
            return 404, {"detail": "Not Found"}
        if self.knobs.plural == "broken" or (turns >= TOO_MANY_TURNS and self._is_huge(key)):
            return 500, {"detail": "Internal Server Error"}
        if turns < 1:
            return unprocessable("num_turns", "Field required", query.get("num_turns"))
        found = self._find(workspace, key)
        if isinstance(found, tuple) or "mapping" not in found:
            return found if isinstance(found, tuple) else (200, found)
        answer = self._window(shapes.flat_messages(found), query, turns * self.knobs.messages_a_turn)
        return 200, answer if older else {
            **shapes.plural(found, self.account.old_titles.get(key), self.knobs),
            **answer,
        }

    def _window(self, messages: list[dict[str, Any]], query: dict[str, str], size: int) -> dict[str, Any]:
        whole, knobs = len(messages), self.knobs
        before, after = _place(query.get("before")), _place(query.get("after"))
        if after is not None:
            start, end = after, min(whole, after + size)
        else:
            end = whole if before is None else before
            start = max(0, end - size)
        overlap = 0 if before is None else knobs.plural_overlap
        is_blank = knobs.plural_blank_windows and before is not None and not query["before"].endswith("=.")
        upon = f"{_cursor(end)}." if is_blank else _cursor(end if knobs.plural_repeats_cursor else start)
        info = {
            "start_cursor": upon,
            "end_cursor": _cursor(end),
            "has_previous_page": start > 0 or is_blank or knobs.plural_repeats_cursor,
            "has_next_page": end < whole or knobs.plural_lies_about_next,
        }
        page = [] if is_blank else messages[start : min(whole, end + overlap)]
        return {"messages": page, "page_info": info, "safe_urls": [], "blocked_urls": []}


def _cursor(position: int) -> str:
    # Fourteen bytes, so that it always ends in "=" and must be encoded to travel.
    return base64.urlsafe_b64encode(f"messg:{position:08}".encode()).decode()


def _place(cursor: str | None) -> int | None:
    try:
        return int(base64.urlsafe_b64decode((cursor or "").removesuffix(".")).decode().removeprefix("messg:"))
    except ValueError:
        return None
