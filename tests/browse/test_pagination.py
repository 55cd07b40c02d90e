"""Which messages a page shows: each is on exactly one page, and a link opens the right one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.browse.pagination import CHARACTERS, MESSAGES, ShownMessage, messages_to_show, paginated
from mirror.store.branches import Fork, Step, TreeNode


def node(
    number: int, *, size: int = 10, kind: str = "text", hidden: bool = False, role: str = "user", has_file: bool = False
) -> TreeNode:
    return TreeNode(
        rowid=number,
        id=f"n{number}",
        parent_id=f"n{number - 1}",
        position=number,
        role=role,
        kind=kind,
        created_at=None,
        is_hidden=hidden,
        size=size,
        has_links_or_files=has_file,
    )


def path(*nodes: TreeNode, forks: dict[str, Fork] | None = None) -> list[Step]:
    return [Step(one, (forks or {}).get(one.id)) for one in nodes]


def ids(found: list[ShownMessage]) -> list[str]:
    return [one.node.id for one in found]


@given(st.lists(st.integers(1, CHARACTERS * 2), max_size=500))
def test_pages_hold_every_message_once(sizes: list[int]) -> None:
    """Pages follow each other, and only a single message may make one too long."""
    found = messages_to_show(
        path(*(node(n, size=size) for n, size in enumerate(sizes, 1))), hidden=False, reasoning=True
    )
    pages = paginated(found, 1, None).pages
    held = [paginated(found, page, None) for page in range(1, pages + 1)]
    assert [name for part in held for name in ids(part.messages)] == [f"n{n}" for n in range(1, len(sizes) + 1)]
    for number, part in enumerate(held, 1):
        assert part.page == number
        assert len(part.messages) <= MESSAGES
        assert len(part.messages) <= 1 or sum(one.node.size for one in part.messages) <= CHARACTERS
        assert not part.messages or part.messages[0].node.id == f"n{part.first}"


def test_a_message_is_on_its_page() -> None:
    """Without a page number, the page with the message; beyond the last page, the last."""
    found = messages_to_show(path(*(node(n) for n in range(1, 501))), hidden=False, reasoning=True)
    assert [paginated(found, None, wish).page for wish in (None, "n1", "n200", "n201", "n500", "nope")] == [
        1,
        1,
        1,
        2,
        3,
        1,
    ]
    assert [paginated(found, page, "n1").page for page in (-4, 0, 2, 3, 99)] == [1, 1, 2, 3, 3]
    assert paginated([], None, None).pages == 1


@pytest.mark.parametrize(
    ("one", "hidden", "reasoning", "is_there"),
    [
        (node(1), False, True, True),
        (node(1, size=0), True, True, False),
        (node(1, size=0, has_file=True), False, True, True),
        (node(1, hidden=True), False, True, False),
        (node(1, hidden=True), True, True, True),
        (node(1, hidden=True, kind="output", role="tool"), False, True, True),
        (node(1, hidden=True, kind="code", role="system"), False, True, False),
        (node(1, kind="reasoning"), False, False, False),
        (node(1, kind="reasoning", hidden=True), False, True, True),
    ],
)
def test_what_is_shown(one: TreeNode, hidden: bool, reasoning: bool, is_there: bool) -> None:
    """Empty nodes never, reasoning and hidden prompts on request, tool output always."""
    assert bool(messages_to_show(path(one), hidden=hidden, reasoning=reasoning)) is is_there


def test_forks_and_anchors_move_on_to_what_is_shown() -> None:
    """A branch that begins with a hidden message is offered at the next shown one."""
    fork = Fork(1, ("n2", "x"))
    found = messages_to_show(
        path(node(1), node(2, hidden=True), node(3, size=0), node(4), forks={"n2": fork}), hidden=False, reasoning=True
    )
    assert ids(found) == ["n1", "n4"]
    assert [one.fork for one in found] == [None, fork]
    assert [anchor.id for anchor in found[1].anchors] == ["n2", "n3"]
    assert paginated(found, None, "n2").page == 1


def test_pages_are_as_full_as_they_may_be() -> None:
    """No page is empty before a message that is too long, nor short after it."""
    sizes = [CHARACTERS * 2, *[CHARACTERS // 2] * 6]
    found = messages_to_show(
        path(*(node(n, size=size) for n, size in enumerate(sizes, 1))), hidden=False, reasoning=True
    )
    assert [len(paginated(found, page, None).messages) for page in (1, 2, 3, 4)] == [1, 2, 2, 2]
    assert paginated(found, 1, None).pages == 4


def test_a_link_to_what_is_not_shown_leads_to_the_page_of_the_next() -> None:
    """A fork is offered once, not at every message after it."""
    fork = Fork(1, ("n301", "x"))
    nodes = [node(n, hidden=n == 301) for n in range(1, 501)]
    found = messages_to_show(path(*nodes, forks={"n301": fork}), hidden=False, reasoning=True)
    assert paginated(found, None, "n301").page == 2
    assert [one.node.id for one in found if one.fork] == ["n302"]
