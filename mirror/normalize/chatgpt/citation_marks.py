r"""Find the citation marks that the service writes into an answer's text, and parse them.

There are two generations (API notes §4.1). The newer: U+E200 kind U+E202 field U+E202 field ... U+E201, all private-use
characters. The older: ``\u30103:1\u2020source\u3011``. Here a mark is only parsed; ``citations`` finds the page it
refers to and puts a link in its place.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mirror.normalize.chatgpt.links import markdown, title_of, web_url
from mirror.normalize.chatgpt.readable_text import is_readable, strings_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mirror.rows import Link

# A field with no closing character after it: references, line numbers, or everything up to a blank.
_FIELD = "\ue202(?:turn\\d+[a-zA-Z_]*\\d*(?:,turn\\d+[a-zA-Z_]*\\d*)*|L\\d+(?:-L?\\d+)?|[^\\s\ue200-\ue204]*)"
_KINDS = "(?:(?:file|memory_)?cite|navlist|image_group|entity|video|url|products?)"
# A whole mark, or what an interrupted answer left of one: without its end, or without its beginning, whose end is not
# looked for further than any mark is long, for there can be as many beginnings as characters.
_MARK = re.compile(
    "\ue200(?P<closed>[^\ue200\ue201]*)\ue201"
    f"|\ue200(?P<open>[a-z_]+(?:{_FIELD})+)"
    f"|(?P<partial>{_KINDS}?(?:\ue202[^\ue200\ue201\n]{{0,1000}}+\ue201|(?:{_FIELD})+))"
)  # fmt: skip
LEGACY = re.compile("\u3010(?P<ref>[\\w:]{1,40})\u2020(?P<label>[^\u3010\u3011\n]*)\u3011")
# A newer mark that lost its private-use characters, as copies made by some tools have it: ``citeturn0search5``.
PLAIN = re.compile(r"(?<!\w)(?:file)?cite(?:turn\d+[a-z_]+\d+)+(?!\w)")
_SOURCE_REF = re.compile(r"turn\d+[a-zA-Z_]+?\d+")
# Line numbers in a file, or a technical word such as ``v1``.
_LINES = re.compile(r"L?\d+(?:-L?\d+)?|[a-z_]{1,20}\d+")
# A text and what its references quote from it can differ in the kind of blank or dash.
LOOKALIKES = str.maketrans(
    dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " ")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
)
# Marks whose fields are references only, without any words for a reader.
_BARE_KINDS = frozenset({"cite", "filecite", "i", "image"})
_NAME_FIELD = 2


class Mark(NamedTuple):
    """One newer mark: its span in the text, its kind and its fields."""

    start: int
    end: int
    kind: str
    fields: list[str]


def marks(text: str) -> Iterator[Mark]:
    """Yield the newer marks of a text, in order."""
    if "\ue200" not in text and "\ue202" not in text:
        return  # true of nearly every text; looking for the two characters is a hundred times faster than the pattern
    for found in _MARK.finditer(text):
        kind, *fields = (found["closed"] or found["open"] or (found["partial"] or "").rstrip("\ue201")).split("\ue202")
        yield Mark(found.start(), found.end(), kind, fields)


def without_marks(text: str) -> str:
    """Return a text without the newer marks in it and without blanks around it."""
    return _MARK.sub("", text).strip()


def source_refs(mark: Mark) -> list[str]:
    """Return the sources that a mark names, such as ``turn0search1``."""
    return [ref for field in mark.fields for ref in _SOURCE_REF.findall(field)]


def source_refs_in(text: str) -> list[str]:
    """Return the sources that a text of nothing but references names."""
    return _SOURCE_REF.findall(text)


def addresses(mark: Mark) -> list[str]:
    """Return the web addresses that a mark itself holds."""
    return [url for field in mark.fields if (url := web_url(field))]


def words(mark: Mark) -> str:
    """Return the words for a reader in a mark: a name, a title, the subject of pictures; mostly ""."""
    if mark.kind in _BARE_KINDS:
        return ""
    if not mark.fields:
        # No known mark is without fields; several words between these characters were written by a person.
        return mark.kind if " " in mark.kind.strip() else ""
    found = [text for field in mark.fields for text in _field_words(field)]
    if mark.kind == "image_group":
        return f"[images: {', '.join(found)}]" if found else ""
    return ", ".join(found)


def _field_words(field: str) -> list[str]:
    field = field.strip()
    if field.startswith(("[", "{")):
        try:
            return _json_words(json.loads(field))
        except (ValueError, RecursionError):
            return []
    is_shown = field and not _SOURCE_REF.match(field) and not _LINES.fullmatch(field) and not web_url(field)
    return [field] if is_shown else []


def _json_words(value: object) -> list[str]:
    if isinstance(value, list) and len(value) >= _NAME_FIELD and isinstance(value[1], str):
        # An entity or a product: [category or source, name, more...].
        return [value[1]]
    return [
        text
        for key, text in strings_in(value)
        if not _SOURCE_REF.match(text) and key not in {"layout", "aspect_ratio", "render_as"} and is_readable(key, text)
    ]


def legacy_words(label: str) -> str:
    """Return the words for a reader in an older mark: a file's name, "" for all other labels."""
    label = label.split("\u2020", maxsplit=1)[0].strip()
    return f"[{label}]" if "." in label and not _LINES.fullmatch(label) else ""


def linked(pages: Iterable[Link], label: str = "") -> str:
    """Return pages as Markdown links; ``label`` replaces the first title, or a missing page."""
    shown = list(pages)
    if shown and label:
        shown[0] = replace(shown[0], title=title_of(label))
    return ", ".join(markdown(page) for page in shown) or label
