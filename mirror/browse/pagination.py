"""Which messages of a path a page shows, and the part of a long one that a browser is given at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirror.store.branches import Fork, Node, Step

MESSAGES, CHARACTERS = 200, 150_000  # of one page; whichever comes first
_BEHIND = frozenset({"text", "context"})  # kinds that, hidden at the service, come only when asked for


@dataclass(frozen=True, slots=True)
class Shown:
    """A message to show, the fork it was reached through, and the nodes without a place of their own before it."""

    node: Node
    fork: Fork | None
    anchors: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """One page of a path: ``page`` of ``pages``, whose first message is number ``first``."""

    shown: list[Shown]
    page: int
    pages: int
    first: int


def shown(way: list[Step], *, hidden: bool, reasoning: bool) -> list[Shown]:
    """Return what is shown of a path. A fork at a node that is not shown stands at the next one that is."""
    found: list[Shown] = []
    fork: Fork | None = None
    anchors: list[Node] = []
    for step in way:
        fork = step.fork or fork
        if not _is_shown(step.node, hidden=hidden, reasoning=reasoning):
            anchors.append(step.node)
            continue
        found.append(Shown(step.node, fork, tuple(anchors)))
        fork, anchors = None, []
    return found


def _is_shown(node: Node, *, hidden: bool, reasoning: bool) -> bool:
    if node.is_empty or (node.kind == "reasoning" and not reasoning):
        return False
    return hidden or not node.is_hidden or (node.kind not in _BEHIND and node.role != "system")


def window(found: list[Shown], page: int | None, message: str | None) -> Window:
    """Return the ``page`` asked for, else the one that holds ``message``, else the first."""
    starts = _starts(found)
    if page is None:
        at = next((n for n, one in enumerate(found) if message in {one.node.id, *(a.id for a in one.anchors)}), 0)
        page = sum(1 for start in starts if start <= at)
    page = min(max(1, page), len(starts))
    begin = starts[page - 1]
    end = starts[page] if page < len(starts) else len(found)
    return Window(found[begin:end], page, len(starts), begin + 1)


def _starts(found: list[Shown]) -> list[int]:
    starts, size = [0], 0
    for n, one in enumerate(found):
        if n > starts[-1] and (size + one.node.size > CHARACTERS or n - starts[-1] >= MESSAGES):
            starts.append(n)
            size = 0
        size += one.node.size
    return starts
