"""What breaks between the simulated service and its client (API notes §1.7, §12)."""

from __future__ import annotations

import gzip
import http.client

import pytest
from http_browser import HttpBrowser

from mirror.simulator import ManualClock, Simulator, generated_account
from mirror.simulator.faults import BREAKAGES, STUBBORN


def once(how):
    """Break list requests in this way."""
    return lambda request: how if request.path.endswith("/conversations") else None


def test_requests_are_remembered(start):
    """Method, path, query, ids, headers, time, connection and status, in order."""
    browser = start()
    browser.get("/conversations", limit=3)
    browser.batch(*browser.ids()[:2])
    browser.get("/nothing")
    signed, listed, batch = browser.service.requests[:3]
    assert signed.path == "/api/auth/session"
    assert (listed.method, listed.path, listed.query) == ("GET", "/backend-api/conversations", {"limit": "3"})
    assert (batch.method, batch.ids) == ("POST", tuple(browser.ids()[:2]))
    assert [r.status for r in browser.service.requests] == [200, 200, 200, 404]
    assert [r.number for r in browser.service.requests] == [0, 1, 2, 3]
    assert listed.headers["authorization"] == f"Bearer {browser.token}"
    assert listed.time == browser.clock()
    assert {r.connection for r in browser.service.requests} == {1}


@pytest.mark.parametrize("how", sorted({**BREAKAGES, **STUBBORN}))
def test_every_breakage_is_seen_and_passes(start, how):
    """The client meets it, and the next request is answered normally."""
    browser = start(break_request=once(how))
    cut = {"short": http.client.IncompleteRead, "reset": OSError}
    if how in cut:
        with pytest.raises(cut[how]):
            browser.get("/conversations")
    else:
        status, found = browser.get("/conversations")
        expected = {
            "challenge": 403,
            "html_502": 502,
            "html_503": 503,
            "error_500": 500,
            "error_503": 503,
            "429": 429,
            "redirect": 302,
        }
        assert status == expected.get(how, 200)
        seen = {
            "challenge": lambda: browser.headers["cf-mitigated"] == "challenge" and b"Just a moment" in found,
            "html_200": lambda: browser.headers["content-type"].startswith("text/html"),
            "half_gzip": lambda: browser.headers["content-encoding"] == "gzip" and is_cut(found),
            "drip": lambda: len(found["items"]) == 5,
            "garbage": lambda: found.startswith(b'{"items"'),
            "redirect": lambda: browser.headers["location"].startswith("https://elsewhere.example"),
        }
        assert seen.get(how, lambda: True)()
    browser.connection.close()
    browser.behaviour.break_request = None
    assert len(browser.get("/conversations")[1]["items"]) == 5


def is_cut(packed):
    try:
        gzip.decompress(packed)
    except EOFError:
        return True
    return False


def test_dripping_and_slowness_wait_by_the_given_sleep(start):
    """Seconds before every answer, more at some endpoints, and from byte to byte."""
    slept: list[float] = []
    browser = start(sleep=slept.append, latency=1.5, latency_of={"/me": 20.0}, drip_seconds=0.25)
    browser.sign_in()
    browser.get("/me")
    assert slept == [1.5, 21.5]
    browser.behaviour.latency, browser.behaviour.break_request = 0.0, once("drip")
    browser.get("/conversations")
    assert set(slept[2:]) == {0.25}
    assert len(slept) > 1_000


def test_browser_checks_meet_whole_connections(start):
    """Drawn for each new connection, for all of its requests, the same with the same seed; signing in can be spared."""
    browser = start(challenge_probability=0.5)

    def visit():
        browser.connection.close()
        first, second = browser.session(), browser.session()
        assert first[0] == second[0]
        return first[0]

    met = [visit() for _ in range(40)]
    assert 8 < met.count(403) < 32
    browser.behaviour.challenge_spares_session = True
    assert {visit() for _ in range(10)} == {200}
    browser.behaviour.challenge_probability = 1.0
    assert browser.get("/me")[0] == 403


def test_every_nth_request_can_fail_and_every_answer_redirect(start):
    """Counted over all requests; the redirect goes to the given address."""
    browser = start()
    browser.sign_in()
    browser.behaviour.error_every = 3
    assert [browser.get("/me")[0] for _ in range(5)] == [200, 500, 200, 200, 500]
    browser.behaviour.error_every, browser.behaviour.redirect_to = None, "https://elsewhere.example/"
    assert browser.get("/me")[0] == 302
    assert browser.headers["location"] == "https://elsewhere.example/"
    assert browser.session()[0] == 200


def test_an_error_inside_the_simulator_is_not_hidden():
    """A callback that fails answers 500, and is raised when the service stops."""

    def fail(request):
        raise LookupError("a mistake in the test itself")

    service = Simulator(generated_account(ManualClock(), 1))
    service.behaviour.break_request = fail
    service.__enter__()
    with HttpBrowser(service) as browser:
        assert browser.session()[0] == 500
    with pytest.raises(LookupError):
        service.__exit__(None)


def test_a_stopped_service_answers_nobody():
    """Not even over a connection that was kept open."""
    with Simulator(generated_account(ManualClock(), 1)) as service:
        kept = HttpBrowser(service)
        assert kept.session()[0] == 200
    with pytest.raises((OSError, http.client.HTTPException)):
        kept.session()


def test_another_clock_can_be_given():
    """The account, the person and the tokens then follow it."""
    clock = ManualClock(1_800_000_000.0)
    with Simulator(generated_account(ManualClock(), 1), clock=clock) as service:
        key = service.person.new_conversation("Later")
        assert service.account.conversations[key]["update_time"] == pytest.approx(clock.time(), abs=0.001)


@pytest.mark.timeout(60)  # what looks at every conversation for a request would take longer
def test_a_large_account_begins_at_once_and_a_request_costs_little(start):
    """Ten thousand conversations of thirty messages: ready in seconds, a small request in milliseconds."""
    browser = start(account=generated_account(ManualClock(), 10_000, 30))
    browser.sign_in()
    for _ in range(1000):
        browser.get("/me")
