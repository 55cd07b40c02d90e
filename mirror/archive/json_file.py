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
from mirror.archive.items import Found, Known, Limits, Problem, Skipped
from mirror.archive.json_stream import Fault, JsonValue, JsonValues
from mirror.archive.names import clean, is_export, is_group_chats, is_lines
from mirror.archive.window import Window
from mirror.services import speaker_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mirror.archive.recogniser import Recogniser
    from mirror.archive.shapes import ConversationText, Foreign
    from mirror.archive.stored_texts import StoredTexts


_HOLLOW = "holds no messages"


def conversations_of_file(
    read: Callable[[int], bytes],
    source: str,
    limits: Limits,
    stored: StoredTexts | None = None,
    *,
    is_expected: bool = False,
) -> Iterator[Found | Known | Problem | Skipped]:
    """Read the conversations of a JSON text; where some are expected, all else in it is reported.

    ``stored``: those that need not be parsed. Raises what ``read`` raises.
    """
    window = Window(as_utf8(read), limits)
    contents = FileContents(source, limits, is_expected=is_expected)
    for value in JsonValues(window, limits, stored, in_lines=is_lines(source)):
        yield from contents.add(value)
    yield from contents.close()


class FileContents:
    """Sorts the values of one file into conversations and problems.

    It keeps count, so that a file of something else is reported once and not value by value.
    """

    def __init__(self, source: str, limits: Limits, *, is_expected: bool) -> None:
        self._source = source
        self._limits = limits
        self._is_expected = is_expected
        self._is_export_file = is_export(source)
        self._held_back: list[Problem] = []
        self._shells: list[Found] = []
        self._found = self._reported = self._unreported = self._list_rows = 0
        self._foreign: Counter[str] = Counter()

    def add(self, value: JsonValue | Fault) -> Iterator[Found | Known | Problem]:
        """Report the conversations in one value of the file, or why there are none."""
        if isinstance(value, Fault):
            yield from self._add_fault(value)
        elif value.stored is not None:
            source = self._source + clean(value.at)
            yield from self._add_found([Known(value.body, source, value.stored.origin, value.stored.provider)])
        elif (text := shapes.browser_text(value.payload)) is not None:
            yield from self._recorded(value, text)
        else:
            yield from self._add_value(value)

    def _add_value(self, value: JsonValue) -> Iterator[Found | Known | Problem]:
        seen = list(_conversations(value))
        self._foreign.update(one.service for one in seen if isinstance(one, shapes.Foreign))
        found = [self._located(one, value) for one in seen if isinstance(one, shapes.ConversationText)]
        if found:
            yield from self._add_found(found)
        if not seen:
            yield from self._add_other(value)

    def _add_found(self, found: Sequence[Found | Known]) -> Iterator[Found | Known | Problem]:
        if self._found == 0:
            yield from self._report_held_back()
        self._found += len(found)
        yield from self._shells
        self._shells.clear()
        yield from found

    def close(self) -> Iterator[Problem | Skipped]:
        """Report what is known only at the file's end."""
        for shell in self._shells:
            yield from self._report(Problem(shell.source, _HOLLOW))
        # A Problem also where nothing was expected: exit 0 means that every conversation in the files is stored.
        readable = " and ".join(speaker_of(provider) for provider in shapes.RECOGNISERS)
        for service, count in self._foreign.items():
            self._reported += 1
            only = shapes.WHY_NOT.get(service) or f"and only those of {readable} can be imported"
            what = "record" if service in shapes.WHY_NOT else "conversation"  # its files have one for each message
            yield Problem(self._source, f"holds {_counted(count, what)} of {service}, {only}")
        if not self._found and self._list_rows and not self._reported:
            yield Skipped(self._source, "is a page of the list of conversations, without their messages")
            return
        if self._found or self._is_expected:
            yield from self._report_held_back()
        if not self._found and not self._reported:
            yield Skipped(self._source, "holds no conversations")
        if self._unreported:
            yield Problem(self._source, f"{self._unreported:,} more values in it could not be used")

    def _located(self, one: ConversationText, value: JsonValue) -> Found:
        origin = one.recogniser.origin_of(one.payload, value.container, is_export_file=self._is_export_file)
        return Found(one.payload, one.body, self._source + clean(value.at + one.at), origin, one.recogniser.provider)

    def _add_other(self, value: JsonValue) -> Iterator[Found | Problem]:
        payload, container = value.payload, value.container
        if recogniser := shapes.recogniser_of_hollow(payload):
            yield from self._add_hollow(value, recogniser)
        elif container != "none" or not isinstance(payload, dict) or self._is_expected:
            kind = "null" if payload is None else f"a {_KINDS.get(type(payload), 'list')}"
            other = "JSON, but no conversation" if isinstance(payload, dict) else f"{kind}, no conversation"
            yield from self._hold_back(Problem(self._source + clean(value.at), f"is {other}"))

    def _add_hollow(self, value: JsonValue, recogniser: Recogniser) -> Iterator[Found | Problem]:
        """Take a conversation without messages: an empty one of an export, the row of a list, or neither.

        Exports hold some that have no ``mapping`` at all (API notes §9). In a file that is not called as an
        export's they count where the same list holds conversations.
        """
        self._list_rows += value.container == "page"
        if value.container == "page" or is_group_chats(self._source):
            yield from self._hold_back(Problem(self._source + clean(value.at), _HOLLOW))
        elif value.container == "list" and (self._is_export_file or self._found):
            self._found += 1
            yield self._shell(value, recogniser)
        elif value.container == "list" and len(self._shells) < self._limits.problems:
            self._shells.append(self._shell(value, recogniser))
        else:
            yield from self._report(Problem(self._source + clean(value.at), _HOLLOW))

    def _shell(self, value: JsonValue, recogniser: Recogniser) -> Found:
        return Found(value.payload, value.body, self._source + clean(value.at), "export", recogniser.provider)

    def _add_fault(self, fault: Fault) -> Iterator[Problem]:
        if fault.ends_reading:
            self._reported += 1
            before = f"{_counted(self._found)} before that could be read, nothing after it"
            yield Problem(self._source, f"{fault.reason}: {before}; download or unpack it again")
        else:
            yield from self._report(Problem(self._source + clean(fault.at), fault.reason))

    def _hold_back(self, problem: Problem) -> Iterator[Problem]:
        """Keep what only matters in a file that does hold conversations."""
        if self._found:
            yield from self._report(problem)
        elif len(self._held_back) < self._limits.problems:
            self._held_back.append(problem)
        else:
            self._unreported += 1

    def _report_held_back(self) -> Iterator[Problem]:
        held_back, self._held_back = self._held_back, []
        for problem in held_back:
            yield from self._report(problem)

    def _report(self, problem: Problem) -> Iterator[Problem]:
        if self._reported < self._limits.problems:
            self._reported += 1
            yield problem
        else:
            self._unreported += 1

    def _recorded(self, value: JsonValue, text: str) -> Iterator[Found]:
        """Read the conversations in an answer that a browser recorded (HAR); most answers hold none."""
        body = text.encode("utf-8", "surrogatepass")
        if value.payload["response"]["content"].get("encoding") == "base64":
            try:
                body = base64.b64decode(body)
            except (binascii.Error, ValueError):
                return
        if body.lstrip()[:1] not in (b"{", b"["):
            return
        for inner in JsonValues(Window(io.BytesIO(body).read, self._limits), self._limits):
            if isinstance(inner, Fault):
                continue
            for one in _conversations(inner):
                if isinstance(one, shapes.ConversationText):
                    self._found += 1
                    yield replace(self._located(one, replace(inner, at=value.at + inner.at)), origin="capture")


def _conversations(value: JsonValue) -> Iterator[ConversationText | Foreign]:
    is_foreign = shapes.foreign_service(value.payload) is not None
    if value.container == "messages" and isinstance(value.payload, list) and not is_foreign:
        made = shapes.conversation_of_messages(value.payload, value.body.raw)
        return iter([made] if made else [])
    return shapes.conversations_in(value.payload, value.body)


def _counted(count: int, what: str = "conversation") -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


_KINDS = {bool: "truth value", int: "number", float: "number", str: "text"}
