"""The nodes of a payload of any shape: a mapping, a list of nodes, or a flat list of messages.

Nodes may lack an id, a parent, children or a message; there may be messages in place of nodes. Each is returned once,
in document order, under an id that is unique in the conversation, with the parent that the payload states somewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.wholeness import Tree
from mirror.values import as_dict, as_id, as_list, epoch_us, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mirror.rows import Message

    # Makes a row of a node's id, the id that it states for its parent, and its message; and names what it did not
    # understand.
    ReadMessage = Callable[[str, str | None, dict[str, Any]], tuple[Message, list[str]]]

_NOT_STATED = object()
# Children of a node that are kept with it. Larger: more memory than is reckoned for a node (``mirror.large_json``);
# smaller: a node of which an answer was made anew more often is parsed again.
FEW_CHILDREN = 8
_MESSAGE_KEYS = frozenset({"content", "author", "role", "text", "parts"})


@dataclass(slots=True)
class Node:
    """One node: its id, and the parent's id, which may be no node.

    Of the payload it knows its place, for a large tree is parsed node by node (``mirror.large_json``), and what places
    it among the others: ``stated_parent``, an id (``_NOT_STATED``: it says nothing of one), ``few_children``, the ids
    that it lists (None: they are many), ``created``: when its message was written, as ``epoch_us`` takes it.
    ``is_bare``: there is a text or a list in place of a node. ``row``: of its message, where that was read.
    """

    id: str
    entries: Any = field(repr=False)
    place: Any
    has_message: bool
    is_bare: bool = False
    stated_parent: object = None
    few_children: Sequence[str] | None = ()
    created: float | None = None
    row: Message | None = None
    parent: str | None = None

    @property
    def raw(self) -> dict[str, Any]:
        """The node as it is in the payload."""
        return _node_and_message(self.entries[self.place])[0]

    @property
    def message(self) -> dict[str, Any] | None:
        """The raw message, if the node holds one."""
        return _node_and_message(self.entries[self.place])[1]

    @property
    def children(self) -> Iterable[str]:
        """The ids that it lists as its children."""
        return _ids_in(as_list(self.raw.get("children"))) if self.few_children is None else self.few_children


@dataclass(slots=True)
class Nodes:
    """All nodes of a payload by our id, in document order; ``ids`` maps the payload's ids to ours.

    ``tree``: what tells whether its mapping is whole. ``not_understood``: counts of what its messages hold.
    ``repeats``: the next number for one more node of an id.
    """

    by_id: dict[str, Node] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    tree: Tree = field(default_factory=Tree)
    not_understood: dict[str, int] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)

    @property
    def message_count(self) -> int:
        """How many of them hold a message that is an object, and no bare text."""
        return sum(node.has_message and not node.is_bare for node in self.by_id.values())

    def id_of(self, name: object) -> str | None:
        """Return our id for an id of the payload; the cleaned name itself where no node has it."""
        stated = _stated_id(name)
        return self.ids.get(stated) or as_id(stated) if stated else None


def nodes_of(payload: dict[str, Any], read: ReadMessage | None = None) -> Nodes:
    """Return the nodes of a conversation with their parents resolved; ``read``: what makes the rows of their messages.

    Each node is looked at once: those of a large tree are parsed anew for each look (``mirror.large_json``).
    """
    nodes, is_flat = _collected(payload.get("mapping"), read), False
    tree = nodes.tree
    for key in ("messages", "linear_conversation"):
        # A tree that holds next to nothing, or is none, hides no list of messages beside it; nor the other way round.
        flat = _collected(payload.get(key), read)
        if flat.by_id and (flat.message_count, True) > (nodes.message_count, bool(nodes.by_id)):
            nodes, is_flat = flat, True
    nodes.tree = tree
    if is_flat:
        _chain_up(nodes)
    else:
        _find_parents(nodes)
    return nodes


def _stated_id(name: object) -> str | None:
    """Return an id as the payload writes it, for looking it up; a number as its digits."""
    return (name or None) if isinstance(name, str) else as_id(name)


def _ids_in(listed: list[Any]) -> Sequence[str]:
    return tuple([name for one in listed if (name := _stated_id(one))]) if listed else ()


def _stated_ids(key: object, raw: dict[str, Any], message: dict[str, Any] | None) -> list[str]:
    """Return the ids that a node has in the payload, the one that counts first."""
    own, inner = raw.get("id"), None if message is None else message.get("id")
    if isinstance(key, str) and key and key == own and (inner is None or key == inner):
        return [key]  # true of nearly every node
    return [name for name in map(_stated_id, (key, own, inner)) if name]


def _keyed(entries: object) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the key, the place and the value of each entry; those of a list have no key."""
    if isinstance(entries, dict):
        return ((key, key, entry) for key, entry in entries.items())
    return ((None, n, entry) for n, entry in enumerate(as_list(entries)))


