"""The general rule for what nobody has described yet: every string that a person could read, in document order.

A service that invents a content type puts its prose under some key; a mirror that waits for a release to learn the
key has lost it from search meanwhile. So everything counts as readable but what is plainly technical: ids, types,
addresses, times, encoded bytes. All walks use a stack of their own: the depth of foreign JSON is no concern of ours.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Under these even a lone word or an address is meant to be read.
_READABLE_KEYS = frozenset(
    {
        "parts",
        "text",
        "content",
        "contents",
        "summary",
        "result",
        "results",
        "title",
        "subtitle",
        "heading",
        "headline",
        "name",
        "label",
        "caption",
        "body",
        "description",
        "message",
        "output",
        "output_str",
        "stdout",
        "stderr",
        "value",
        "markdown",
        "transcript",
        "snippet",
        "question",
        "answer",
        "quote",
        "comment",
        "note",
        "prompt",
        "reason",
        "explanation",
    }
)
_TECHNICAL_KEYS = frozenset(
    {
        "id",
        "ids",
        "uuid",
        "guid",
        "type",
        "kind",
        "content_type",
        "mime_type",
        "url",
        "urls",
        "uri",
        "href",
        "src",
        "link",
        "asset_pointer",
        "language",
        "lang",
        "locale",
        "format",
        "response_format_name",
        "status",
        "state",
        "role",
        "domain",
        "version",
        "hash",
        "sha256",
        "md5",
        "etag",
        "cursor",
        "token",
        "encoding",
        "codec",
        "timestamp",
        "date",
        "time",
        "direction",
        "color",
        "icon",
        "hue",
        "fovea",
        "seed",
        "gen_id",
        "blob",
        "data",
        "base64",
        "favicon",
        "thumbnail",
    }
)
_TECHNICAL_ENDINGS = (
    *("_id", "_ids", "_type", "_url", "_urls", "_uri", "_time", "_at", "_date", "_timestamp", "_pointer", "_pointers"),
    *("_hash", "_token", "_index", "_idx", "_version", "_format", "_key", "_slug", "_status", "_code", "_path"),
)
_TECHNICAL_VALUE = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*|(?:data|urn|mailto):\S+"  # an address or a pointer
    r"|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}"  # a uuid, a hash
    r"|\d{4}-\d\d-\d\d(?:[T ][0-9:.+Z-]+)?"  # a time
    r"|(?:file|user|g|msg|call|turn|conv|req|org)[-_][\w-]*\d[\w-]*"  # an id of the service
    r"|[!-~]{200,}",  # encoded bytes
    re.IGNORECASE,
)
_FEW_WORDS = 2


def unpacked(value: object) -> object:
    """Return the value with every string in it that holds a JSON object or array as what it holds."""
    held = [value]
    stack: list[tuple[Any, Any]] = [(held, 0)]
    while stack:
        place, key = stack.pop()
        item = place[key]
        if isinstance(item, str) and item[:1] in {"{", "["} and item.rstrip()[-1:] in {"}", "]"}:
            item = place[key] = _parsed(item)
        if isinstance(item, dict):
            item = place[key] = dict(item)
            stack.extend((item, name) for name in item)
        elif isinstance(item, list):
            item = place[key] = list(item)
            stack.extend((item, n) for n in range(len(item)))
    return held[0]


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def strings(value: object, key: str | None = None) -> Iterator[tuple[str | None, str]]:
    """Yield every string that is not blank, with the key it stands under, in document order."""
    stack: list[tuple[str | None, Any]] = [(key, value)]
    while stack:
        name, item = stack.pop()
        if isinstance(item, str):
            if item.strip():
                yield name, item
        elif isinstance(item, dict):
            stack.extend(reversed([(k if isinstance(k, str) else None, v) for k, v in item.items()]))
        elif isinstance(item, list):
            stack.extend((name, element) for element in reversed(item))


def dicts(value: object) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield every dict inside the value, itself included, with the key it stands under, in document order."""
    stack: list[tuple[str | None, Any]] = [(None, value)]
    while stack:
        name, item = stack.pop()
        if isinstance(item, dict):
            yield name, item
            stack.extend(reversed([(k if isinstance(k, str) else None, v) for k, v in item.items()]))
        elif isinstance(item, list):
            stack.extend((name, element) for element in reversed(item))


def is_prose(text: str) -> bool:
    """Tell whether a string is written language beyond doubt: several words, or letters outside ASCII."""
    words = [word for word in text.split(None, 8) if any(c.isalpha() for c in word)]
    return len(words) > _FEW_WORDS or any(c.isalpha() and not c.isascii() for c in text[:1000])


def _is_technical_key(key: str) -> bool:
    key = key.lower()
    return key in _TECHNICAL_KEYS or key.endswith(_TECHNICAL_ENDINGS)


def is_readable(key: str | None, text: str) -> bool:
    """Tell whether a person would want this string, by the key it stands under and by its looks."""
    if key is None or key.lower() in _READABLE_KEYS:
        return True
    if _is_technical_key(key):
        return is_prose(text)
    return not _TECHNICAL_VALUE.fullmatch(text.strip()) and any(c.isalnum() for c in text)


def readable(value: object, key: str | None = None) -> list[str]:
    """Return every readable string of an unknown shape, each once, in document order."""
    return list(dict.fromkeys(text for name, text in strings(value, key) if is_readable(name, text)))


def prose(value: object) -> list[str]:
    """Return what is surely meant to be read: for the odd keys of a shape that is known otherwise."""
    return list(dict.fromkeys(text for key, text in strings(value) if is_prose(text) or _is_told(key, text)))


def _is_told(key: str | None, text: str) -> bool:
    return key is not None and key.lower() in _READABLE_KEYS and is_readable("", text)
