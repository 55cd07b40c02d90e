"""The tree of one conversation, without texts, and the path through it that a reader follows.

Each edited prompt and regenerated answer begins another branch. A path leads from the root to a leaf; at each fork it
knows which branch of how many it took, so that a page can show "2 of 3" with links to the others. Any tree is read:
missing parents, several roots and circles end a path, never the program.
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
        """The order of arrival, which decides between equal times."""

    @property
    def parent_id(self) -> str | None:
        """The node above."""

    @property
    def created_at(self) -> str | None:
        """When it was written."""


T = TypeVar("T", bound=Sibling)


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A message without its text, of which ``size`` is the length in characters."""

    rowid: int
    id: str
    parent_id: str | None
    position: int | None
    role: str | None
    kind: str
    created_at: str | None
    is_hidden: bool
    size: int
    has_links_or_files: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of it to show."""
        return not (self.size or self.has_links_or_files)


@dataclass(frozen=True, slots=True)
class Fork:
    """Branch ``number`` of the ``branches``, which are node ids, oldest first; one tuple for all branches of a fork."""

    number: int
    branches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A node of a path, and the fork at which the path took it."""

    node: TreeNode
    fork: Fork | None


_NODES = """
SELECT m.rowid, m.id, m.parent_id, m.position, m.role, m.kind, m.created_at, m.is_hidden, length(trim(m.text)) AS size,
  EXISTS (SELECT 1 FROM links l WHERE l.message_rowid = m.rowid)
  OR EXISTS (SELECT 1 FROM attachments a WHERE a.message_rowid = m.rowid) AS has_links_or_files
FROM messages m WHERE m.conversation_id = ? ORDER BY m.position IS NULL, m.position, m.created_at, m.rowid
"""


def tree_nodes(conn: sqlite3.Connection, conversation_id: str) -> list[TreeNode]:
    """Return the nodes of a conversation, those of the visible branch first and in its order."""
    return [
        TreeNode(
            rowid=row["rowid"],
            id=row["id"],
            parent_id=row["parent_id"],
            position=row["position"],
            role=row["role"],
            kind=row["kind"],
            created_at=row["created_at"],
            is_hidden=bool(row["is_hidden"]),
            size=row["size"],
            has_links_or_files=bool(row["has_links_or_files"]),
        )
        for row in conn.execute(_NODES, (conversation_id,))
    ]


def path_through(nodes: list[TreeNode], wanted_id: str | None = None) -> list[Step]:
    """Return the visible branch, or the branch with a wanted node.

    Below that node it goes on to visible answers, or to the newest. An unknown node means the visible branch; where
    none is visible, the newest one.
    """
    children = by_parent(nodes)
    known = {node.id: node for node in nodes}
    wanted = known.get(wanted_id) if wanted_id else None
    path = [node for node in nodes if node.position is not None]
    if wanted is None and not path and nodes:
        wanted = max(nodes, key=_by_age)
    if wanted is not None and wanted.position is None:
        above = _up_to_root(wanted, known)
        path = above + _down_to_leaf(wanted, children, {node.id for node in above})
    return with_forks(path, children)


def with_forks(path: Iterable[TreeNode], children: dict[str | None, list[TreeNode]]) -> list[Step]:
    """Return each node with the fork at which it is taken; ``children``: all nodes, as ``by_parent`` returns them."""
    forks: dict[str, Fork] = {}
    seen: set[str | None] = set()  # each group of siblings is looked at once: a list without parents is one large group
    steps = []
    for node in path:
        if node.parent_id not in seen:
            seen.add(node.parent_id)
            ids = tuple(sibling.id for sibling in children[node.parent_id])
            if len(ids) > 1:
                forks |= {name: Fork(number, ids) for number, name in enumerate(ids, 1)}
        steps.append(Step(node, forks.get(node.id)))
    return steps


def by_parent(siblings: Iterable[T]) -> dict[str | None, list[T]]:
    """Return the answers to each node, oldest first."""
    children: dict[str | None, list[T]] = {}
    for node in siblings:
        children.setdefault(node.parent_id, []).append(node)
    for group in children.values():
        group.sort(key=_by_age)
    return children


def _by_age(node: Sibling) -> tuple[str, int]:
    return node.created_at or "", node.rowid


def _up_to_root(node: TreeNode, known: dict[str, TreeNode]) -> list[TreeNode]:
    path, seen = [node], {node.id}
    while (above := known.get(path[-1].parent_id or "")) is not None and above.id not in seen:
        path.append(above)
        seen.add(above.id)
    return path[::-1]


def _down_to_leaf(node: TreeNode, children: dict[str | None, list[TreeNode]], seen: set[str]) -> list[TreeNode]:
    path: list[TreeNode] = []
    while answers := [child for child in children.get(node.id, []) if child.id not in seen]:
        node = next((child for child in answers if child.position is not None), answers[-1])
        path.append(node)
        seen.add(node.id)
    return path
