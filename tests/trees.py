"""Small conversations for tests: trees as the service sends them."""

from __future__ import annotations

import json
from typing import Any

from mirror.body import Body
from mirror.payload_versions import Arrival

T0 = 1_750_000_000.0

Turn = str | tuple[str, str, str]  # text, or id, parent and text
Tree = dict[str, Any]


def tree(
    *turns: Turn,
    conversation_id: str = "c1",
    title: str | None = "A title",
    at: float = T0,
    current: str | None = None,
    **fields: object,
) -> Tree:
    """A chain of messages whose roles alternate, beginning with the person."""
    mapping: Tree = {"root": {"id": "root", "parent": None, "children": [], "message": None}}
    last = "root"
    for n, turn in enumerate(turns, 1):
        node, parent, text = turn if isinstance(turn, tuple) else (f"n{n}", last, turn)
        mapping[node] = {
            "id": node,
            "parent": parent,
            "children": [],
            "message": {
                "id": node,
                "author": {"role": "user" if n % 2 else "assistant"},
                "create_time": at + n,
                "content": {"content_type": "text", "parts": [text]},
                "status": "finished_successfully",
                "recipient": "all",
                "metadata": {},
            },
        }
        mapping[parent]["children"].append(node)
        last = node
    return {
        "conversation_id": conversation_id,
        "title": title,
        "create_time": at,
        "update_time": at + len(turns),
        "mapping": mapping,
        "current_node": current or last,
        **fields,
    }


def arrival(
    payload: Tree,
    *,
    origin: str = "single",
    at: str = "2026-01-01T00:00:00.000Z",
    list_us: int | None = None,
    proves_absence: bool | None = None,
) -> Arrival:
    """The payload on its way in."""
    return Arrival(
        conversation_id=payload["conversation_id"],
        provider="chatgpt",
        payload=payload,
        body=Body(json.dumps(payload).encode()),
        origin=origin,
        path="test",
        fetched_at=at,
        list_us=list_us,
        proves_absence=origin in {"single", "batch"} if proves_absence is None else proves_absence,
    )
