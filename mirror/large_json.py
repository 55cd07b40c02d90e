"""Large JSON, parsed in pieces and within a bound of memory.

Python makes one text of all bytes before it parses them, four bytes a character where one emoji is among them, and
each pair of brackets becomes an object of up to 250 bytes: 24 MB of ``[]`` take 600 MB. So a large text is taken apart
by its brackets and parsed piece by piece, what the pieces come to is reckoned before they are parsed, and the nodes of
a large tree stay bytes until one of them is asked for. Texts below ``LARGE`` are parsed at once, whatever is in them,
and so are those that come to less than ``AT_ONCE``, as a conversation of some thousand messages does.
"""

from __future__ import annotations

import json
import re
from collections.abc import ItemsView, ValuesView
from typing import TYPE_CHECKING, Any

from mirror.json_bytes import UnpairedBracketError, parse_simplified, value_end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MB = 1024 * 1024
# Bytes. The densest text of this size takes 120 MB. Larger: more memory for what nobody reckoned; smaller: reckoning
# where nothing can happen, and all conversations of more than that take a tenth longer to read.
LARGE = 4 * MB
# Bytes of memory that a larger text may take to be parsed at once all the same. Larger: more memory, for two readings
# of one conversation are compared; smaller: one of some thousand messages takes ten times as long to parse, and each of
# its nodes is parsed again whenever it is looked at.
AT_ONCE = 64 * MB
# Bytes that are parsed at once in a large text. Larger: more memory; smaller: more time.
PIECE = 1024 * 1024
# Levels of brackets at which a text is taken apart: the tree of a conversation in a list in an object is the third.
LEVELS = 4
# An object with so many members, all of them objects, stays bytes: the nodes of a tree. Smaller: what has few members
# is parsed again and again.
MANY_MEMBERS = 1000
# Bytes of memory for each of these characters, as they were measured with Python 3.11: an empty list; an object with a
# member; a place in a list and what is in it; a name and its place. Smaller: memory beyond the bound; larger:
# conversations are refused that could be read.
TOKEN_BYTES = {b"[": 64, b"{": 190, b",": 66, b":": 40}
# Bytes of memory for the place of a member of an object that is taken apart.
MEMBER_BYTES = 200
# Characters of structure in one text, beside those in its strings: 160,000 ordinary messages have as many. Larger: the
# time to take apart what nobody wrote; smaller: a long conversation is refused.
MOST_TOKENS = 8_000_000
# Bytes of memory for a node and the row that it becomes, beside its text. Measured; the same.
NODE_BYTES = 1100
# Bytes from which the memory of one text counts: it is held as bytes, as it was parsed, as a row, and by SQLite.
LONG_TEXT = 64 * 1024
# How often such a text is held beside what Python makes of it, by SQLite. Larger: a text is refused that could be read;
# smaller: memory beyond the bound.
COPIES = 2
SHORT_TEXT = 32
_ASTRAL, _WIDE = re.compile(rb"[\xf0-\xf4]"), re.compile(rb"[\xc4-\xef]")
_BLANK = re.compile(rb"[ \t\n\r]*+")
_NAME = re.compile(rb'"((?:[^"\\]|\\.)*+)"[ \t\n\r]*+:[ \t\n\r]*+', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_RUN = re.compile(  # of strings, numbers and words in an array
    rb'(?:(?:[^\s,{}\[\]"]++|"(?:[^"\\]++|\\.)*+")[ \t\n\r]*+,[ \t\n\r]*+){2,500}+', re.DOTALL
)
_SHIFT = 40  # bits: a place is one number, its start above its length
_OBJECT, _ARRAY, _COMMA = b"{[,"
_BRACKETS = b"{["
_BLANKS = b" \t\n\r"
_GOES_ON = "is not valid JSON: it goes on after its end"


class TooDenseError(ValueError):
    """A text would take more memory than it may; nothing of it was parsed that does."""


def read_json(
    raw: bytes,
    most: int | None = None,
    *,
    copies: int = COPIES,
    large: int = LARGE,
    at_once: int = AT_ONCE,
    piece: int = PIECE,
) -> Any:
    """Parse JSON text of any size as ``parse_simplified`` does.

    ``most``: bytes of memory that the text, its values and the rows made of them may take, None without a bound. Raises
    TooDenseError where they are more, and ValueError as that does. ``copies``: see COPIES. ``large``, ``at_once``:
    bytes of text and of memory from which a text is taken apart; ``piece``: bytes of what is parsed at once then.
    """
    is_small = len(raw) <= large or _fits(raw, min(at_once, most or at_once))
    return parse_simplified(raw) if is_small else _Reader(raw, most, copies, piece).whole()


def _fits(raw: bytes, most: int) -> bool:
    """Whether a text that is parsed at once, itself decoded and its values, takes at most so many bytes of memory."""
    if 2 * len(raw) > most:  # looking for wide characters takes a second for 50 MB
        return False
    structure = sum(raw.count(token) * cost for token, cost in TOKEN_BYTES.items())
    if raw.isascii():
        return 2 * len(raw) + structure <= most
    decoded = len(raw) * _width(raw, 0, len(raw))
    # Emoji widen only the texts that they are in.
    texts = sum(LONG_TEXT * _width(raw, at, at + LONG_TEXT) for at in range(0, len(raw), LONG_TEXT))
    return decoded + texts + structure <= most


def _width(raw: bytes, start: int, end: int) -> int:
    """Return how many bytes a character takes in Python, where the widest one decides for all of a text."""
    return 4 if _ASTRAL.search(raw, start, end) else 2 if _WIDE.search(raw, start, end) else 1


class _Items(ItemsView[str, Any]):
    """The members of an object that is not parsed, in either direction."""

    _mapping: Mapping[str, Any]

    def __reversed__(self) -> Iterator[tuple[str, Any]]:
        return ((name, self._mapping[name]) for name in reversed(list(self._mapping)))


class _Values(ValuesView[Any]):
    """Their values, likewise."""

    _mapping: Mapping[str, Any]

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
    return memoryview(raw)[slice(*_span(place))]


def _span(place: int) -> tuple[int, int]:
    start = place >> _SHIFT
    return start, start + (place & ((1 << _SHIFT) - 1))


class _Reader:
    """Reads one text; ``_left``: the bytes of memory that are left for it."""

    def __init__(self, raw: bytes, most: int | None, copies: int, piece: int) -> None:
        self._raw, self._most, self._copies, self._piece = raw, most, copies, piece
        self._left = (most or 0) - len(raw)

    def whole(self) -> Any:
        self._refuse_mere_structure()
        try:
            at = self._past_blanks(0)
            end = len(self._raw.rstrip(_BLANKS))
            if self._raw[at] not in _BRACKETS and self._end(at) != end:
                raise ValueError(_GOES_ON)
            return self._value(at, end, 0)
        except UnpairedBracketError:
            raise ValueError("is not valid JSON: its brackets do not match") from None
        except IndexError:
            raise ValueError("is not valid JSON: it ends in the middle") from None

    def _value(self, at: int, end: int, level: int) -> Any:
        if end - at > self._piece and level < LEVELS:
            if self._raw[at] == _OBJECT:
                return self._object(at, end, level + 1)
            if self._raw[at] == _ARRAY:
                return self._array(at, end, level + 1)
        self._take(self._memory(at, end))
        return self._parsed(at, end)

    def _object(self, at: int, end: int, level: int) -> Any:
        places: dict[str, int] = {}
        for name, start, stop in self._members(at, end):
            self._take(MEMBER_BYTES + len(name))
            places[name] = start << _SHIFT | (stop - start)
        if len(places) >= MANY_MEMBERS and all(self._is_small_object(place) for place in places.values()):
            return self._unparsed(places)
        return {name: self._value(*_span(place), level) for name, place in places.items()}

    def _is_small_object(self, place: int) -> bool:
        start, end = _span(place)
        return self._raw[start] == _OBJECT and end - start <= self._piece

    def _unparsed(self, places: dict[str, int]) -> UnparsedObject:
        for place in places.values():
            start, end = _span(place)
            self._check_one(self._memory(start, end))
            self._take(NODE_BYTES + (end - start) * (_width(self._raw, start, end) - 1))
            self._parsed(start, end)  # so that nothing later meets what is no JSON
        return UnparsedObject(self._raw, places)

    def _array(self, at: int, end: int, level: int) -> list[Any]:
        found: list[Any] = []
        first = last = -1  # of the elements that are parsed together
        for start, stop in self._elements(at, end):
            is_alone = stop - start > self._piece
            if first >= 0 and (is_alone or stop - first > self._piece):
                found += self._together(first, last)
                first = -1
            if is_alone:
                found.append(self._value(start, stop, level))
            else:
                first, last = (start if first < 0 else first), stop
        return found + self._together(first, last) if first >= 0 else found

    def _together(self, start: int, end: int) -> Any:
        self._take(self._memory(start, end, is_several=True))
        return self._checked(b"[" + self._raw[start:end] + b"]", start)

    # -- where values begin and end

    def _members(self, at: int, whole_end: int) -> Iterator[tuple[str, int, int]]:
        """Yield the name of each member of an object, and where its value begins and ends."""
        at = self._past_blanks(at + 1)
        while self._raw[at] not in b"}":
            name = _NAME.match(self._raw, at)
            if name is None:
                raise ValueError(f"is not valid JSON: Expecting property name (byte {at:,} of it)")
            end = self._end(name.end())
            yield self._checked(b'"' + name[1] + b'"', at), name.end(), end
            at = self._next(end)
        self._check_end(at, whole_end)

    def _elements(self, at: int, whole_end: int) -> Iterator[tuple[int, int]]:
        """Yield where the elements of an array are, several at once where they are small."""
        at = self._past_blanks(at + 1)
        while self._raw[at] not in b"]":
            run = _RUN.match(self._raw, at)
            if run and run.end() - at <= self._piece:
                yield at, self._raw.rindex(b",", at, run.end())
                at = self._checked_next(run.end())
            else:
                end = self._end(at)
                yield at, end
                at = self._next(end)
        self._check_end(at, whole_end)

    def _check_end(self, at: int, end: int) -> None:
        """Raise ValueError where what ends with the bracket at ``at`` is not all that was to be read."""
        if at + 1 != end:
            raise ValueError(_GOES_ON)

    def _next(self, at: int) -> int:
        """Return where the next value begins, or the bracket that ends them all."""
        at = self._past_blanks(at)
        if self._raw[at] in b"]}":
            return at
        if self._raw[at] != _COMMA:
            raise ValueError(f"is not valid JSON: Expecting ',' delimiter (byte {at:,} of it)")
        return self._checked_next(self._past_blanks(at + 1))

    def _checked_next(self, at: int) -> int:
        if self._raw[at] in b"]}":
            raise ValueError(f"is not valid JSON: Expecting value (byte {at:,} of it)")
        return at

    def _past_blanks(self, at: int) -> int:
        blanks = _BLANK.match(self._raw, at)
        return blanks.end() if blanks else at

    def _end(self, at: int) -> int:
        end = value_end(self._raw, at)
        if end <= at:
            raise ValueError(f"is not valid JSON: Expecting value (byte {at:,} of it)")
        return end

    # -- parsing

    def _parsed(self, at: int, end: int) -> Any:
        return self._checked(memoryview(self._raw)[at:end], at)

    def _checked(self, text: bytes | memoryview, at: int) -> Any:
        try:
            return parse_simplified(text)
        except ValueError as error:
            cause = error.__cause__
            if not isinstance(cause, json.JSONDecodeError):
                raise
            raise ValueError(f"is not valid JSON: {cause.msg} (about byte {at + cause.pos:,} of it)") from None

    # -- memory

    def _refuse_mere_structure(self) -> None:
        if self._most is None:
            return
        tokens = self._tokens(0, len(self._raw))
        if tokens > MOST_TOKENS:
            tokens -= sum(self._tokens(*span) for span in self._texts(0, len(self._raw)))
        if tokens > MOST_TOKENS:
            raise TooDenseError(f"holds more than {MOST_TOKENS:,} brackets, commas and colons")

    def _take(self, count: int) -> None:
        self._left -= count
        if self._most is not None and self._left < 0:
            raise self._too_dense()

    def _check_one(self, count: int) -> None:
        if self._most is not None and count > self._most // 2:
            raise self._too_dense()

    def _too_dense(self) -> TooDenseError:
        return TooDenseError(f"takes more than {(self._most or 0) / MB:,.0f} MB of memory to read")

    def _memory(self, at: int, end: int, *, is_several: bool = False) -> int:
        """Return about how many bytes the values between two places take, beside those of the text itself."""
        size, width = end - at, _width(self._raw, at, end)
        is_container = is_several or self._raw[at] in b"{["
        if size > (self._piece if is_container else LONG_TEXT):  # one text, or what is nested too deep to take apart
            width = 2 * width + self._copies
        if not is_container:
            return size * width
        tokens = sum(self._raw.count(token, at, end) * cost for token, cost in TOKEN_BYTES.items())
        if self._most is not None and tokens > self._left:  # perhaps many of them are in texts
            tokens -= self._tokens_in_texts(at, end)
        return size * width + max(0, tokens)

    def _tokens_in_texts(self, at: int, end: int) -> int:
        costs = TOKEN_BYTES.items()
        return sum(self._raw.count(token, *span) * cost for span in self._texts(at, end) for token, cost in costs)

    def _tokens(self, at: int, end: int) -> int:
        return sum(self._raw.count(token, at, end) for token in TOKEN_BYTES)

    def _texts(self, at: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where the longer strings between two places are; short ones hold few tokens."""
        spans = (match.span() for match in _STRING.finditer(self._raw, at, end))
        return (span for span in spans if span[1] - span[0] > SHORT_TEXT)
