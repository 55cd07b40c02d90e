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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.json_bytes import UnpairedBracketError, parse_simplified, value_end
from mirror.unparsed_object import VIEW, UnparsedObject, place_of, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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
# Objects that are looked at for being a tree of many small members. Larger: a decoding of ``VIEW`` bytes in vain for
# each; smaller: the end of the tree is looked for by its brackets, which takes as long as to parse it.
MOST_LOOKS = 16
# Small objects with which an object begins that is taken for such a tree. Smaller: more are taken for one in vain.
ENOUGH_SMALL = 2
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
# Bytes of memory for a node and the row that it becomes, beside its text, as measured. Smaller: memory beyond the
# bound; larger: conversations are refused that could be read.
NODE_BYTES = 1100
# Bytes from which the memory of one text counts: it is held as bytes, as it was parsed, as a row, and by SQLite.
LONG_TEXT = 64 * 1024
# How often such a text is held beside what Python makes of it, by SQLite. Larger: a text is refused that could be read;
# smaller: memory beyond the bound.
COPIES = 2
SHORT_TEXT = 32
_DENSEST = max(TOKEN_BYTES.values()) + 4  # bytes of memory for one byte of an object's text, at most
_ASTRAL, _WIDE = re.compile(rb"[\xf0-\xf4]"), re.compile(rb"[\xc4-\xef]")
_BLANK = re.compile(rb"[ \t\n\r]*+")
_NAME = re.compile(rb'"((?:[^"\\]|\\.)*+)"[ \t\n\r]*+:[ \t\n\r]*+', re.DOTALL)
_TO_OBJECT, _TO_NAME = re.compile(r"[ \t\n\r]*+:[ \t\n\r]*+(?=\{)"), re.compile(r'[ \t\n\r]*+,[ \t\n\r]*+(?=")')
_decode = json.JSONDecoder().raw_decode
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_RUN = re.compile(  # of strings, numbers and words in an array
    rb'(?:(?:[^\s,{}\[\]"]++|"(?:[^"\\]++|\\.)*+")[ \t\n\r]*+,[ \t\n\r]*+){2,500}+', re.DOTALL
)
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


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@dataclass(slots=True)
class _Members:
    """The members of an object. ``places``: of their values, by name; ``unparsed``: the names of those not yet parsed.

    ``memory``: bytes for the places; ``end``: the place after the object.
    """

    places: dict[str, int] = field(default_factory=dict)
    unparsed: set[str] = field(default_factory=set)
    memory: int = 0
    end: int = -1

    def add(self, name: str, start: int, end: int, *, is_parsed: bool) -> None:
        """Add a member; of several with one name the last one counts."""
        self.places[name] = place_of(start, end)
        self.memory += MEMBER_BYTES + len(name)
        if not is_parsed:
            self.unparsed.add(name)
        elif self.unparsed:
            self.unparsed.discard(name)