def _collected(entries: object, read: ReadMessage | None) -> Nodes:
    nodes = Nodes(tree=Tree(as_dict(entries)))
    aliases: dict[str, str] = {}
    for n, (key, place, entry) in enumerate(_keyed(entries)):
        if key is not None:
            nodes.tree.add(key, entry)
        raw, message = _node_and_message(entry)
        stated = _stated_ids(key, raw, message)
        wanted = next((name for one in stated if (name := plain(one))), None) or f"node-{n}"
        known = nodes.by_id.get(wanted)
        if known is not None and _is_repeated(known, message):
            continue
        listed = as_list(raw.get("children"))
        node = Node(
            wanted if known is None else _free_id(nodes, wanted),
            entries,
            place,
            has_message=message is not None,
            is_bare=not isinstance(entry, dict),
            stated_parent=_stated_id(raw["parent"]) if "parent" in raw else _NOT_STATED,
            few_children=_ids_in(listed) if len(listed) <= FEW_CHILDREN else None,
        )
        if message is not None:
            _read(nodes, node, message, read)
        nodes.by_id[node.id] = node
        if stated:
            nodes.ids.setdefault(stated[0], node.id)
        for name in stated[1:]:
            if name != stated[0]:
                aliases.setdefault(name, node.id)
    # A key always means its own node, even where another node's message has the same id.
    nodes.ids = aliases | nodes.ids
    return nodes


def _read(nodes: Nodes, node: Node, message: dict[str, Any], read: ReadMessage | None) -> None:
    """Keep what a node's message comes to; the message itself is not kept."""
    created = message.get("create_time")
    node.created = created if isinstance(created, float) else epoch_us(created)
    if read is None:
        return
    stated = node.stated_parent
    parent = nodes.ids.get(stated, stated) if isinstance(stated, str) else None  # so that the same text is held once
    node.row, names = read(node.id, parent, message)
    for name in names:
        nodes.not_understood[name] = nodes.not_understood.get(name, 0) + 1


def _node_and_message(entry: object) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return an entry's node and message; a message alone is its own node, plain text a message."""
    if isinstance(entry, dict):
        raw = entry
    elif isinstance(entry, str | list) and entry:
        return {}, {"content": entry}
    else:
        raw = {}
    message = raw.get("message")
    if isinstance(message, dict):
        return raw, message
    if isinstance(message, str | list) and message:
        return raw, {**raw, "content": message}
    return raw, raw if _MESSAGE_KEYS & raw.keys() else None


def _is_repeated(known: Node, message: dict[str, Any] | None) -> bool:
    # Pages of a flat payload overlap; the same message twice is one.
    if not known.has_message or message is None:
        return False
    try:
        return known.message == message
    except RecursionError:
        return False


def _free_id(nodes: Nodes, wanted: str) -> str:
    n = nodes.repeats.get(wanted, 2)
    while f"{wanted}~{n}" in nodes.by_id:
        n += 1
    nodes.repeats[wanted] = n + 1
    return f"{wanted}~{n}"


def _stated_parent(node: Node) -> object:
    metadata = as_dict(as_dict(node.message).get("metadata"))
    stated = (node.raw.get("parent"), node.raw.get("parent_id"), metadata.get("parent_id"))
    return next(filter(None, map(_stated_id, stated)), None)


def _find_parents(nodes: Nodes) -> None:
    listed: dict[str, str] = {}
    for node in nodes.by_id.values():
        for child in node.children:
            if name := nodes.ids.get(child):
                listed.setdefault(name, node.id)
    for node in nodes.by_id.values():
        stated = nodes.ids.get(node.stated_parent) if isinstance(node.stated_parent, str) else None
        is_known = stated is not None and stated != node.id  # true of nearly every node
        node.parent = stated if is_known else _parent(node, nodes, listed.get(node.id))
    _join_dangling(nodes)


def _join_dangling(nodes: Nodes) -> None:
    """Let a message whose parent is missing follow the message before it, by time where all messages have one.

    Exports since June 2026 leave tool turns out, so that an answer's parent is no node (API notes §9). The first
    message keeps the name of its parent: another payload may hold it.
    """
    if not any(node.parent is not None and node.parent not in nodes.by_id for node in nodes.by_id.values()):
        return
    ordered = _in_time([node for node in nodes.by_id.values() if node.has_message])
    tops: dict[str, str] = {}
    before: list[str] = []  # without those below a later one of them, which come into question only if it does
    for node in ordered:
        if node.parent is not None and node.parent not in nodes.by_id:
            while before and _top(before[-1], nodes, tops) == node.id:
                before.pop()  # what is below the node itself would close a circle
            node.parent = before[-1] if before else node.parent
        before.append(node.id)


def _top(name: str, nodes: Nodes, tops: dict[str, str]) -> str:
    """Return the outermost node above one; ``tops`` shortens the way for the next search."""
    passed: dict[str, None] = {}
    while name not in passed:
        passed[name] = None
        above = tops.get(name, nodes.by_id[name].parent)
        if above is None or above not in nodes.by_id:
            break
        name = above
    tops.update({one: name for one in passed if one != name})
    return name


def _in_time(nodes: list[Node]) -> list[Node]:
    times = {node.id: epoch_us(node.created) for node in nodes}
    return nodes if None in times.values() else sorted(nodes, key=lambda node: times[node.id] or 0)


def _parent(node: Node, nodes: Nodes, lister: str | None) -> str | None:
    if node.stated_parent is not _NOT_STATED:
        stated = nodes.id_of(node.stated_parent)
        if stated in nodes.by_id and stated != node.id:
            return stated
        return lister if lister not in {None, node.id} else None if stated == node.id else stated
    if lister not in {None, node.id}:
        return lister
    hinted = nodes.id_of(_stated_parent(node))
    return hinted if hinted in nodes.by_id and hinted != node.id else None


def _chain_up(nodes: Nodes) -> None:
    before: str | None = None
    for node in nodes.by_id.values():
        stated = nodes.id_of(_stated_parent(node))
        known = stated in nodes.by_id and stated != node.id
        # The first one keeps a parent that this page lacks: an older payload may hold it.
        node.parent = stated if known or (before is None and stated != node.id) else before
        before = node.id
