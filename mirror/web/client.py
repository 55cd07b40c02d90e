"""One request: paced, repeated where that can help, and every refusal told apart.

The result is an answer that has parsed to its end. A 4xx or a lasting 5xx is raised as ``Refused``, about which the
caller must decide; what no other request would survive (no connection, a browser check, the account lock) is raised as
one of ``mirror.errors`` and ends the run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.errors import ServiceError
from mirror.web.pacing import stop_if_locked
from mirror.web.transport import Reply, Unreachable, Untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirror.web.pacing import Pacing
    from mirror.web.site import RequestClass, Site
    from mirror.web.transport import Wire

# Requests for one answer that came cut, late or not at all: with the back-off about half a minute. A guess.
# Fewer: a short outage ends a run.
MOST_TRIES = 5
# For one conversation a 5xx can be permanent (API notes §3.7). More: each broken conversation costs minutes.
SERVER_ERROR_TRIES = 3
# A fresh connection passes most of the time (API notes §1.7). Fewer: runs end that could have continued.
CHALLENGE_TRIES = 4


class Refused(Exception):  # noqa: N818 - an answer; the caller decides whether it is an error
    """The site answered 4xx.

    ``code``: the machine's word for the reason, if it gave one (API notes §1.4).
    """

    def __init__(self, status: int, code: str | None) -> None:
        super().__init__(f"HTTP {status}" + (f" ({code})" if code else ""))
        self.status, self.code = status, code


class ServerError(Refused):
    """The site answered 5xx to every try."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: the parsed JSON and the bytes that it came in."""

    data: Any
    body: bytes
    reply: Reply


@dataclass(slots=True)
class _Failures:
    """How often one request has failed, by what went wrong."""

    unreachable: int = 0
    challenges: int = 0
    server_errors: int = 0


@dataclass(slots=True)
class Client:
    """Sends one run's requests to one site.

    ``log``: called with a line for each answer, free of secrets.
    """

    site: Site
    wire: Wire
    pacing: Pacing
    log: Callable[[str], None]

    def request(
        self,
        method: str,
        path: str,
        *,
        request_class: RequestClass,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None = None,
        data: Any = None,
    ) -> Answer:
        """Send until an answer is whole.

        Raises Refused, ServerError, ServiceError, RateLimitError or SafetyStopError.
        """
        body = None if data is None else json.dumps(data).encode()
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        failures = _Failures()
        while True:
            self.pacing.wait_turn(request_class)
            try:
                reply = self.wire.send(method, path, params=params or {}, headers=headers, body=body)
            except Untrusted:
                raise ServiceError(
                    f"The certificate of {self.site.name} is not trusted, so nothing was sent. Check this computer's"
                    " clock and network, then run again."
                ) from None
            except Unreachable as error:
                self._retry_unreachable(str(error), failures)
                continue
            self.log(f"{method} {path} {reply.status} {len(reply.body)} bytes")
            if (answer := self._answer_in(reply, request_class, failures)) is not None:
                self.pacing.note_answer(request_class)
                return answer

    def _answer_in(self, reply: Reply, request_class: RequestClass, failures: _Failures) -> Answer | None:
        """Return the answer, or None after the pause before the same request is to be sent again."""
        if reply.status >= 400:  # noqa: PLR2004 - HTTP's own line between success and refusal
            stop_if_locked(reply, self.site)
        if _is_challenge(reply):
            self._retry_challenge(failures)
        elif reply.status == 429:  # noqa: PLR2004 - HTTP's Too Many Requests
            self.pacing.wait_after_429(reply, request_class)
        elif reply.status >= 500:  # noqa: PLR2004 - HTTP's server errors
            self._retry_server_error(reply, failures)
        elif reply.status >= 400:  # noqa: PLR2004 - HTTP's refusals
            raise Refused(reply.status, self._error_code(reply))
        else:
            try:
                return Answer(reply.json(), reply.body, reply)
            except ValueError:
                # A body cut inside its compression comes as half a text with status 200: only parsing shows it.
                self._retry_unreachable("an answer was cut off", failures)
        return None

    def _error_code(self, reply: Reply) -> str | None:
        try:
            return self.site.error_code(reply.json())
        except ValueError:
            return None

    def _retry_unreachable(self, reason: str, failures: _Failures) -> None:
        """Wait before the next try; raises ServiceError after the last one."""
        self.wire.renew()
        failures.unreachable += 1
        if failures.unreachable >= MOST_TRIES:
            raise ServiceError(
                f"Cannot reach {self.site.name} ({reason}); what is saved stays. Run again later."
            ) from None
        self.pacing.back_off(failures.challenges + failures.unreachable - 1)

    def _retry_challenge(self, failures: _Failures) -> None:
        """Wait before the next try, on a fresh connection; raises ServiceError after the last one."""
        self.wire.renew()
        failures.challenges += 1
        if failures.challenges >= CHALLENGE_TRIES:
            raise ServiceError(
                f"{self.site.name} shows a browser check instead of answers; what is saved stays. Open"
                f" {self.site.home_url} in the browser that you copied the login from, then run again."
            )
        self.pacing.back_off(failures.challenges + failures.unreachable - 1)

    def _retry_server_error(self, reply: Reply, failures: _Failures) -> None:
        """Wait before the next try; raises ServerError after the last one."""
        failures.server_errors += 1
        if failures.server_errors >= SERVER_ERROR_TRIES:
            raise ServerError(reply.status, self._error_code(reply))
        self.pacing.wait_after_server_error(reply, failures.server_errors)


def _is_challenge(reply: Reply) -> bool:
    """Whether a browser check (of Cloudflare) came instead of an answer (API notes §1.7)."""
    if reply.headers.get("cf-mitigated") == "challenge":
        return True
    return reply.is_html and reply.status in {200, 403, 503}
