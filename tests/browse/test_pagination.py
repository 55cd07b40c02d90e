"""Which messages a page shows: every one on exactly one page, and each wish on the right one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.browse.pagination import CHARACTERS, MESSAGES, shown, window
from mirror.store.branches import Fork, Node, Step


def node(number, *, size=10, kind="text", hidden=0, role="user", hangs=0):
    return Node(number, f"n{number}", f"n{number - 1}", number, role, kind, None, hidden, size, hangs)


def way(*nodes, forks=None):
    return [Step(one, (forks or {}).get(one.id)) for one in nodes]


def ids(found):
    return [one.node.id for one in found]


@given(st.lists(st.integers(1, CHARACTERS * 2), max_size=500))
def test_pages_hold_every_message_once(sizes):
    """Whatever the messages' lengths, the pages follow each other, and none but a single message is too long."""
    found = shown(way(*(node(n, size=size) for n, size in enumerate(sizes, 1))), hidden=False, reasoning=True)
    pages = window(found, 1, None).pages
    held = [window(found, page, None) for page in range(1, pages + 1)]
    assert [name for part in held for name in ids(part.shown)] == [f"n{n}" for n in range(1, len(sizes) + 1)]
    for number, part in enumerate(held, 1):
        assert part.page == number
        assert len(part.shown) <= MESSAGES
        assert len(part.shown) <= 1 or sum(one.node.size for one in part.shown) <= CHARACTERS
        assert not part.shown or part.shown[0].node.id == f"n{part.first}"


def test_a_message_is_on_its_page():
    """The page that is not named is the one that holds the message; what is beyond the last page is the last."""
    found = shown(way(*(node(n) for n in range(1, 501))), hidden=False, reasoning=True)
    assert [window(found, None, wish).page for wish in (None, "n1", "n200", "n201", "n500", "nope")] == [
        1,
        1,
        1,
        2,
        3,
        1,
    ]
    assert [window(found, page, "n1").page for page in (-4, 0, 2, 3, 99)] == [1, 1, 2, 3, 3]
    assert window([], None, None).pages == 1


@pytest.mark.parametrize(
    ("one", "hidden", "reasoning", "is_there"),
    [
        (node(1), False, True, True),
        (node(1, size=0), True, True, False),
        (node(1, size=0, hangs=1), False, True, True),
        (node(1, hidden=1), False, True, False),
        (node(1, hidden=1), True, True, True),
        (node(1, hidden=1, kind="output", role="tool"), False, True, True),
        (node(1, hidden=1, kind="code", role="system"), False, True, False),
        (node(1, kind="reasoning"), False, False, False),
        (node(1, kind="reasoning", hidden=1), False, True, True),
    ],
)
def test_what_is_shown(one, hidden, reasoning, is_there):
    """Empty nodes never, thoughts and hidden prompts as wished, what tools said always."""
    assert bool(shown(way(one), hidden=hidden, reasoning=reasoning)) is is_there


def test_forks_and_anchors_move_on_to_what_is_shown():
    """A branch that begins with a hidden message is offered at the next one, and a link to it leads there."""
    fork = Fork(1, ("n2", "x"))
    found = shown(
        way(node(1), node(2, hidden=1), node(3, size=0), node(4), forks={"n2": fork}), hidden=False, reasoning=True
    )
    assert ids(found) == ["n1", "n4"]
    assert [one.fork for one in found] == [None, fork]
    assert [anchor.id for anchor in found[1].anchors] == ["n2", "n3"]
    assert window(found, None, "n2").page == 1


def test_pages_are_as_full_as_they_may_be():
    """No empty page before a message that is too long for one, and no page for each message after it."""
    sizes = [CHARACTERS * 2, *[CHARACTERS // 2] * 6]
    found = shown(way(*(node(n, size=size) for n, size in enumerate(sizes, 1))), hidden=False, reasoning=True)
    assert [len(window(found, page, None).shown) for page in (1, 2, 3, 4)] == [1, 2, 2, 2]
    assert window(found, 1, None).pages == 4


def test_a_link_to_what_is_not_shown_leads_to_the_page_of_the_next():
    """And a fork is offered once, not at every message after it."""
    fork = Fork(1, ("n301", "x"))
    nodes = [node(n, hidden=int(n == 301)) for n in range(1, 501)]
    found = shown(way(*nodes, forks={"n301": fork}), hidden=False, reasoning=True)
    assert window(found, None, "n301").page == 2
    assert [one.node.id for one in found if one.fork] == ["n302"]
