"""One polite request: paced, tried again where that can help, and every refusal told apart.

Returns an answer that has parsed to its end, or a refusal that the caller must decide about; anything that dooms the
whole run (no connection, a browser check, the account lock) is raised as an error of ours.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.errors import ServiceError
from mirror.web.pacing import Lane, Pacing, refuse_lock
from mirror.web.transport import Reply, Unreachable, Untrusted, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TRIES = 5  # for answers that did not come whole
UNWELL_TRIES = 3  # for 5xx: on a fixed conversation it can be permanent (API notes §3.7)
CHALLENGE_TRIES = 4


class Refused(Exception):  # noqa: N818 - an answer, not yet an error
    """The service answered 4xx. ``code``: the machine's word for why (API notes §1.4), if it gave one."""

    def __init__(self, status: int, code: str | None) -> None:
        super().__init__(f"HTTP {status}" + (f" ({code})" if code else ""))
        self.status, self.code = status, code


class ServerError(Refused):
    """The service answered 5xx again and again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: the parsed JSON and the bytes that it came in."""

    data: Any
    body: bytes
    reply: Reply


@dataclass(slots=True)
class Client:
    """Speaks for one run over one wire."""

    wire: Wire
    pacing: Pacing
    log: Callable[[str], None]

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        lane: Lane = "light",
    ) -> Answer:
        """Send until an answer is whole.

        Raises Refused, ServerError, ServiceError, RateLimitError or SafetyStopError.
        """
        body = None if data is None else json.dumps(data).encode()
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        failures = challenges = unwell = 0
        while True:
            self.pacing.before(lane)
            try:
                reply = self.wire.send(method, path, params=params or {}, headers=headers, body=body)
                self.log(f"{method} {path} {reply.status} {len(reply.body)} bytes")
                answer = self._answer(reply, lane)
            except Untrusted:
                raise ServiceError("The service's certificate is not trusted; nothing was sent to it.") from None
            except (Unreachable, Challenged) as error:
                challenged = isinstance(error, Challenged)
                challenges, failures = challenges + challenged, failures + (not challenged)
                self.wire.renew()
                self._give_up(error, challenges if challenged else failures, challenged=challenged)
                self.pacing.back_off(challenges + failures - 1)
            except ServerError:
                unwell += 1
                if unwell >= UNWELL_TRIES:
                    raise
                self.pacing.unwell(reply, unwell)
            else:
                if answer is not None:
                    self.pacing.granted(lane)
                    return answer

    def _answer(self, reply: Reply, lane: Lane) -> Answer | None:
        """Tell answers apart; None: a 429 was waited for and the request is to be sent again."""
        if reply.status >= 400:  # noqa: PLR2004 - HTTP's own line between success and refusal
            refuse_lock(reply)
        if _is_challenge(reply):
            raise Challenged
        if reply.status == 429:  # noqa: PLR2004 - HTTP's Too Many Requests
            self.pacing.refused(reply, lane)
            return None
        if reply.status >= 500:  # noqa: PLR2004 - HTTP's server errors
            raise ServerError(reply.status, error_code(reply))
        if reply.status >= 400:  # noqa: PLR2004 - HTTP's refusals
            raise Refused(reply.status, error_code(reply))
        try:
            return Answer(reply.json(), reply.body, reply)
        except ValueError:
            # A body cut inside its compression arrives as half a text with status 200: only parsing tells.
            raise Unreachable("an answer ended in the middle") from None

    def _give_up(self, error: Exception, count: int, *, challenged: bool) -> None:
        if challenged and count >= CHALLENGE_TRIES:
            raise ServiceError(
                "The service shows a browser check instead of answers; open https://chatgpt.com in the browser that you"
                " copied the login from, then run again. What is saved stays."
            ) from None
        if not challenged and count >= TRIES:
            raise ServiceError(f"Cannot reach the service ({error}); what is saved stays. Run again later.") from None


class Challenged(Exception):  # noqa: N818 - a state of the answer
    """A Cloudflare browser check came instead of an answer (API notes §1.7)."""


def _is_challenge(reply: Reply) -> bool:
    if reply.headers.get("cf-mitigated") == "challenge":
        return True
    return reply.is_html and reply.status in {200, 403, 503}


def error_code(reply: Reply) -> str | None:
    """Return the machine's word in an error body; messages are localised and never matched."""
    try:
        data = reply.json()
    except ValueError:
        return None
    detail = data.get("detail") if isinstance(data, dict) else None
    holder = detail if isinstance(detail, dict) else data
    code = holder.get("code") if isinstance(holder, dict) else None
    return code if isinstance(code, str) else None
