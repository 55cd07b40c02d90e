"""One HTTP request, safely: the only object that touches the network.

It sends to one host only, follows no redirect, reads no proxy or ``.netrc`` setting of the environment, bounds size and
time of every answer, and knows nothing of logins or retries. Another way to the site (a client that imitates a browser,
say) is another object with the same methods as ``Wire``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

import requests

from mirror.errors import SafetyStopError, UsageError
from mirror.json_bytes import parse_simplified
from mirror.web.failures import exception_names, plain_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Seconds. Usual for a host behind a large network. Shorter: failures on slow networks.
CONNECT_TIMEOUT = 10.0
# Seconds between two pieces of an answer: large conversations take more than 30 (API notes §8). Shorter: they always
# fail.
READ_TIMEOUT = 60.0
# Seconds for one answer: a server that sends a byte now and then never meets the read timeout. Longer: one answer holds
# up a run; shorter: large ones fail on slow lines.
TOTAL_TIMEOUT = 300.0
# Bytes, decompressed: the largest conversation seen has 18.4 MB (API notes §3.5) and a batch holds ten. Larger: memory;
# smaller: a huge conversation can never be saved.
MAX_BODY = 256 * 1024 * 1024
_UNQUOTED_IN_PATH = "/%:@!$&'()*+,;=~"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Unreachable(Exception):  # noqa: N818 - the client tries again, and decides when it is an error
    """No usable answer came: the connection was refused or reset, or the answer cut off or too slow.

    ``detail``: the names of the exceptions behind it, for a log.
    """

    def __init__(self, words: str, detail: str = "") -> None:
        super().__init__(words)
        self.detail = detail


class TooSlow(Unreachable):
    """An answer did not end in the time that one may take."""


class TooLarge(Unreachable):
    """An answer is larger than what is read; another try would bring the same."""


class Untrusted(Exception):  # noqa: N818 - the client makes it an error of ours
    """The other end's certificate is not trusted. Nothing was sent; another try would not help."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end.

    ``headers``: names in lower case. ``set_cookies``: the raw Set-Cookie values.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    set_cookies: tuple[str, ...] = ()

    def json(self) -> Any:
        """Parse the body; raises ValueError when it is not whole JSON."""
        return parse_simplified(self.body)

    @property
    def is_html(self) -> bool:
        """Whether a page came where JSON was asked for."""
        kind = self.headers.get("content-type", "")
        return "html" in kind or self.body[:200].lstrip()[:1] == b"<"


class Wire(Protocol):
    """What the client needs of a transport. ``base_url``: the one address that it sends to."""

    base_url: str

    def send(
        self, method: str, path: str, *, params: Mapping[str, Any], headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        """Send one request and read its whole answer; raises Unreachable or Untrusted."""

    def renew(self) -> None:
        """Drop every open connection, so that the next request makes a fresh one."""


def checked_base_url(base_url: str) -> str:
    """Return the address without its path.

    Raises UsageError unless it is https, or http on this computer.
    """
    try:
        parts = urlsplit(base_url)
        is_plain = bool(parts.hostname) and not (parts.username or parts.password) and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain:
        raise UsageError("CHATMIRROR_BASE_URL must be an address without a user name, such as https://host.example.")
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
        """See Wire. A redirect raises SafetyStopError, and nothing goes to the other address."""
        # A lone surrogate in an id or cursor is sent as a question mark, and the site refuses it as unknown.
        query = urlencode(params, errors="replace")
        url = f"{self.base_url}{quote(path, safe=_UNQUOTED_IN_PATH, errors='replace')}" + (f"?{query}" if query else "")
        deadline = self.monotonic() + TOTAL_TIMEOUT
        self._session.cookies.clear()  # only the cookies of the caller's own header are sent
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
            raise Untrusted(exception_names(error)) from None
        except (requests.RequestException, OSError, ValueError) as error:
            words = plain_failure(error, connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)
            raise Unreachable(words, exception_names(error)) from None
        _refuse_redirect(reply)
        return reply

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_content(1 << 16):
            size += len(chunk)
            if size > MAX_BODY:
                raise TooLarge(f"an answer is larger than {MAX_BODY >> 20} MB")
            if self.monotonic() > deadline:
                raise TooSlow(f"an answer took longer than {TOTAL_TIMEOUT:.0f} s")
            chunks.append(chunk)
        return b"".join(chunks)


def _refuse_redirect(reply: Reply) -> None:
    if reply.status in {301, 302, 303, 307, 308}:
        host = urlsplit(reply.headers.get("location", "")).hostname or "another page"
        raise SafetyStopError(
            f"The service answered with an unexpected redirect to {host[:80]}; nothing was sent there, and what is"
            " saved stays. Run again later."
        )
