"""Reading conversations from the simulated service: batch, single, plural, and the limit on them (API notes §3, §8)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from mirror.simulator import shapes

if TYPE_CHECKING:
    from mirror.simulator.account import Account
    from mirror.simulator.knobs import Knobs
    from mirror.simulator.lists import Answer

MOST_IDS = 10
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
        at_home = self.account.homes.get(key, self.account.workspaces[0].id) == workspace
        if key not in self.account.conversations or not at_home:
            return missing("conversation_not_found", "Conversation not found")
        return self.account.tree(key)

    def single(self, workspace: str, key: str) -> Answer:
        """``GET /conversation/{id}``."""
        if self.knobs.single == "missing":
            return 404, {"detail": "Not Found"}
        if self.knobs.single == "broken":
            return 500, {"detail": "Internal Server Error"}
        found = self._find(workspace, key)
        if isinstance(found, tuple):
            return found
        if key in self.knobs.shapeless:
            return 200, {"status": "ok"}
        return 200, shapes.single(found, self.account.old_titles.get(key))

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
        found = [
            c for key in ids if key not in self.knobs.batch_omits and isinstance(c := self._alive(workspace, key), dict)
        ]
        trees = [shapes.batched(c, self.account.old_titles.get(c["conversation_id"]), self.knobs) for c in found]
        if self.knobs.batch == "shuffled":
            self.account.chance.shuffle(trees)
        return 200, {"conversations": trees} if self.knobs.batch == "wrapped" else trees

    def _alive(self, workspace: str, key: str) -> Any:
        # A batch goes on showing what was deleted: a hit is no proof of life.
        return self.account.deleted.get(key) or self._find(workspace, key)

    def plural(self, workspace: str, key: str, query: dict[str, str], *, older: bool) -> Answer:
        """``GET /conversations/{id}`` and its ``/messages?before=``."""
        if self.knobs.plural == "missing":
            return 404, {"detail": "Not Found"}
        turns = int(query.get("num_turns", "10"))
        if self.knobs.plural == "broken" or turns >= 100:  # noqa: PLR2004 - the size that fails
            return 500, {"detail": "Internal Server Error"}
        found = self._find(workspace, key)
        if isinstance(found, tuple):
            return found
        if key in self.knobs.shapeless:
            return 200, {"status": "ok"}
        messages = shapes.flat_messages(found)
        end = _place(query.get("before")) if older else len(messages)
        end = len(messages) if end is None else end
        start = max(0, end - turns)
        page = messages[start : min(len(messages), end + (self.knobs.plural_overlap if older else 0))]
        info = {
            "start_cursor": _cursor(end if self.knobs.plural_repeats_cursor else start),
            "end_cursor": _cursor(end),
            "has_previous_page": start > 0 or self.knobs.plural_repeats_cursor,
            "has_next_page": False,
        }
        answer = {"messages": page, "page_info": info, "safe_urls": [], "blocked_urls": []}
        return 200, answer if older else {**shapes.plural(found, self.account.old_titles.get(key)), **answer}


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"message:{position}".encode()).decode()


def _place(cursor: str | None) -> int | None:
    try:
        return int(base64.urlsafe_b64decode(cursor or "").decode().removeprefix("message:"))
    except ValueError:
        return None
