"""Whether a payload, by its own shape, can be the whole conversation; evidence in API notes §3.3, §9.

A capture is often a *window*: the newest messages, with a mark that older ones exist, or a tree whose beginning was cut
off. Exports since June 2026 keep the words of person and model only: tools, references and the tree's ``children`` are
left out. What is missing cannot be seen in such a copy; its shape is the only sign of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.values import as_dict, as_dicts

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    nodes = {key: node for key, node in mapping.items() if isinstance(node, dict)}
    if not nodes:
        return None if "current_node" in payload else NO_MESSAGES
    if any(_is_dangling(node.get("parent"), nodes) for node in nodes.values()):
        return CUT
    if _is_dangling(payload.get("current_node"), nodes):
        return NO_LEAF
    if "current_node" not in payload and not any(as_dict(node.get("message")) for node in nodes.values()):
        return NO_MESSAGES
    return POOR if _is_poor(nodes) else None


def _is_dangling(name: Any, nodes: Mapping[str, Any]) -> bool:
    return name is not None and not (isinstance(name, str) and name in nodes)


def _is_poor(nodes: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a tree keeps little but the words.

    Then no node lists its children, no message has a status or a recipient, or some have lost their metadata. The 181
    whole conversations of 2023 to early 2026 that are published have metadata on every message.
    """
    messages = [message for node in nodes.values() if (message := as_dict(node.get("message")))]
    knows_children = any("children" in node for node in nodes.values())
    knows_fate = any("status" in message or "recipient" in message for message in messages)
    lost_metadata = any("metadata" not in message for message in messages)
    return not knows_children or (bool(messages) and not knows_fate) or lost_metadata
