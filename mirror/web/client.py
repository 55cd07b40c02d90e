"""One request: paced, repeated where that can help, and every refusal told apart.

The result is an answer that has parsed to its end. What fails for one address (a 4xx, a lasting 5xx, an answer that
never comes whole) is raised as ``Refused``, about which the caller must decide; what no other request would survive (a
certificate, a browser check, the account lock, a redirect) is raised as one of ``mirror.errors`` and ends the run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.errors import ChatmirrorError, FinalServiceError, SafetyStopError
from mirror.large_json import TooDenseError
from mirror.skeleton import Skeletons
from mirror.web.failures import Redirected, TooLarge, TooSlow, Unreachable, Untrusted
from mirror.web.pacing import stop_if_locked
from mirror.web.transport import Reply

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
# For an answer that took longer than one may: each costs minutes. 1: one slow moment costs a conversation its run.
SLOW_TRIES = 2
# Addresses in a row that show what looks like a browser check without its header, after which it is one: a page of the
# proxy can come for a single address. 1: one such page ends a run; large: requests in vain.
CHALLENGED_ADDRESSES = 3
# Bytes of a refusal in which its reason is looked for; the known ones have some hundred. Larger: time and memory.
MOST_REASON_BYTES = 64 * 1024
# Addresses in a row that are redirected, after which nothing is believed of the host any more. 1: one conversation that
# is redirected ends a run; large: requests in vain.
REDIRECTED_ADDRESSES = 3
CHALLENGE_MARKS = (b"_cf_chl_opt", b"Just a moment")  # words of Cloudflare's own page (API notes §1.7)
# A fresh connection passes most of the time (API notes §1.7). Fewer: runs end that could have continued.
CHALLENGE_TRIES = 4
# Requests in a row that come to nothing but marked browser checks, each after all its tries, after which it is the
# connection that is checked: the second one asks for something else. 1: one checked address ends a run; larger: more
# requests against a block.
CHALLENGED_IN_A_ROW = 2
# The same in a whole run, with answers between them: two conversations, at each endpoint. Smaller: two that are checked
# end a run; larger: more requests against what may become a block.
MOST_CHALLENGED = 6
OK = 200


class Refused(Exception):  # noqa: N818 - an answer; the caller decides whether it is an error
    """The site answered 4xx.

    ``code``: the machine's word for the reason, if it gave one (API notes §1.4). ``sentence``: its words for a person.
    """

    def __init__(self, status: int, code: str | None, sentence: str | None = None) -> None:
        super().__init__(f"HTTP {status}" + (f" ({code})" if code else "") + (f": “{sentence}”" if sentence else ""))
        self.status, self.code, self.sentence = status, code, sentence


class ServerError(Refused):
    """The site answered 5xx to every try."""


class NoAnswer(ServerError):  # noqa: N818 - as above
    """Nothing usable came from one address, to every try: reset, cut, no JSON, a web page, too large or too slow.

    It says nothing of any other address: the caller asks for something that is known to work before it blames more.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(0, None)
        self.args = (reason,)


class Challenged(NoAnswer):
    """A marked browser check came to every try for one address: whoever asks should ask for something else next."""

    def __init__(self) -> None:
        super().__init__("a browser check came")


class _CheckCame(Exception):  # noqa: N818 - never leaves this module
    """A browser check (of Cloudflare) came instead of an answer (API notes §1.7)."""


class _WebPage(Unreachable):
    """A web page came instead of JSON. ``is_challenge``: it looks like a browser check, and is not marked as one."""

    def __init__(self, *, is_challenge: bool) -> None:
        super().__init__("a browser check came" if is_challenge else "a web page came instead of an answer")
        self.is_challenge = is_challenge


class _OtherStatus(Unreachable):
    """A status that no answer of an API has: a part of one, a choice, "not changed"."""


class Answer(NamedTuple):
    """A whole answer: the parsed JSON and the bytes that it came in."""

    data: Any
    body: bytes
    reply: Reply


