"""A ChatGPT payload becomes a conversation: its metadata, its tree and its messages.

The same conversation comes in three shapes (API notes §0.12, §3.1): a tree with float times and ``conversation_id``, a
tree with ISO times and ``id``, and a flat list of the visible messages. Exports mix the first two and leave keys out.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from mirror.normalize.chatgpt import wholeness
from mirror.normalize.chatgpt.citations import resolve_citations
from mirror.normalize.chatgpt.message import message_row
from mirror.normalize.chatgpt.nodes import nodes_of
from mirror.normalize.tree import last_model, positioned
from mirror.rows import Conversation, with_parent
from mirror.values import as_dict, as_id, as_text, first_text, iso_time, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirror.rows import Message

# Raise it when some payload gives other rows than before: mirrors then know that `chatmirror rebuild` changes them.
VERSION = 5
# Column -> the payload's keys for it. A column is "stated" where one of its keys is there, even if it is null.
STATED_BY: dict[str, tuple[str, ...]] = {
    "title": ("title", "name"),  # a group chat's
    "project_id": ("gizmo_id", "conversation_template_id"),
    "gpt_id": ("gizmo_id", "conversation_template_id"),
    "is_archived": ("is_archived",),
    "is_starred": ("is_starred",),
    "account_id": ("workspace_id",),
    "current_node_id": ("current_node",),
    "created_at": ("create_time", "created_at"),
    "updated_at": ("update_time",),
    "model": ("default_model_slug",),
}
# What a row of a conversation list states as well; a change in nothing else leaves the messages as they are.
_LISTING_KEYS = frozenset({"title", "update_time", "is_archived", "is_starred", "gizmo_id", "conversation_template_id"})
_SORTED = json.JSONEncoder(sort_keys=True)
_ANY_MODEL = "auto"  # the service chose a model for each answer: this names none
_PROJECT = "g-p-"
_GPT = "g-"
# Values of async_status while an answer is written: streaming, and three of voice mode (API notes §3.8).
_BUSY = frozenset({3, 5, 6, 7})


def from_payload(payload: object) -> Conversation:
    """Return the conversation in any JSON value; what makes no sense in it becomes None or empty."""
    record = as_dict(payload)
    key, model = conversation_id(record), plain(record.get("default_model_slug"))
    # An answer that names no model has the conversation's (API notes §9).
    default_model = None if model == _ANY_MODEL else model
    nodes = nodes_of(record, partial(message_row, conversation_id=key, default_model=default_model))
    parents = {node.id: node.parent for node in nodes.by_id.values()}
    current = nodes.id_of(record.get("current_node"))
    rows = tuple(with_parent(node.row, node.parent) for node in nodes.by_id.values() if node.row is not None)
    first, last = _first_and_last(rows)
    nodes.by_id = {}  # what they take is needed for the rows
    rows, branch = positioned(rows, parents, current)
    project_id, gpt_id = _gizmo(record)
    return Conversation(
        id=key,
        title=_title(record.get("title") or record.get("name")),
        created_at=iso_time(record.get("create_time")) or iso_time(record.get("created_at")) or first,
        updated_at=iso_time(record.get("update_time")) or last,
        current_node_id=branch[-1] if current in parents else current,
        account_id=plain(record.get("workspace_id")),
        project_id=project_id,
        gpt_id=gpt_id,
        model=model or last_model(rows, branch),
        is_archived=_flag(record.get("is_archived")),
        is_starred=_flag(record.get("is_starred")),
        is_generating=_is_generating(record.get("async_status"), rows, branch),
        messages=rows,
        parents=parents,
        stated=frozenset(name for name, keys in STATED_BY.items() if any(key in record for key in keys)),
        not_understood=nodes.not_understood,
        incomplete_reason=wholeness.incomplete_reason(record, nodes.tree),
    )


def conversation_id(payload: object) -> str:
    """Return the conversation's id without reading its messages; "" where the payload states none.

    A shared one has its share's id, and names the conversation that it was made of beside it (API notes §2.4).
    """
    record = as_dict(payload)
    stated = (as_id(record.get(key)) for key in (wholeness.SHARED_FROM, "conversation_id", "id"))
    return next((key for key in stated if key), "")


def says_the_same(new: object, old: object) -> bool:
    """Return whether two trees say the same beyond their listing metadata, whatever order and blanks their JSON has.

    Then they have the same messages. False where either is no tree.
    """
    if not (_is_tree(new) and _is_tree(old)):
        return False
    if new.get("current_node") != old.get("current_node") or len(new["mapping"]) != len(old["mapping"]):
        return False  # so it is with nearly every conversation that goes on, and seen at once
    digest = _hash_of_rest(new)
    return digest is not None and digest == _hash_of_rest(old)


def _is_tree(payload: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(payload, dict) and isinstance(payload.get("mapping"), dict)


def _hash_of_rest(payload: dict[str, Any]) -> bytes | None:
    """Return a hash of what a tree says beyond its listing metadata; two values that are equal to Python may differ."""
    rest = {key: value for key, value in payload.items() if key not in _LISTING_KEYS}
    digest = hashlib.sha256()
    try:
        for text in _sorted_json(rest, 2):  # ASCII, so lone surrogates are escaped like everything else
            digest.update(text.encode())
    except (TypeError, ValueError, RecursionError):
        return None  # nested too deep, or no JSON at all: nothing to compare by
    return digest.digest()


def holds_all(new: object, old: object) -> bool:
    """Return whether a tree holds every node of another one with the very same message."""
    mapping, before = as_dict(as_dict(new).get("mapping")), as_dict(as_dict(old).get("mapping"))
    try:
        return bool(before) and all(
            isinstance(node, dict)
            and isinstance(held := mapping.get(key), dict)
            and held.get("message") == node.get("message")
            for key, node in before.items()
        )
    except RecursionError:
        return False  # nested too deep to be compared


def _sorted_json(value: Any, levels: int) -> Iterator[str]:
    """Yield the JSON of a value with sorted names in pieces, so that a large tree is never one text."""
    if not isinstance(value, dict) or not levels:
        yield _SORTED.encode(value)
        return
    for n, name in enumerate(sorted(value)):
        yield ("{" if n == 0 else ", ") + json.dumps(name) + ": "
        yield from _sorted_json(value[name], levels - 1)
    yield "}" if value else "{}"


def _first_and_last(rows: tuple[Message, ...]) -> tuple[str | None, str | None]:
    """Return when the first and the last message were written, for a payload that states no times at its top."""
    times = [row.created_at for row in rows if row.created_at]
    return min(times, default=None), max(times, default=None)


def _title(value: object) -> str | None:
    # The service makes titles from answers, and some carry the answer's citation marks.
    return plain(resolve_citations(as_text(value), {}, legacy=False).text)


def _gizmo(record: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return project id and GPT id; both come as ``gizmo_id``, with another prefix (API notes §5)."""
    ids = [plain(record.get(key)) or "" for key in STATED_BY["project_id"]]
    project = first_text(*(one for one in ids if one.startswith(_PROJECT)))
    gpt = first_text(*(one for one in ids if one.startswith(_GPT) and not one.startswith(_PROJECT)))
    return project or None, gpt or None


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return bool(value) if isinstance(value, int) else None


def _is_generating(async_status: object, rows: tuple[Message, ...], branch: list[str]) -> bool:
    if async_status is None:
        return False  # a message's "in_progress" alone proves nothing, it can stay for ever (API notes §3.5)
    if isinstance(async_status, str):
        async_status = int(async_status) if async_status.isdecimal() and len(async_status) == 1 else None
    if isinstance(async_status, int | float) and not isinstance(async_status, bool) and async_status in _BUSY:
        return True
    by_id = {row.id: row for row in rows}
    leaf = next((by_id[node] for node in reversed(branch) if node in by_id), None)
    return leaf is not None and leaf.status == "in_progress"
