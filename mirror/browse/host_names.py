"""Under which names a mirror is served, so that no web page can read it through the browser of its owner.

A page can let its own name point to 127.0.0.1 once it is open (DNS rebinding); the browser then takes the mirror's
pages for that page's own and lets it read them. What betrays it is the name that it asks for. So a mirror answers only
to addresses, which no page can have for a name, to ``localhost``, and to the names that its owner allows in Datasette's
configuration. Where Datasette listens on this computer only, that holds for all of it; elsewhere for the mirrors.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from datasette.utils import tilde_decode  # type: ignore[import-untyped] # it has no types

from mirror.browse.databases import mirrors, were_recognised

if TYPE_CHECKING:
    from collections.abc import Callable

PLUGIN = "chatmirror"
ALLOWED = "allowed_hosts"
_MISDIRECTED = 421
_TEXT = (
    b"This name is not one under which the chats may be read, because any web page could use it to read them.\n"
    b"Open them as http://127.0.0.1 or http://localhost with the port that Datasette shows, or allow the name in\n"
    b"Datasette's configuration: plugins, chatmirror, allowed_hosts. docs/reading.md of chatmirror shows how.\n"
)
_ANY = "*"


def guarding(datasette: Any) -> Callable[[Any], Any]:
    """Return the ASGI wrapper."""

    def wrap(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            if scope.get("type") in {"http", "websocket"} and not may_answer(datasette, scope):
                await _refuse(scope, send)
            else:
                await app(scope, receive, send)

        return wrapped

    return wrap


async def _refuse(scope: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": _MISDIRECTED, "headers": headers})
    await send({"type": "http.response.body", "body": _TEXT})


def may_answer(datasette: Any, scope: Any) -> bool:
    """Return whether a request may be answered under the name that it asks for."""
    allowed = _allowed(datasette)
    names = [value.decode("latin-1") for header, value in scope.get("headers", ()) if header.lower() == b"host"]
    if all(is_allowed_host(name, allowed) for name in names):  # no browser leaves the name out
        return True
    if were_recognised(datasette) and not mirrors(datasette).settings:
        return True
    return not (_is_local(scope) or _is_of_mirror(datasette, scope))


def is_allowed_host(host: str, allowed: frozenset[str]) -> bool:
    """Return whether a Host header names an address, this computer, or what the owner allows."""
    name = _without_port(host).rstrip(".").lower()
    if _ANY in allowed or name in allowed or name == "localhost" or name.endswith(".localhost"):
        return True
    return _is_address(name)


def _without_port(host: str) -> str:
    host = host.strip()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _allowed(datasette: Any) -> frozenset[str]:
    configured = (datasette.plugin_config(PLUGIN) or {}).get(ALLOWED) or ()
    names = [configured] if isinstance(configured, str) else configured
    return frozenset(_without_port(str(name)).rstrip(".").lower() for name in names)


def _is_local(scope: Any) -> bool:
    """Return whether the connection came to an address of this computer alone."""
    server = scope.get("server")
    name = str(server[0]) if server else ""
    return name == "localhost" or (_is_address(name) and ip_address(name).is_loopback)


def _is_of_mirror(datasette: Any, scope: Any) -> bool:
    """Return whether a request is for something of a mirror; any may be, before Datasette knows its mirrors."""
    if not were_recognised(datasette):
        return True
    base = datasette.setting("base_url").rstrip("/")
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    first = path.split(b"?")[0].decode("latin-1").removeprefix(base).strip("/").split("/")[0]
    found = mirrors(datasette).settings
    # "chats.json" and "chats.db" are of "chats"; a database's own name can have a dot only as "~2E".
    return tilde_decode(first.split(".")[0]) in found or not first
