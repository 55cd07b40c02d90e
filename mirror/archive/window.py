"""A window on a stream of JSON text: finds where a value ends without parsing it, and holds no more than one value.

All of JSON's structure is ASCII, so UTF-8 can be scanned as bytes and a value's bytes can be kept exactly. A compiled
pattern jumps from bracket to bracket over numbers, names and whole strings; Python only keeps the stack of brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.archive.items import Unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.archive.items import Limits

_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_QUOTE = ord('"')
_CLOSES = {ord("}"): ord("{"), ord("]"): ord("[")}
LOOK_AHEAD = 4096


class CutError(Exception):
    """The text ends inside a value."""


class TooBigError(Exception):
    """A value is larger than the cap; the scan that found out can go on without keeping it."""

    def __init__(self, scan: Scan) -> None:
        super().__init__()
        self.scan = scan


@dataclass(slots=True)
class Scan:
    """How far the search for a value's end has come.

    ``at``: offset of the next byte to look at. ``deepest``: levels of brackets met. ``is_damaged``: brackets did not
    pair; the scan then closes what it must, so that a missing bracket costs one value and not the file.
    """

    at: int = 0
    stack: bytearray = field(default_factory=bytearray)
    deepest: int = 0
    is_damaged: bool = False

    def run(self, text: bytes, base: int = 0) -> bool:
        """Go on in ``text`` from ``base + at``; return True at the value's end, False where the text ends first."""
        at, stack = base + self.at, self.stack
        while True:
            match = _TO_BRACKET.match(text, at)
            at = match.end() if match else at
            if at >= len(text) or text[at] == _QUOTE:
                self.at = at - base
                return False
            opener = _CLOSES.get(text[at])
            if opener is None:
                stack.append(text[at])
                self.deepest = max(self.deepest, len(stack))
            elif stack and stack[-1] == opener:
                stack.pop()
            else:
                self._close(opener)
            at += 1
            if not stack:
                self.at = at - base
                return True

    def _close(self, opener: int) -> None:
        self.is_damaged = True
        kept = self.stack.rfind(opener)
        del self.stack[max(kept, 0) :]


class Window:
    """The part of a stream that is still needed. ``read(n)`` returns up to n bytes, none at the end.

    Offsets count from the first byte not yet taken.
    """

    def __init__(self, read: Callable[[int], bytes], limits: Limits) -> None:
        self._read = read
        self._limits = limits
        self._text = b""
        self._base = 0
        self._ended = False

    def __len__(self) -> int:
        return len(self._text) - self._base

    def grow(self) -> bool:
        """Read at least as much again as is held, so that a long value is copied only a few times; False at the end."""
        wanted = max(self._limits.chunk, min(len(self), self._limits.conversation - len(self) + 1))
        chunk = b"" if self._ended else self._read(wanted)
        self._ended = not chunk
        if chunk:
            self._text = self._text[self._base :] + chunk
            self._base = 0
        return not self._ended

    def advance(self, count: int) -> None:
        """Let go of the first ``count`` bytes."""
        self._base += count

    def slice(self, start: int, end: int) -> bytes:
        """Return bytes that are held already."""
        return self._text[self._base + start : self._base + end]

    def past(self, blanks: re.Pattern[bytes], at: int = 0) -> int:
        """Return the offset after a run of ``blanks`` that begins at ``at``, letting go of them if it is 0."""
        while True:
            match = blanks.match(self._text, self._base + at)
            end = match.end() - self._base if match else at
            if at == 0:
                self.advance(end)
                end = 0
            if end < len(self) or not self.grow():
                return end
            at = end

    def byte(self, at: int = 0) -> int | None:
        """Return one byte, None past the end."""
        while at >= len(self):
            if not self.grow():
                return None
        return self._text[self._base + at]

    def match(self, pattern: re.Pattern[bytes], at: int = 0, ahead: int = LOOK_AHEAD) -> re.Match[bytes] | None:
        """Match at an offset with some text in view; add ``at`` - ``match.start()`` to its offsets for ours."""
        while len(self) < at + ahead and self.grow():
            pass
        return pattern.match(self._text, self._base + at)

    def scan(self, at: int = 0) -> Scan:
        """Find the end (``.at``) of the object or array at an offset; raises CutError, TooBigError."""
        scan = Scan(at)
        while not scan.run(self._text, self._base):
            if len(self) > self._limits.conversation:
                raise TooBigError(scan)
            if not self.grow():
                raise CutError
        if scan.at > self._limits.conversation:
            raise TooBigError(scan)
        return scan

    def discard(self, scan: Scan) -> None:
        """Follow a value to its end, keeping nothing of it; raises CutError, and Unusable for an endless text."""
        self.advance(scan.at)
        scan.at = 0
        while scan.stack and not scan.run(self._text, self._base):
            self.advance(scan.at)
            scan.at = 0
            if len(self) > self._limits.conversation:
                raise Unusable("holds one text larger than a conversation may be; the rest was not read")
            if not self.grow():
                raise CutError
        self.advance(scan.at)

    def line(self) -> bytes | None:
        """Take a line without its end; None for one that is too long, which is let go."""
        at, keeps = 0, True
        while (end := self._text.find(b"\n", self._base + at)) < 0 and self.grow():
            at = len(self) if keeps else 0
            if len(self) > self._limits.conversation:
                keeps, at = False, 0
                self.advance(len(self))
        end = end - self._base if end >= 0 else len(self)
        line = self.slice(0, end)
        self.advance(min(end + 1, len(self)))
        return line if keeps else None

    def seek(self, pattern: re.Pattern[bytes]) -> bool:
        """Let go of everything before the next match; False if there is none. Matches span LOOK_AHEAD bytes at most."""
        while True:
            match = pattern.search(self._text, self._base)
            if match:
                self.advance(match.start() - self._base)
                return True
            self.advance(max(len(self) - LOOK_AHEAD, 0))
            if not self.grow():
                return False
