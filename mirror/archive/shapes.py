"""What a parsed value is: a conversation, a message, something around conversations, or none of these."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mirror.archive.window import Scan

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = frozenset(
    {"title", "create_time", "update_time", "current_node", "mapping", "messages", "moderation_results"}
    | {"conversation_id", "default_model_slug", "is_archived"}
)
_ENOUGH_KEYS = 3
_LEVELS = 12  # how deep a conversation may lie in what is wrapped around it
_NAMED = re.compile(rb'[\s,]*+(?:"((?:[^"\\]|\\.)*+)"\s*+:\s*+)?', re.DOTALL)
_BLANKS = re.compile(rb"[\s,]*+")
_SCALAR = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[^\s,{}\[\]"]++', re.DOTALL)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_conversation(value: object) -> bool:
    """Whether it holds messages: a tree (exports, singular, batch) or a list of them (plural; API notes §3.1)."""
    if not isinstance(value, dict):
        return False
    mapping, messages = value.get("mapping"), value.get("messages")
    if isinstance(mapping, dict) or (isinstance(mapping, list) and mapping):
        return True
    if not isinstance(messages, list):
        return False
    return any(map(is_message, messages)) or "conversation_id" in value or "page_info" in value


def is_hollow(value: object) -> bool:
    """Whether it says things of a conversation and lacks the messages."""
    return (
        isinstance(value, dict)
        and ("id" in value or "conversation_id" in value or "mapping" in value)
        and len(_KEYS & value.keys()) >= _ENOUGH_KEYS
    )


def other_service(value: object) -> str | None:
    """Return whose conversation it is if it has the form of a service that is not read (API notes §10, §11)."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("chat_messages"), list):
        return "Claude (claude.ai)"
    stated = value.get("object")
    return "OpenAI's Compliance API" if isinstance(stated, str) and stated.startswith("compliance.") else None


def is_message(value: object) -> bool:
    """Whether it is a message, or a node that holds one."""
    if not isinstance(value, dict) or "mapping" in value:
        return False
    message = value["message"] if isinstance(value.get("message"), dict) else value
    return "content" in message and bool({"author", "role"} & message.keys())


def as_conversation(messages: list[Any], raw: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Make a conversation of a bare list of messages or nodes; None if it is evidently not one."""
    ids = {item.get("conversation_id") for item in messages if isinstance(item, dict)} - {None}
    if len(ids) > 1 or not all(isinstance(item, dict) for item in messages) or not any(map(is_message, messages)):
        return None
    key = "mapping" if any("parent" in item or "children" in item for item in messages) else "messages"
    wrapped = b'{"%s":%s}' % (key.encode(), raw)
    payload = {key: messages}
    own = next(iter(ids), None)
    return _with_id(payload, wrapped, own) if isinstance(own, str) else (payload, wrapped)


def browser_text(value: object) -> str | None:
    """Return the body of a request that a browser recorded (HAR), None if it is not one."""
    response = value.get("response") if isinstance(value, dict) else None
    content = response.get("content") if isinstance(response, dict) else None
    text = content.get("text") if isinstance(content, dict) else None
    return text if isinstance(text, str) else None


def holds_conversation(value: object) -> bool:
    """Whether a conversation stands anywhere inside."""
    level = [value]
    for _ in range(_LEVELS):
        if any(map(is_conversation, level)):
            return True
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
            if isinstance(child, dict | list)
        ]
    return False


def conversations_in(value: object, raw: bytes) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """Yield where, what and the exact text of each conversation inside a parsed value, in the order of the text."""
    stack: list[tuple[Any, int, int, str, str | None]] = [(value, 0, len(raw), "", None)]
    while stack:
        item, start, end, at, outer_id = stack.pop()
        if is_conversation(item):
            yield at, *_with_id(item, raw[start:end], outer_id)
        elif holds_conversation(item):
            inside = {name: (first, last) for name, first, last in children(raw, start)}  # a repeated key's last counts
            for name, (first, last) in reversed(inside.items()):
                here = f"{at}:{name}" if isinstance(name, str) else f"{at}[{name}]"
                stack.append((item[name], first, last, here, _id_around(item, name)))


def _id_around(item: dict[str, Any] | list[Any], name: str | int) -> str | None:
    """Return the id that an object states for the conversation inside it, or whose key it is."""
    stated = item.get("conversation_id") if isinstance(item, dict) else None
    if isinstance(stated, str):
        return stated
    return name if isinstance(name, str) and _UUID.fullmatch(name) else None


def children(raw: bytes, start: int) -> Iterator[tuple[str | int, int, int]]:
    """Yield the name or index, start and end of each value in the object or array at ``start`` of valid JSON."""
    at, n = start + 1, 0
    is_object = raw[start] == ord("{")
    while True:
        opening = (_NAMED if is_object else _BLANKS).match(raw, at)
        at = opening.end() if opening else at
        if raw[at] in b"}]":
            return
        name = _text(opening[1]) if is_object and opening else n
        end = _end(raw, at)
        yield name, at, end
        at, n = end, n + 1


def _text(raw: bytes) -> str:
    return str(json.loads('"' + raw.decode("utf-8", "surrogateescape") + '"'))


def _end(raw: bytes, at: int) -> int:
    if raw[at] in b"{[":
        scan = Scan(at)
        scan.run(raw)
        return scan.at
    scalar = _SCALAR.match(raw, at)
    return scalar.end() if scalar else len(raw)


def _with_id(payload: dict[str, Any], raw: bytes, outer_id: str | None) -> tuple[dict[str, Any], bytes]:
    """Put the id that stands only around a conversation into it, at its end."""
    if outer_id is None or payload.get("conversation_id") or payload.get("id"):
        return payload, raw
    named = {"conversation_id": outer_id}
    return {**payload, **named}, raw[:-1] + b"," + json.dumps(named)[1:].encode()
