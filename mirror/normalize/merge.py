"""Several payloads of one conversation become one: nothing that was ever seen is lost, and the newest word rules.

A payload that is a whole tree proves that what it lacks is gone; a flat reading shows the visible branch only and an
export leaves things out, so they prove nothing. What is gone stays, with the time at which it was first missed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mirror.normalize.rows import Conversation, Message
from mirror.normalize.tree import last_model, placed

if TYPE_CHECKING:
    from collections.abc import Sequence

# A null here is a fact (moved out of its project, no star); in the other fields it is only silence.
_NULL_IS_A_FACT = ("project_id", "gpt_id", "is_archived", "is_starred")
_NULL_IS_SILENCE = ("account_id", "created_at", "updated_at")
# How far an older, more detailed tree is followed to see that it agrees with a newer, flatter one.
_LONGEST_DETOUR = 64


@dataclass(frozen=True, slots=True)
class ParsedPayload:
    """One payload's rows, when it was read (ISO time), and whether what it lacks is thereby gone."""

    conversation: Conversation
    seen_at: str | None
    proves_absence: bool


def merge(layers: Sequence[ParsedPayload]) -> Conversation:
    """Fold the layers of one conversation, oldest first, into what is known of it altogether."""
    newest_first = [layer.conversation for layer in reversed(layers)]
    parents = _merged_parents(layers)
    current = next((c.current_node_id for c in newest_first if c.current_node_id in parents), None)
    rows = [_under(row, parents.get(row.id)) for row in _merged_messages(layers).values()]
    messages, branch = placed(rows, parents, current)
    return Conversation(
        id=next((c.id for c in newest_first if c.id), ""),
        title=next((c.title for c in newest_first if c.title), None),
        current_node_id=current or (branch[-1] if branch else None),
        model=next((c.model for c in newest_first if "model" in c.stated and c.model), None)
        or last_model(messages, branch),
        is_generating=bool(newest_first) and newest_first[0].is_generating,
        messages=messages,
        parents=parents,
        stated=frozenset[str]().union(*(c.stated for c in newest_first)),
        not_understood=_most_counted(newest_first),
        **{name: _newest_stated(newest_first, name) for name in _NULL_IS_A_FACT},
        **{name: _newest_said(newest_first, name) for name in _NULL_IS_SILENCE},
    )


def _under(row: Message, parent_id: str | None) -> Message:
    return row if row.parent_id == parent_id else replace(row, parent_id=parent_id)


def _newest_stated(newest_first: Sequence[Conversation], name: str) -> Any:
    return next((getattr(c, name) for c in newest_first if name in c.stated), None)


def _newest_said(newest_first: Sequence[Conversation], name: str) -> Any:
    return next((getattr(c, name) for c in newest_first if getattr(c, name) is not None), None)


def _most_counted(conversations: Sequence[Conversation]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for conversation in reversed(conversations):
        for name, count in (conversation.not_understood or {}).items():
            counted[name] = max(count, counted.get(name, 0))
    return counted


def _merged_parents(layers: Sequence[ParsedPayload]) -> dict[str, str | None]:
    parents: dict[str, str | None] = {}
    for layer in layers:
        newer = layer.conversation.parents or {}
        if layer.proves_absence:
            parents.update(newer)
        else:
            _add_flatter(parents, newer)
    return parents


def _add_flatter(parents: dict[str, str | None], newer: dict[str, str | None]) -> None:
    parents.update({node: parent for node, parent in newer.items() if node not in parents})
    # A node that moves takes a detour away from those below it: until all that is left agrees.
    while moved := {node: parent for node, parent in newer.items() if not _is_known_better(parents, node, parent)}:
        parents.update(moved)


def _is_known_better(parents: dict[str, str | None], node: str, parent: str | None) -> bool:
    """Tell whether an older tree leads to the same parent by way of nodes that a flat reading leaves out."""
    step = parents.get(node)
    if parent is None or parent not in parents:
        return True
    for _ in range(_LONGEST_DETOUR):
        if step is None or step == parent:
            break
        step = parents.get(step)
    return step == parent


def _merged_messages(layers: Sequence[ParsedPayload]) -> dict[str, Message]:
    merged: dict[str, Message] = {}
    for layer in layers:
        held = {row.id for row in layer.conversation.messages}
        emptied = [node for node in layer.conversation.parents or {} if node not in held and node in merged]
        for row in layer.conversation.messages:
            merged[row.id] = _newer(merged.get(row.id), row, layer.seen_at)
        gone = [node for node in merged if node not in held] if layer.proves_absence else emptied
        for node in gone:
            if merged[node].removed_at is None and layer.seen_at is not None:
                merged[node] = replace(merged[node], removed_at=layer.seen_at)
    return merged


def _newer(old: Message | None, new: Message, seen_at: str | None) -> Message:
    """Return the newer row; where its text was taken away, with the older one's, marked."""
    if old is None or new.text.strip() or not old.text.strip():
        return new
    return replace(
        new,
        text=old.text,
        kind=old.kind,
        is_hidden=old.is_hidden,
        is_lossy=old.is_lossy,
        links=old.links,
        attachments=old.attachments,
        removed_at=old.removed_at or seen_at,
    )
