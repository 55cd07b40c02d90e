"""The tree of one conversation: its nodes without their texts, and the way through it that a reader follows.

Each edited prompt and regenerated answer begins another branch. A path leads from the root to a leaf; where it passes a
fork it knows which of how many it took, so that a page can show "2 of 3" with the others one step away. Total for any
tree: missing parents, several roots and circles end a path, never a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable


class Sibling(Protocol):
    """What has a place in a tree."""

    @property
    def rowid(self) -> int:
        """The order of arrival, where times say nothing."""

    @property
    def parent_id(self) -> str | None:
        """The node above."""

    @property
    def created_at(self) -> str | None:
        """When it was written."""


T = TypeVar("T", bound=Sibling)


@dataclass(frozen=True, slots=True)
class Node:
    """A message without its text. ``size``: characters of it; ``hangs``: links or attachments hang on it."""

    rowid: int
    id: str
    parent_id: str | None
    position: int | None
    role: str | None
    kind: str
    created_at: str | None
    is_hidden: int
    size: int
    hangs: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of it to show."""
        return not (self.size or self.hangs)


@dataclass(frozen=True, slots=True)
class Fork:
    """Branch ``number`` of the ``branches``, node ids by age."""

    number: int
    branches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A node of a path, and the fork that it was reached through."""

    node: Node
    fork: Fork | None


_NODES = """
SELECT m.rowid, m.id, m.parent_id, m.position, m.role, m.kind, m.created_at, m.is_hidden, length(trim(m.text)),
  EXISTS (SELECT 1 FROM links l WHERE l.message_rowid = m.rowid)
  OR EXISTS (SELECT 1 FROM attachments a WHERE a.message_rowid = m.rowid)
FROM messages m WHERE m.conversation_id = ? ORDER BY m.position IS NULL, m.position, m.created_at, m.rowid
"""


def nodes(conn: sqlite3.Connection, conversation_id: str) -> list[Node]:
    """Return the nodes of a conversation, those of the visible branch first and in its order."""
    return [Node(*row) for row in conn.execute(_NODES, (conversation_id,))]


def path(found: list[Node], through: str | None = None) -> list[Step]:
    """Return the visible branch, or the one ``through`` a node: on from there the visible way, or the newest.

    An unknown node means the visible branch.
    """
    children = by_parent(found)
    known = {node.id: node for node in found}
    wanted = known.get(through) if through else None
    way = [node for node in found if node.position is not None]
    if wanted is None and not way and found:
        wanted = max(found, key=_age)
    if wanted is not None and wanted.position is None:
        above = _above(wanted, known)
        way = above + _below(wanted, children, {node.id for node in above})
    return [Step(node, _fork(node, children)) for node in way]


def by_parent(siblings: Iterable[T]) -> dict[str | None, list[T]]:
    """Return the answers to each node, oldest first."""
    children: dict[str | None, list[T]] = {}
    for node in siblings:
        children.setdefault(node.parent_id, []).append(node)
    for group in children.values():
        group.sort(key=_age)
    return children


def _age(node: Sibling) -> tuple[str, int]:
    return node.created_at or "", node.rowid


def _above(node: Node, known: dict[str, Node]) -> list[Node]:
    way, seen = [node], {node.id}
    while (above := known.get(way[-1].parent_id or "")) is not None and above.id not in seen:
        way.append(above)
        seen.add(above.id)
    return way[::-1]


def _below(node: Node, children: dict[str | None, list[Node]], seen: set[str]) -> list[Node]:
    way: list[Node] = []
    while answers := [child for child in children.get(node.id, []) if child.id not in seen]:
        node = next((child for child in answers if child.position is not None), answers[-1])
        way.append(node)
        seen.add(node.id)
    return way


def _fork(node: Node, children: dict[str | None, list[Node]]) -> Fork | None:
    ids = tuple(sibling.id for sibling in children[node.parent_id])
    return Fork(ids.index(node.id) + 1, ids) if len(ids) > 1 else None
