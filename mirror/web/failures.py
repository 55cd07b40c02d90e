"""Why no usable answer came: in plain words, and by the names of the exceptions for a log.

Never the text of an exception: it holds addresses with their queries.
"""

from __future__ import annotations

import socket
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING

import requests
import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterator


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


class Redirected(Unreachable):
    """A redirect came; nothing was sent to the other address."""


class Untrusted(Exception):  # noqa: N818 - the client makes it an error of ours
    """The other end's certificate is not trusted. Nothing was sent; another try would not help."""


# The first that stands in an exception or in one that led to it decides; what is more exact comes first.
_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((socket.gaierror, urllib3.exceptions.NameResolutionError), "the host name was not found"),
    ((ConnectionRefusedError,), "the connection was refused"),
    ((RemoteDisconnected,), "the connection was closed without an answer"),  # which is a reset, too
    ((ConnectionResetError, BrokenPipeError, ConnectionAbortedError), "the connection was reset"),
    ((requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError), "no connection within {connect:.0f} s"),
    ((requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError), "no answer within {read:.0f} s"),
    ((requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError), "the answer could not be unpacked"),
    ((IncompleteRead, requests.exceptions.ChunkedEncodingError), "the answer was cut"),  # urllib3's are of this kind
    ((HTTPException,), "the answer is not HTTP"),
    ((requests.ConnectionError, OSError), "the connection failed"),
)


def plain_failure(error: BaseException, *, connect: float, read: float) -> str:
    """Return in a few words what an exception of the transport means. The seconds are those that it waited."""
    types = [type(found) for found in _causes(error)]
    for kinds, words in _WORDS:
        if any(issubclass(found, kinds) for found in types):
            return words.format(connect=connect, read=read)
    return "the answer could not be understood"


def exception_names(error: BaseException) -> str:
    """Return the names of the classes of an exception and of what led to it, for a log."""
    return " < ".join(dict.fromkeys(type(found).__name__ for found in _causes(error)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that led to it: as its cause, its context, its ``reason`` or its arguments."""
    waiting, seen = [error], set()
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        linked = (found.__cause__, found.__context__, getattr(found, "reason", None), *found.args)
        waiting += [one for one in linked if isinstance(one, BaseException)]
