"""Merge several payloads of one conversation: nothing seen is lost, and the newest value counts.

A payload that is a whole tree proves that a message it lacks is gone. A flat payload holds the visible branch only and
an export leaves things out, so neither proves anything. A message that is gone is kept, with the time it was first
missed. What comes from a file adds and never takes away: exports and captures can be poorer than what the service gave
before (API notes §9), and nothing in them says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mirror.normalize.tree import last_model, positioned
from mirror.rows import Attachment, Conversation, Message, with_parent

if TYPE_CHECKING:
    from collections.abc import Sequence

# An explicit null has a meaning in these fields (moved out of its project, no star); in the others it says nothing.
_NULL_IS_A_VALUE = ("project_id", "gpt_id", "is_archived", "is_starred")
_NULL_SAYS_NOTHING = ("account_id", "created_at", "updated_at")

# How often a flat payload's places are compared with a tree that it changes. Larger: the square of the nodes of what
# nobody sent; smaller: nodes between two that it holds stand beside the branch.
_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class ParsedPayload:
    """One payload's rows, when it was read (ISO time), and whether what it lacks is thereby gone.

    ``is_import``: it is from a file, an export or a capture.
    """

    conversation: Conversation
    seen_at: str | None
    proves_absence: bool
    is_import: bool = False


def merge(payloads: Sequence[ParsedPayload]) -> Conversation:
    """Merge the payloads of one conversation, oldest first, into all that is known of it."""
    if len(payloads) == 1 and (only := payloads[0].conversation).current_node_id in (only.parents or {}):
        # There is nothing to merge, and where its branch ends is known.
        return replace(only, not_understood=only.not_understood or {}, incomplete_reason=None)
    newest_first = [payload.conversation for payload in reversed(payloads)]
    parents = _merged_parents(payloads)
    current = next((c.current_node_id for c in newest_first if c.current_node_id in parents), None)
    rows = [with_parent(row, parents.get(row.id)) for row in _merged_messages(payloads).values()]
    messages, branch = positioned(rows, parents, current)
    return Conversation(
        id=next((c.id for c in newest_first if c.id), ""),
        title=next((c.title for c in newest_first if c.title), None),
        current_node_id=branch[-1] if branch else None,
        model=next((c.model for c in newest_first if "model" in c.stated and c.model), None)
        or last_model(messages, branch),
        is_generating=bool(newest_first) and newest_first[0].is_generating,
        messages=messages,
        parents=parents,
        stated=frozenset[str]().union(*(c.stated for c in newest_first)),
        not_understood=_highest_counts(newest_first),
        **{name: _newest_stated(newest_first, name) for name in _NULL_IS_A_VALUE},
        **{name: _newest_not_null(newest_first, name) for name in _NULL_SAYS_NOTHING},
    )


def _newest_stated(newest_first: Sequence[Conversation], name: str) -> Any:
    return next((getattr(c, name) for c in newest_first if name in c.stated), None)


def _newest_not_null(newest_first: Sequence[Conversation], name: str) -> Any:
    """Return the newest value that a payload states, else the newest that one only implies."""
    given = [c for c in newest_first if getattr(c, name) is not None]
    return next((getattr(c, name) for c in [*(c for c in given if name in c.stated), *given]), None)


def _highest_counts(conversations: Sequence[Conversation]) -> dict[str, int]:
    # The payloads are versions of one conversation: adding their counts would count the same part several times.
    counts: dict[str, int] = {}
    for conversation in reversed(conversations):
        for name, count in (conversation.not_understood or {}).items():
            counts[name] = max(count, counts.get(name, 0))
    return counts


def _merged_parents(payloads: Sequence[ParsedPayload]) -> dict[str, str | None]:
    parents: dict[str, str | None] = {}
    certain: set[str] = set()  # nodes whose place a whole tree of the service tells
    for payload in payloads:
        newer = payload.conversation.parents or {}
        if payload.proves_absence:
            parents.update(newer)
            certain.update(newer)
        else:
            _add_flatter(parents, newer, certain if payload.is_import else set())
    return parents


def _add_flatter(parents: dict[str, str | None], newer: dict[str, str | None], certain: set[str]) -> None:
    """Add a payload that may leave nodes out; older detail and the place of ``certain`` nodes are kept."""
    parents.update({node: parent for node, parent in newer.items() if node not in parents})
    left = {
        node: parent
        for node, parent in newer.items()
        if node not in certain and parent in parents and parent not in {node, parents[node]}
    }
    # A node that moves changes the ancestors of those below it, so the rest is compared again until all agree.
    for _ in range(_MOST_ROUNDS):
        if not left:
            return
        spans = _spans(parents)
        moved = {node: parent for node, parent in left.items() if not _is_above(spans, parent, node)}
        if not moved:
            return
        parents.update(moved)
        left = {node: parent for node, parent in left.items() if node not in moved}
    parents.update(left)


def _is_above(spans: dict[str, tuple[int, int]], parent: str | None, node: str) -> bool:
    """Return whether one node is above another, however many nodes are in between.

    No limit to their number: an answer that calls tools can be hundreds of nodes, of which an export holds the last.
    """
    begin, end = spans[parent or ""]
    return begin < spans[node][0] < end


def _spans(parents: dict[str, str | None]) -> dict[str, tuple[int, int]]:
    """Return for each node its number, depth first, and the first number that is not below it; a circle is cut."""
    below: dict[str | None, list[str]] = {}
    for node, parent in parents.items():
        below.setdefault(parent, []).append(node)
    numbers: dict[str, int] = {}
    spans: dict[str, tuple[int, int]] = {}
    for start in (*(node for node, parent in parents.items() if parent not in parents), *parents):
        waiting = [] if start in numbers else [start]
        while waiting:
            node = waiting[-1]
            if node not in numbers:
                numbers[node] = len(numbers)
                waiting += (child for child in below.get(node, ()) if child not in numbers)
            else:
                spans.setdefault(node, (numbers[node], len(numbers)))
                waiting.pop()
    return spans


def _merged_messages(payloads: Sequence[ParsedPayload]) -> dict[str, Message]:
    merged: dict[str, Message] = {}
    for payload in payloads:
        held = {row.id for row in payload.conversation.messages}
        emptied = [node for node in payload.conversation.parents or {} if node not in held and node in merged]
        for row in payload.conversation.messages:
            old = merged.get(row.id)
            merged[row.id] = _added(old, row) if payload.is_import and old else _newer(old, row, payload.seen_at)
        if payload.is_import:
            continue
        gone = [node for node in merged if node not in held] if payload.proves_absence else emptied
        for node in gone:
            if merged[node].removed_at is None and payload.seen_at is not None:
                merged[node] = replace(merged[node], removed_at=payload.seen_at)
    return merged


def _newer(old: Message | None, new: Message, seen_at: str | None) -> Message:
    """Return the newer row; where its text was emptied, with the older text and marked as removed."""
    if old is None or new.text.strip() or not old.text.strip():
        return new
    return replace(
        new,
        text=old.text,
        kind=old.kind,
        is_hidden=old.is_hidden,
        is_lossy=old.is_lossy,
        drafts=old.drafts,
        links=old.links,
        attachments=old.attachments,
        removed_at=old.removed_at or seen_at,
    )


# What a poorer copy leaves out of a message; its place in the tree and its removal are decided elsewhere.
_DETAILS = ("role", "content_type", "author", "recipient", "channel", "model", "created_at", "updated_at", "status")


def holds_as_much(copy: Message, other: Message) -> bool:
    """Whether a copy of a message lacks nothing that another one has: words, pages, files, and what is said of it."""
    return (
        len(copy.text.strip()) >= len(other.text.strip())
        and _pages(copy) >= _pages(other)
        and _files(copy) >= _files(other)
        and all(getattr(copy, name) is not None or getattr(other, name) is None for name in _DETAILS)
    )


def _pages(row: Message) -> set[str]:
    return {link.url for link in row.links}


def _files(row: Message) -> set[tuple[str | None, str | None]]:
    return {_file_key(file) for file in row.attachments}


def _file_key(file: Attachment) -> tuple[str | None, str | None]:
    return file.id, None if file.id else file.name


def _added(old: Message, new: Message) -> Message:
    """Return a message with what a file's copy adds to it; the copy itself where it has at least as much."""
    if holds_as_much(new, old):
        return _with_what_it_is(new, old) if old.text.strip() else new
    base = replace(old, text=new.text, is_lossy=new.is_lossy, drafts=new.drafts) if _says_more(new, old) else old
    details = {name: getattr(new, name) for name in _DETAILS if getattr(old, name) is None}
    return replace(
        base,
        **details,
        links=(*old.links, *(link for link in new.links if link.url not in _pages(old))),
        attachments=(*old.attachments, *(file for file in new.attachments if _file_key(file) not in _files(old))),
        removed_at=None if new.text.strip() else old.removed_at,
    )


def _with_what_it_is(new: Message, old: Message) -> Message:
    """Return a file's copy as what the older one is: a copy without metadata looks like shown text."""
    kind = old.kind if new.kind in {"text", "other"} and old.kind != "other" else new.kind
    # A model that an export does not name is read from the conversation, which may have had another one since.
    drafts = new.drafts or (old.drafts if new.text == old.text else None)
    return replace(
        new, kind=kind, is_hidden=old.is_hidden or new.is_hidden, model=old.model or new.model, drafts=drafts
    )


def _says_more(new: Message, old: Message) -> bool:
    """Whether a copy has more words, and no fewer pages: one without its sources shows marks in the place of links."""
    return len(new.text.strip()) > len(old.text.strip()) and _pages(new) >= _pages(old)
