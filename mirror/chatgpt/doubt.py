"""Whether a tree can be believed (API notes §3.4): a batch can be cut short with status 200.

*Structural* doubt is hard: the tree contradicts itself or what is stored, and is not kept as the truth before another
lane confirms it. *Soft* doubt is a smell: the list shows a later change than the newest message tells of, which a
rename explains just as well.
"""

from __future__ import annotations

from typing import Any

from mirror.normalize.values import epoch_us

NOTHING_IN_IT = "a tree without messages"
LATE_US = 3600 * 1_000_000  # a change an hour after the newest message is not that message's


def structural_doubt(payload: Any, known_messages: int) -> str | None:
    """Return what contradicts a whole tree, or None. ``known_messages``: how many are stored already."""
    mapping = payload.get("mapping") if isinstance(payload, dict) else None
    if not isinstance(mapping, dict):
        return NOTHING_IN_IT
    nodes = {key: node for key, node in mapping.items() if isinstance(node, dict)}
    messages = sum(1 for node in nodes.values() if isinstance(node.get("message"), dict))
    if not messages:
        return NOTHING_IN_IT
    if payload.get("current_node") not in nodes:
        return "the newest message is not in the tree"
    for node in nodes.values():
        if (parent := node.get("parent")) is not None and parent not in nodes:
            return "a message hangs in the air"
        children = node.get("children")
        if isinstance(children, list) and any(isinstance(child, str) and child not in nodes for child in children):
            return "a branch leads out of the tree"
    if messages < known_messages:
        return f"{messages} messages where {known_messages} are stored"
    return None


def soft_doubt(payload: Any, update_us: int | None) -> str | None:
    """Return why a sound tree may still lack its newest part, or None."""
    nodes = [node for node in payload["mapping"].values() if isinstance(node, dict)]
    messages = [node["message"] for node in nodes if isinstance(node.get("message"), dict)]
    times = [time for m in messages if (time := epoch_us(m.get("create_time"))) is not None]
    times += [time for m in messages if (time := epoch_us(m.get("update_time"))) is not None]
    if update_us is None or not times:
        return None
    return "the list shows a later change" if update_us - max(times) > LATE_US else None
