"""The general rule: which strings of a shape that is not known a person would want to read.

A service that invents a content type puts its prose under some key; a mirror that waits for a release to learn that key
cannot find it until then. So everything counts as readable except what is plainly technical: ids, types, addresses,
times, encoded bytes. The lists below were collected from real payloads; a string sorted wrongly is shown needlessly or
not found, and a rebuild with better lists corrects it. Every traversal uses its own stack, so that no depth of JSON
exceeds Python's recursion limit.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Under these keys even a single word or an address is meant to be read.
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
# Under any other key, a string that is one of these as a whole is not for a reader.
_TECHNICAL_VALUE = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*|(?:data|urn|mailto):\S+"  # an address or a pointer
    r"|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}"  # a uuid, a hash
    r"|\d{4}-\d\d-\d\d(?:[T ][0-9:.+Z-]+)?"  # a time
    r"|(?:file|user|g|msg|call|turn|conv|req|org)[-_](?=[\w-]*\d)[\w-]*+"  # an id of the service
    r"|[!-~]{200,}",  # encoded bytes
    re.IGNORECASE,
)
# Characters that are searched in one text for other texts. Larger: thousands of them beside a long text take seconds;
# smaller: what a long answer cites is named at its end, and what it says already is said again.
MOST_SEARCHED = 100_000_000
_FEW_WORDS = 2  # so many words can still be a type or a state ("in progress"); more are written language


def with_json_parsed(value: object) -> object:
    """Return a copy in which every string that is JSON of an object or array is replaced by that."""
    result = [value]
    stack: list[tuple[Any, Any]] = [(result, 0)]
    while stack:
        container, key = stack.pop()
        item = container[key]
        if isinstance(item, str) and item[:1] in {"{", "["} and item.rstrip()[-1:] in {"}", "]"}:
            item = container[key] = _parsed_or_same(item)
        if isinstance(item, dict):
            item = container[key] = dict(item)
            stack.extend((item, name) for name in item)
        elif isinstance(item, list):
            item = container[key] = list(item)
            stack.extend((item, n) for n in range(len(item)))
    return result[0]


def _parsed_or_same(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def strings_in(value: object, key: str | None = None) -> Iterator[tuple[str | None, str]]:
    """Yield every string that is not blank, with the nearest key above it, in document order."""
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


def dicts_in(value: object) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield every dict in the value, itself included, with the nearest key above, in document order."""
    stack: list[tuple[str | None, Any]] = [(None, value)]
    while stack:
        name, item = stack.pop()
        if isinstance(item, dict):
            yield name, item
            stack.extend(reversed([(k if isinstance(k, str) else None, v) for k, v in item.items()]))
        elif isinstance(item, list):
            stack.extend((name, element) for element in reversed(item))


def is_prose(text: str) -> bool:
    """Return whether a string is surely written language: several words, or letters outside ASCII."""
    words = [word for word in text.split(None, 8) if any(c.isalpha() for c in word)]
    return len(words) > _FEW_WORDS or any(c.isalpha() and not c.isascii() for c in text[:1000])


def _is_technical_key(key: str) -> bool:
    key = key.lower()
    return key in _TECHNICAL_KEYS or key.endswith(_TECHNICAL_ENDINGS)


def is_readable(key: str | None, text: str) -> bool:
    """Return whether a person would want to read this string, by its key and by its form."""
    if key is None or key.lower() in _READABLE_KEYS:
        return True
    if _is_technical_key(key):
        return is_prose(text)
    return not _TECHNICAL_VALUE.fullmatch(text.strip()) and any(c.isalnum() for c in text)


def readable_strings(value: object, key: str | None = None) -> list[str]:
    """Return every readable string of an unknown shape, each once, in document order."""
    return list(dict.fromkeys(text for name, text in strings_in(value, key) if is_readable(name, text)))


def texts_not_in(shown: str, texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts that are no part of a shown one; all of them once ``MOST_SEARCHED`` characters were searched."""
    left = MOST_SEARCHED
    for text in texts:
        left -= len(shown)
        if left < 0 or text not in shown:
            yield text


def prose_strings(value: object) -> list[str]:
    """Return the strings that are certainly for a reader: for unknown keys in a known shape."""
    found = (text for key, text in strings_in(value) if is_prose(text) or _has_readable_key(key, text))
    return list(dict.fromkeys(found))


def _has_readable_key(key: str | None, text: str) -> bool:
    return key is not None and key.lower() in _READABLE_KEYS and is_readable("", text)
