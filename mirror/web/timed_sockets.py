"""Connections on which every wait ends with the time that one answer may take, whatever the bytes do.

A timeout of a socket counts from one byte to the next. A server that sends a byte now and then (of a header, of a
chunk's size, of a compressed text that unpacks to nothing) never meets it, nor does one that says "100 Continue" for
ever. So each single wait, for an address, a connection, TLS and any byte, is given what is left of the answer's time.
This needs no second thread that would interrupt the first one, which no system does in the same way; only the search
for an address, which nothing can interrupt, has a thread of its own, and is no longer waited for after its time.
"""

from __future__ import annotations

import io
import socket
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from mirror.web.failures import TooLarge, TooSlow, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    Address = tuple[Any, ...]
    Resolve = Callable[[str, int], list[Address]]


@dataclass(slots=True)
class Allowance:
    """What the answer under way may still take of time and bytes.

    ``connect``, ``read``: the longest single waits, for a connection and for the next bytes, in seconds.
    """

    monotonic: Callable[[], float]
    connect: float
    read: float
    _ends: float = 0.0
    _seconds: float = 0.0
    _bytes: int = 0

    def begin(self, seconds: float, most_bytes: int) -> None:
        """Grant what the next answer may take."""
        self._ends, self._seconds, self._bytes = self.monotonic() + seconds, seconds, most_bytes

    def wait(self, longest: float) -> float:
        """Return for how long to wait now, at most ``longest`` seconds; raises TooSlow where no time is left."""
        left = self._ends - self.monotonic()
        if left <= 0:
            raise TooSlow(f"an answer took longer than {self._seconds:,.0f} s")
        return min(longest, left)

    def take(self, count: int) -> None:
        """Count bytes that came; raises TooLarge where they are too many."""
        self._bytes -= count
        if self._bytes < 0:
            raise TooLarge("an answer takes more bytes than one may")


class _TimedReader(io.RawIOBase):
    """The bytes that come from a socket, each waited for as long as the allowance has it."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, allowance: Allowance) -> None:
        self._raw, self._sock, self._allowance = raw, sock, allowance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._allowance.wait(self._allowance.read))
        try:
            count: int = self._raw.readinto(buffer)
        except TimeoutError:
            self._allowance.wait(self._allowance.read)  # says so where it was the end of the answer's time
            raise
        self._allowance.take(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Timed:
    """What both kinds of connections do in their own way. ``allowance``, ``resolve``: set by the pool."""

    allowance: Allowance
    resolve: Resolve

    def _new_conn(self: Any) -> socket.socket:
        return _connected(self.host, self.port, self.allowance, self.resolve, self.socket_options or ())

    def send(self: Any, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self.allowance.wait(self.allowance.read))
        super().send(data)  # type: ignore[misc] # of the connection that this is mixed into

    def response_class(self: Any, sock: socket.socket, *options: Any, **named: Any) -> HTTPResponse:
        response = HTTPResponse(sock, *options, **named)
        raw = response.fp.detach()
        response.fp = io.BufferedReader(_TimedReader(raw, sock, self.allowance))
        return response


class _TimedConnection(_Timed, HTTPConnection):  # type: ignore[misc] # there, response_class is typed as a class
    pass


class _TimedTLSConnection(_Timed, HTTPSConnection):  # type: ignore[misc] # as above
    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError:  # of TLS, for which the socket still waits as for a connection
            raise _too_late(self.allowance) from None


class TimedAdapter(HTTPAdapter):
    """Sends the requests of one wire, one at a time, over connections that keep to its allowance."""

    def __init__(self, allowance: Allowance, resolve: Resolve) -> None:
        self._allowance, self._resolve = allowance, resolve
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """See HTTPAdapter."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(self._pool, HTTPConnectionPool, _TimedConnection),
            "https": partial(self._pool, HTTPSConnectionPool, _TimedTLSConnection),
        }

    def _pool(self, pool_class: Any, connection_class: Any, *arguments: Any, **named: Any) -> Any:
        pool = pool_class(*arguments, **named)
        ours = {"allowance": self._allowance, "resolve": staticmethod(self._resolve)}
        pool.ConnectionCls = type(connection_class.__name__, (connection_class,), ours)
        return pool


def addresses(host: str, port: int) -> list[Address]:
    """Return the addresses of a host as the system finds them, which can take any time."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _connected(host: str, port: int, allowance: Allowance, resolve: Resolve, options: Any) -> socket.socket:
    problem: OSError = OSError("a name without an address")
    for family, kind, protocol, _, address in _found(host.strip("[]"), port, allowance, resolve):
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options:
                sock.setsockopt(*option)
            sock.settimeout(allowance.wait(allowance.connect))
            sock.connect(address)
        except OSError as error:
            sock.close()
            problem = error
        except TooSlow:
            sock.close()
            raise
        else:
            return sock
    raise _too_late(allowance) if isinstance(problem, TimeoutError) else problem


def _too_late(allowance: Allowance) -> Unreachable:
    """Return what to raise where a connection did not come about in time; raises TooSlow at the end of all time."""
    allowance.wait(allowance.connect)
    return Unreachable(f"no connection within {allowance.connect:g} s")


def _found(host: str, port: int, allowance: Allowance, resolve: Resolve) -> list[Address]:
    """Look a host up without waiting for longer than for a connection."""
    answer: SimpleQueue[list[Address] | Unreachable] = SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(resolve(host, port))
        except Unreachable as error:
            answer.put(error)
        except (OSError, UnicodeError):
            answer.put(Unreachable("the address of the service was not found"))

    Thread(target=look_up, name="address", daemon=True).start()
    try:
        found = answer.get(timeout=allowance.wait(allowance.connect))
    except Empty:
        raise Unreachable("the address of the service was not found in time") from None
    if isinstance(found, Unreachable):
        raise found
    return found
