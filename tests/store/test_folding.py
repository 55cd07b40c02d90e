"""How texts are compared where no index does it."""

from __future__ import annotations

import sys
import unicodedata

from mirror.store.search import folding


def test_the_short_way_is_the_long_way() -> None:
    """A character that is taken as it is has one form; it and its parts are the same as any other text says."""
    wrong = []
    for character in map(chr, range(sys.maxunicode + 1)):
        if folding._PLAIN.fullmatch(character):
            apart = unicodedata.normalize("NFD", character)
            if folding.folded(character) != folding.folded(f"{apart}\u00ad"):
                wrong.append(character)
    assert wrong == []
