"""A window on a stream of JSON text: it finds a value's end, and holds one value at most."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.body import hash_of
from mirror.json_bytes import SCALAR, BracketScan, outline

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.archive.items import Limits

# Bytes held before a pattern is matched, so that keys and short values lie in view whole.
LOOK_AHEAD = 4096
_IN_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_QUOTE, _END_OBJECT = b'"}'


_DECODER = json.JSONDecoder()


class CutError(Exception):
    """The text ends inside a value."""


class TooBigError(Exception):
    """A value is larger than the cap; the scan that found out can go on without keeping it."""

    def __init__(self, scan: BracketScan) -> None:
        super().__init__()
        self.scan = scan


@dataclass(slots=True)
class _View:
    """Decoded text of a window: offset ``at`` in ``text`` is offset ``base`` in the window's bytes."""

    text: str
    at: int
    base: int


class Window:
    """The part of a stream that is still needed. ``read(n)`` returns up to n bytes, none at the end.

    Offsets count from the first byte not yet taken.
    """

    def __init__(self, read: Callable[[int], bytes], limits: Limits) -> None:
        self._read = read
        self._limits = limits
        self._text = b""
        self._base = 0
        self._dropped = 0  # bytes of the stream before the first one of the text
        self._scanned = (-1, 0)  # where in the stream the value that was scanned last begins, and how long it is
        self._ended = False
        self._view: _View | None = None

    def __len__(self) -> int:
        return len(self._text) - self._base

    def grow(self) -> bool:
        """Read as much again as is held, so that a long value is copied a few times; False at the end."""
        wanted = max(self._limits.chunk, min(len(self), self._limits.conversation - len(self) + 1))
        chunk = b"" if self._ended else self._read(wanted)
        self._ended = not chunk
        if chunk:
            self._hold(self._text[self._base :] + chunk)
        return not self._ended

    def advance(self, count: int) -> None:
        """Drop the first ``count`` bytes."""
        self._base += count
        if self._base > self._limits.chunk and 2 * self._base > len(self._text):  # a value is gone: free its memory
            self._hold(self._text[self._base :])

    def _hold(self, text: bytes) -> None:
        """Hold another text, from its first byte; what was decoded of the one before is of no use any more."""
        self._dropped += self._base
        self._text, self._base, self._view = text, 0, None

    def slice(self, start: int, end: int) -> bytes:
        """Return bytes that are held already."""
        return self._text[self._base + start : self._base + end]

    def outline(self, start: int, end: int, inner: frozenset[str], last: frozenset[str]) -> Any:
        """Return the outline of the object or array between two offsets."""
        return outline(self._text, self._base + start, self._base + end, inner, last)

    def past(self, blanks: re.Pattern[bytes], at: int = 0) -> int:
        """Return the offset after a run of ``blanks`` that begins at ``at``, dropping them if it is 0."""
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

    def take_text(self, size: int, sha256: str) -> bytes | None:
        """Take the next bytes if they are the object of that size and hash; None: not, and nothing is taken."""
        if not 0 < size <= self._limits.conversation:  # what says so is damaged
            return None
        while len(self) < size:
            if not self.grow():
                return None
        if self._text[self._base + size - 1] != _END_OBJECT:  # most others, without a look at the rest
            return None
        raw = self.slice(0, size)
        if hash_of(raw) != sha256:
            return None
        self.advance(size)
        return raw

    def take_parsed(self) -> tuple[Any, bytes] | None:
        """Take the JSON value that begins here: parsed, and its text. None where it must be cut out to be read.

        Parsing finds a value's end as well, at a fraction of what looking for its brackets costs. It does not where the
        value does not lie in view whole, or is none; then nothing is taken. One that may go on in the next piece of the
        file is tried once more with it.
        """
        found = self._parsed_here()
        if found is None and len(self) < self._limits.view and self.grow():
            found = self._parsed_here()
        if found is None:
            return None
        value, view, end = found
        size = len(view.text[view.at : end].encode("utf-8", "surrogateescape"))
        if size > self._limits.conversation:
            return None
        raw = self.slice(0, size)
        self.advance(size)
        view.at, view.base = end, self._base
        return value, raw

    def _parsed_here(self) -> tuple[Any, _View, int] | None:
        """Return the value that begins here, the decoded text that it is in, and its end there; None where none is."""
        view = self._view_here()
        try:
            value, end = _DECODER.raw_decode(view.text, view.at)
        except (ValueError, RecursionError):
            return None
        return value, view, end

    def _view_here(self) -> _View:
        """Return the decoded text with its offset moved to the first byte not yet taken."""
        view = self._view
        between = self._text[view.base : self._base] if view else b""
        if view is None or not between.isascii() or view.at + len(between) >= len(view.text):
            text = self._text[self._base : self._base + self._limits.view].decode("utf-8", "surrogateescape")
            self._view = view = _View(text, 0, self._base)
            return view
        view.at, view.base = view.at + len(between), self._base
        return view

    def match(self, pattern: re.Pattern[bytes], at: int = 0, ahead: int = LOOK_AHEAD) -> re.Match[bytes] | None:
        """Match at an offset with some text in view; its offsets less ``match.start() - at`` are ours."""
        while len(self) < at + ahead and self.grow():
            pass
        return pattern.match(self._text, self._base + at)

    def scan(self, at: int = 0) -> BracketScan:
        """Find the end (``.at``) of the object or array at an offset.

        Raises CutError, TooBigError and UnpairedBracketError.
        """
        scan, here = BracketScan(at), self._dropped + self._base + at
        if self._scanned[0] == here:  # the first value of a list is looked at before it is read
            scan.at = at + self._scanned[1]
            return scan
        while not scan.run(self._text, self._base):
            if len(self) > self._limits.conversation:
                raise TooBigError(scan)
            if not self.grow():
                raise CutError
        if scan.at > self._limits.conversation:
            raise TooBigError(scan)
        self._scanned = (here, scan.at - at)
        return scan

    def discard(self, scan: BracketScan) -> None:
        """Follow a value to its end, keeping nothing of it.

        Raises CutError and UnpairedBracketError.
        """
        self.advance(scan.at)
        scan.at = 0
        while scan.open_brackets and not scan.run(self._text, self._base):
            self.advance(scan.at)
            scan.at = 0
            if len(self) > self._limits.chunk and self.byte() == _QUOTE:
                self.discard_text()
            elif not self.grow():
                raise CutError
        self.advance(scan.at)

    def scalar(self, at: int = 0) -> re.Match[bytes] | None:
        """Match the string, number or word at an offset; None where it is too large or none. Raises CutError."""
        while (match := self.match(SCALAR, at)) is None and self.byte(at) == _QUOTE:
            if len(self) >= at + self._limits.conversation:
                return None
            if not self.grow():
                raise CutError
        return match

    def discard_text(self) -> None:
        """Follow a string to its end, keeping nothing of it; raises CutError."""
        self.advance(1)
        while True:
            inside = _IN_TEXT.match(self._text, self._base)
            self.advance(inside.end() - self._base if inside else 0)
            if len(self) and self._text[self._base] == _QUOTE:
                self.advance(1)
                return
            if not self.grow():  # a backslash whose character has not come yet is left
                raise CutError

    def line(self) -> bytes | None:
        """Take a line without its end; None for one that is too long, which is dropped."""
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
