"""Why no usable answer came: in plain words, and by the names of the exceptions for a log.

Never the text of an exception: it holds addresses with their queries.
"""

from __future__ import annotations

import ssl
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING

import requests
import urllib3
from urllib3.util.ssl_match_hostname import CertificateError

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
    ((ConnectionRefusedError,), "the connection was refused"),
    ((RemoteDisconnected,), "the connection was closed without an answer"),  # which is a reset, too
    ((ConnectionResetError, BrokenPipeError, ConnectionAbortedError), "the connection was reset"),
    ((requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError), "no answer within {read:.0f} s"),
    ((ssl.SSLError, requests.exceptions.SSLError), "no secure connection came about"),
    ((requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError), "the answer could not be unpacked"),
    ((IncompleteRead, requests.exceptions.ChunkedEncodingError), "the answer was cut"),  # urllib3's are of this kind
    ((HTTPException,), "the answer is not HTTP"),
    ((requests.ConnectionError, OSError), "the connection failed"),
)


# A name that is not that of the certificate is one of the two, by the versions of Python and OpenSSL.
_OF_A_CERTIFICATE = (ssl.SSLCertVerificationError, CertificateError)


def is_about_the_certificate(error: BaseException) -> bool:
    """Whether an exception says that the other end's certificate is not trusted, not only that TLS failed."""
    return any(isinstance(found, _OF_A_CERTIFICATE) for found in _causes(error))


def plain_failure(error: BaseException, *, read: float) -> str:
    """Return in a few words what an exception of the transport means. ``read``: the seconds that it waited for bytes.

    That an address was not found, or no connection came about in time, ``timed_sockets`` says by itself.
    """
    types = [type(found) for found in _causes(error)]
    for kinds, words in _WORDS:
        if any(issubclass(found, kinds) for found in types):
            return words.format(read=read)
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
