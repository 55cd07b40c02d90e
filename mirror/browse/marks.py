"""What a search found, marked in what a page shows."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from mirror.store.search.snippets import marked_texts, split_marks
from mirror.text import readable_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror.store.search.query import Word

_MATCH = Markup("<mark>{}</mark>")
# A formula, which is marked as a whole, or a tag. Every "<" of safe HTML begins one.
_SOURCE = re.compile(r"<annotation\b[^>]*>(.*?)</annotation>", re.DOTALL)  # what a formula was written as
_TAG = re.compile(r"""(<math\b.*?</math>|<(?:[^<>"']|"[^"]*"|'[^']*')*>)""", re.DOTALL)


def marked_html(text: str) -> Markup:
    """Return a snippet as HTML, what matched in ``mark``."""
    pieces = (_MATCH.format(piece) if is_match else escape(piece) for piece, is_match in split_marks(text))
    return Markup("").join(pieces)


def marked_name_html(text: str) -> Markup:
    """Return a snippet of a file's name as HTML, as it is written."""
    pieces = ((readable_name(f"|{piece}|")[1:-1], is_match) for piece, is_match in split_marks(text))
    return Markup("").join(_MATCH.format(piece) if is_match else escape(piece) for piece, is_match in pieces)


def with_marks(pages: Sequence[Markup], words: Sequence[Word]) -> list[Markup]:
    """Return pieces of safe HTML with the words marked in their text. A phrase is marked where no tag divides it.

    A formula is marked as a whole where the words are in its source.
    """
    divided = [_TAG.split(page) for page in pages]
    texts = [html.unescape(_readable(part, is_tag=n % 2 == 1)) for parts in divided for n, part in enumerate(parts)]
    marked = iter(marked_texts(texts, words))
    for parts in divided:
        parts[:] = [_marked(part, next(marked), is_tag=n % 2 == 1) for n, part in enumerate(parts)]
    return [Markup("").join(map(Markup, parts)) for parts in divided]


def _readable(part: str, *, is_tag: bool) -> str:
    """Return what a reader finds in a part: its text, the source of a formula, nothing in another tag."""
    if not is_tag:
        return part
    source = _SOURCE.search(part) if part.startswith("<math") else None
    return source[1] if source else ""


def _marked(part: str, text: str, *, is_tag: bool) -> str:
    if not is_tag:
        return marked_html(text)
    has_match = any(is_match for _, is_match in split_marks(text))
    return _MATCH.format(Markup(part)) if has_match else part  # noqa: S704 - it was safe HTML before
