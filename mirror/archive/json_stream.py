"""The values of a JSON file, one after the other: the elements of its lists, or the values that follow each other.

A list is never held whole, be it the file itself, a list in a list, or a list under one of a few names in an object.
A value that cannot be parsed costs itself: where its brackets pair, reading goes on behind it, otherwise at the next
text that begins as conversations begin.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mirror.archive.items import MB, Limits, Unusable
from mirror.archive.shapes import is_conversation, is_message
from mirror.archive.window import CutError, Scan, TooBigError, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

Shelf = Literal["alone", "list", "page", "messages"]

LISTS: dict[bytes, Shelf] = {b"conversations": "list", b"chats": "list", b"entries": "list", b"items": "page"}
LISTS[b"data"] = "page"
CUT = "ends in the middle"
_BLANKS = re.compile(rb"[\s\x00]*+")
_BETWEEN = re.compile(rb"[\s\x00,]*+")
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*+)"\s*+:\s*+', re.DOTALL)
_SCALAR = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[^\s,{}\[\]"]++', re.DOTALL)
_FIRST = rb'\{\s*+"(?:id|conversation_id|title)"\s*+:\s*+(?:null|"(?:[^"\\]|\\.){0,2000}+")\s*+,\s*+'
_SECOND = rb'"(?:id|conversation_id|title|create_time|update_time|current_node|mapping)"\s*+:'
_CONVERSATION = re.compile(_FIRST + _SECOND, re.DOTALL)
_LINE = re.compile(rb"\{[^\n]*\S")
# What may follow an element that is damaged: if its brackets pair, or if not even those do.
_NEXT = re.compile(rb"\s*+(?:,\s*+[{\[]|\]\s*+(?:[,}\]]|\Z))", re.DOTALL)
_SURE_NEXT = re.compile(rb"\s*+(?:,\s*+(?=" + _FIRST + _SECOND + rb")|\][\s}]*+\Z)", re.DOTALL)
_SEARCH_FACTOR = 8  # how many times a damaged value may be gone through for a conversation inside it
_OBJECT, _ARRAY, _END_OBJECT, _END_ARRAY = b"{[}]"


@dataclass(frozen=True, slots=True)
class Piece:
    """One parsed value. ``at``: where it stands in the file; ``shelf``: what kind of list it stands in."""

    payload: Any
    raw: bytes
    at: str
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that could not be read. ``is_torn``: its text is damaged, so that its end is uncertain."""

    at: str
    reason: str
    is_torn: bool = False


def parse(raw: bytes, depth: int, limits: Limits) -> tuple[Any, Fault | None]:
    """Return a value and None, or None and why not; as stored bytes are parsed later on."""
    if depth > limits.depth:
        return None, Fault("", f"is nested more than {limits.depth} levels deep")
    try:
        return json.loads(raw.decode("utf-8", "surrogateescape")), None
    except json.JSONDecodeError as error:
        return None, Fault("", f"is not valid JSON: {error.msg} (character {error.pos:,} of it)", is_torn=True)
    except ValueError:
        return None, Fault("", "holds a number of thousands of digits")
    except RecursionError:
        return None, Fault("", "is nested too deeply")


