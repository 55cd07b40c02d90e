"""The batch endpoint: up to ten whole trees a request (API notes §3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.json_bytes import element_texts
from mirror.source import Fetched
from mirror.values import as_dict
from mirror.web.client import Refused, ServerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror.chatgpt.endpoints import Endpoints
    from mirror.chatgpt.session import Session

BATCH_PATH = "/conversations/batch"
# Ids a request; more are refused (API notes §3.4).
BATCH_SIZE = 10
# Halvings of one group that may fail with a 5xx: one broken conversation of ten costs up to five, two up to nine.
# Smaller: those beside a broken one are read by id; larger: requests in vain.
SERVER_ERRORS_A_GROUP = 8
# Groups in a row of which only 5xx came; then this run asks for no more batches. Larger: requests in vain.
FAILED_GROUPS_TO_STOP = 2


class BatchReader:
    """Fetches groups of conversations through the batch endpoint, in one run."""

    def __init__(self, session: Session, endpoints: Endpoints) -> None:
        self._session, self._endpoints = session, endpoints
        self._failed_groups = 0
        self._server_errors = 0  # in this group

    def fetch_group(self, ids: Sequence[str]) -> dict[str, Fetched]:
        """Return the trees that came of at most ``BATCH_SIZE`` conversations, by id.

        What a batch omits proves nothing.
        """
        if self._failed_groups >= FAILED_GROUPS_TO_STOP:
            return {}
        self._server_errors = 0
        found = self._fetch(ids)
        if found or not self._server_errors:
            self._failed_groups = 0
        elif len(ids) > 1:
            self._failed_groups += 1
        return found

    def _fetch(self, ids: Sequence[str]) -> dict[str, Fetched]:
        if not self._endpoints.is_open("batch") or self._server_errors >= SERVER_ERRORS_A_GROUP:
            return {}
        try:
            answer = self._session.post(BATCH_PATH, {"conversation_ids": list(ids)})
        except ServerError:
            # One conversation can make a whole batch fail: halve it until the others come.
            self._server_errors += 1
            half = len(ids) // 2
            return self._fetch(ids[:half]) | self._fetch(ids[half:]) if half else {}
        except Refused as error:
            self._endpoints.close("batch", str(error))
            return {}
        trees = answer.data.get("conversations") if isinstance(answer.data, dict) else answer.data
        if not isinstance(trees, list):
            self._endpoints.close("batch", "an answer of an unknown form")
            return {}
        bodies = element_texts(answer.body, "conversations")
        found = [_fetched(tree, body) for tree, body in zip(trees, bodies, strict=True)]
        return {fetched.conversation_id: fetched for fetched in found if fetched.conversation_id in ids}


def _fetched(tree: Any, body: bytes) -> Fetched:
    record = as_dict(tree)
    stated = record.get("id") or record.get("conversation_id")
    conversation_id = stated if isinstance(stated, str) else ""
    return Fetched(conversation_id, tree, body, "batch", BATCH_PATH, proves_absence=True)
