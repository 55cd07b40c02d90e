"""The values of a JSON file, one by one: the elements of its lists, or values in succession.

A list is never held whole, be it the file itself, a list in a list, or a list under one of a few names in an object.

A value that is no valid JSON, and whose brackets pair, costs only itself. Where brackets do not pair, nobody can know
where the next value begins, and reading ends there: what came before is kept, and the file is named. Exports do come
cut off at their end (github.com/jamesmoore/chatgpt-export warns of it), which is that case. No export damaged in its
middle is known, for a ZIP has checksums, so nothing here searches for a place at which to go on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.archive import shapes
from mirror.archive.items import MB, Limits, Unusable
from mirror.archive.stored_texts import StoredTexts
from mirror.archive.window import CutError, TooBigError, Window
from mirror.body import Body
from mirror.json_bytes import BracketScan, UnpairedBracketError
from mirror.large_json import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirror.archive.recogniser import Container
    from mirror.archive.stored_texts import StoredText

# Names under which tools of many kinds keep lists: of conversations, of answers (HAR), of one page.
_COMMON_LISTS: dict[str, Container] = {"chats": "list", "entries": "list", "data": "page"}
_BROWSER_LOG = "log"  # the object in a HAR file that holds the entries
_MESSAGE = frozenset({"message"})  # of a node
_BLANKS = re.compile(rb"[\s\x00]*+")
_BETWEEN = re.compile(rb"[\s\x00,]*+")
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*+:\s*+', re.DOTALL)
_LINE = re.compile(rb"\{[^\n]*\S")
_AFTER_ELEMENT = re.compile(rb"[\s\x00]*+(?:[,\]]|\Z)")
_QUOTE, _OBJECT, _ARRAY, _END_OBJECT, _END_ARRAY = b'"{[}]'


@dataclass(frozen=True, slots=True)
class JsonValue:
    """One parsed value. ``at``: where in the file it is; ``container``: what kind of list it is in.

    ``stored``: what is stored of these very bytes, which were not parsed then.
    """

    payload: Any
    body: Body
    at: str
    container: Container
    stored: StoredText | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that could not be read. ``ends_reading``: nor could anything after it."""

    at: str
    reason: str
    ends_reading: bool = False


class DamagedRestError(Exception):
    """What follows damaged text cannot be separated into values; the message is a Fault's reason."""


def parsed(raw: bytes, limits: Limits) -> tuple[Any, str | None]:
    """Return a value and None, or None and the reason why there is none.

    What Python's parser refuses (thousands of digits, very deep nesting) is text in the value, as in an answer of the
    service.
    """
    try:
        return read_json(raw, limits.density * len(raw) + limits.memory), None
    except ValueError as error:
        return None, str(error)