class Elements:
    """Iterates over the values of one JSON text; ``in_lines``: each line is a value of its own (JSON Lines)."""

    def __init__(self, window: Window, limits: Limits, *, in_lines: bool = False) -> None:
        self._window = window
        self._limits = limits
        self._in_lines = in_lines

    def __iter__(self) -> Iterator[Piece | Fault]:
        try:
            yield from self._lines() if self._in_lines and self._has_lines() else self._values()
        except CutError:
            yield Fault("", CUT, is_torn=True)
        except Unusable as error:
            yield Fault("", str(error))

    def _next(self, blanks: re.Pattern[bytes]) -> int | None:
        self._window.past(blanks)
        return self._window.byte()

    def _values(self) -> Iterator[Piece | Fault]:
        n = 0
        while (first := self._next(_BLANKS)) is not None:
            at = f"[{n}]" if n else ""
            if first == _ARRAY:
                yield from self._array(at, "list")
            elif first == _OBJECT:
                yield from self._object(at)
            else:
                yield Fault("", "goes on after the end of its JSON with something else" if n else "is not JSON")
                if not self._window.seek(_CONVERSATION):
                    return
            n += 1

    def _has_lines(self) -> bool:
        """A line that is `{` alone begins an object spread over lines; a list is read as one whatever the name."""
        self._window.past(_BLANKS)
        return self._window.match(_LINE) is not None

    def _lines(self) -> Iterator[Piece | Fault]:
        n = 0
        while self._next(_BLANKS) is not None:
            at, line = f"[{n}]", self._window.line()
            n += 1
            if line is None:
                yield Fault(at, self._too_big())
                continue
            scan = Scan()
            is_whole = line[0] not in b"{[" or scan.run(line)
            if not is_whole and self._next(_BLANKS) is None:
                raise CutError
            payload, fault = parse(line, scan.deepest, self._limits)
            yield Fault(at, fault.reason) if fault else Piece(payload, line.rstrip(), at, "alone")

    def _too_big(self) -> str:
        return f"is larger than {self._limits.conversation / MB:,.0f} MB"

    def _array(self, at: str, shelf: Shelf, *, is_inner: bool = False) -> Iterator[Piece | Fault]:
        if self._begins_with_message():
            yield from self._element(at, "messages")
            return
        self._window.advance(1)
        n = 0
        while (first := self._next(_BETWEEN)) != _END_ARRAY:
            here = f"{at}[{n}]"
            n += 1
            if first is None:
                raise CutError
            if first == _ARRAY and not is_inner:
                yield from self._array(here, shelf, is_inner=True)
            elif first in (_OBJECT, _ARRAY):
                yield from self._element(here, shelf)
            elif first == _END_OBJECT:  # one too many; nothing is lost with it
                self._window.advance(1)
                n -= 1
            else:
                piece = self._scalar(here, shelf)
                yield piece
                if isinstance(piece, Fault):
                    self._go_on(_NEXT, here)
        self._window.advance(1)

    def _begins_with_message(self) -> bool:
        at = self._window.past(_BETWEEN, 1)
        if self._window.byte(at) != _OBJECT:
            return False
        try:
            scan = self._window.scan(at)
        except (CutError, TooBigError):
            return False
        return is_message(parse(self._window.slice(at, scan.at), scan.deepest, self._limits)[0])

    def _scalar(self, at: str, shelf: Shelf) -> Piece | Fault:
        match = self._window.match(_SCALAR)
        while match is None and len(self._window) < self._limits.conversation and self._window.grow():
            match = self._window.match(_SCALAR)
        if match is None:
            raise CutError
        self._window.advance(len(match[0]))
        payload, fault = parse(match[0], 0, self._limits)
        return Fault(at, fault.reason) if fault else Piece(payload, match[0], at, shelf)

    def _element(self, at: str, shelf: Shelf) -> Iterator[Piece | Fault]:
        """Take one object or array; where it cannot be read, say so and stand where reading can go on."""
        window = self._window
        try:
            scan = window.scan()
        except TooBigError as error:
            yield Fault(at, self._too_big())
            if not self._resume(len(window)):
                window.discard(error.scan)
            return
        except CutError:
            if not self._resume(len(window)):
                raise
            yield Fault(at, "is damaged: a bracket or quotation mark in it is never closed")
            return
        raw = window.slice(0, scan.at)
        payload, fault = parse(raw, scan.deepest, self._limits)
        if fault is None:
            window.advance(scan.at)
            yield Piece(payload, raw, at, shelf)
            return
        yield Fault(at, fault.reason)
        if fault.is_torn and self._resume(scan.at, is_open=True):
            return
        window.advance(scan.at)
        if fault.is_torn and shelf != "alone":
            self._go_on(_SURE_NEXT if scan.is_damaged else _NEXT, at)

    def _go_on(self, expected: re.Pattern[bytes], at: str) -> None:
        """Stand at what is expected behind a damaged element, or else at the next conversation."""
        if not self._window.match(expected) and not self._window.seek(_CONVERSATION):
            raise Unusable(f"cannot be read further behind {at}")

    def _resume(self, size: int, *, is_open: bool = False) -> bool:
        """Stand at a conversation inside the first ``size`` bytes, which are damaged; False if there is none.

        ``is_open``: it may reach beyond them.
        """
        held, budget = self._window.slice(0, size), _SEARCH_FACTOR * size
        for match in _CONVERSATION.finditer(held, 1):
            scan = Scan(match.start())
            is_whole = scan.run(held)
            budget -= scan.at - match.start()
            if budget < 0:
                break
            inside = held[match.start() : scan.at]
            if is_conversation(parse(inside, scan.deepest, self._limits)[0]) if is_whole else is_open:
                self._window.advance(match.start())
                return True
        return False

    def _object(self, at: str) -> Iterator[Piece | Fault]:
        start = self._list_inside()
        if start is None:
            yield from self._element(at, "alone")
            return
        self._window.advance(start)
        yield from self._members(at)

    def _list_inside(self) -> int | None:
        """Return the offset of the first key of an object that holds a list to be streamed, None if it has none."""
        window, at = self._window, 1
        while key := window.match(_KEY, at := window.past(_BETWEEN, at)):
            value = at + len(key[0])
            first = window.byte(value)
            if _opens(key[1], first):
                return at
            if key[1] in (b"mapping", b"messages"):
                return None
            if first in (_OBJECT, _ARRAY):
                try:
                    at = window.scan(value).at
                except (CutError, TooBigError):
                    return None
            elif scalar := window.match(_SCALAR, value):
                at = value + len(scalar[0])
            else:
                return None
        return None

    def _members(self, at: str, *, is_inner: bool = False) -> Iterator[Piece | Fault]:
        """Read the lists of an object whose inside the window stands in, up to its end."""
        window = self._window
        while (first := self._next(_BETWEEN)) != _END_OBJECT:
            key = window.match(_KEY)
            if first is None:
                raise CutError
            if key is None:
                raise Unusable(f"is damaged behind {at or 'its list'}; the rest was not read")
            window.advance(len(key[0]))
            inside = f"{at}:{key[1].decode('utf-8', 'replace')}"
            value = window.byte()
            if key[1] == b"log" and value == _OBJECT and not is_inner:
                window.advance(1)
                yield from self._members(inside, is_inner=True)
            elif _opens(key[1], value):
                yield from self._array(inside, LISTS.get(key[1], "list"))
            elif key[1] in (b"mapping", b"messages"):
                raise Unusable("is a list and a conversation in one; only the list was read")
            else:
                self._pass_over(value)
        window.advance(1)

    def _pass_over(self, first: int | None) -> None:
        if first in (_OBJECT, _ARRAY):
            try:
                self._window.advance(self._window.scan().at)
            except TooBigError as error:
                self._window.discard(error.scan)
        elif first is None:
            raise CutError
        else:
            self._scalar("", "alone")


def _opens(key: bytes, first: int | None) -> bool:
    """Whether a member of an object is a list that can be streamed, or the log of a browser that holds one."""
    return first == (_OBJECT if key == b"log" else _ARRAY) and (key in LISTS or key == b"log")
