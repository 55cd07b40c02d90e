"""Which endpoints are worth a request."""

from __future__ import annotations

from mirror.chatgpt.endpoints import DENIALS_TO_CHECK, ENDPOINTS, FAILURES_TO_CHECK, Endpoints
from mirror.chatgpt.memory import ChatGPTMemory


def checks(endpoints: Endpoints, *, is_denial: bool, has_given: bool, count: int) -> list[int]:
    """After which of so many failures in a row a control is asked for."""
    asked = [endpoints.needs_control("single", is_denial=is_denial, has_given=has_given) for _ in range(count)]
    return [n for n, is_asked in enumerate(asked, 1) if is_asked]


def test_a_control_is_asked_for_ever_more_rarely() -> None:
    """After some failures in a row, then after twice as many: the control of a good endpoint costs little."""
    first = DENIALS_TO_CHECK
    found = checks(Endpoints(ChatGPTMemory()), is_denial=True, has_given=True, count=60)
    assert found == [first, 2 * first, 4 * first, 8 * first, 16 * first]
    found = checks(Endpoints(ChatGPTMemory()), is_denial=False, has_given=True, count=FAILURES_TO_CHECK)
    assert found == [FAILURES_TO_CHECK]
    assert checks(Endpoints(ChatGPTMemory()), is_denial=False, has_given=False, count=1) == [1]


def test_one_conversation_that_comes_starts_the_count_again() -> None:
    """What fails now and then is the conversations' fault."""
    endpoints = Endpoints(ChatGPTMemory())
    for _ in range(5):
        assert checks(endpoints, is_denial=True, has_given=True, count=DENIALS_TO_CHECK - 1) == []
        endpoints.gave("single")


def test_what_refuses_is_remembered_and_asked_once_a_run() -> None:
    """From run to run, in the source's memory, until it gives something."""
    memory = ChatGPTMemory()
    endpoints = Endpoints(memory)
    endpoints.close("batch", "HTTP 404", is_denial=True)
    assert not endpoints.is_open("batch")
    assert endpoints.why_closed("batch") == "this account cannot use the batch endpoint (HTTP 404)"
    assert memory.dead_endpoints == {"batch": "HTTP 404"}
    later = Endpoints(ChatGPTMemory.of_json(memory.as_json()))
    assert later.is_open("batch")
    assert later.is_dead("batch")
    later.note_asked("batch")
    assert not later.is_open("batch")
    later.gave("batch")
    assert later.is_open("batch")
    assert not later.is_dead("batch")


def test_what_fails_is_closed_for_this_run_only() -> None:
    """A server error says nothing of the next run."""
    memory = ChatGPTMemory()
    endpoints = Endpoints(memory)
    endpoints.close("single", "HTTP 500", is_denial=False)
    assert not endpoints.is_open("single")
    assert endpoints.failure_by_id is None  # the other one can be asked
    endpoints.close("plural", "HTTP 404", is_denial=True)
    assert endpoints.failure_by_id == "HTTP 500"
    assert memory.dead_endpoints == {"plural": "HTTP 404"}


def test_dead_endpoints_are_all_asked_again() -> None:
    """Where none is left, or in a full run."""
    endpoints = Endpoints(ChatGPTMemory(dead_endpoints=dict.fromkeys(ENDPOINTS, "HTTP 404")))
    endpoints.reopen()
    assert all(endpoints.is_open(endpoint) and not endpoints.is_dead(endpoint) for endpoint in ENDPOINTS)
