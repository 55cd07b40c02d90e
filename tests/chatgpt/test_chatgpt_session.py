"""Signing in: every known answer, one renewal of a refused token, and what is sent with each request."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from scripted_wire import SIGNED_IN, USER_ID, ScriptedWire, SentRequest, client_of

from mirror.chatgpt.login import SESSION_COOKIE
from mirror.chatgpt.session import MOST_RENEWALS, Session, token_expiry
from mirror.credentials.login import Login
from mirror.errors import SafetyStopError, ServiceError, SignInError
from mirror.web.client import Refused
from mirror.web.failures import Unreachable
from mirror.web.transport import Reply

if TYPE_CHECKING:
    from scripted_wire import Script


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


def signed_in(script: Script, login: Login | None = None) -> tuple[Session, ScriptedWire, list[Login]]:
    """A session, its wire, and the logins that it handed back to be stored."""
    stored: list[Login] = []
    wire = ScriptedWire(script)
    return Session(client_of(wire), login or Login({SESSION_COOKIE: "cookie"}), stored.append), wire, stored


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({}, SignInError, "session has ended"),
        ({"WARNING_BANNER": "…"}, SignInError, "session has ended"),
        ([], SignInError, "session has ended"),
        ({"accessToken": ""}, SignInError, "session has ended"),
        ({"accessToken": 5}, SignInError, "session has ended"),
        ({"accessToken": "t", "error": "RefreshAccessTokenError"}, SignInError, "session has expired"),
        ({"accessToken": "a\nb"}, SignInError, "unknown form"),
        ((401, {}), SignInError, "refused the session cookie"),
        ((403, {}), ServiceError, "Signing in failed with HTTP 403"),
        ((500, {}), ServiceError, "Signing in failed with HTTP 500"),
    ],
)
def test_every_way_in_which_signing_in_fails(answer: Any, error: type[Exception], words: str) -> None:
    """An ended session is told from a service that fails, which says nothing of the cookie."""
    session, _, _ = signed_in(lambda request: answer)
    with pytest.raises(error, match=words):
        session.sign_in()


def test_signing_in_without_a_network_asks_for_one() -> None:
    """Nothing is said of a login: perhaps none was given yet."""

    def unreachable(_: object) -> Any:
        raise Unreachable("the address of the service was not found")

    session, _, _ = signed_in(unreachable)
    with pytest.raises(ServiceError, match=r"was not found\. Is this computer online"):
        session.sign_in()


def test_a_session_without_a_person() -> None:
    """Nobody would know whose mirror it is."""
    session, _, _ = signed_in(lambda request: {"accessToken": "t", "user": None})
    session.sign_in()
    with pytest.raises(ServiceError, match="whose login"):
        _ = session.user_id


def test_no_secret_stays_in_what_is_known_of_the_session() -> None:
    """The tokens are used, and kept nowhere that somebody may print."""
    session, _, _ = signed_in(lambda request: {**SIGNED_IN, "sessionToken": "canary", "accessToken": "canary"})
    session.sign_in()
    assert session.user_id == USER_ID
    assert "canary" not in repr(vars(session)["data"])


def test_a_refused_token_is_renewed_once() -> None:
    """The first refusal costs a renewal and one more request; the second is final."""
    answers = iter([(401, {}), {"ok": 1}, (403, {}), (403, {"code": "x"})])

    def script(request: SentRequest) -> Any:
        return SIGNED_IN if request.path == "/api/auth/session" else next(answers)

    session, wire, _ = signed_in(script)
    assert session.get("/me").data == {"ok": 1}
    with pytest.raises(Refused, match="HTTP 403"):
        session.get("/me")
    assert [request.path for request in wire.sent] == [
        "/api/auth/session",
        "/backend-api/me",
        "/api/auth/session",
        "/backend-api/me",
        "/backend-api/me",
        "/api/auth/session",
        "/backend-api/me",
    ]


def test_a_service_that_refuses_every_token_is_not_asked_for_ever() -> None:
    """A fresh token that is refused with 403, too, was not the cause: no more are fetched."""
    session, wire, _ = signed_in(lambda request: SIGNED_IN if request.path == "/api/auth/session" else (403, {}))
    for _ in range(5):
        with pytest.raises(Refused):
            session.get("/me")
    assert sum(request.path == "/api/auth/session" for request in wire.sent) == 2


def test_tokens_that_are_good_for_one_request_are_renewed_some_times_only() -> None:
    """Each renewal seems to help; a run that asks for hundreds of tokens looks like an attack on the account."""
    uses = 0

    def answer(request: SentRequest) -> Any:
        nonlocal uses
        if request.path == "/api/auth/session":
            uses = 1
            return SIGNED_IN
        uses -= 1
        return {"id": "user-1"} if uses >= 0 else (401, {})

    session, wire, _ = signed_in(answer)
    for n in range(3 * MOST_RENEWALS):
        with suppress(SignInError, Refused):
            session.get(f"/kind-{n}")
    assert sum(request.path == "/api/auth/session" for request in wire.sent) == MOST_RENEWALS + 1


@pytest.mark.parametrize(
    ("token", "body", "words"),
    [
        ("t", {"code": "token_expired"}, "already expired"),
        (jwt(exp=1_000_000_000), {}, "already expired"),
        (jwt(exp=2_000_000_000), {}, "no longer accepts the login"),
        ("t", {}, "no longer accepts the login"),
    ],
)
def test_why_a_fresh_token_is_refused(token: str, body: dict[str, Any], words: str) -> None:
    """An expired one needs a visit to the site, any other a new cookie."""
    answer = {**SIGNED_IN, "accessToken": token}
    session, _, _ = signed_in(lambda request: answer if request.path == "/api/auth/session" else (401, body))
    with pytest.raises(SignInError, match=words):
        session.get("/me")


def test_a_renewed_session_of_somebody_else_stops_the_run() -> None:
    """Nothing of theirs is read."""
    people = iter([SIGNED_IN, {**SIGNED_IN, "user": {"id": "user-2"}}])
    session, _, _ = signed_in(lambda request: next(people) if request.path == "/api/auth/session" else (401, {}))
    with pytest.raises(SafetyStopError, match="another account"):
        session.get("/me")


def test_what_is_sent_with_each_request() -> None:
    """The cookies and the User-Agent as they were pasted, the token, and the workspace where it is not the own one."""
    login = Login({SESSION_COOKIE: "cookie", "oai-did": "device"}, user_agent="My/1.0")
    session, wire, _ = signed_in(lambda request: SIGNED_IN, login)
    session.get("/me")
    session.account_id = "ws-1"
    session.post("/x", {"a": 1})
    signing_in, own, team = (request.headers for request in wire.sent)
    assert "Authorization" not in signing_in
    assert own["Authorization"] == "Bearer token"
    assert "ChatGPT-Account-ID" not in own
    assert team["ChatGPT-Account-ID"] == "ws-1"
    for headers in (signing_in, own, team):
        assert headers["Cookie"] == f"{SESSION_COOKIE}=cookie; oai-did=device"
        assert (headers["User-Agent"], headers["OAI-Device-Id"]) == ("My/1.0", "device")
        assert (headers["Origin"], headers["Referer"]) == ("https://site.example", "https://site.example/")


@pytest.mark.parametrize(
    ("set_cookies", "cookies"),
    [
        ((f"{SESSION_COOKIE}=new; Path=/; Secure",), {SESSION_COOKIE: "new"}),
        ((f"{SESSION_COOKIE}.0=a; Path=/", f"{SESSION_COOKIE}.1=b; Path=/"), None),
        ((f"{SESSION_COOKIE}=; Max-Age=0",), {SESSION_COOKIE: "cookie"}),
        ((f"{SESSION_COOKIE}=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",), {SESSION_COOKIE: "cookie"}),
        ((f"{SESSION_COOKIE}=cookie; Path=/",), {SESSION_COOKIE: "cookie"}),
        (("_cfuvid=1; Path=/", "not a cookie \x00"), {SESSION_COOKIE: "cookie"}),
    ],
    ids=["renewed", "in parts", "deleted", "expired", "the same", "others"],
)
def test_a_renewed_cookie_is_kept(set_cookies: tuple[str, ...], cookies: dict[str, str] | None) -> None:
    """What the service renews is handed back to be stored; what it deletes or repeats changes nothing."""
    body = json.dumps(SIGNED_IN).encode()
    session, _, stored = signed_in(lambda request: Reply(200, {}, body, set_cookies))
    session.sign_in()
    expected = cookies or {f"{SESSION_COOKIE}.0": "a", f"{SESSION_COOKIE}.1": "b"}
    assert session.login.cookies == expected
    assert bool(stored) is (expected != {SESSION_COOKIE: "cookie"})


@pytest.mark.parametrize(
    ("token", "seconds"),
    [
        (jwt(exp=1_790_000_000), 1_790_000_000.0),
        (jwt(exp="5"), 5.0),
        (jwt(exp=None), None),
        (jwt(exp=10**400), None),
        (jwt(), None),
        ("opaque", None),
        ("a.!!.c", None),
        ("", None),
    ],
)
def test_when_a_token_expires(token: str, seconds: float | None) -> None:
    """By its own word, where it has one."""
    assert token_expiry(token) == seconds
