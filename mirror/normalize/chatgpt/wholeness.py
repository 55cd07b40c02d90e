"""Whether a payload, by its own shape, can be the whole conversation; evidence in API notes §3.3, §9.

A capture is often a *window*: the newest messages, with a mark that older ones exist, or a tree whose beginning was cut
off. Exports since June 2026 keep the words of person and model only: tools, references and the tree's ``children`` are
left out. What is missing cannot be seen in such a copy; its shape is the only sign of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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


def incomplete_reason(payload: Mapping[str, Any], tree: Tree) -> str | None:
    """Return why a payload's shape shows that it is not the whole conversation, else None.

    ``tree``: what its mapping's nodes say.
    """
    if as_dict(payload.get("page_info")).get("has_previous_page"):
        return WINDOW
    if payload.get(SHARED_FROM):
        return SHARED
    mapping = payload.get("mapping")
    if not isinstance(mapping, dict):
        is_group_chat = "name" in payload and "created_at" in payload  # flat by its nature
        return None if is_group_chat else BRANCH if as_dicts(payload.get("messages")) else NO_MESSAGES
    if tree.is_cut:
        return CUT
    leaf = payload.get("current_node")
    if leaf is not None and not tree.has(leaf):
        return NO_LEAF
    # A conversation in which nothing was said looks like one whose messages were lost: it is asked for once.
    if not tree.has_messages:
        return NO_MESSAGES
    return POOR if tree.is_poor else None


@dataclass(slots=True)
class Tree:
    """What tells whether a mapping is a whole tree, told node by node. ``bare``: the names of what is no node in it."""

    mapping: Mapping[str, Any] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)
    lacks_parent: bool = False
    has_messages: bool = False
    lists_children: bool = False
    has_lost_metadata: bool = False
    knows_fate: bool = False

    def add(self, name: str, node: object) -> None:
        """Look at one node."""
        if not isinstance(node, dict):
            self.bare.add(name)
            return
        if "children" in node:
            self.lists_children = True
        parent = node.get("parent")
        if parent is not None and not (isinstance(parent, str) and parent in self.mapping):
            self.lacks_parent = True
        if message := as_dict(node.get("message")):
            self.has_messages = True
            if "metadata" not in message:
                self.has_lost_metadata = True
            if "status" in message or "recipient" in message:
                self.knows_fate = True

    def has(self, name: object) -> bool:
        """Whether it has a node of this name."""
        return isinstance(name, str) and name in self.mapping and name not in self.bare

    @property
    def is_cut(self) -> bool:
        """Whether a node names a parent that is none of them."""
        return self.lacks_parent or (
            bool(self.bare) and any(as_dict(node).get("parent") in self.bare for node in self.mapping.values())
        )

    @property
    def is_poor(self) -> bool:
        """Whether it keeps little but the words.

        Then no node lists its children, no message has a status or a recipient, or some have lost their metadata. The
        181 whole conversations of 2023 to early 2026 that are published have metadata on every message.
        """
        return not self.lists_children or self.has_lost_metadata or not self.knows_fate
