"""What a parsed value is: a conversation, messages, a wrapper around conversations, or neither."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.archive import chatgpt_export
from mirror.archive.recogniser import with_id
from mirror.body import Body
from mirror.json_bytes import members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mirror.archive.recogniser import Recogniser

# One entry a service whose conversations can be imported.
RECOGNISERS: dict[str, Recogniser] = {"chatgpt": chatgpt_export.RECOGNISER}
# How deep a conversation may be in what is wrapped around it. Chosen; a saved share page has five levels (props,
# pageProps, serverResponse, data). A conversation deeper than this would be reported as none.
_LEVELS = 12
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ConversationText:
    """One conversation in a value: where, parsed, the bytes of its exact text, and its service's recogniser."""

    at: str
    payload: dict[str, Any]
    body: Body
    recogniser: Recogniser


@dataclass(frozen=True, slots=True)
class Foreign:
    """A conversation of a service or interface that is known and cannot be imported, by name."""

    service: str


def recogniser_of(value: object) -> Recogniser | None:
    """Return the recogniser of the service that a conversation is of; None if it is no conversation."""
    if foreign_service(value):
        return None
    return next((one for one in RECOGNISERS.values() if one.recognises(value) == "yes"), None)


def recogniser_of_hollow(value: object) -> Recogniser | None:
    """Return the recogniser for what describes a conversation and lacks the messages, as the row of a list does."""
    return next((one for one in RECOGNISERS.values() if one.recognises(value) == "hollow"), None)


def is_message(value: object) -> bool:
    """Return whether it is a message of some service, or a node that holds one."""
    return foreign_service(value) is None and any(one.is_message(value) for one in RECOGNISERS.values())


def foreign_service(value: object) -> str | None:
    """Return the service, not importable, whose conversation or messages it is (API notes §10, §11).

    This is asked before any recogniser: some of these forms have messages with a role and a content like ChatGPT's.
    """
    if isinstance(value, list):
        return _CLAUDE_DESIGN if any(map(_is_design_message, value)) else None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("chat_messages"), list):
        return "Claude (claude.ai)"
    if _is_design_chat(value):
        return _CLAUDE_DESIGN
    if is_compliance(value):
        return COMPLIANCE
    return "DeepSeek" if _is_deepseek(value) else None


def is_compliance(value: dict[str, Any]) -> bool:
    """Return whether it is a conversation or message of OpenAI's Compliance API, or an event of its logs (§10)."""
    stated, event = value.get("object"), value.get("event_type")
    is_event = event == "CONVERSATION_MESSAGE" and "file_name" in value
    return is_event or (isinstance(stated, str) and stated.startswith("compliance."))


def _is_deepseek(value: dict[str, Any]) -> bool:
    """Return whether it is a conversation of DeepSeek: a tree like ChatGPT's, its messages made of fragments."""
    mapping = value.get("mapping")
    nodes = mapping.values() if isinstance(mapping, dict) else ()
    messages = (node["message"] for node in nodes if isinstance(node, dict) and isinstance(node.get("message"), dict))
    first: dict[str, Any] = next(messages, {})
    return "fragments" in first and "author" not in first


COMPLIANCE = "OpenAI's Compliance API"
# Why conversations of ChatGPT itself are not read: the form has no tree, no tools and a key of its own for each.
WHY_NOT = {
    COMPLIANCE: (
        "ChatGPT's form for administrators, which holds neither branches nor tools and is not read; nothing of it was"
        " imported."
        " `chatmirror sync` mirrors a workspace that you are signed in to"
    )
}
_CLAUDE_DESIGN = "Claude Design (claude.ai)"


def _is_design_chat(value: dict[str, Any]) -> bool:
    messages = value.get("messages")
    if not isinstance(messages, list) or "uuid" not in value or "mapping" in value:
        return False
    return any(map(_is_design_message, messages)) if messages else isinstance(value.get("project"), dict)


def _is_design_message(value: object) -> bool:
    # The content repeats the role and has neither the type nor the parts that a message of ChatGPT has.
    content = value.get("content") if isinstance(value, dict) and "uuid" in value and "role" in value else None
    return isinstance(content, dict) and not {"content_type", "parts"} & content.keys()


def conversation_of_messages(messages: list[Any], raw: bytes) -> ConversationText | None:
    """Make a conversation of a bare list of messages or nodes; None if it is evidently not one."""
    for recogniser in RECOGNISERS.values():
        if made := recogniser.conversation_of(messages, raw):
            payload, text = made
            return ConversationText("", payload, Body(text), recogniser)
    return None


def browser_text(value: object) -> str | None:
    """Return the body of an answer that a browser recorded (HAR), None if it is not one."""
    response = value.get("response") if isinstance(value, dict) else None
    content = response.get("content") if isinstance(response, dict) else None
    text = content.get("text") if isinstance(content, dict) else None
    return text if isinstance(text, str) else None


class _Place(NamedTuple):
    """A value still to be looked at: its text's start and end, its name, and the value around it."""

    value: Any
    start: int
    end: int
    at: str
    name: str | int
    wrapper: Any


def conversations_in(value: object, body: Body) -> Iterator[ConversationText | Foreign]:
    """Yield each conversation inside a parsed value, in text order; none is looked for inside those."""
    raw = body.raw
    stack = [_Place(value, 0, len(raw), "", "", None)]
    while stack:
        place = stack.pop()
        if service := foreign_service(place.value):
            yield Foreign(service)
        elif recogniser := recogniser_of(place.value):
            yield _conversation_at(place, body, recogniser)
        elif _holds_conversation(place.value):
            stack.extend(reversed(_places_in(place, raw)))


def _holds_conversation(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(_LEVELS):
        if any(foreign_service(item) or recogniser_of(item) for item in level):
            return True
        level = [child for item in level for child in _children(item) if isinstance(child, dict | list)]
        if not level:
            return False
    return False


def _children(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _places_in(place: _Place, raw: bytes) -> list[_Place]:
    inside = {member.name: member for member in members(raw, place.start)}  # of a repeated key the last one counts
    return [
        _Place(
            place.value[name],
            member.start,
            member.end,
            f"{place.at}:{name}" if isinstance(name, str) else f"{place.at}[{name}]",
            name,
            place.value,
        )
        for name, member in inside.items()
    ]


def _conversation_at(place: _Place, body: Body, recogniser: Recogniser) -> ConversationText:
    """Return a conversation; without an id, it gets the wrapper's or the key it was found under."""
    payload, text = place.value, body.raw[place.start : place.end]
    key = recogniser.id_keys[0]
    stated = place.wrapper.get(key) if isinstance(place.wrapper, dict) else None
    if not isinstance(stated, str):
        stated = place.name if isinstance(place.name, str) and _UUID.fullmatch(place.name) else None
    if stated is not None and not any(payload.get(name) for name in recogniser.id_keys):
        payload, text = with_id(payload, text, key, stated)
    is_all = len(text) == body.size and payload is place.value
    return ConversationText(place.at, payload, body if is_all else Body(text), recogniser)
