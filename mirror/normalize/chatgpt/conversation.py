"""A chatgpt.com payload becomes a conversation: its tree, its messages, and what it says about itself.

The same chat comes in three shapes (API notes §0.12, §3.1): a tree with float times and ``conversation_id``, a tree
with ISO times and ``id``, and a flat list of the visible messages. Exports mix the first two and leave keys out.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.citations import resolve
from mirror.normalize.chatgpt.message import to_row
from mirror.normalize.chatgpt.nodes import read_nodes
from mirror.normalize.rows import Conversation, Message
from mirror.normalize.tree import last_model, placed
from mirror.values import as_dict, as_id, as_text, first_text, iso_time, plain

if TYPE_CHECKING:
    from mirror.normalize.chatgpt.nodes import Nodes

# Raise it when some payload gives other rows than before: mirrors then know that `chatmirror rebuild` changes them.
VERSION = 1
# Field of the row -> keys of the payload that state it.
STATED_BY: dict[str, tuple[str, ...]] = {
    "title": ("title",),
    "project_id": ("gizmo_id", "conversation_template_id"),
    "gpt_id": ("gizmo_id", "conversation_template_id"),
    "is_archived": ("is_archived",),
    "is_starred": ("is_starred",),
    "account_id": ("workspace_id",),
    "current_node_id": ("current_node",),
    "created_at": ("create_time",),
    "updated_at": ("update_time",),
    "model": ("default_model_slug",),
}
# What a row of a conversation list states as well; a change in nothing else leaves the messages as they are.
_LISTING_KEYS = frozenset({"title", "update_time", "is_archived", "is_starred", "gizmo_id", "conversation_template_id"})
_PROJECT = "g-p-"
_GPT = "g-"
# Streaming, realtime, realtime busy, realtime background (API notes §3.8).
_BUSY = frozenset({3, 5, 6, 7})


def from_payload(payload: object) -> Conversation:
    """Return the conversation that a payload tells, from any JSON value; what makes no sense is None or empty."""
    record = as_dict(payload)
    nodes = read_nodes(record)
    parents = {node.id: node.parent for node in nodes.by_id.values()}
    current = nodes.resolve(record.get("current_node"))
    rows, not_understood = _rows(nodes)
    rows, branch = placed(rows, parents, current)
    project_id, gpt_id = _gizmo(record)
    return Conversation(
        id=conversation_id(record),
        title=_title(record.get("title")),
        created_at=iso_time(record.get("create_time")),
        updated_at=iso_time(record.get("update_time")),
        current_node_id=current,
        account_id=plain(record.get("workspace_id")),
        project_id=project_id,
        gpt_id=gpt_id,
        model=plain(record.get("default_model_slug")) or last_model(rows, branch),
        is_archived=_flag(record.get("is_archived")),
        is_starred=_flag(record.get("is_starred")),
        is_generating=_is_generating(record.get("async_status"), rows, branch),
        messages=rows,
        parents=parents,
        stated=frozenset(name for name, keys in STATED_BY.items() if any(key in record for key in keys)),
        not_understood=not_understood,
    )


def conversation_id(payload: object) -> str:
    """Return the conversation's id without reading its messages; "" where the payload states none."""
    record = as_dict(payload)
    return as_id(record.get("conversation_id")) or as_id(record.get("id")) or ""


def fingerprint(payload: object) -> str | None:
    """Return a hash of all that a payload says beyond its listing metadata; None where it is no tree.

    Two payloads with the same fingerprint have the same messages, whatever order and blanks their JSON has.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("mapping"), dict):
        return None
    rest = {key: value for key, value in payload.items() if key not in _LISTING_KEYS}
    try:
        text = json.dumps(rest, sort_keys=True)  # ASCII, so lone surrogates are escaped like everything else
    except (TypeError, ValueError, RecursionError):
        return None  # nested too deep, or no JSON at all: nothing to compare by
    return hashlib.sha256(text.encode()).hexdigest()


def _rows(nodes: Nodes) -> tuple[tuple[Message, ...], dict[str, int]]:
    rows = []
    not_understood: dict[str, int] = {}
    for node in nodes.by_id.values():
        if node.message is None:
            continue
        row, unknown = to_row(node.id, node.parent, node.message)
        rows.append(row)
        for name in unknown:
            not_understood[name] = not_understood.get(name, 0) + 1
    return tuple(rows), not_understood


def _title(value: object) -> str | None:
    # A title made from an answer may carry the answer's citation marks.
    return plain(resolve(as_text(value), {}, legacy=False).text)


def _gizmo(record: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return project id and GPT id; both come as ``gizmo_id``, told apart by their beginning (API notes §5)."""
    named = [plain(record.get(key)) or "" for key in STATED_BY["project_id"]]
    project = first_text(*(name for name in named if name.startswith(_PROJECT)))
    gpt = first_text(*(name for name in named if name.startswith(_GPT) and not name.startswith(_PROJECT)))
    return project or None, gpt or None


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return bool(value) if isinstance(value, int) else None


def _is_generating(async_status: object, rows: tuple[Message, ...], branch: list[str]) -> bool:
    if async_status is None:
        return False  # "in_progress" alone can stay for ever (API notes §3.5)
    if isinstance(async_status, str):
        async_status = int(async_status) if async_status.isdecimal() and len(async_status) == 1 else None
    if isinstance(async_status, int | float) and not isinstance(async_status, bool) and async_status in _BUSY:
        return True
    by_id = {row.id: row for row in rows}
    leaf = next((by_id[node] for node in reversed(branch) if node in by_id), None)
    return leaf is not None and leaf.status == "in_progress"