class JsonValues:
    """Iterates over the values of one JSON text; ``in_lines``: each line is a value (JSON Lines).

    ``stored``: conversations that need not be parsed.
    """

    def __init__(
        self, window: Window, limits: Limits, stored: StoredTexts | None = None, *, in_lines: bool = False
    ) -> None:
        self._window = window
        self._limits = limits
        self._stored = stored or StoredTexts()
        self._in_lines = in_lines
        lists = _COMMON_LISTS | {k: v for one in shapes.RECOGNISERS.values() for k, v in one.lists.items()}
        self._lists = {name.encode(): container for name, container in lists.items()}
        self._not_in_messages = frozenset.intersection(*(one.not_in_messages for one in shapes.RECOGNISERS.values()))
        self._message_keys = {key.encode() for one in shapes.RECOGNISERS.values() for key in one.message_keys}

    def __iter__(self) -> Iterator[JsonValue | Fault]:
        try:
            yield from self._lines() if self._in_lines and self._has_lines() else self._values()
        except CutError:
            yield Fault("", "ends in the middle", ends_reading=True)
        except DamagedRestError as error:
            yield Fault("", str(error), ends_reading=True)
        except Unusable as error:
            yield Fault("", str(error))

    def _next(self, blanks: re.Pattern[bytes]) -> int | None:
        self._window.past(blanks)
        return self._window.byte()

    def _values(self) -> Iterator[JsonValue | Fault]:
        n = 0
        while (first := self._next(_BLANKS)) is not None:
            at = f"[{n}]" if n else ""
            if first == _ARRAY:
                yield from self._array(at, "list")
            elif first == _OBJECT:
                yield from self._object(at)
            else:
                something = Fault("", "goes on after the end of its JSON with something else", ends_reading=True)
                yield something if n else Fault("", "is not JSON")
                return
            n += 1

    def _has_lines(self) -> bool:
        """Distinguish JSON Lines from a list, and from an object whose first line is `{` alone."""
        self._window.past(_BLANKS)
        return self._window.match(_LINE) is not None

    def _lines(self) -> Iterator[JsonValue | Fault]:
        n = 0
        while self._next(_BLANKS) is not None:
            yield self._line(f"[{n}]")
            n += 1

    def _line(self, at: str) -> JsonValue | Fault:
        line = self._window.line()
        if line is None:
            return Fault(at, self._too_big())
        scan = BracketScan()
        try:
            is_whole = line[0] not in b"{[" or scan.run(line)
        except UnpairedBracketError:
            return Fault(at, "is not valid JSON: its brackets do not match")
        if not is_whole and self._next(_BLANKS) is None:
            raise CutError
        payload, reason = parsed(line, self._limits)
        return Fault(at, reason) if reason else JsonValue(payload, Body(line.rstrip()), at, "none")

    def _too_big(self) -> str:
        return f"is larger than {self._limits.conversation / MB:,.0f} MB"

    def _array(self, at: str, container: Container, *, is_inner: bool = False) -> Iterator[JsonValue | Fault]:
        if self._begins_with_message():
            yield self._element(at, "messages")
            return
        self._window.advance(1)
        n = 0
        while (first := self._next(_BETWEEN)) != _END_ARRAY:
            here = f"{at}[{n}]"
            n += 1
            if first is None:
                raise CutError
            if first == _ARRAY and not is_inner:
                yield from self._array(here, container, is_inner=True)
                continue
            value = self._member(first, here, container)
            yield value
            if isinstance(value, Fault) and not self._window.match(_AFTER_ELEMENT):
                raise DamagedRestError(f"is damaged after {here}")
        self._window.advance(1)

    def _member(self, first: int, at: str, container: Container) -> JsonValue | Fault:
        """Take one value of a list, which begins with the byte ``first``."""
        if first not in (_OBJECT, _ARRAY):
            return self._scalar(at, container)
        expected = self._stored.expected if first == _OBJECT else None
        raw = self._window.take_text(expected.size, expected.sha256) if expected else None
        if expected is None or raw is None:
            return self._element(at, container)
        self._stored.has(expected.sha256)
        return JsonValue(None, Body(raw), at, container, expected)

    def _begins_with_message(self) -> bool:
        at = self._window.past(_BETWEEN, 1)
        if self._window.byte(at) != _OBJECT:
            return False
        try:
            end = self._window.scan(at).at
            is_message = shapes.is_message(self._window.outline(at, end, _MESSAGE, self._not_in_messages))
        except (CutError, TooBigError, ValueError):  # no whole JSON: its reading says what is wrong
            return False
        # One that is damaged where the outline has nothing costs only itself, as all values of a list do.
        return is_message and parsed(self._window.slice(at, end), self._limits)[1] is None

    def _scalar(self, at: str, container: Container) -> JsonValue | Fault:
        match = self._window.scalar()
        if match is None and self._window.byte() == _QUOTE:
            self._window.discard_text()
            return Fault(at, self._too_big())
        if match is None:
            raise DamagedRestError(f"is damaged at {at or 'its end'}")
        self._window.advance(len(match[0]))
        payload, reason = parsed(match[0], self._limits)
        return Fault(at, reason) if reason else JsonValue(payload, Body(match[0]), at, container)

    def _element(self, at: str, container: Container) -> JsonValue | Fault:
        """Take one object or array."""
        if ready := self._window.take_parsed():
            payload, raw = ready
            return JsonValue(payload, Body(raw), at, container)
        scan = self._scan(at or "its only value")
        if scan is None:
            return Fault(at, self._too_big())
        raw = self._window.slice(0, scan.at)
        self._window.advance(scan.at)
        payload, reason = parsed(raw, self._limits)
        return Fault(at, reason) if reason else JsonValue(payload, Body(raw), at, container)

    def _scan(self, at: str) -> BracketScan | None:
        """Find the end of the next object or array; None where it was too large and was dropped."""
        try:
            return self._scan_or_drop()
        except UnpairedBracketError:
            raise DamagedRestError(f"is damaged in {at}") from None

    def _scan_or_drop(self) -> BracketScan | None:
        try:
            return self._window.scan()
        except TooBigError as error:
            self._window.discard(error.scan)
            return None

    def _object(self, at: str) -> Iterator[JsonValue | Fault]:
        start = self._list_inside()
        if start is None:
            yield self._element(at, "none")
            return
        self._window.advance(start)
        yield from self._members(at)

    def _list_inside(self) -> int | None:
        """Return the offset of an object's first key that holds a list to be streamed, else None."""
        window, at = self._window, 1
        while key := window.match(_KEY, at := window.past(_BETWEEN, at)):
            value = at + len(key[0])
            first = window.byte(value)
            if self._opens_list(key[1], first):
                return at
            if key[1] in self._message_keys:
                return None
            if first in (_OBJECT, _ARRAY):
                try:
                    at = window.scan(value).at
                except (CutError, TooBigError, UnpairedBracketError):
                    return None
            elif scalar := window.scalar(value):
                at = value + len(scalar[0])
            else:
                return None
        return None

    def _opens_list(self, key: bytes, first: int | None) -> bool:
        """Return whether an object's member is a list to be streamed, or the browser's log with one."""
        if key == _BROWSER_LOG.encode():
            return first == _OBJECT
        return first == _ARRAY and key in self._lists

    def _members(self, at: str, *, is_inner: bool = False) -> Iterator[JsonValue | Fault]:
        """Read the lists of an object, from its first key in the window up to its end."""
        window = self._window
        while (first := self._next(_BETWEEN)) != _END_OBJECT:
            key = window.match(_KEY)
            if first is None:
                raise CutError
            if key is None:
                raise DamagedRestError(f"is damaged after {at or 'its list'}")
            window.advance(len(key[0]))
            inside = f"{at}:{key[1].decode('utf-8', 'replace')}"
            value = window.byte()
            if key[1] == _BROWSER_LOG.encode() and value == _OBJECT and not is_inner:
                window.advance(1)
                yield from self._members(inside, is_inner=True)
            elif value == _ARRAY and key[1] in self._lists:
                yield from self._array(inside, self._lists[key[1]])
            elif key[1] in self._message_keys:
                raise Unusable("is a list and a conversation in one; only the list was read")
            else:
                self._pass_over(value, inside)
        window.advance(1)

    def _pass_over(self, first: int | None, at: str) -> None:
        if first is None:
            raise CutError
        if first not in (_OBJECT, _ARRAY):
            self._scalar(at, "none")
        elif scan := self._scan(at):
            self._window.advance(scan.at)
