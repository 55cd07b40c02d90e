"""What can go wrong with an answer between the service and its reader: every breakage by its name.

A breakage takes the answer as it should have been and bends it, so that a cut list is a list that was cut.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CHALLENGE = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    b"<body><script>window._cf_chl_opt={};</script></body></html>"
)
ELSEWHERE = "https://elsewhere.example/login"


@dataclass(frozen=True)
class Reply:
    """An answer about to be sent. ``length``: the Content-Length claimed, where it is not the body's.

    ``ending``: keep the connection, *close* it after the body, *drip* the body byte by byte, or *reset* at once.
    """

    status: int
    body: bytes
    headers: dict[str, list[str]] = field(default_factory=dict)
    length: int | None = None
    ending: str = "keep"


def json_reply(status: int, found: object, headers: dict[str, list[str]] | None = None) -> Reply:
    """Return an answer of the service itself."""
    return Reply(status, json.dumps(found).encode(), {"Content-Type": ["application/json"], **(headers or {})})


def html_reply(status: int, page: bytes, **headers: str) -> Reply:
    """Return an answer of what stands before the service."""
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return Reply(status, page, {"Content-Type": ["text/html; charset=UTF-8"], **named})


def challenge() -> Reply:
    """Return a browser check (API notes §1.7)."""
    return html_reply(403, CHALLENGE, cf_mitigated="challenge")


def redirect(location: str) -> Reply:
    """Return a redirect to another place."""
    return Reply(302, b"", {"Location": [location]})


def _short(whole: Reply) -> Reply:
    return replace(whole, body=whole.body[: len(whole.body) // 2], length=len(whole.body), ending="close")


def _half_gzip(whole: Reply) -> Reply:
    packed = gzip.compress(whole.body)
    return replace(
        whole, body=packed[: len(packed) // 2], headers={**whole.headers, "Content-Encoding": ["gzip"]}, ending="close"
    )


def _garbage(whole: Reply) -> Reply:
    return replace(whole, body=whole.body[:-1] + b",")


# Those that can pass when one asks again, and those that only patience or a person can tell from an answer.
BREAKAGES: dict[str, Callable[[Reply], Reply]] = {
    "reset": lambda whole: replace(whole, ending="reset"),
    "short": _short,
    "half_gzip": _half_gzip,
    "garbage": _garbage,
    "html_200": lambda _: html_reply(200, CHALLENGE),
    "html_502": lambda _: html_reply(502, b"<html><h1>502 Bad Gateway</h1></html>"),
    "error_500": lambda _: json_reply(500, {"detail": "Internal Server Error"}),
    "error_503": lambda _: json_reply(503, {"detail": "Service Unavailable"}),
    "challenge": lambda _: challenge(),
    "429": lambda _: json_reply(429, {"detail": "Too many requests"}),
}
STUBBORN: dict[str, Callable[[Reply], Reply]] = {
    "drip": lambda whole: replace(whole, ending="drip"),
    "redirect": lambda _: redirect(ELSEWHERE),
}


def broken(how: str, whole: Callable[[], Reply]) -> Reply:
    """Return the answer as the breakage ``how`` leaves it; ``whole`` is made only for those that need it."""
    untouched = how in {"short", "half_gzip", "drip", "garbage"}
    return {**BREAKAGES, **STUBBORN}[how](whole() if untouched else Reply(200, b""))
