"""Whether a payload, by its own shape, can be the whole conversation; evidence in API notes §3.3, §9.

A capture is often a *window*: the newest messages, with a mark that older ones exist, or a tree whose beginning was cut
off. Exports since June 2026 keep the words of person and model only: tools, references and the tree's ``children`` are
left out. What is missing cannot be seen in such a copy; its shape is the only sign of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.values import as_dict, as_dicts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NO_MESSAGES = "the file holds no messages of it"
WINDOW = "the file holds only its newest messages"
CUT = "the file lacks messages that others answer"
NO_LEAF = "the file lacks its newest message"
BRANCH = "the file holds only its visible branch"
SHARED = "the file holds only what was shared of it"
SHARED_FROM = "backing_conversation_id"  # in a shared copy: the conversation that it was made of
POOR = "the file leaves out tools, sources and other branches"


def incomplete_reason(payload: Mapping[str, Any]) -> str | None:
    """Return why a payload's shape shows that it is not the whole conversation, else None."""
    if as_dict(payload.get("page_info")).get("has_previous_page"):
        return WINDOW
    if payload.get(SHARED_FROM):
        return SHARED
    mapping = payload.get("mapping")
    if not isinstance(mapping, dict):
        is_group_chat = "name" in payload and "created_at" in payload  # flat by its nature
        return None if is_group_chat else BRANCH if as_dicts(payload.get("messages")) else NO_MESSAGES
    if any(_is_dangling(node.get("parent"), mapping) for node in _nodes(mapping)):
        return CUT
    if _is_dangling(payload.get("current_node"), mapping):
        return NO_LEAF
    # A conversation in which nothing was said looks like one whose messages were lost: it is asked for once.
    if not any(as_dict(node.get("message")) for node in _nodes(mapping)):
        return NO_MESSAGES
    return POOR if _is_poor(mapping) else None


def _nodes(mapping: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes one by one: those of a large tree are parsed anew for each look (``mirror.large_json``)."""
    return (node for node in mapping.values() if isinstance(node, dict))


def _is_dangling(name: Any, mapping: Mapping[str, Any]) -> bool:
    return name is not None and not (isinstance(name, str) and isinstance(mapping.get(name), dict))


def _is_poor(mapping: Mapping[str, Any]) -> bool:
    """Return whether a tree keeps little but the words.

    Then no node lists its children, no message has a status or a recipient, or some have lost their metadata. The 181
    whole conversations of 2023 to early 2026 that are published have metadata on every message.
    """
    if not any("children" in node for node in _nodes(mapping)):
        return True
    has_messages = knows_fate = False
    for node in _nodes(mapping):
        if message := as_dict(node.get("message")):
            if "metadata" not in message:
                return True
            has_messages, knows_fate = True, knows_fate or "status" in message or "recipient" in message
    return has_messages and not knows_fate
