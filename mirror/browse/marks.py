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
# A formula, which is left as it is, or a tag. Every "<" of safe HTML begins one.
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
    """Return pieces of safe HTML with the words marked in their text. A phrase is marked where no tag divides it."""
    divided = [_TAG.split(page) for page in pages]
    texts = [html.unescape(text) for parts in divided for text in parts[::2]]
    marked = iter(marked_texts(texts, words))
    for parts in divided:
        parts[::2] = [marked_html(next(marked)) for _ in parts[::2]]
    return [Markup("").join(map(Markup, parts)) for parts in divided]
