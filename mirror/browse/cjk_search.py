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
from mirror.store.search.folding import HAS_BEGINNING
from mirror.store.search.query import WORD_INDEX, parse_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.store.search.query import Word

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
    kept = [(key, value) for key, value in pairs if key not in {"_search", "_searchmode"}]
    kept += [("_where", condition) for word in words if (condition := _condition(word))]
    rest = " ".join(f'"{word.text}"' if " " in word.text else word.text for word in words if _is_for_box(word))
    return [*kept, ("_search", rest)] if rest else kept


def _is_for_box(word: Word) -> bool:
    """Tell whether Datasette's own search finds a word: it takes each for a whole one that is wanted."""
    return word.in_word_index and not (word.is_excluded or word.is_prefix)


def _condition(word: Word) -> str:
    """Return the condition on ``messages`` that finds a word, or leaves it out; empty if the box does."""
    clauses = [where_clause(word.as_characters.quoted)] if word.in_character_index else []
    if word.in_word_index and not _is_for_box(word):
        match = _quoted(f'"{word.text}"{"*" if word.is_prefix else ""}')
        clauses.append(f"rowid in (select rowid from {WORD_INDEX} where {WORD_INDEX} match chatmirror_match({match}))")
        if word.is_prefix:
            clauses.append(f"{HAS_BEGINNING}(text, {_quoted(word.beginning)})")
    together = " and ".join(clauses)
    return f"not ({together})" if word.is_excluded and together else together


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
