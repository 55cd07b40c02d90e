"""Which messages of a path a page shows, and how a long conversation is divided into pages."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mirror.store.branches import Fork, Step, TreeNode

# Of one page, whichever comes first. By judgement: longer pages take a phone seconds to lay out, shorter ones make
# readers turn pages all the time.
MESSAGES, CHARACTERS = 200, 150_000
# Of a conversation that is shown on one page when asked for. Larger: the page takes more than some seconds to make, and
# a browser as long to lay out; smaller: what would still fit comes in pages.
MOST_MESSAGES, MOST_CHARACTERS = 2_000, 2_000_000
# Pages before and after the one shown that are links; by judgement: with dates all of them fit one line.
NEAR = 1
_ON_REQUEST = frozenset({"text", "context"})  # kinds that are shown only on request where the service hides them


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message to show, the fork that leads to it, and the nodes before it that are not shown."""

    node: TreeNode
    fork: Fork | None
    anchors: tuple[TreeNode, ...]


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One page of a path: ``page`` of ``pages``, whose first message is number ``first``.

    ``starts``: of each page, where in the path it begins, from 0.
    """

    messages: list[ShownMessage]
    page: int
    pages: int
    first: int
    starts: list[int]

    def page_with(self, place: int) -> int:
        """Return the page of the message at a place of the path, from 0."""
        return bisect_right(self.starts, place)

    @property
    def near(self) -> list[int]:
        """The pages to which links lead: the first, the last, and those around this one."""
        around = range(max(1, self.page - NEAR), min(self.pages, self.page + NEAR) + 1)
        return sorted({1, *around, self.pages})


def messages_to_show(path: list[Step], *, hidden: bool, reasoning: bool) -> list[ShownMessage]:
    """Return what is shown of a path; a fork at a node that is not goes to the next one that is."""
    shown: list[ShownMessage] = []
    fork: Fork | None = None
    anchors: list[TreeNode] = []
    for step in path:
        fork = step.fork or fork
        if not _is_shown(step.node, hidden=hidden, reasoning=reasoning):
            anchors.append(step.node)
            continue
        shown.append(ShownMessage(step.node, fork, tuple(anchors)))
        fork, anchors = None, []
    return shown


def _is_shown(node: TreeNode, *, hidden: bool, reasoning: bool) -> bool:
    if node.is_empty or (node.kind == "reasoning" and not reasoning):
        return False
    return hidden or not node.is_hidden or (node.kind not in _ON_REQUEST and node.role != "system")


def paginated(shown: list[ShownMessage], page: int | None, message_id: str | None) -> MessagePage:
    """Return the ``page`` asked for; without one, the page with that message, or the first."""
    starts = _starts(shown)
    if page is None:
        at = next((n for n, one in enumerate(shown) if message_id in {one.node.id, *(a.id for a in one.anchors)}), 0)
        page = bisect_right(starts, at)
    page = min(max(1, page), len(starts))
    begin = starts[page - 1]
    end = starts[page] if page < len(starts) else len(shown)
    return MessagePage(shown[begin:end], page, len(starts), begin + 1, starts)


def fit_one_page(shown: list[ShownMessage]) -> bool:
    """Return whether messages can be shown on one page."""
    return len(shown) <= MOST_MESSAGES and sum(one.node.size for one in shown) <= MOST_CHARACTERS


def _starts(shown: list[ShownMessage]) -> list[int]:
    starts, size = [0], 0
    for n, one in enumerate(shown):
        if n > starts[-1] and (size + one.node.size > CHARACTERS or n - starts[-1] >= MESSAGES):
            starts.append(n)
            size = 0
        size += one.node.size
    return starts
