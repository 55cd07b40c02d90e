"""The batch endpoint: up to ten whole trees a request (API notes §3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.json_bytes import element_texts
from mirror.source import Fetched
from mirror.values import as_dict
from mirror.web.client import MOST_TRIES, Challenged, Refused, ServerError
from mirror.web.pacing import RefusedForNow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror.chatgpt.controls import Controls
    from mirror.chatgpt.endpoints import Endpoints
    from mirror.chatgpt.session import Session
    from mirror.errors import RateLimitError

BATCH_PATH = "/conversations/batch"
# Ids a request; more are refused (API notes §3.4).
BATCH_SIZE = 10


class BatchReader:
    """Fetches groups of conversations through the batch endpoint, in one run."""

    def __init__(self, session: Session, endpoints: Endpoints, controls: Controls) -> None:
        self._session, self._endpoints, self._controls = session, endpoints, controls
        self._early: dict[str, Fetched] = {}  # came as controls, before their turn

    def fetch_group(self, ids: Sequence[str]) -> dict[str, Fetched]:
        """Return the trees that came of at most ``BATCH_SIZE`` conversations, by id.

        What a batch omits proves nothing.
        """
        found = {key: self._early.pop(key) for key in ids if key in self._early}
        left = [key for key in ids if key not in found]
        if not left or not self._endpoints.is_open("batch"):
            return found
        was_dead = self._endpoints.is_dead("batch")
        self._endpoints.note_asked("batch")
        try:
            return found | self._ask(left, MOST_TRIES)
        except RefusedForNow as error:
            has_control = len(left) > 1 or self._controls.candidates("batch", apart_from=left)
            if not (has_control and self._controls.may_excuse()):
                raise
            self._gives_control(error, left)  # where it is limited, too, that ends the run
            return found  # by id it shows which one it is
        except Refused as error:
            if was_dead or not self._gives_control(error, left):
                self._endpoints.close("batch", str(error), is_denial=not isinstance(error, ServerError))
                return found
            if isinstance(error, Challenged):
                return found  # by id it shows which one it is; halves would meet one browser check after the other
        # One conversation can make a whole batch fail: halve it until the others come.
        parts = self._halves(left)
        return found | parts

    def _halves(self, ids: Sequence[str]) -> dict[str, Fetched]:
        found: dict[str, Fetched] = {}
        half = len(ids) // 2
        for part in (ids[:half], ids[half:]):
            if len(ids) == 1 or not part:
                continue
            try:
                found |= self._ask(part, tries=1)
            except Refused:
                found |= self._halves(part)
        return found

    def _gives_control(self, error: Refused | RateLimitError, ids: Sequence[str]) -> bool:
        """Whether the endpoint answers for other conversations; where none can be asked for, it is believed to."""
        controls = self._controls.candidates("batch", apart_from=ids)
        if not isinstance(error, ServerError):
            controls = controls[:1] or list(ids[:1])  # a refusal speaks of the endpoint, whatever was asked for
        for key in controls:
            try:
                came = self._ask([key], tries=1)
            except Refused:
                continue
            except RefusedForNow:
                if isinstance(error, RefusedForNow) or not self._controls.may_excuse():
                    raise
                continue  # perhaps of the control alone
            self._early |= {key: fetched for key, fetched in came.items() if key in self._controls.wanted}
            return True
        return not controls

    def _ask(self, ids: Sequence[str], tries: int) -> dict[str, Fetched]:
        """Send one request; raises Refused, also where the answer is no list."""
        answer = self._session.post(BATCH_PATH, {"conversation_ids": list(ids)}, tries=tries)
        trees = answer.data.get("conversations") if isinstance(answer.data, dict) else answer.data
        if not isinstance(trees, list):
            raise Refused(answer.reply.status, "an answer of an unknown form")
        bodies = element_texts(answer.body, "conversations")
        came = [_fetched(tree, body) for tree, body in zip(trees, bodies, strict=True)]
        found = {fetched.conversation_id: fetched for fetched in came if fetched.conversation_id in ids}
        self._endpoints.gave("batch")
        for key in found:
            self._controls.gave("batch", key)
        return found


def _fetched(tree: Any, body: bytes) -> Fetched:
    record = as_dict(tree)
    stated = record.get("id") or record.get("conversation_id")
    conversation_id = stated if isinstance(stated, str) else ""
    return Fetched(conversation_id, tree, body, "batch", BATCH_PATH, proves_absence=True)
