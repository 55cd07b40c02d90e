"""Conversations as the service holds them, in the single-read shape (API notes §3.2, §3.5)."""

from __future__ import annotations

import random
import uuid
from typing import Any

WORDS = [
    "oven",
    "crust",
    "crumb",
    "starter",
    "flour",
    "water",
    "salt",
    "hydration",
    "window",
    "planet",
    "lens",
    "orbit",
    "meteor",
    "dawn",
    "river",
    "stone",
    "bridge",
    "map",
    "train",
    "ticket",
    "garden",
    "seed",
    "tomato",
    "trellis",
    "python",
    "list",
    "loop",
    "index",
    "query",
    "table",
    "column",
    "answer",
    "question",
    "reason",
]


def new_id(rng: random.Random) -> str:
    """Return a random uuid."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def sentence(rng: random.Random, words: int = 9) -> str:
    """Return some words that read like a sentence."""
    return " ".join(rng.choices(WORDS, k=words)).capitalize() + "."


def message(node_id: str, role: str, text: str, at: float | None, **metadata: Any) -> dict[str, Any]:
    """Return a message object with plain text."""
    return {
        "id": node_id,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": at,
        "update_time": None,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "end_turn": role == "assistant" or None,
        "weight": 1.0,
        "metadata": metadata,
        "recipient": "all",
        "channel": "final" if role == "assistant" else None,
    }


def empty_conversation(conversation_id: str, title: str | None, at: float, root_id: str) -> dict[str, Any]:
    """Return a conversation with nothing but its root."""
    return {
        "title": title,
        "create_time": at,
        "update_time": at,
        "mapping": {root_id: {"id": root_id, "message": None, "parent": None, "children": []}},
        "moderation_results": [],
        "current_node": root_id,
        "plugin_ids": None,
        "conversation_id": conversation_id,
        "conversation_template_id": None,
        "gizmo_id": None,
        "gizmo_type": None,
        "is_archived": False,
        "is_starred": None,
        "safe_urls": [],
        "blocked_urls": [],
        "default_model_slug": "gpt-5-2",
        "conversation_origin": None,
        "is_read_only": None,
        "voice": None,
        "async_status": None,
        "disabled_tool_ids": [],
        "is_do_not_remember": False,
        "memory_scope": "global_enabled",
        "sugar_item_id": None,
        "sugar_item_visible": False,
        "is_temporary_chat": False,
        "is_study_mode": False,
        "context_scopes": None,
        "owner": None,
        "pinned_time": None,
    }


def add(conversation: dict[str, Any], parent: str, content: dict[str, Any]) -> str:
    """Add a message as a child of a node and make it the current one; return its node id."""
    mapping = conversation["mapping"]
    node_id = content["id"]
    mapping[node_id] = {"id": node_id, "message": content, "parent": parent, "children": []}
    mapping[parent]["children"].append(node_id)
    conversation["current_node"] = node_id
    return str(node_id)


def branch(conversation: dict[str, Any]) -> list[str]:
    """Return the visible branch's node ids, oldest first.

    Without a ``current_node`` in the tree, the newest leaf counts; a missing parent or a cycle ends the branch.
    """
    mapping, node = conversation["mapping"], conversation.get("current_node")
    if node not in mapping:
        node = next((key for key in reversed(mapping) if not mapping[key].get("children")), None)
    found: dict[str, None] = {}
    while isinstance(node, str) and node in mapping and node not in found:
        found[node] = None
        node = mapping[node].get("parent")
    return list(found)[::-1]


def generated_conversation(conversation_id: str, at: float, messages: int, seed: int) -> dict[str, Any]:
    """Return a conversation of so many messages that ends at ``at``, made from the seed alone.

    Cheap, because a benchmark reads tens of thousands: node ids count up from the seed, texts are cut out of one pool.
    """
    rng = random.Random(seed)
    begin, head = at - messages * 60, f"{rng.getrandbits(32):08x}-5eed-4000-8000-"
    root = f"{head}{0:012x}"
    conversation = empty_conversation(conversation_id, sentence(rng, 4)[:-1], begin, root)
    parent = root
    for n in range(messages):
        role, pool = ("assistant", _POOL) if n % 2 else ("user", _POOL[: len(_POOL) // 2])
        start = int(rng.random() * (len(pool) - 8))
        text = " ".join(pool[start : start + (8 if n % 2 else 2)])
        meta = {"model_slug": "gpt-5-2"} if n % 2 else {}
        sent = at - (messages - 1 - n) * 60
        parent = add(conversation, parent, message(f"{head}{n + 1:012x}", role, text, sent, **meta))
    conversation["update_time"] = at
    return conversation


_POOL = [sentence(random.Random(n)) for n in range(600)]
