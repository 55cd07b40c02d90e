"""An answer as JSON of a bounded length. What chats say stands in it as values, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.terminal import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_CHARACTERS = (
    20_000  # of an answer; about 5,000 tokens. Larger: an assistant's memory fills up; smaller: more calls
)
_RESERVED = 600  # characters of that for the sentence that says how to get the rest
LONGEST_VALUE = 300  # characters in JSON of a title, a name or an address, which are as long as somebody else likes
_SHORTEST_PIECE = 500  # characters of a long text that are worth giving where other messages are in the answer already


def short(text: str | None) -> str | None:
    """Return a value that takes at most ``LONGEST_VALUE`` characters in an answer."""
    if text is None or len(to_json(text)) - 2 <= LONGEST_VALUE:
        return text
    return text[: _fitting(text, LONGEST_VALUE - len("\\u2026"))] + "…"


def key(text: str) -> str:
    """Return an id, or as much of it as an answer has room for: what it begins with means it, too."""
    return text[: _fitting(text, LONGEST_VALUE)]


def stated(**values: Any) -> dict[str, Any]:
    """Return the values that say something: neither None, False, empty text nor an empty list."""
    return {key: value for key, value in values.items() if value not in (None, False, "", [])}


class Answer:
    """An answer under way: what it is about, and a list that takes as many items as there is room for."""

    def __init__(self, about: dict[str, Any], items: str) -> None:
        self._about, self._name = about, items
        self._items: list[Any] = []
        self._left = MOST_CHARACTERS - _RESERVED - len(to_json({**about, items: []}))

    def add(self, item: dict[str, Any]) -> bool:
        """Add an item if there is room for it."""
        size = len(to_json(item)) + 2
        if size > self._left:
            return False
        self._items.append(item)
        self._left -= size
        return True

    def add_all(self, items: Iterable[dict[str, Any]]) -> int:
        """Add items until one has no room; return how many were added."""
        for number, item in enumerate(items):
            if not self.add(item):
                return number
        return len(self._items)

    def add_beginning(self, item: dict[str, Any], text: str) -> int:
        """Add an item with as much of a long text as there is room for; return how many characters that is.

        0, and nothing is added, where that would be very little beside what is there already.
        """
        room = self._left - len(to_json({**item, "text": "", "is_cut": True})) - 2
        length = _fitting(text, room)
        if length <= 0 or (self._items and length < _SHORTEST_PIECE):
            return 0
        self.add({**item, "text": text[:length], "is_cut": True})
        return length

    def __bool__(self) -> bool:
        return bool(self._items)

    def finished(self, **more: Any) -> str:
        """Return the answer, with what else is to be said, such as how to get the rest."""
        return to_json({**self._about, self._name: self._items, **stated(**more)})


def _fitting(text: str, room: int) -> int:
    """Return how many characters of a text fit into so many characters of JSON, where some take six."""
    low, high = 0, max(0, min(len(text), room))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(to_json(text[:middle])) - 2 <= room else (low, middle - 1)
    return low
