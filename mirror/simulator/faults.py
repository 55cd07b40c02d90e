"""What can go wrong with a response on its way to the client: every breakage by its name.

A breakage takes the response as it should have been and damages it, so that a cut list is the real list, cut.
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

from mirror.simulator.exchange import Response, html_response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

CHALLENGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    b"<body><script>window._cf_chl_opt={};</script></body></html>"
)
ELSEWHERE = "https://elsewhere.example/login"


def challenge() -> Response:
    """Return a browser check (API notes §1.7)."""
    return html_response(403, CHALLENGE, cf_mitigated="challenge")


def redirect(location: str) -> Response:
    """Return a redirect to another place."""
    return Response(302, b"", {"Location": [location]})


def _short(whole: Response) -> Response:
    return replace(whole, body=whole.body[: len(whole.body) // 2], length=len(whole.body), ending="close")


def _half_gzip(whole: Response) -> Response:
    packed = gzip.compress(whole.body)
    return replace(
        whole, body=packed[: len(packed) // 2], headers={**whole.headers, "Content-Encoding": ["gzip"]}, ending="close"
    )


def _garbage(whole: Response) -> Response:
    return replace(whole, body=whole.body[:-1] + b",")


# A client gets past these by asking again.
BREAKAGES: dict[str, Callable[[Response], Response]] = {
    "reset": lambda whole: replace(whole, ending="reset"),
    "short": _short,
    "half_gzip": _half_gzip,
    "garbage": _garbage,
    "html_200": lambda _: html_response(200, CHALLENGE),
    "html_502": lambda _: html_response(502, b"<html><h1>502 Bad Gateway</h1></html>"),
    "html_503": lambda _: html_response(503, b"<html><h1>503 Service Unavailable</h1></html>"),
    "error_500": lambda _: json_response(500, {"detail": "Internal Server Error"}),
    "error_503": lambda _: json_response(503, {"detail": "Service Unavailable"}),
    "challenge": lambda _: challenge(),
    "429": lambda _: json_response(429, {"detail": "Too many requests"}),
}
# These need a time limit, or a person: asking again does not help.
STUBBORN: dict[str, Callable[[Response], Response]] = {
    "drip": lambda whole: replace(whole, ending="drip"),
    "redirect": lambda _: redirect(ELSEWHERE),
}
_DAMAGE_THE_WHOLE = frozenset({"short", "half_gzip", "drip", "garbage"})


def broken(how: str, whole: Callable[[], Response]) -> Response:
    """Return the response as the breakage ``how`` leaves it; ``whole`` makes it where it is needed."""
    return {**BREAKAGES, **STUBBORN}[how](whole() if how in _DAMAGE_THE_WHOLE else Response(200, b""))
