"""A site without a network: a wire that a test answers, and what stands on it, with a clock that only waiting moves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.login import SESSION_COOKIE
from mirror.chatgpt.session import Session
from mirror.chatgpt.site import SITE
from mirror.credentials.login import Login
from mirror.timing import Timing
from mirror.web.client import Client
from mirror.web.pacing import Pacing
from mirror.web.transport import Reply

if TYPE_CHECKING:
    from mirror.web.site import Site

USER_ID = "user-1"
SIGNED_IN = {"user": {"id": USER_ID}, "accessToken": "token"}


class ScriptedClock:
    """Time that only waiting moves. ``slept``: each wait, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1_790_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def timing(self) -> Timing:
        return Timing(self, self, self.sleep, random.Random(1))


@dataclass(frozen=True)
class SentRequest:
    """A request as it reached the wire."""

    method: str
    path: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    data: Any


Scripted = Reply | Exception | tuple[int, Any] | Any
Script = Callable[[SentRequest], Scripted]


@dataclass
class ScriptedWire:
    """Answers as ``script`` says: a Reply, an exception to raise, a status with JSON, or JSON with status 200."""

    script: Script
    base_url: str = "https://site.example"
    sent: list[SentRequest] = field(default_factory=list)
    renewals: int = 0
    seconds: float = inf  # what was left of the run at the latest request

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        body: bytes | None,
        seconds: float = inf,
    ) -> Reply:
        self.seconds = seconds
        request = SentRequest(method, path, params, headers, json.loads(body) if body else None)
        self.sent.append(request)
        answer = self.script(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Reply):
            return answer
        status, data = answer if isinstance(answer, tuple) else (200, answer)
        return Reply(status, {"content-type": "application/json"}, json.dumps(data).encode())

    def renew(self) -> None:
        self.renewals += 1


def client_of(wire: ScriptedWire, site: Site = SITE, clock: ScriptedClock | None = None) -> Client:
    """A client that waits for nothing but a clock of its own."""
    return Client(site, wire, Pacing(site, (clock or ScriptedClock()).timing()), lambda _: None)


def session_of(script: Script) -> tuple[Session, ScriptedWire]:
    """A ChatGPT session whose login works; ``script`` sees paths without /backend-api."""

    def answer(request: SentRequest) -> Scripted:
        if request.path == "/api/auth/session":
            return SIGNED_IN
        path = request.path.removeprefix("/backend-api")
        return script(SentRequest(request.method, path, request.params, request.headers, request.data))

    wire = ScriptedWire(answer)
    return Session(client_of(wire), Login({SESSION_COOKIE: "cookie"}), lambda _: None), wire


def asked_paths(wire: ScriptedWire) -> list[str]:
    """The paths that were asked for, signing in left out."""
    return [request.path.removeprefix("/backend-api") for request in wire.sent if request.path != "/api/auth/session"]
