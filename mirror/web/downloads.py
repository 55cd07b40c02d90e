"""The bytes of one file from one address, safely: streamed, bounded in time, never redirected.

Nothing here knows a service. Whoever calls says which address it is and what is sent along; an address of another
origin than the service's own gets no header that says anything of the person. The transport of JSON is ``transport``.
"""

from __future__ import annotations

import ipaddress
import re
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3

from mirror.errors import UsageError
from mirror.web.failures import (
    TooLarge,
    TooSlow,
    Unreachable,
    Untrusted,
    exception_names,
    is_about_the_certificate,
    plain_failure,
)
from mirror.web.timed_sockets import Allowance, TimedAdapter, addresses
from mirror.web.transport import HEADER_BYTES, WireLimits, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mirror.source import FileSink
    from mirror.web.timed_sockets import Address, Resolve

# Seconds for one file. Longer: one file holds up the run; shorter: large ones fail on slow lines.
FILE_TIMEOUT = 1800.0
# Seconds after which a transfer must have had SLOWEST bytes a second on average. Smaller: a slow start ends it.
PATIENCE = 60.0
# Bytes a second. Slower, and the largest files (512 MB) could never come within a run. 0: a trickle holds up the run.
SLOWEST = 8 * 1024
# Bytes of one file, unpacked: four times the largest upload. Larger: one answer fills the disk; smaller: large files
# never come.
MOST_FILE_BYTES = 2 * 1024 * 1024 * 1024
_PIECE = 1 << 16
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Of the file alone, whoever it comes from: no name of ours, no referrer, no language.
PLAIN_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": urllib3.util.SKIP_HEADER}


class Distrusted(Exception):  # noqa: N818 - the caller decides what it means for the file
    """An address to which nothing is sent; the message says what is wrong with it, without the address."""


class Downloaded(NamedTuple):
    """How a transfer ended. ``headers``: names in lower case; the body is in the sink where ``status`` is 200."""

    status: int
    headers: Mapping[str, str]

    @property
    def location(self) -> str | None:
        """Where a redirect leads, None where it is none."""
        return self.headers.get("location") if self.status in _REDIRECTS else None


def checked_storage_url(storage_url: str | None, base_url: str) -> str | None:
    """Return the further origin from which bytes may come; only where the service itself is on this computer."""
    if not storage_url or not is_loopback(base_url):
        return None
    parts = urlsplit(storage_url)
    if parts.scheme not in {"http", "https"} or not is_loopback(storage_url):
        raise UsageError("CHATMIRROR_STORAGE_URL must be an http address of this computer.")
    return f"{parts.scheme}://{parts.netloc}"


def parted(address: str, loopback_origins: tuple[str, ...] = ()) -> SplitResult:
    """Return an address in its parts, checked: https, a plain host name, no port, user, fragment or odd character.

    ``loopback_origins``: origins that are taken as they are. Raises Distrusted.
    """
    try:
        parts = urlsplit(address)
        origin, host, port = f"{parts.scheme}://{parts.netloc}", parts.hostname or "", parts.port
    except ValueError:
        raise Distrusted("an address that is none") from None
    if not address.isascii() or not address.isprintable() or any(sign in address for sign in ' \\<>"{}|^`'):
        raise Distrusted("an address with odd characters")
    if parts.fragment or "#" in address:
        raise Distrusted("an address with a fragment")
    if origin in loopback_origins:
        return parts
    if parts.scheme != "https":
        raise Distrusted("an address that is not https")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise Distrusted("an address with a user name")
    if port is not None or ":" in parts.netloc:
        raise Distrusted("an address with a port")
    if not _HOST.fullmatch(host) or host != parts.netloc or ".." in host or host.replace(".", "").isdigit():
        raise Distrusted("an address without a host name")
    return parts


@dataclass(slots=True)
class Downloads:
    """Fetches bytes. ``time_left``: seconds until the run ends; ``resolve``: finds the addresses of a host."""

    monotonic: Callable[[], float] = time.monotonic
    time_left: Callable[[], float] = lambda: FILE_TIMEOUT
    limits: WireLimits = field(default_factory=WireLimits)
    resolve: Resolve = addresses
    _session: requests.Session = field(init=False, repr=False)
    _allowance: Allowance = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._allowance = Allowance(self.monotonic, self.limits.connect, self.limits.read)
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, .netrc or CA bundle of the environment
        self._session.headers.clear()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, TimedAdapter(self._allowance, self._public_addresses))

    def fetch(self, parts: SplitResult, headers: Mapping[str, str], sink: FileSink) -> Downloaded:
        """Write what an address (of ``parted``) gives into the sink, where it answers 200; headers as they are given.

        Raises Unreachable where the transfer fails or the host is inside a private network, as it can seem for a while
        behind the sign-in page of a network, and Untrusted for a bad certificate.
        """
        self._session.cookies.clear()
        begun = self.monotonic()
        self._allowance.begin(min(FILE_TIMEOUT, self.time_left()), MOST_FILE_BYTES + HEADER_BYTES)
        try:
            with self._session.get(
                parts.geturl(),
                headers={**PLAIN_HEADERS, **headers},
                stream=True,
                allow_redirects=False,
                timeout=(self.limits.connect, self.limits.read),
            ) as response:
                if response.status_code == 200:  # noqa: PLR2004 - HTTP's OK
                    self._read(response, sink, begun)
                found = {name.lower(): value for name, value in response.headers.items()}
                return Downloaded(response.status_code, found)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if is_about_the_certificate(error):
                raise Untrusted(exception_names(error)) from None
            raise Unreachable(plain_failure(error, read=self.limits.read), exception_names(error)) from None

    def _read(self, response: requests.Response, sink: FileSink, begun: float) -> None:
        sink.restart()
        size = 0
        # read1, which waits for no whole piece: a trickle would pass every limit of speed.
        for chunk in _pieces(response):
            size += len(chunk)
            if size > MOST_FILE_BYTES:
                raise TooLarge(f"it is larger than {MOST_FILE_BYTES >> 30} GB")
            sink.write(chunk)
            lasted = self.monotonic() - begun
            if lasted > PATIENCE and size < SLOWEST * lasted:
                raise TooSlow("the transfer was too slow")
        promised = response.headers.get("content-length", "")
        if promised.isdecimal() and "content-encoding" not in response.headers and int(promised) != size:
            raise Unreachable(f"the transfer was cut off at {size:,} of {int(promised):,} bytes")

    def _public_addresses(self, host: str, port: int) -> list[Address]:
        """Return the addresses to which a connection may be made: what is looked up here is what is connected to."""
        found = self.resolve(host, port)
        if not is_loopback(f"//{host}") and not all(_is_public(str(address[4][0])) for address in found):
            raise Unreachable("a host inside a private network, to which nothing is sent")
        return found


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield what comes, unpacked where a host packs it unasked; raises Unreachable where that has no end."""
    if response.headers.get("content-encoding", "").lower() not in {"gzip", "x-gzip"}:
        while chunk := response.raw.read1(_PIECE, decode_content=True):
            yield chunk
        return
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)  # gzip; urllib3 takes what is cut for the whole
    while packed := response.raw.read1(_PIECE, decode_content=False):
        while packed:
            if unpacking.eof:
                unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
            try:
                chunk = unpacking.decompress(packed, _PIECE)
            except zlib.error:
                raise Unreachable("it does not come as it was packed") from None
            packed = unpacking.unconsumed_tail or unpacking.unused_data
            yield chunk
    yield unpacking.flush()
    if not unpacking.eof:
        raise Unreachable("the transfer was cut off")


def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_global
