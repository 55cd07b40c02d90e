"""One JSON file, as a stream of conversations and of what in it could not be used."""

from __future__ import annotations

import base64
import binascii
import io
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from mirror.archive import shapes
from mirror.archive.encoding import as_utf8
from mirror.archive.items import Found, Lane, Limits, Problem, Skipped
from mirror.archive.json_stream import CUT, Elements, Fault, Piece
from mirror.archive.names import clean, is_export, is_lines
from mirror.archive.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def read_json(
    read: Callable[[int], bytes], source: str, limits: Limits, *, is_expected: bool = False
) -> Iterator[Found | Problem | Skipped]:
    """Read the conversations of a JSON text. ``is_expected``: it should hold some, so what else it holds is told.

    Raises what ``read`` raises.
    """
    window = Window(as_utf8(read), limits)
    tally = Tally(source, limits, is_expected=is_expected)
    for piece in Elements(window, limits, in_lines=is_lines(source)):
        yield from tally.take(piece)
    yield from tally.close()


class Tally:
    """What was found in one file so far, so that a file of something else is told once and not value by value."""

    def __init__(self, source: str, limits: Limits, *, is_expected: bool) -> None:
        self._source = source
        self._limits = limits
        self._is_expected = is_expected
        self._is_export = is_export(source)
        self._held: list[Problem] = []
        self._found = self._told = self._untold = self._listed = 0
        self._others: Counter[str] = Counter()

    def take(self, piece: Piece | Fault) -> Iterator[Found | Problem]:
        """Tell what a piece of the file is."""
        if isinstance(piece, Fault):
            yield from self._fault(piece)
            return
        if (text := shapes.browser_text(piece.payload)) is not None:
            yield from self._recorded(piece, text)
            return
        found = list(self._conversations(piece))
        if found and self._found == 0:
            yield from self._release()
        self._found += len(found)
        yield from found
        if not found:
            yield from self._other(piece)

    def close(self) -> Iterator[Problem | Skipped]:
        """Tell what can only be told at the file's end."""
        tell = Problem if self._found or self._is_expected else Skipped
        for whose, count in self._others.items():
            self._told += 1
            told = f"holds {_counted(count)} of {whose}, and only those of ChatGPT can be imported"
            yield tell(self._source, told)
        if not self._found and self._listed and not self._told:
            yield Skipped(self._source, "is a page of the list of conversations, without their messages")
            return
        if self._found or self._is_expected:
            yield from self._release()
        if not self._found and not self._told:
            yield Skipped(self._source, "holds no conversations")
        if self._untold:
            yield Problem(self._source, f"{self._untold:,} more values in it could not be used")

    def _conversations(self, piece: Piece) -> Iterator[Found]:
        if piece.shelf == "messages" and isinstance(piece.payload, list):
            made = shapes.as_conversation(piece.payload, piece.raw)
            inside = iter([("", *made)] if made else [])
        else:
            inside = shapes.conversations_in(piece.payload, piece.raw)
        for at, payload, raw in inside:
            lane = self._lane(replace(piece, payload=payload))
            yield Found(payload, raw, self._source + clean(piece.at + at), lane)

    def _lane(self, piece: Piece) -> Lane:
        """Both ids mark an export (API notes §9); a batch answer is a list too, with ISO times and one id (§3.4)."""
        payload = piece.payload
        if "conversation_id" in payload and "id" in payload:
            return "export"
        if "mapping" not in payload or piece.shelf not in ("list", "page"):
            return "capture"
        is_batch = any(isinstance(payload.get(key), str) for key in ("create_time", "update_time"))
        return "capture" if is_batch and "conversation_id" not in payload and not self._is_export else "export"

    def _other(self, piece: Piece) -> Iterator[Problem]:
        payload = piece.payload
        if whose := shapes.other_service(payload):
            self._others[whose] += 1
        elif shapes.is_hollow(payload):
            self._listed += piece.shelf == "page"
            hollow = Problem(self._source + clean(piece.at), "holds no messages")
            yield from self._hold(hollow) if piece.shelf == "page" else self._tell(hollow)
        elif piece.shelf != "alone" or not isinstance(payload, dict) or self._is_expected:
            kind = "null" if payload is None else f"a {_KINDS.get(type(payload), 'list')}"
            other = "an object that is no conversation" if isinstance(payload, dict) else f"{kind}, no conversation"
            yield from self._hold(Problem(self._source + clean(piece.at), f"is {other}"))

    def _fault(self, fault: Fault) -> Iterator[Problem]:
        reason = fault.reason
        if reason == CUT:
            self._told += 1
            yield Problem(
                self._source,
                f"ends in the middle: {_counted(self._found)} before that could be read, the rest is missing",
            )
            return
        yield from self._tell(Problem(self._source + clean(fault.at), reason))

    def _hold(self, problem: Problem) -> Iterator[Problem]:
        """Keep back what only matters in a file that does hold conversations."""
        if self._found:
            yield from self._tell(problem)
        elif len(self._held) < self._limits.problems:
            self._held.append(problem)
        else:
            self._untold += 1

    def _release(self) -> Iterator[Problem]:
        held, self._held = self._held, []
        for problem in held:
            yield from self._tell(problem)

    def _tell(self, problem: Problem) -> Iterator[Problem]:
        if self._told < self._limits.problems:
            self._told += 1
            yield problem
        else:
            self._untold += 1

    def _recorded(self, piece: Piece, text: str) -> Iterator[Found]:
        """Read the conversations among the answers that a browser recorded (HAR); most answers are something else."""
        body = text.encode("utf-8", "surrogatepass")
        if piece.payload["response"]["content"].get("encoding") == "base64":
            try:
                body = base64.b64decode(body)
            except (binascii.Error, ValueError):
                return
        if body.lstrip()[:1] not in (b"{", b"["):
            return
        for inner in Elements(Window(io.BytesIO(body).read, self._limits), self._limits):
            if isinstance(inner, Piece):
                for found in self._conversations(replace(inner, at=piece.at + inner.at)):
                    self._found += 1
                    yield replace(found, lane="capture")


def _counted(count: int) -> str:
    return "1 conversation" if count == 1 else f"{count:,} conversations"


_KINDS = {bool: "truth value", int: "number", float: "number", str: "text"}
