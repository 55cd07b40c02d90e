"""Datasette's own search box, made to find words inside runs of Chinese, Japanese, Korean or Thai.

The box asks ``messages_fts``, which takes a run for one word. A request whose words have such characters is sent on to
the same page with these words as a condition on ``messages_cjk``; a person sees and can edit it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from datasette.utils import tilde_decode  # type: ignore[import-untyped] # it has no types

from mirror.browse.databases import mirrors
from mirror.store.search.cjk import enters
from mirror.store.search.query import expression, parse

if TYPE_CHECKING:
    from collections.abc import Callable

_MOVED = 302


def wrapper(datasette: Any) -> Callable[[Any], Any]:
    """Return the ASGI wrapper; whatever it does not understand it passes on."""

    def wrap(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            target = _target(datasette, scope) if scope.get("type") == "http" and scope.get("method") == "GET" else None
            if target is None:
                await app(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": _MOVED, "headers": [(b"location", target)]})
            await send({"type": "http.response.body", "body": b""})

        return wrapped

    return wrap


def _target(datasette: Any, scope: Any) -> bytes | None:
    """Return where to send a request on to, if its search has words of characters and its page is our messages."""
    query = scope.get("query_string", b"")
    if b"_search=" not in query or b"%" not in query:  # such characters come escaped
        return None
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    if not _is_messages(datasette, path.split(b"?")[0].decode("latin-1")):
        return None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    typed = next((value for key, value in pairs if key == "_search"), "")
    if not enters(typed):
        return None
    return path.split(b"?")[0] + b"?" + urlencode(_moved(pairs, typed)).encode()


def _is_messages(datasette: Any, path: str) -> bool:
    base = datasette.setting("base_url").rstrip("/")
    found = path.removeprefix(base).strip("/").split("/")
    if len(found) != 2 or found[1].split(".")[0] != "messages":  # noqa: PLR2004 - a database and a table
        return False
    return tilde_decode(found[0]) in mirrors(datasette).settings


def _moved(pairs: list[tuple[str, str]], typed: str) -> list[tuple[str, str]]:
    words = parse(typed)
    signs = expression(word.apart for word in words if word.is_apart)
    rest = " ".join(word.text for word in words if word.is_spaced and not word.is_excluded)
    kept = [(key, value) for key, value in pairs if key not in {"_search", "_searchmode"}]
    condition = "rowid in (select rowid from messages_cjk where messages_cjk match '{}')"
    if signs:
        kept.append(("_where", condition.format(signs.replace("'", "''"))))
    return [*kept, ("_search", rest)] if rest else kept
