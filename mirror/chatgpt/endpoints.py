"""Which of the three endpoints that give conversations answer for this account (API notes §3.1).

*batch* gives ten whole trees a request and is hardly limited. *single* gives one whole tree. *plural* gives one
conversation's visible branch, page by page. No account has all three for sure; which ones answer is found out by asking
and remembered from run to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from mirror.chatgpt.memory import ChatGPTMemory

Endpoint = Literal["batch", "single", "plural"]  # also stored, as the origin of a payload
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
# Conversations in a row, just listed, that an endpoint says do not exist; one may belong to another workspace. 1: an
# endpoint is closed because of one conversation; large: requests in vain.
DENIALS_TO_CLOSE = 3


class Endpoints:
    """The endpoints that are worth a request. Which ones are closed is kept in the source's memory."""

    def __init__(self, memory: ChatGPTMemory) -> None:
        self._closed = memory.dead_endpoints
        self._denials = dict.fromkeys(ENDPOINTS, 0)

    def is_open(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is worth a request."""
        return endpoint not in self._closed

    def why_closed(self, endpoint: Endpoint) -> str:
        """Return a sentence about a closed endpoint."""
        return f"this account cannot use the {endpoint} endpoint ({self._closed.get(endpoint, 'not asked')})"

    def gave(self, endpoint: Endpoint) -> None:
        """The endpoint gave a conversation."""
        self._denials[endpoint] = 0

    def denied(self, endpoint: Endpoint, why: str) -> None:
        """The endpoint denied a conversation that was just listed; close it when it does so in a row."""
        self._denials[endpoint] += 1
        if self._denials[endpoint] >= DENIALS_TO_CLOSE:
            self.close(endpoint, why)

    def close(self, endpoint: Endpoint, why: str) -> None:
        """Ask the endpoint no more until ``reopen``."""
        self._closed[endpoint] = why

    def reopen(self) -> None:
        """Ask every endpoint again."""
        self._closed.clear()
