"""One HTTP request, safely: the only object that touches the network, small enough to be replaced whole.

It sends to one host only, follows no redirect, reads no proxy or ``.netrc`` setting of the environment, bounds size and
time of every answer, and knows nothing of logins or retries. Whoever needs another way to the service (a client that
looks like a browser, say) writes another object with the same ``send``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

import requests

from mirror.errors import SafetyStopError, ServiceError, UsageError
from mirror.json_bytes import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_TIMEOUT, READ_TIMEOUT, TOTAL_TIMEOUT = 10.0, 60.0, 300.0  # seconds
MAX_BODY = 256 * 1024 * 1024  # bytes, inflated
DEFAULT_BASE_URL = "https://chatgpt.com"
_IN_A_PATH = "/%:@!$&'()*+,;=~"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Unreachable(Exception):  # noqa: N818 - a state of the wire, turned into an error of ours further up
    """No usable answer came: refused, reset, cut, too slow, too large. Worth another try."""


class Untrusted(Exception):  # noqa: N818 - see above
    """The other end's certificate is not trusted. Nothing was sent; another try would not help."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end. Header names are lower case; ``set_cookies`` the raw Set-Cookie values."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    set_cookies: tuple[str, ...] = ()

    def json(self) -> Any:
        """Parse the body; raises ValueError (also for a depth no parser can take) when it is not whole JSON."""
        return parse_json(self.body)

    @property
    def is_html(self) -> bool:
        """Whether a page came where JSON was asked for."""
        kind = self.headers.get("content-type", "")
        return "html" in kind or self.body[:200].lstrip()[:1] == b"<"


class Wire(Protocol):
    """What the client needs of a transport."""

    base_url: str

    def send(
        self, method: str, path: str, *, params: Mapping[str, Any], headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        """Send one request and read its whole answer; raises Unreachable or Untrusted."""

    def renew(self) -> None:
        """Drop every open connection, so that the next request makes a fresh one."""


def checked_base_url(base_url: str) -> str:
    """Return the address to mirror; raises UsageError unless it is https, or http on this very machine."""
    try:
        parts = urlsplit(base_url)
        is_plain = bool(parts.hostname) and not (parts.username or parts.password) and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain:
        raise UsageError("CHATMIRROR_BASE_URL must be a plain address such as https://chatgpt.com.")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise UsageError("CHATMIRROR_BASE_URL must be https; plain http is for a loopback address only.")
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(base_url: str) -> bool:
    """Whether the address is on this machine."""
    return urlsplit(base_url).hostname in _LOOPBACK


@dataclass(slots=True)
class RequestsWire:
    """The transport over requests."""

    base_url: str
    monotonic: Callable[[], float] = time.monotonic
    _session: requests.Session = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.base_url = checked_base_url(self.base_url)
        self.renew()

    def renew(self) -> None:
        """See Wire."""
        if hasattr(self, "_session"):
            self._session.close()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, .netrc or CA bundle of the environment
        self._session.headers.clear()

    def send(
        self, method: str, path: str, *, params: Mapping[str, Any], headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        """See Wire. A redirect is never followed: it raises SafetyStopError, and nothing went to the other address."""
        # (an id or cursor with half a character in it is asked for with a question mark, and refused as unknown)
        query = urlencode(params, errors="replace")
        url = f"{self.base_url}{quote(path, safe=_IN_A_PATH, errors='replace')}" + (f"?{query}" if query else "")
        deadline = self.monotonic() + TOTAL_TIMEOUT
        self._session.cookies.clear()  # cookies travel in our own header, to our own host
        try:
            with self._session.request(
                method,
                url,
                headers=dict(headers),
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            ) as response:
                content = self._read(response, deadline)
                cookies = tuple(response.raw.headers.getlist("Set-Cookie"))
                found = {name.lower(): value for name, value in response.headers.items()}
                reply = Reply(response.status_code, found, content, cookies)
        except requests.exceptions.SSLError as error:
            raise Untrusted(_plain(error)) from None
        except (requests.RequestException, OSError, ValueError) as error:
            raise Unreachable(_plain(error)) from None
        _refuse_redirect(reply)
        return reply

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_content(1 << 16):
            size += len(chunk)
            if size > MAX_BODY:
                raise ServiceError(f"An answer is larger than {MAX_BODY >> 20} MB; it was dropped. Nothing is lost.")
            if self.monotonic() > deadline:
                raise Unreachable(f"an answer took longer than {TOTAL_TIMEOUT:.0f} s")
            chunks.append(chunk)
        return b"".join(chunks)


def _refuse_redirect(reply: Reply) -> None:
    if reply.status in {301, 302, 303, 307, 308}:
        host = urlsplit(reply.headers.get("location", "")).hostname or "another page"
        raise SafetyStopError(f"The service answered with an unexpected redirect to {host[:80]}; it was not followed.")


def _plain(error: BaseException) -> str:
    # Never the text of the exception: it holds addresses with their queries. Its kind says enough.
    cause = error.__cause__ or error.__context__
    return type(error).__name__ + (f" ({type(cause).__name__})" if cause and cause is not error else "")
