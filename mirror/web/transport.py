"""One HTTP request, safely: the only object that touches the network.

It sends to one host only, follows no redirect, reads no proxy or ``.netrc`` setting of the environment, bounds size and
time of every answer, and knows nothing of logins or retries. Another way to the site (a client that imitates a browser,
say) is another object with the same methods as ``Wire``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError

from mirror.errors import UsageError
from mirror.large_json import read_json
from mirror.web.failures import (
    Redirected,
    Unreachable,
    Untrusted,
    exception_names,
    is_about_the_certificate,
    plain_failure,
)
from mirror.web.timed_sockets import Allowance, TimedAdapter, addresses
from mirror.web.unpacking import whole_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mirror.web.timed_sockets import Resolve

# Bytes, as sent, of what comes beside a body: headers, sizes of chunks. Browsers take a quarter of it. Larger: memory;
# smaller: a body in tiny chunks is refused.
HEADER_BYTES = 1024 * 1024
# Bytes of memory that one answer may take with all that is made of it; the program itself takes 45 MB. Larger: a run
# takes more than 256 MB; smaller: a huge conversation can never be saved.
MOST_MEMORY = 200 * 1024 * 1024
# How often one long text is held: twice by SQLite, as ``large_json.COPIES`` says, and once by the run. With 3, a text
# of 33 MB is the longest. Larger: it is refused; smaller: with 2, a text of 38 MB took a run to 306 MB.
TEXT_COPIES = 3
_UNQUOTED_IN_PATH = "/%:@!$&'()*+,;=~"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class WireLimits(NamedTuple):
    """What one answer may take: seconds for a connection, between two pieces, and in all; bytes, unpacked."""

    # Usual for a host behind a large network. Shorter: failures on slow networks.
    connect: float = 10.0
    # Large conversations take more than 30 (API notes §8). Shorter: they always fail.
    read: float = 60.0
    # A server that sends a byte now and then never meets the one above. Longer: one answer holds up a run; shorter:
    # large ones fail on slow lines.
    total: float = 300.0
    # The largest conversation seen has 18.4 MB (API notes §3.5) and a batch holds ten; 100,000 messages have about 74.
    # Larger: memory; smaller: a huge conversation can never be saved.
    body: int = 128 * 1024 * 1024


class Reply(NamedTuple):
    """An answer, read to its end.

    ``headers``: names in lower case. ``set_cookies``: the raw Set-Cookie values.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    set_cookies: tuple[str, ...] = ()

    def json(self) -> Any:
        """Parse the body; raises ValueError when it is not whole JSON, TooDenseError when it takes too much memory."""
        return read_json(self.body, MOST_MEMORY, copies=TEXT_COPIES)

    @property
    def is_html(self) -> bool:
        """Whether a page came where JSON was asked for."""
        kind = self.headers.get("content-type", "")
        return "html" in kind or self.body[:200].lstrip()[:1] == b"<"


class Wire(Protocol):
    """What the client needs of a transport. ``base_url``: the one address that it sends to."""

    base_url: str

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
        """Send one request and read its whole answer; raises Unreachable or Untrusted.

        ``seconds``: what is left of the run, which an answer never outlasts.
        """

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
    """The transport over requests. ``resolve``: finds the addresses of a host."""

    base_url: str
    monotonic: Callable[[], float] = time.monotonic
    limits: WireLimits = field(default_factory=WireLimits)
    resolve: Resolve = addresses
    _session: requests.Session = field(init=False, repr=False)
    _allowance: Allowance = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.base_url = checked_base_url(self.base_url)
        self._allowance = Allowance(self.monotonic, self.limits.connect, self.limits.read)
        self.renew()

    def renew(self) -> None:
        """See Wire."""
        if hasattr(self, "_session"):
            self._session.close()
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, .netrc or CA bundle of the environment
        self._session.headers.clear()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, TimedAdapter(self._allowance, self.resolve))

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
        """See Wire. A redirect raises Redirected, and nothing goes to the other address."""
        url = self.base_url + target_of(path, params)
        self._allowance.begin(min(self.limits.total, seconds), self.limits.body + HEADER_BYTES)
        self._session.cookies.clear()  # only the cookies of the caller's own header are sent
        try:
            with self._session.request(
                method,
                url,
                headers=dict(headers),
                data=body,
                stream=True,
                allow_redirects=False,
                timeout=(self.limits.connect, self.limits.read),
            ) as response:
                reply = self._read(response)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            if is_about_the_certificate(error):
                raise Untrusted(exception_names(error)) from None
            raise Unreachable(plain_failure(error, read=self.limits.read), exception_names(error)) from None
        refuse_redirect(reply)
        return reply

    def _read(self, response: requests.Response) -> Reply:
        headers = {name.lower(): value for name, value in response.headers.items()}
        content = whole_body(_pieces(response), headers.get("content-encoding", ""), self.limits.body)
        return Reply(response.status_code, headers, content, tuple(response.raw.headers.getlist("Set-Cookie")))


def _pieces(response: requests.Response) -> Iterator[bytes]:
    # Not ``iter_content``: it unpacks without a bound, and reads lines of any length where a body comes in chunks.
    while piece := response.raw.read(1 << 16, decode_content=False):
        yield piece


def target_of(path: str, params: Mapping[str, Any]) -> str:
    """Return a path and its parameters as they stand in a request."""
    # A lone surrogate in an id or cursor is sent as a question mark, and the site refuses it as unknown.
    query = urlencode(params, errors="replace")
    return quote(path, safe=_UNQUOTED_IN_PATH, errors="replace") + (f"?{query}" if query else "")


def refuse_redirect(reply: Reply) -> None:
    """Raise Redirected where an answer leads to another address."""
    if reply.status in {301, 302, 303, 307, 308}:
        host = urlsplit(reply.headers.get("location", "")).hostname or "another page"
        raise Redirected(f"an unexpected redirect to {host[:80]} came, and nothing was sent there")
