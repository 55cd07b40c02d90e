"""Datasette's own search box, made to find words inside runs of CJK characters.

The box asks ``messages_fts``, which takes a run of such characters for one word. A request with such words is
redirected to the same page with a condition on ``messages_cjk`` in its address, where a person sees and can edit it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from datasette.utils import tilde_decode  # type: ignore[import-untyped] # it has no types

from mirror.browse.databases import mirrors
from mirror.store.search.cjk import is_indexed, where_clause
from mirror.store.search.query import match_expression, parse_words

if TYPE_CHECKING:
    from collections.abc import Callable

_FOUND = 302


def redirecting(datasette: Any) -> Callable[[Any], Any]:
    """Return the ASGI wrapper; it passes on every other request unchanged."""

    def wrap(app: Any) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            target = _target(datasette, scope) if scope.get("type") == "http" and scope.get("method") == "GET" else None
            if target is None:
                await app(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": _FOUND, "headers": [(b"location", target)]})
            await send({"type": "http.response.body", "body": b""})

        return wrapped

    return wrap


def _target(datasette: Any, scope: Any) -> bytes | None:
    """Return the address to redirect a search for such words to; None for other requests."""
    query = scope.get("query_string", b"")
    if b"_search=" not in query or b"%" not in query:  # such characters are percent-encoded
        return None
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    if not _is_messages_table(datasette, path.split(b"?")[0].decode("latin-1")):
        return None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    typed = next((value for key, value in pairs if key == "_search"), "")
    if not is_indexed(typed):
        return None
    return path.split(b"?")[0] + b"?" + urlencode(_with_condition(pairs, typed)).encode()


def _is_messages_table(datasette: Any, path: str) -> bool:
    base = datasette.setting("base_url").rstrip("/")
    parts = path.removeprefix(base).strip("/").split("/")
    if len(parts) != 2 or parts[1].split(".")[0] != "messages":  # noqa: PLR2004 - a database and a table
        return False
    return tilde_decode(parts[0]) in mirrors(datasette).settings


def _with_condition(pairs: list[tuple[str, str]], typed: str) -> list[tuple[str, str]]:
    words = parse_words(typed)
    expression = match_expression(word.as_characters for word in words if word.in_character_index)
    rest = " ".join(word.text for word in words if word.in_word_index and not word.is_excluded)
    kept = [(key, value) for key, value in pairs if key not in {"_search", "_searchmode"}]
    if expression:
        kept.append(("_where", where_clause(expression)))
    return [*kept, ("_search", rest)] if rest else kept
