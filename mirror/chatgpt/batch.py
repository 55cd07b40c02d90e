"""The batch endpoint: up to ten whole trees a request (API notes §3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.body import Body
from mirror.chatgpt.controls import LIMITED_CONTROLS, NO_ENDPOINT
from mirror.json_bytes import element_texts
from mirror.source import Fetched
from mirror.values import as_dict
from mirror.web.client import MOST_TRIES, Challenged, Refused, ServerError
from mirror.web.pacing import LastingLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mirror.chatgpt.controls import Controls
    from mirror.chatgpt.endpoints import Endpoints
    from mirror.chatgpt.session import Session

BATCH_PATH = "/conversations/batch"
# Ids a request; more are refused (API notes §3.4).
BATCH_SIZE = 10


class BatchReader:
    """Fetches groups of conversations through the batch endpoint, in one run.

    ``limit``: why there are no more batches, None where that is no limit. ``ask_by_id``: asks for a conversation by id,
    if possible for none of those given; raises ServiceError where that shows that all of the service is blocked.
    """

    def __init__(
        self, session: Session, endpoints: Endpoints, controls: Controls, ask_by_id: Callable[[Sequence[str]], None]
    ) -> None:
        self._session, self._endpoints, self._controls, self._ask_by_id = session, endpoints, controls, ask_by_id
        self.limit: LastingLimit | None = None
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
        except LastingLimit as error:
            self._judge_limit(error, left)
            return found  # by id it shows which one it is
        except Refused as error:
            if not self._goes_on(error, left, was_dead=was_dead):
                return found
        # One conversation can make a whole batch fail: halve it until the others come.
        parts = self._halves(left)
        return found | parts

    def given(self, ids: Sequence[str]) -> set[str]:
        """Return which of these come; nothing is learned from what does not."""
        found: set[str] = set()
        for start in range(0, len(ids), BATCH_SIZE):
            if not self._endpoints.is_open("batch"):
                break
            self._endpoints.note_asked("batch")
            try:
                found |= set(self._ask(ids[start : start + BATCH_SIZE], tries=1))
            except Refused:
                continue
            except LastingLimit as error:
                self._leave(error)
        return found

    def _goes_on(self, error: Refused, ids: Sequence[str], *, was_dead: bool) -> bool:
        """Judge a batch that did not come; return whether parts of it are to be asked for."""
        try:
            is_single = not was_dead and self._gives_control(error, ids)
        except LastingLimit as limit:
            self._leave(limit)
            return False
        if not is_single:
            self._endpoints.close("batch", str(error), is_denial=not isinstance(error, ServerError))
        # By id it shows which one it is; halves would meet one browser check after the other.
        return is_single and not isinstance(error, Challenged)

    def _halves(self, ids: Sequence[str]) -> dict[str, Fetched]:
        found: dict[str, Fetched] = {}
        half = len(ids) // 2
        for part in (ids[:half], ids[half:]):
            if len(ids) == 1 or not part or self.limit is not None or not self._endpoints.is_open("batch"):
                continue
            try:
                found |= self._ask(part, tries=1)
            except Challenged:
                self._ask_by_id(part)  # by id it shows which one it is; the next batch may be checked, too
            except Refused:
                found |= self._halves(part)
            except LastingLimit as error:
                self._judge_limit(error, part)
        return found

    def _judge_limit(self, error: LastingLimit, ids: Sequence[str]) -> None:
        if not self._is_limit_of_some(ids):
            self._leave(error)

    def _leave(self, error: LastingLimit) -> None:
        """Ask for no more batches in this run; reads by id, which are limited apart, show whether all is limited."""
        self.limit = error
        self._endpoints.close("batch", "ChatGPT asks for fewer batches", is_denial=False)

    def _is_limit_of_some(self, ids: Sequence[str]) -> bool:
        """Whether a lasting 429 need not be believed of all batches: another one comes, or there is no such endpoint.

        Also each end of the batch itself is asked for: where few are wanted and nothing is remembered, it is all there
        is.
        """
        controls = [*self._controls.candidates("batch", apart_from=ids), *_ends(ids)]
        if not (controls and self._controls.may_ask_about_limit()):
            return False
        limited = 0
        for key in controls:
            try:
                self._ask_control(key)
            except Refused as error:
                if self._is_no_endpoint(error):
                    self._endpoints.close("batch", str(error), is_denial=True)
                    return True
                if isinstance(error, Challenged):
                    return False  # the next one asks by id: two checks in a row are a block of the service
            except LastingLimit:
                limited += 1
                if limited >= LIMITED_CONTROLS:
                    return False
            else:
                return True
        return False

    def _is_no_endpoint(self, error: Refused) -> bool:
        """Whether a refusal says that this account has no batches; any other one may be of the limit's making."""
        is_known = self._endpoints.is_dead("batch") and not isinstance(error, ServerError)
        return is_known or error.status in NO_ENDPOINT

    def _ask_control(self, key: str) -> None:
        came = self._ask([key], tries=1)
        self._early |= {key: fetched for key, fetched in came.items() if key in self._controls.wanted}

    def _gives_control(self, error: Refused, ids: Sequence[str]) -> bool:
        """Whether the endpoint answers for other conversations; where none can be asked for, it is believed to."""
        controls = self._controls.candidates("batch", apart_from=ids)
        if not isinstance(error, ServerError):
            controls = controls[:1] or list(ids[:1])  # a refusal speaks of the endpoint, whatever was asked for
        elif isinstance(error, Challenged):
            self._ask_by_id(ids)  # two checks in a row are a block of the service, and batches alone can be checked
            controls = (controls or _ends(ids))[:1]
        limits: list[LastingLimit] = []
        for key in controls:
            try:
                self._ask_control(key)
            except Challenged:
                self._ask_by_id([*ids, key])  # the next one by id may be checked, too
                continue
            except Refused:
                continue
            except LastingLimit as limit:
                limits.append(limit)
                if len(limits) >= LIMITED_CONTROLS:
                    raise
                continue  # perhaps of the control alone
            return True
        if limits and len(limits) == len(controls):  # which says nothing of whether the endpoint answers
            raise limits[-1]
        return not controls

    def _ask(self, ids: Sequence[str], tries: int) -> dict[str, Fetched]:
        """Send one request; raises Refused, also where the answer is no list."""
        answer = self._session.post(BATCH_PATH, {"conversation_ids": list(ids)}, tries=tries)
        trees = answer.data.get("conversations") if isinstance(answer.data, dict) else answer.data
        if not isinstance(trees, list):
            raise Refused(answer.reply.status, "an answer of an unknown form")
        bodies = element_texts(answer.body, "conversations", len(trees))
        came = [_fetched(tree, body) for tree, body in zip(trees, bodies, strict=True)]
        found = {fetched.conversation_id: fetched for fetched in came if fetched.conversation_id in ids}
        self._endpoints.gave("batch")
        for key in found:
            self._controls.gave("batch", key)
        return found


def _ends(ids: Sequence[str]) -> list[str]:
    return [ids[-1], ids[0]] if len(ids) > 1 else []


def _fetched(tree: Any, body: bytes) -> Fetched:
    record = as_dict(tree)
    stated = record.get("id") or record.get("conversation_id")
    conversation_id = stated if isinstance(stated, str) else ""
    return Fetched(conversation_id, tree, Body(body), "batch", BATCH_PATH, proves_absence=True)
