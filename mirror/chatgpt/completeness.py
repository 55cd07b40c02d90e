"""Whether a conversation that came is whole: a batch can hold cut trees with status 200.

See API notes §3.4. ``contradiction_in`` finds what cannot be right: within the tree, or against the number of messages
that are stored. Such a tree is not believed before another endpoint gives the same. ``outdated_reason`` finds what only
may be wrong with a tree without contradictions: it may lack its newest messages.

Pure functions over payloads of the service, which can have any form.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.values import as_dict, as_dicts, as_list, epoch_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NO_MESSAGES = "it came without messages"
# Microseconds between the newest message and the list's time. A rename or a move explains a little more than nothing.
# Smaller: more reads by id to confirm a batch; larger: a tree that was cut at its end passes.
LATE_US = 120 * 1_000_000


class _Tree(NamedTuple):
    """What of a payload says whether it is whole: its nodes by id, and the id of the newest.

    Nodes are looked at one by one: those of a large tree are parsed anew for each look (``mirror.large_json``).
    """

    mapping: dict[Any, Any]
    current: Any

    def has(self, node_id: object) -> bool:
        return isinstance(node_id, str) and isinstance(self.mapping.get(node_id), dict)

    def nodes(self) -> Iterator[dict[str, Any]]:
        return (node for node in self.mapping.values() if isinstance(node, dict))

    def messages(self) -> Iterator[dict[str, Any]]:
        return (node["message"] for node in self.nodes() if isinstance(node.get("message"), dict))


def _tree_of(payload: object) -> _Tree:
    """Return the tree in a payload, an empty one where there is none."""
    record = as_dict(payload)
    return _Tree(as_dict(record.get("mapping")), record.get("current_node"))


def contradiction_in(payload: object, known_messages: int) -> str | None:
    """Return what shows that a tree is not whole, or None.

    ``known_messages``: how many messages are stored already.
    """
    tree = _tree_of(payload)
    messages = sum(1 for _ in tree.messages())
    if not messages:
        return NO_MESSAGES
    if not tree.has(tree.current):
        return "its newest message is missing from the tree"
    if not isinstance(tree.mapping[tree.current].get("message"), dict):
        return "its newest message is empty"
    for node in tree.nodes():
        if node.get("parent") is not None and not tree.has(node["parent"]):
            return "a message's parent is missing from the tree"
        if any(isinstance(child, str) and not tree.has(child) for child in as_list(node.get("children"))):
            return "a message lists a child that is missing"
    if messages < known_messages:
        return f"it came with {messages} messages, and {known_messages} are stored"
    return None


def is_empty_conversation(payload: object) -> bool:
    """Whether nothing was said in a conversation yet: its tree is whole, and holds no message."""
    tree = _tree_of(payload)
    named = chain([tree.current], (node.get("parent") for node in tree.nodes()))
    is_whole = all(node_id is None or tree.has(node_id) for node_id in named)
    return any(True for _ in tree.nodes()) and is_whole and not any(True for _ in tree.messages())


def outdated_reason(payload: object, list_us: int | None, known_messages: int) -> str | None:
    """Return why a whole tree may still lack its newest messages, or None.

    ``list_us``: the list's time of the conversation. ``known_messages``: as above.
    """
    tree = _tree_of(payload)
    stated = (epoch_us(message.get(key)) for message in tree.messages() for key in ("create_time", "update_time"))
    newest_us = max((time for time in stated if time), default=None)
    if list_us is not None and newest_us is not None and list_us - newest_us > LATE_US:
        return "the list shows a later change"
    newest = as_dict(tree.mapping[tree.current].get("message")) if tree.has(tree.current) else {}
    if not known_messages and as_dict(newest.get("author")).get("role") == "user":
        return "it ends with a question"
    return None


def node_count(payload: object) -> int:
    """Return how many nodes a tree has; 0 where there is no tree."""
    return len(as_dict(as_dict(payload).get("mapping")))


def holds_messages(tree: object, branch: object) -> bool:
    """Whether a tree has a message for each one that a branch (a flat answer) shows, and there are some."""
    held = _ids_of(_tree_of(tree).messages())
    shown = _ids_of(as_dicts(as_dict(branch).get("messages")))
    return bool(shown) and shown <= held


def _ids_of(messages: Iterable[dict[str, Any]]) -> set[str]:
    return {found for message in messages if isinstance(found := message.get("id"), str)}


def is_of_another_conversation(payload: dict[str, Any], conversation_id: str) -> bool:
    """Whether a payload states an id, and not the one that was asked for."""
    stated = {found for key in ("conversation_id", "id") if isinstance(found := payload.get(key), str) and found}
    return bool(stated) and conversation_id not in stated
