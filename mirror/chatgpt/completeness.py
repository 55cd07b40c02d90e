"""Whether a tree can be believed (API notes §3.4): a batch can be cut short with status 200.

*Structural* doubt is hard: the tree contradicts itself or what is stored, and is not kept as the truth before another
lane confirms it. *Soft* doubt is a smell: the list shows a later change than the newest message tells of, which a
rename explains just as well, or a chat never seen before ends with a question.
"""

from __future__ import annotations

from typing import Any

from mirror.values import epoch_us

NOTHING_IN_IT = "a tree without messages"
LATE_US = 120 * 1_000_000  # a change two minutes after the newest message may be another one's


def structural_doubt(payload: Any, known_messages: int) -> str | None:
    """Return what contradicts a whole tree, or None. ``known_messages``: how many are stored already."""
    mapping = payload.get("mapping") if isinstance(payload, dict) else None
    if not isinstance(mapping, dict):
        return NOTHING_IN_IT
    nodes = {key: node for key, node in mapping.items() if isinstance(node, dict)}
    messages = sum(1 for node in nodes.values() if _holds_message(node))
    if not messages:
        return NOTHING_IN_IT
    if not _stands(payload.get("current_node"), nodes):
        return "the newest message is not in the tree"
    if not _holds_message(nodes[payload["current_node"]]):
        return "the newest message is empty"
    for node in nodes.values():
        if (parent := node.get("parent")) is not None and not _stands(parent, nodes):
            return "a message hangs in the air"
        children = node.get("children")
        if isinstance(children, list) and any(isinstance(child, str) and child not in nodes for child in children):
            return "a branch leads out of the tree"
    if messages < known_messages:
        return f"{messages} messages where {known_messages} are stored"
    return None


def is_blank(payload: dict[str, Any]) -> bool:
    """Whether a tree is that of a conversation in which nothing has been said yet: sound nodes, and no message."""
    nodes = {key: node for key, node in payload["mapping"].items() if isinstance(node, dict)}
    named = [payload.get("current_node"), *(node.get("parent") for node in nodes.values())]
    is_whole = all(name is None or _stands(name, nodes) for name in named)
    return bool(nodes) and is_whole and not any(_holds_message(node) for node in nodes.values())


def soft_doubt(payload: Any, list_us: int | None, known_messages: int) -> str | None:
    """Return why a sound tree may still lack its newest part, or None."""
    mapping = payload["mapping"]
    messages = [node["message"] for node in mapping.values() if isinstance(node, dict) and _holds_message(node)]
    times = [time for m in messages for key in ("create_time", "update_time") if (time := epoch_us(m.get(key)))]
    if list_us is not None and times and list_us - max(times) > LATE_US:
        return "the list shows a later change"
    leaf = mapping[payload["current_node"]].get("message")
    author = leaf.get("author") if isinstance(leaf, dict) else None
    if not known_messages and isinstance(author, dict) and author.get("role") == "user":
        return "it ends with a question"
    return None


def _stands(name: Any, nodes: dict[str, Any]) -> bool:
    return isinstance(name, str) and name in nodes


def _holds_message(node: dict[str, Any]) -> bool:
    return isinstance(node.get("message"), dict)
