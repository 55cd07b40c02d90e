"""Datasette's front page leads to the home page of a mirror, where there is nothing else to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.browse import access, home
from mirror.browse.pages import Addresses

if TYPE_CHECKING:
    from collections.abc import Callable

_FOUND = 302


def redirecting(datasette: Any) -> Callable[[Any], Any]:
    """Return the ASGI wrapper; it passes on every other request unchanged."""

    def wrap(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            target = await _target(datasette, scope)
            if target is None:
                await app(scope, receive, send)
                return
            headers = [(b"location", target.encode()), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": _FOUND, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

        return wrapped

    return wrap


async def _target(datasette: Any, scope: Any) -> str | None:
    """Return the home page of the only database, where that is a mirror which everybody who comes may read."""
    is_front = scope.get("type") == "http" and scope.get("path") == datasette.setting("base_url")
    if not is_front or scope.get("method") not in {"GET", "HEAD"} or scope.get("query_string"):
        return None
    names = [name for name in datasette.databases if not name.startswith("_")]
    # Who has signed in is known inside only, so where signing in matters the front page stays as it is.
    if len(names) != 1 or await access.readable_mirrors(datasette, None, home.TABLES) != names:
        return None
    return Addresses(datasette, names[0])("home")
