"""A conversation is a tree; a person sees one branch, from the root to a leaf (API notes §3.5).

Edits and regenerated answers leave siblings behind. The service says which leaf is shown (``current_node``); where it
does not, or names a node that does not exist or to which nothing leads that is shown, the newest leaf is taken. Real
trees have cycles, missing parents and several roots, and chains longer than the recursion limit: everything here loops,
and visits each node at most once.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from mirror.rows import row_with_position, with_parent
from mirror.values import epoch_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mirror.rows import Message


class Weight(NamedTuple):
    """What ranks a branch: when a message was written (microseconds since 1970), and if it is shown."""

    created_us: int | None = None
    is_readable: bool = False


_NO_WEIGHT = Weight()


def positioned(
    rows: Iterable[Message], parents: Mapping[str, str | None], current_node_id: str | None
) -> tuple[tuple[Message, ...], list[str]]:
    """Return the rows with their positions along the visible branch, and that branch as node ids.

    Rows without any structure are put below one another: they are one branch, and no row is another one's alternative.
    """
    rows = tuple(rows)
    is_tree = _is_tree(parents)
    branch = chain(parents, current_node_id) if is_tree else []
    if {row.id for row in rows if not row.is_hidden}.isdisjoint(branch):  # seldom: a message's time decides
        weight = {row.id: Weight(epoch_us(row.created_at), not row.is_hidden) for row in rows}
        branch = visible_branch(parents, current_node_id, weight)
    ids = {row.id for row in rows}
    said = [node for node in branch if node in ids]
    if not is_tree:
        above = dict(pairwise(reversed(said)))
        rows = tuple(with_parent(row, above.get(row.id)) for row in rows)
    positions = {node: n for n, node in enumerate(said, 1)}
    moved = (row if row.position == (at := positions.get(row.id)) else row_with_position(row, at) for row in rows)
    return tuple(moved), branch


def last_model(rows: Iterable[Message], branch: list[str]) -> str | None:
    """Return the model of the last message on the branch that names one, or None."""
    models = {row.id: row.model for row in rows}
    return next((models[node] for node in reversed(branch) if models.get(node)), None)


def visible_branch(
    parents: Mapping[str, str | None], current_node_id: str | None, weight: Mapping[str, Weight]
) -> list[str]:
    """Return the ids of the nodes that a person sees, root first.

    ``parents`` maps every node to its parent in document order; a parent that is no node ends the chain. ``weight``
    knows the nodes that hold a message. Nodes without any structure are one branch, by time if all messages have one.
    """
    if not _is_tree(parents):
        return _by_time(parents, weight)
    branch = chain(parents, current_node_id)
    if not branch or (_shows_something(weight, weight) and not _shows_something(branch, weight)):
        return chain(parents, newest_leaf(parents, weight))
    return branch


def _shows_something(nodes: Iterable[str], weight: Mapping[str, Weight]) -> bool:
    return any(weight.get(node, _NO_WEIGHT).is_readable for node in nodes)


def _is_tree(parents: Mapping[str, str | None]) -> bool:
    """Whether the nodes have a structure; several without any are a mere list of messages."""
    return len(parents) < 2 or any(parent is not None for parent in parents.values())  # noqa: PLR2004 - several


def chain(parents: Mapping[str, str | None], leaf: str | None) -> list[str]:
    """Return the nodes from the root to ``leaf``; a cycle ends where it closes."""
    if leaf is None or leaf not in parents:
        return []
    above = (node for node in ancestors(parents, leaf) if node in parents)
    return [leaf, *above][::-1]


def ancestors(parents: Mapping[str, str | None], node: str) -> Iterator[str]:
    """Yield the parent of a node, the parent's parent and so on; a cycle ends where it closes."""
    seen = {node}
    above = parents.get(node)
    while above is not None and above not in seen:
        yield above
        seen.add(above)
        above = parents.get(above)


def _by_time(parents: Iterable[str], weight: Mapping[str, Weight]) -> list[str]:
    nodes = list(parents)
    times = {node: weight[node].created_us for node in nodes if node in weight}
    if any(time is None for time in times.values()):
        return nodes
    return sorted(nodes, key=lambda node: times.get(node) or 0)


def newest_leaf(parents: Mapping[str, str | None], weight: Mapping[str, Weight]) -> str | None:
    """Return the leaf of the branch that shows something and ends last, by time, then by order."""
    inner = set(parents.values())
    leaves = [node for node in parents if node not in inner] or list(parents)
    if len(leaves) == 1:
        return leaves[0]
    branch = _branch_weights(parents, weight)
    ranked = [(branch[node].is_readable, branch[node].created_us or 0, n) for n, node in enumerate(leaves)]
    return leaves[max(ranked)[2]] if ranked else None


def _branch_weights(parents: Mapping[str, str | None], weight: Mapping[str, Weight]) -> dict[str, Weight]:
    """Return for each node whether its chain shows anything, and the time of its last dated message."""
    known: dict[str, Weight] = {}
    for start in parents:
        path: dict[str, None] = {}
        node: str | None = start
        while node is not None and node in parents and node not in known and node not in path:
            path[node] = None
            node = parents[node]
        above = known.get(node, _NO_WEIGHT) if node is not None else _NO_WEIGHT
        for step in reversed(path):
            own = weight.get(step, _NO_WEIGHT)
            time = above.created_us if own.created_us is None else own.created_us
            above = known[step] = Weight(time, own.is_readable or above.is_readable)
    return known
