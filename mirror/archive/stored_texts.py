"""Which conversations of an archive are stored already: told by their bytes, without parsing them.

A JSON text ends where a text that is stored ends, if all bytes up to there are the same: so of a conversation that
comes again neither its end nor what it says has to be found out, which is two fifths of what importing again takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror.archive.items import Origin


class StoredText(NamedTuple):
    """What is known of one: ``sha256`` as of ``Body.sha256``, ``size`` in bytes, and what it was stored as."""

    sha256: str
    size: int
    origin: Origin
    provider: str


class StoredTexts:
    """The stored texts in the order in which they came. An archive holds most of them in the same order once more."""

    def __init__(self, texts: Sequence[StoredText] = ()) -> None:
        self._texts = texts
        self._places = {text.sha256: n for n, text in enumerate(texts)}
        self._next = 0

    @property
    def expected(self) -> StoredText | None:
        """The one that comes next, if what comes next is stored; None: nothing is known."""
        return self._texts[self._next] if self._next < len(self._texts) else None

    def has(self, sha256: str) -> bool:
        """Whether a text with this hash is stored. It has come: the one after it is expected next."""
        place = self._places.get(sha256)
        if place is not None:
            self._next = place + 1
        return place is not None
