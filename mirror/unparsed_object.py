"""A JSON object of many members whose values stay bytes until they are asked for, as the nodes of a large tree do."""

from __future__ import annotations

import json
from collections.abc import ItemsView, ValuesView
from typing import TYPE_CHECKING, Any

from mirror.json_bytes import parse_simplified

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bytes of a large object that are decoded at once to parse its small members where they lie. Larger: more memory that
# nobody reckoned, 70 bytes for each; smaller: more members that do not lie in view whole.
VIEW = 128 * 1024
_SHIFT = 40  # bits: a place is one number, its start above its length
_decode = json.JSONDecoder().raw_decode


def place_of(start: int, end: int) -> int:
    """Return the number that stands for the text between two offsets."""
    return start << _SHIFT | (end - start)


def span_of(place: int) -> tuple[int, int]:
    """Return the two offsets that a number stands for."""
    start = place >> _SHIFT
    return start, start + (place & ((1 << _SHIFT) - 1))


class _Items(ItemsView[str, Any]):
    """The members of an object that is not parsed, in either direction."""

    _mapping: UnparsedObject

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return zip(self._mapping, self._mapping.values(), strict=True)

    def __reversed__(self) -> Iterator[tuple[str, Any]]:
        return ((name, self._mapping[name]) for name in reversed(list(self._mapping)))


class _Values(ValuesView[Any]):
    """Their values, likewise."""

    _mapping: UnparsedObject

    def __iter__(self) -> Iterator[Any]:
        return self._mapping.in_order()

    def __reversed__(self) -> Iterator[Any]:
        return (self._mapping[name] for name in reversed(list(self._mapping)))


class UnparsedObject(dict[str, Any]):
    """A JSON object of many members, each of which is parsed when it is asked for, and not kept.

    It is read like any dict, value by value, so that not all of them are in memory at once; a copy of it is parsed.
    """

    def __init__(self, raw: bytes, places: dict[str, int]) -> None:
        super().__init__(places)
        self._raw = raw
        self._latest: tuple[int, Any] = (-1, None)

    def __getitem__(self, name: str) -> Any:
        place = super().__getitem__(name)
        if self._latest[0] != place:
            self._latest = (place, parse_simplified(_text_at(self._raw, place)))
        return self._latest[1]

    def in_order(self) -> Iterator[Any]:
        """Yield each value; of several that lie beside each other the text is decoded at once."""
        text, begin = "", 0
        for place in super().values():
            start, end = span_of(place)
            if not begin <= start <= end <= begin + len(text):
                view = self._raw[start : start + VIEW]
                text, begin = view.decode("ascii") if view.isascii() else "", start
            try:
                value, stop = _decode(text, start - begin)
            except (ValueError, RecursionError):  # not all in view, or Python refuses it
                stop = -1
            yield value if stop == end - begin else parse_simplified(_text_at(self._raw, place))

    def get(self, name: str, default: Any = None) -> Any:
        """See dict."""
        return self[name] if name in self else default  # noqa: SIM401 - this is what ``get`` is made of

    def __iter__(self) -> Iterator[str]:
        # Defined anew so that ``{**one}`` and ``dict(one)`` ask for the values: of a dict that iterates as usual they
        # would copy the places.
        return super().__iter__()

    def items(self) -> _Items:  # type: ignore[override] # a dict's own view would be of the places
        """See dict."""
        return _Items(self)

    def values(self) -> _Values:  # type: ignore[override] # as above
        """See dict."""
        return _Values(self)

    def copy(self) -> dict[str, Any]:
        """Return all of it, parsed."""
        return dict(self.items())

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, dict) or self.keys() != other.keys():
            return False
        return all(value == other[name] for name, value in self.items())

    __hash__ = None


def _text_at(raw: bytes, place: int) -> memoryview:
    return memoryview(raw)[slice(*span_of(place))]
