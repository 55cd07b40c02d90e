"""One request until its answer is whole: what is tried again, how often, and how each failure is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from scripted_wire import ScriptedClock, ScriptedWire, client_of

from mirror.errors import RateLimitError, ServiceError
from mirror.web.client import (
    CHALLENGE_TRIES,
    MOST_TRIES,
    SERVER_ERROR_TRIES,
    SLOW_TRIES,
    Answer,
    NoAnswer,
    Refused,
    ServerError,
)
from mirror.web.failures import TooLarge, TooSlow, Unreachable, Untrusted
from mirror.web.pacing import RUN_DEADLINE
from mirror.web.site import RequestClass, Site
from mirror.web.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

READ = RequestClass("read", spacing=0.1, pauses=(1.0,))
SITE = Site("Parrot", "https://parrot.example", lambda body: body.get("why"), b"cage")
CHALLENGE = Reply(403, {"cf-mitigated": "challenge", "content-type": "text/html"}, b"<html>Just a moment")
CUT = Reply(200, {"content-type": "application/json"}, b'{"items": [')
OK = Reply(200, {"content-type": "application/json"}, b'{"ok": true}')


def wire_of(*answers: object) -> ScriptedWire:
    """A wire that gives these answers in turn, the last one for ever."""
    left: Iterator[object] = iter(answers)
    return ScriptedWire(lambda request: next(left, answers[-1]))


def get(wire: ScriptedWire, clock: ScriptedClock | None = None) -> Answer:
    return client_of(wire, SITE, clock).request("GET", "/x", request_class=READ, headers={"A": "b"})


@pytest.mark.parametrize(
    "failure", [CHALLENGE, CUT, Unreachable("reset"), Reply(503, {}, b"{}"), Reply(429, {}, b"{}")]
)
def test_a_failure_that_passes_costs_one_more_request(failure: Reply | Exception) -> None:
    """Whatever came first, the answer is the one that is whole."""
    wire = wire_of(failure, OK)
    assert get(wire).data == {"ok": True}
    assert len(wire.sent) == 2


@pytest.mark.parametrize(
    ("failure", "requests", "words"),
    [(CHALLENGE, CHALLENGE_TRIES, "Open https://parrot.example in the browser"), (Untrusted("SSL"), 1, "certificate")],
)
def test_what_no_request_would_survive_ends_the_run(failure: Reply | Exception, requests: int, words: str) -> None:
    """After a bounded number of requests, with a sentence that says what happened and what to do."""
    wire = wire_of(failure)
    with pytest.raises(ServiceError) as caught:
        get(wire)
    assert words in caught.value.message
    assert len(wire.sent) == requests


@pytest.mark.parametrize(
    ("failure", "requests", "words"),
    [
        (Unreachable("reset"), MOST_TRIES, "reset"),
        (CUT, MOST_TRIES, "an answer is not valid JSON"),
        (Reply(200, {"content-type": "text/html"}, b"<html>"), CHALLENGE_TRIES, "a web page came"),
        (Reply(503, {"content-type": "text/html"}, b"<html>"), CHALLENGE_TRIES, "a web page came"),
        (Reply(403, {"content-type": "text/html"}, b"<html>Just a moment"), CHALLENGE_TRIES, "a browser check came"),
        *[
            (
                Reply(status, {"content-type": "application/json"}, b'{"ok": true}'),
                SERVER_ERROR_TRIES,
                f"HTTP {status} came",
            )
            for status in (101, 103, 202, 204, 205, 206, 207, 226, 300, 304, 305, 306, 310, 399)
        ],
        (TooSlow("an answer took longer than 300 s"), SLOW_TRIES, "longer than 300 s"),
        (TooLarge("an answer is larger than 256 MB"), 1, "larger than 256 MB"),
    ],
)
def test_what_fails_for_one_address_is_for_the_caller_to_decide(
    failure: Reply | Exception, requests: int, words: str
) -> None:
    """It ends no run: after a bounded number of tries the caller is told why nothing came."""
    wire = wire_of(failure)
    with pytest.raises(NoAnswer, match=words):
        get(wire)
    assert len(wire.sent) == requests


def test_an_answer_may_take_what_is_left_of_the_run() -> None:
    """So that the last one does not outlast it."""
    wire, clock = wire_of(OK), ScriptedClock()
    client = client_of(wire, SITE, clock)
    clock.seconds += RUN_DEADLINE - 7
    client.request("GET", "/x", READ, headers={})
    assert wire.seconds == 7


def test_a_caller_can_ask_for_fewer_tries() -> None:
    """For what has just failed elsewhere."""
    for failure in (Unreachable("reset"), Reply(500, {}, b"{}")):
        wire = wire_of(failure)
        with pytest.raises(ServerError):
            client_of(wire, SITE).request("GET", "/x", READ, headers={}, tries=1)
        assert len(wire.sent) == 1


def test_an_unmarked_browser_check_on_several_addresses_ends_the_run() -> None:
    """One address can show its page by mistake; several mean the connection."""
    client = client_of(wire_of(Reply(403, {"content-type": "text/html"}, b"<html>Just a moment")), SITE)
    for path in ("/a", "/a", "/b"):
        with pytest.raises(NoAnswer):
            client.request("GET", path, READ, headers={})
    with pytest.raises(ServiceError, match="browser check"):
        client.request("GET", "/c", READ, headers={})


def test_what_pythons_json_refuses_is_read_all_the_same() -> None:
    """A number of thousands of digits becomes their text, what is nested too deeply its JSON text."""
    number, deep = "7" * 5_000, "[" * 990 + "]" * 990
    found = get(wire_of(Reply(200, {}, f'{{"a": {number}, "b": {deep}, "c": "text"}}'.encode()))).data
    assert (found["a"], found["c"]) == (number, "text")
    assert json.dumps(found).count("[") == deep.count("[")


def test_a_fresh_connection_is_used_after_a_challenge_or_a_reset() -> None:
    """What looks at the connection may let the next one through."""
    wire = wire_of(CHALLENGE, Unreachable("reset"), OK)
    get(wire)
    assert wire.renewals == 2


def test_a_server_error_is_told_from_a_refusal() -> None:
    """5xx is tried again and then raised for the caller to decide; 4xx is raised at once, with the site's reason."""
    wire = wire_of((500, {"why": "broken"}))
    with pytest.raises(ServerError) as caught:
        get(wire)
    assert (caught.value.status, caught.value.code) == (500, "broken")
    assert len(wire.sent) == SERVER_ERROR_TRIES
    wire = wire_of((404, {"why": "gone"}))
    with pytest.raises(Refused, match=r"HTTP 404 \(gone\)") as refused:
        get(wire)
    assert not isinstance(refused.value, ServerError)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("status", [500, 502, 504, *range(520, 531), 599])