class _Reader:
    """Reads one text; ``_left``: the bytes of memory that are left for it."""

    def __init__(self, raw: bytes, most: int | None, copies: int, piece: int) -> None:
        self._raw, self._most, self._copies, self._piece = raw, most, copies, piece
        self._left = (most or 0) - len(raw)
        self._is_ascii = raw.isascii()
        self._trees: dict[int, _Members] = {}  # by the places at which they begin
        self._looks = MOST_LOOKS

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
        found = self._trees.pop(at, None) or self._members(at)
        if found.end != end:
            raise ValueError(_GOES_ON)
        self._take(found.memory)
        places = found.places
        if len(places) >= MANY_MEMBERS and all(self._is_small_object(place) for place in places.values()):
            return self._unparsed(found)
        return {name: self._value(*span_of(place), level) for name, place in places.items()}

    def _is_small_object(self, place: int) -> bool:
        start, end = span_of(place)
        return self._raw[start] == _OBJECT and end - start <= self._piece

    def _unparsed(self, found: _Members) -> UnparsedObject:
        for name, place in found.places.items():
            start, end = span_of(place)
            self._check_one(start, end)
            self._take(NODE_BYTES + (end - start) * (self._width(start, end) - 1))
            if name in found.unparsed:
                self._parsed(start, end)  # so that nothing later meets what is no JSON
        return UnparsedObject(self._raw, found.places)

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

    def _members(self, at: int) -> _Members:
        """Find the members of the object that begins at a place.

        Small objects among them are parsed, for that finds their ends in the time that looking for brackets takes.
        """
        found, may_be_small = _Members(), True
        at = self._past_blanks(at + 1)
        while self._raw[at] not in b"}":
            begin = at
            if may_be_small:
                at = self._small_objects(found, at)
                self._check(found)
            name = _NAME.match(self._raw, at)
            if name is None:
                raise ValueError(f"is not valid JSON: Expecting property name (byte {at:,} of it)")
            end = self._tree_end(name.end()) or self._end(name.end())
            found.add(self._checked(b'"' + name[1] + b'"', at), name.end(), end, is_parsed=False)
            self._check(found)
            # Where little of a view was parsed, decoding the next one would be for nothing, too.
            may_be_small = may_be_small and end - begin > VIEW // 4
            at = self._next(end)
        found.end = at + 1
        return found

    def _small_objects(self, found: _Members, at: int) -> int:
        """Add the members from a place on that are objects and lie in view whole; return where the next one begins.

        The last member of an object is not among them, nor what is no JSON or not parsed as it is.
        """
        text, here = str(memoryview(self._raw)[at : at + VIEW], "utf-8", "surrogateescape"), 0
        is_ascii = text.isascii()
        try:
            while text[here] == '"':
                name, colon = _decode(text, here)
                if (to_object := _TO_OBJECT.match(text, colon)) is None:
                    break
                _, end = _decode(text, begin := to_object.end())
                if (to_name := _TO_NAME.match(text, end)) is None:
                    break
                after = to_name.end()
                start = at + (begin - here if is_ascii else len(_as_bytes(text[here:begin])))
                stop = start + (end - begin if is_ascii else len(_as_bytes(text[begin:end])))
                found.add(name, start, stop, is_parsed=True)
                at, here = stop + after - end, after
        except (ValueError, IndexError, RecursionError):
            pass  # the rest of it is not in view, or it is to be looked at more closely
        return at

    def _tree_end(self, at: int) -> int | None:
        """Return the end of an object that begins with several small ones, and keep its members; None: it is none."""
        if self._raw[at] != _OBJECT or not self._looks:
            return None
        self._looks -= 1
        first = _Members()
        self._small_objects(first, self._past_blanks(at + 1))
        if len(first.places) < ENOUGH_SMALL:
            return None
        looks, self._looks = self._looks, 0  # one level is enough
        try:
            found = self._trees[at] = self._members(at)
        except (ValueError, IndexError):
            return None  # what is wrong with it is said when it is read
        finally:
            self._looks = looks
        return found.end

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

    def _check(self, found: _Members) -> None:
        """Refuse members whose places alone take more than is left."""
        if self._most is not None and found.memory > max(0, self._left):
            raise self._too_dense()

    def _check_one(self, at: int, end: int) -> None:
        """Refuse an object that alone takes half of the memory."""
        half = None if self._most is None else self._most // 2
        if half is not None and (end - at) * _DENSEST > half and self._memory(at, end) > half:
            raise self._too_dense()

    def _width(self, at: int, end: int) -> int:
        return 1 if self._is_ascii else _width(self._raw, at, end)

    def _too_dense(self) -> TooDenseError:
        return TooDenseError(f"takes more than {(self._most or 0) / MB:,.0f} MB of memory to read")

    def _memory(self, at: int, end: int, *, is_several: bool = False) -> int:
        """Return about how many bytes the values between two places take, beside those of the text itself."""
        size, width = end - at, self._width(at, end)
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
