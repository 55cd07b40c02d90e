"""One exchange over HTTP: the request as it was received, and the response as it goes out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class ReceivedRequest:
    """One request as the service saw it. ``ids``: the conversations that a batch asked for.

    ``headers``: by lower-case name; ``connection``: counts up with every new connection. The service adds ``number``
    (from 0, over all requests), ``time`` (epoch seconds by the account's clock) and, once it is answered, ``status``.
    """

    method: str
    path: str
    query: dict[str, str]
    ids: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict)
    connection: int = 0
    number: int = 0
    time: float = 0.0
    status: int | None = None


def received(
    method: str, target: str, headers: Mapping[str, str], content: bytes, connection: int
) -> tuple[ReceivedRequest, Any]:
    """Return a request and what its body says. ``target``: its path and query; ``content``: its body."""
    try:
        body = json.loads(content or b"null")
    except ValueError:
        body = None
    parts = urlsplit(target)
    asked = body.get("conversation_ids") if isinstance(body, dict) else None
    request = ReceivedRequest(
        method,
        parts.path,
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        tuple(asked) if isinstance(asked, list) else (),
        headers={name.lower(): value for name, value in headers.items()},
        connection=connection,
    )
    return request, body


@dataclass(frozen=True)
class Response:
    """A response about to be sent.

    ``length``: the Content-Length claimed, where it is not the body's. ``ending``: *keep* the connection, *close*
    it after the body, *drip* the body byte by byte, or *reset* the connection at once.
    """

    status: int
    body: bytes
    headers: dict[str, list[str]] = field(default_factory=dict)
    length: int | None = None
    ending: str = "keep"


# What stands for a value that no Python object is written as, and the JSON text of it.
ODD_VALUES = {"number": "7" * 5_000, "depth": "[" * 990 + "]" * 990}


def json_response(status: int, found: object, headers: dict[str, list[str]] | None = None) -> Response:
    """Return a response of the service itself."""
    text = json.dumps(found)
    for name, value in ODD_VALUES.items():
        text = text.replace(f'"odd value: {name}"', value)
    return Response(status, text.encode(), {"Content-Type": ["application/json"], **(headers or {})})


def html_response(status: int, page: bytes, **headers: str) -> Response:
    """Return a response of the proxy in front of the service."""
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return Response(status, page, {"Content-Type": ["text/html; charset=UTF-8"], **named})
