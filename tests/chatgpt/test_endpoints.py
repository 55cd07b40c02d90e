"""Which endpoints are worth a request."""

from __future__ import annotations

from mirror.chatgpt.endpoints import DENIALS_TO_CLOSE, ENDPOINTS, Endpoints
from mirror.chatgpt.memory import ChatGPTMemory


def test_an_endpoint_is_closed_by_denials_in_a_row() -> None:
    """One conversation that comes in between starts the count again."""
    endpoints = Endpoints(ChatGPTMemory())
    for _ in range(DENIALS_TO_CLOSE - 1):
        endpoints.denied("single", "HTTP 404")
    endpoints.gave("single")
    for _ in range(DENIALS_TO_CLOSE - 1):
        endpoints.denied("single", "HTTP 404")
    assert endpoints.is_open("single")
    endpoints.denied("single", "HTTP 404")
    assert not endpoints.is_open("single")
    assert endpoints.is_open("plural")
    assert endpoints.why_closed("single") == "this account cannot use the single endpoint (HTTP 404)"


def test_what_is_closed_is_remembered_until_all_are_asked_again() -> None:
    """From run to run, in the source's memory."""
    memory = ChatGPTMemory()
    Endpoints(memory).close("batch", "HTTP 404")
    assert memory.dead_endpoints == {"batch": "HTTP 404"}
    later = Endpoints(ChatGPTMemory.of_json(memory.as_json()))
    assert not later.is_open("batch")
    later.reopen()
    assert all(later.is_open(endpoint) for endpoint in ENDPOINTS)