@dataclass(slots=True)
class _Failures:
    """How often one request has failed, by what went wrong."""

    unreachable: int = 0
    challenged: int = 0
    server_errors: int = 0


@dataclass(slots=True)
class Client:
    """Sends one run's requests to one site.

    ``log``: called with a line for each answer, free of secrets. ``skeletons``: what the answers were made of.
    """

    site: Site
    wire: Wire
    pacing: Pacing
    log: Callable[[str], None]
    skeletons: Skeletons = field(init=False)
    _challenged_paths: set[str] = field(default_factory=set)
    _redirected_paths: set[str] = field(default_factory=set)
    _challenged_in_a_row: int = 0  # requests
    _challenged: int = 0  # requests in this run
    _answers: int = 0  # in this run

    def __post_init__(self) -> None:
        self.skeletons = Skeletons(self.site.words)

    def request(
        self,
        method: str,
        path: str,
        request_class: RequestClass,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        tries: int = MOST_TRIES,
    ) -> Answer:
        """Send until an answer is whole, at most ``tries`` times where it fails for this address.

        Raises Refused, ServerError or NoAnswer for what concerns this address alone, and FinalServiceError,
        RateLimitError or SafetyStopError for what every other request would meet, too.
        """
        try:
            return self._request(method, path, request_class, headers, params, data, tries)
        except (Refused, ChatmirrorError) as error:
            # Callers keep errors; their frames would keep the answer that failed, which can have a hundred megabytes.
            error.__context__ = error.__cause__ = None
            raise error.with_traceback(None)  # noqa: B904 - it is the same one

    def _request(
        self,
        method: str,
        path: str,
        request_class: RequestClass,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None,
        data: Any,
        tries: int,
    ) -> Answer:
        body = None if data is None else json.dumps(data).encode()
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        failures = _Failures()
        while True:
            reply = Reply(0, {}, b"")  # what failed is not kept while the next one comes: it can have 128 MB
            self.pacing.wait_turn(request_class)
            try:
                reply = self.wire.send(
                    method, path, params=params or {}, headers=headers, body=body, seconds=self.pacing.time_left()
                )
                self.log(f"{method} {path} {reply.status} {len(reply.body)} bytes")
                self._note(method, path, reply)
                answer = self._answer(reply, request_class)
            except Untrusted:
                raise FinalServiceError(
                    f"The certificate of {self.site.name} is not trusted, so nothing was sent. Check this computer's"
                    " clock and network, then run again."
                ) from None
            except _CheckCame:
                self._after_challenge(failures)
            except Unreachable as error:
                self._after_no_answer(path, error, failures, tries)
            except ServerError:
                failures.server_errors += 1
                if failures.server_errors >= min(tries, SERVER_ERROR_TRIES):
                    raise
                self.pacing.wait_after_server_error(reply, failures.server_errors)
            else:
                if answer is not None:
                    self.skeletons.take(method, path, answer.data)
                    self.pacing.note_answer(request_class)
                    self._challenged_paths.clear()
                    self._redirected_paths.clear()
                    self._answers += 1
                    return answer

    def _note(self, method: str, path: str, reply: Reply) -> None:
        """Count an answer of the service itself, which speaks JSON also where it refuses.

        Browser checks and pages of errors come from what stands before it; they come and go, and are no change of its
        API.
        """
        content_type = reply.headers.get("content-type", "")
        is_refusal = reply.status >= 400  # noqa: PLR2004 - HTTP's refusals
        is_check = reply.headers.get("cf-mitigated") == "challenge"
        if not (reply.is_html or is_check or (is_refusal and "json" not in content_type)):
            self.skeletons.note(method, path, reply.status, content_type)

    def _answer(self, reply: Reply, request_class: RequestClass) -> Answer | None:
        """Tell answers apart; None: a 429 was waited for and the request is to be sent again."""
        if reply.status >= 400:  # noqa: PLR2004 - HTTP's own line between success and refusal
            stop_if_locked(reply, self.site)
        if reply.headers.get("cf-mitigated") == "challenge":
            raise _CheckCame
        if reply.is_html and reply.status in {200, 403, 503}:
            raise _WebPage(is_challenge=any(mark in reply.body for mark in CHALLENGE_MARKS))
        self._challenged_in_a_row = 0  # the service itself answers
        if reply.status == 429:  # noqa: PLR2004 - HTTP's Too Many Requests
            self.pacing.wait_after_429(reply, request_class, self._refused(reply).sentence)
            return None
        if reply.status >= 400:  # noqa: PLR2004 - HTTP's refusals
            raise self._refused(reply)
        if reply.status != OK:
            raise _OtherStatus(f"HTTP {reply.status} came instead of an answer")
        try:
            return Answer(reply.json(), reply.body, reply)
        except TooDenseError as error:
            raise TooLarge(f"an answer {error}") from None
        except ValueError as error:
            # A body that was cut inside its compression arrives as half a text with status 200: only parsing shows it.
            raise Unreachable(f"an answer {error}") from None

    def _refused(self, reply: Reply) -> Refused:
        kind = ServerError if reply.status >= 500 else Refused  # noqa: PLR2004 - HTTP's server errors
        try:
            body = reply.json() if len(reply.body) <= MOST_REASON_BYTES else {}
        except ValueError:
            body = {}
        return kind(reply.status, self.site.error_code(body), self.site.error_sentence(body))

    def _after_challenge(self, failures: _Failures) -> None:
        """Wait before the next try on a fresh connection; raises Challenged, or FinalServiceError, after enough."""
        self.wire.renew()
        failures.challenged += 1
        if failures.challenged >= CHALLENGE_TRIES:
            self._challenged_in_a_row += 1
            self._challenged += 1
            is_single = self._answers > 0 and self._challenged_in_a_row < CHALLENGED_IN_A_ROW
            raise Challenged if is_single and self._challenged <= MOST_CHALLENGED else self._challenge_error()
        self.pacing.back_off(failures.challenged + failures.unreachable - 1)

    def _after_no_answer(self, path: str, error: Unreachable, failures: _Failures, tries: int) -> None:
        """Wait before the next try on a fresh connection; raises NoAnswer after enough of them."""
        self.log(f"{path} {error}" + (f" ({error.detail})" if error.detail else ""))
        self.wire.renew()
        failures.unreachable += 1
        if failures.unreachable >= min(tries, _tries_after(error)):
            self._note_challenged(path, error)
            self._note_redirected(path, error)
            raise NoAnswer(str(error)) from None
        self.pacing.back_off(failures.challenged + failures.unreachable - 1)

    def _note_challenged(self, path: str, error: Unreachable) -> None:
        """Count the addresses that show a browser check; raises FinalServiceError at several of them."""
        if isinstance(error, _WebPage) and error.is_challenge:
            self._challenged_paths.add(path)
            if len(self._challenged_paths) >= CHALLENGED_ADDRESSES:
                raise self._challenge_error()

    def _note_redirected(self, path: str, error: Unreachable) -> None:
        """Count the addresses that are redirected; raises SafetyStopError where it is not single ones."""
        if isinstance(error, Redirected):
            self._redirected_paths.add(path)
            # The first answer is the session's; a redirect right after it speaks of the whole API.
            if self._answers <= 1 or len(self._redirected_paths) >= REDIRECTED_ADDRESSES:
                raise SafetyStopError(f"{self.site.name}: {error}; what is saved stays. Run again later.")

    def _challenge_error(self) -> FinalServiceError:
        return FinalServiceError(
            f"{self.site.name} shows a browser check instead of answers; what is saved stays. Open"
            f" {self.site.home_url} in the browser that you copied the login from, then run again."
        )


def _tries_after(error: Unreachable) -> int:
    if isinstance(error, TooLarge | Redirected):
        return 1
    if isinstance(error, _OtherStatus):
        return SERVER_ERROR_TRIES
    if isinstance(error, TooSlow):
        return SLOW_TRIES
    return CHALLENGE_TRIES if isinstance(error, _WebPage) else MOST_TRIES