def test_whatever_a_proxy_before_the_service_answers_is_tried_again_and_named(status: int) -> None:
    """Such as the numbers that Cloudflare has of its own, with a text in place of a page."""
    wire = wire_of(Reply(status, {"content-type": "text/plain"}, b"error code: %d" % status))
    with pytest.raises(ServerError, match=rf"HTTP {status}\b"):
        get(wire)
    assert len(wire.sent) == SERVER_ERROR_TRIES
    assert get(wire_of(Reply(status, {}, b""), OK)).data == {"ok": True}


def test_a_refusal_without_json_has_no_reason() -> None:
    """A text instead of JSON is no reason to fail otherwise."""
    with pytest.raises(Refused, match=r"HTTP 400$"):
        get(wire_of(Reply(400, {}, b"no such thing")))


def test_a_403_in_json_is_no_browser_check() -> None:
    """Only HTML or the header of the check is one."""
    with pytest.raises(Refused):
        get(wire_of((403, {"why": None})))


def test_the_lock_is_seen_before_anything_else() -> None:
    """Its words end the run, whatever page they come on; in a good answer they are a person's text."""
    with pytest.raises(RateLimitError, match="limited access"):
        get(wire_of(Reply(403, {"content-type": "text/html"}, b"<html>the cage")))
    assert get(wire_of(Reply(200, {}, b'["the cage"]'))).data == ["the cage"]


def test_data_is_sent_as_json() -> None:
    """A body goes out as JSON, with its type, beside the headers that were given."""
    wire = wire_of(OK)
    client_of(wire, SITE).request("POST", "/x", request_class=READ, headers={"A": "b"}, data={"ids": [1]})
    assert wire.sent[0].data == {"ids": [1]}
    assert wire.sent[0].headers == {"A": "b", "Content-Type": "application/json"}


def test_the_log_has_a_line_for_each_answer_and_no_secret() -> None:
    """Method, path, status and size: nothing of headers or parameters."""
    lines: list[str] = []
    client = client_of(wire_of((500, {"why": None}), OK), SITE)
    client.log = lines.append
    client.request("GET", "/x", request_class=READ, headers={"Cookie": "canary"}, params={"cursor": "canary"})
    body = len(json.dumps({"why": None}))
    assert lines == [f"GET /x 500 {body} bytes", f"GET /x 200 {len(OK.body)} bytes"]
