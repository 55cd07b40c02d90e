"""Reads by id: one conversation at a time, from the single or the plural endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mirror.chatgpt.plural import fetch_branch
from mirror.chatgpt.single import fetch_tree
from mirror.errors import RateLimitError, ServiceError
from mirror.source import Fetched, NotFetched
from mirror.web.client import Refused, ServerError
from mirror.web.pacing import StopError

if TYPE_CHECKING:
    from mirror.chatgpt.endpoints import Endpoints
    from mirror.chatgpt.session import Session
    from mirror.source import ToFetch

ByIdEndpoint = Literal["single", "plural"]
BY_ID_ENDPOINTS: tuple[ByIdEndpoint, ...] = ("single", "plural")  # a tree before a branch
# Conversations in a row for which only 5xx came: then it is the service, since broken conversations are few (API notes
# §3.4). Smaller: some broken ones end a run; larger: minutes in vain.
SERVER_ERRORS_TO_STOP = 5
UNKNOWN = "conversation_not_found"  # said of purged chats, and of those of another workspace (API notes §3.7)
DELETED = "conversation_deleted"  # the code that proves a deletion (API notes §3.7)


class ByIdReader:
    """Fetches conversations by id, in one run.

    ``limit``: why there are no more reads by id, None while there are.
    """

    def __init__(self, session: Session, endpoints: Endpoints) -> None:
        self._session, self._endpoints = session, endpoints
        self.limit: RateLimitError | None = None
        self._server_errors = 0  # conversations in a row

    def fetch_listed(self, endpoint: ByIdEndpoint, wanted: ToFetch) -> Fetched | NotFetched:
        """Ask one endpoint for a conversation that was just listed.

        So a denial speaks against the endpoint. Raises ServiceError when the service answers with nothing but 5xx, and
        RateLimitError when the run must end; where batches continue, ``limit`` keeps that error instead.
        """
        conversation_id = wanted.listed.conversation_id
        if not self._endpoints.is_open(endpoint):
            return NotFetched(conversation_id, self._endpoints.why_closed(endpoint))
        if self.limit is not None:
            return _left_for_later(conversation_id)
        try:
            got = self._fetch(endpoint, wanted)
        except ServerError as error:
            return self._after_server_error(conversation_id, error)
        except RateLimitError as error:
            if isinstance(error, StopError) or not self._endpoints.is_open("batch"):
                raise
            self.limit = error  # batches are hardly limited, and continue
            return _left_for_later(conversation_id)
        except Refused as error:
            if error.code == DELETED:
                return _deleted(conversation_id)
            self._endpoints.denied(endpoint, str(error))
            return NotFetched(conversation_id, str(error))
        self._server_errors = 0
        if isinstance(got, Fetched):
            self._endpoints.gave(endpoint)
        return got

    def fetch_unlisted(self, wanted: ToFetch) -> Fetched | NotFetched:
        """Ask for a conversation that no list shows.

        Only its own 404 ``conversation_deleted`` proves its deletion. A refusal says nothing of the endpoint here.
        """
        conversation_id, reason = wanted.listed.conversation_id, "this account cannot read conversations by id"
        is_unknown = False
        for endpoint in BY_ID_ENDPOINTS:
            if not self._endpoints.is_open(endpoint):
                continue
            try:
                got = self._fetch(endpoint, wanted)
            except Refused as error:
                if error.code == DELETED:
                    return _deleted(conversation_id)
                reason, is_unknown = str(error), error.code == UNKNOWN
                continue
            if isinstance(got, Fetched):
                return got
            reason = got.reason
        return NotFetched(conversation_id, reason, is_unknown=is_unknown)

    def _fetch(self, endpoint: ByIdEndpoint, wanted: ToFetch) -> Fetched | NotFetched:
        if endpoint == "single":
            return fetch_tree(self._session, wanted)
        return fetch_branch(self._session, wanted.listed.conversation_id)

    def _after_server_error(self, conversation_id: str, error: ServerError) -> NotFetched:
        self._server_errors += 1
        if self._server_errors >= SERVER_ERRORS_TO_STOP:
            raise ServiceError(
                f"ChatGPT answers requests for conversations with server errors ({error}); what is saved stays. Run"
                " again later."
            ) from None
        return NotFetched(conversation_id, str(error))


def _left_for_later(conversation_id: str) -> NotFetched:
    return NotFetched(conversation_id, "no reads by id left in this run", later=True)


def _deleted(conversation_id: str) -> NotFetched:
    return NotFetched(conversation_id, "deleted at the service", is_gone=True)
