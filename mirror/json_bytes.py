"""JSON as bytes: parsed without loss, and cut into the exact text of the values in it.

A payload is stored as it came, so its text is cut out of the answer or file around it and never written anew. All of
JSON's structure is ASCII, so UTF-8 can be scanned as bytes. A compiled pattern jumps from bracket to bracket over
numbers, names and whole strings; Python only keeps the stack of brackets.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# One value that is neither an object nor an array: a string, or whatever ends before the next structural character.
SCALAR = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[^\s,{}\[\]"]++', re.DOTALL)
_NO_BRACKET = rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+"'
_TO_BRACKET = re.compile(_NO_BRACKET + rb")*+", re.DOTALL)
_NOT_BLANK = re.compile(rb"\S")
_TO_VALUE = re.compile(rb"[\s,]*+")
_TO_NAMED_VALUE = re.compile(rb'[\s,]*+(?:"((?:[^"\\]|\\.)*+)"\s*+:\s*+)?', re.DOTALL)
_BETWEEN = re.compile(r"[\s,:]*+")
_DECODER = json.JSONDecoder()
_QUOTE = ord('"')
_JSON_BLANKS = b" \t\n\r"
# Levels of brackets that are parsed where Python refuses the whole; the service's own payloads have about 20. Larger:
# Python refuses again; smaller: what is below stays JSON text.
DEEPEST = 200
# Digits of a whole number: Python's own limit, which exists because converting more takes quadratic time.
MOST_DIGITS = 4_300
# Bytes that are decoded to be cut; one emoji makes each of them four. Larger: that much more memory; smaller: cutting
# takes four times as long.
MOST_DECODED = 4 * 1024 * 1024
# Bytes of a value from which its outline leaves something out. Larger: time and memory; smaller: more steps.
MOST_OUTLINED = 64 * 1024
# Levels of brackets that one pattern passes over; a node of a conversation has five. Larger: each level doubles the
# pattern, and compiling it takes 6 ms with five; smaller: each bracket beyond is a step of its own.
PATTERN_LEVELS = 5
_OPENER_OF = {ord("}"): ord("{"), ord("]"): ord("[")}


def parse_json(raw: bytes | memoryview) -> Any:
    """Parse JSON text; raises ValueError, whose words complete a sentence about the text.

    A byte that is not UTF-8 becomes a lone surrogate, from which the same byte can be made again.
    """
    try:
        return json.loads(str(raw, "utf-8", "surrogateescape"))
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON: {error.msg} (character {error.pos:,} of it)") from error
    except ValueError as error:  # Python refuses to convert numbers of more than 4,300 digits
        raise ValueError("holds a number of thousands of digits") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def parse_simplified(raw: bytes | memoryview) -> Any:
    """Parse JSON text, also where Python refuses a part of it; raises ValueError where it is no whole JSON.

    A number of thousands of digits becomes the text of its digits. What is nested too deeply becomes its own JSON text.
    """
    try:
        return parse_json(raw)
    except ValueError as error:
        if isinstance(error.__cause__, json.JSONDecodeError):
            raise
    text = _without_depth(bytes(raw)).decode("utf-8", "surrogateescape")
    try:
        return json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON: {error.msg} (character {error.pos:,} of it)") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= MOST_DIGITS else digits


def _without_depth(raw: bytes) -> bytes:
    """Return a JSON text with each value below ``DEEPEST`` levels replaced by a string that holds its text."""
    pieces, copied, at, depth = [], 0, 0, 0
    while (match := _TO_BRACKET.match(raw, at)) and (at := match.end()) < len(raw) and raw[at] != _QUOTE:
        if raw[at] not in _OPENER_OF and depth == DEEPEST:
            end = value_end(raw, at)
            value = raw[at:end].decode("utf-8", "surrogateescape")
            pieces += [raw[copied:at], json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")]
            copied = at = end
            continue
        depth += -1 if raw[at] in _OPENER_OF else 1
        at += 1
    return b"".join([*pieces, raw[copied:]])


@functools.cache
def _past_pairs() -> re.Pattern[bytes]:
    """Return what matches as ``_TO_BRACKET`` does, and past brackets that hold few levels of others."""
    pattern = _NO_BRACKET + rb")*+"
    for _ in range(PATTERN_LEVELS):
        pattern = _NO_BRACKET + rb"|\[" + pattern + rb"\]|\{" + pattern + rb"\})*+"
    return re.compile(pattern, re.DOTALL)


class UnpairedBracketError(ValueError):
    """A closing bracket has no opening one of its kind, so where the value ends cannot be known."""


@dataclass(slots=True)
class BracketScan:
    """How far the search for an object's or array's end has come; it can go on with more text.

    ``at``: offset of the next byte to look at.
    """

    at: int = 0
    open_brackets: bytearray = field(default_factory=bytearray)

    def run(self, text: bytes, base: int = 0) -> bool:
        """Go on in ``text`` from ``base + at``; return False where it ends before the value does.

        Raises UnpairedBracketError.
        """
        at, open_brackets = base + self.at, self.open_brackets
        while True:
            match = (_past_pairs() if open_brackets else _TO_BRACKET).match(text, at)
            at = match.end() if match else at
            if at >= len(text) or text[at] == _QUOTE:  # a quotation mark here opens a string whose end is not there yet
                self.at = at - base
                return False
            opener = _OPENER_OF.get(text[at])
            if opener is None:
                open_brackets.append(text[at])
            elif not open_brackets or open_brackets.pop() != opener:
                raise UnpairedBracketError
            at += 1
            if not open_brackets:
                self.at = at - base
                return True


class Member(NamedTuple):
    """One value in an object or array: its name or index, and where its text starts and ends."""

    name: str | int
    start: int
    end: int


def members(raw: bytes, start: int = 0, last: frozenset[str] = frozenset()) -> Iterator[Member]:
    """Yield the values of the object or array at ``start`` of a JSON text, in order.

    ``last``: names of members after which nothing is looked for, not even where their values end. Raises ValueError at
    a value that lacks its name, or where the text ends first; nothing else is checked.
    """
    at, index = start + 1, 0
    is_object = raw[start] == ord("{")
    opening = _TO_NAMED_VALUE if is_object else _TO_VALUE
    while True:
        match = opening.match(raw, at)
        at = match.end() if match else at
        if at >= len(raw):  # also after a comma in place of a value
            raise ValueError("is not valid JSON: it ends in the middle")
        if raw[at] in b"}]":
            return
        if is_object and (match is None or match[1] is None):
            raise ValueError("is not valid JSON: a value has no name")
        name = parse_json(b'"' + match[1] + b'"') if is_object and match else index
        if name in last:
            yield Member(name, at, at)
            return
        end = value_end(raw, at)
        yield Member(name, at, end)
        at, index = end, index + 1


def outline(
    raw: bytes, start: int, end: int, inner: frozenset[str] = frozenset(), last: frozenset[str] = frozenset()
) -> Any:
    """Return the object or array between two offsets with what is long in it empty, but for members named ``inner``.

    To tell by names what a value is, without the memory and time that all of it takes. ``last``: names that tell it
    alone; what follows one of them in a long object is left out. Raises ValueError where it is no JSON.
    """
    if end - start <= MOST_OUTLINED:
        return parse_simplified(raw[start:end])
    if raw[start] == ord("{"):
        return {member.name: _outlined(raw, member, inner) for member in members(raw, start, last)}
    return []


def _outlined(raw: bytes, member: Member, inner: frozenset[str]) -> Any:
    if member.start == member.end:
        return None
    if member.name in inner or member.end - member.start <= MOST_OUTLINED:
        return outline(raw, member.start, member.end)
    return {ord("{"): {}, ord("["): []}.get(raw[member.start], "")


def value_end(raw: bytes, at: int) -> int:
    """Return where the value that begins at an offset ends; raises UnpairedBracketError."""
    if raw[at] in b"{[":
        scan = BracketScan(at)
        scan.run(raw)
        return scan.at
    scalar = SCALAR.match(raw, at)
    return scalar.end() if scalar else len(raw)


def element_texts(raw: bytes, name: str, count: int) -> list[bytes]:
    """Return the exact text of each element of an array, or of an object's array under ``name``.

    ``raw`` is a valid JSON text of that form with ``count`` elements. Of a repeated name the last one counts, as it
    does for the parser.
    """
    if count == 1 and (text := raw.strip(_JSON_BLANKS)).startswith(b"["):
        return [text[1:-1].strip(_JSON_BLANKS)]
    if len(raw) > MOST_DECODED:
        return _elements_by_brackets(raw, name)
    try:
        found = _elements_parsed(raw.decode("utf-8", "surrogateescape"), name)
    except (ValueError, RecursionError):  # what Python refuses is cut out by its brackets
        return _elements_by_brackets(raw, name)
    return [text.encode("utf-8", "surrogateescape") for text in found]


def _elements_parsed(text: str, name: str) -> list[str]:
    """Return the same from decoded text: parsing it once more takes a quarter of the time of pairing brackets."""
    at = _past(text, 0)
    if text[at] == "[":
        return _elements_at(text, at)[0]
    found: list[str] = []
    while text[at := _past(text, at + 1)] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _past(text, at)
        if key == name:
            found, at = _elements_at(text, at)
        else:
            _, at = _DECODER.raw_decode(text, at)
        at = _past(text, at) - 1
    return found


def _elements_at(text: str, at: int) -> tuple[list[str], int]:
    """Return the texts of an array's elements, and the offset after it."""
    found = []
    while text[at := _past(text, at + 1)] != "]":
        _, end = _DECODER.raw_decode(text, at)
        found.append(text[at:end])
        at = _past(text, end) - 1
    return found, at + 1


def _past(text: str, at: int) -> int:
    """Return the offset of the next character that is neither blank nor between two values."""
    match = _BETWEEN.match(text, at)
    return match.end() if match else at


def _elements_by_brackets(raw: bytes, name: str) -> list[bytes]:
    start = next(first.start() for first in _NOT_BLANK.finditer(raw))
    if raw[start] == ord("{"):
        start = {member.name: member.start for member in members(raw, start)}[name]
    return [raw[member.start : member.end] for member in members(raw, start)]
