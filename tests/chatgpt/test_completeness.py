"""Trees that contradict themselves, the list, or what is stored."""

from __future__ import annotations

import pytest
from trees import T0, tree

from mirror.chatgpt.completeness import soft_doubt, structural_doubt

LAST = int((T0 + 4) * 1_000_000)


def bent(**changes):
    return {**tree("q", "a", "q2", "a2"), **changes}


def without(*nodes):
    whole = tree("q", "a", "q2", "a2")
    return {**whole, "mapping": {key: node for key, node in whole["mapping"].items() if key not in nodes}}


def test_a_whole_tree_is_believed():
    """Nothing is held against a tree that hangs together and is as long as what is stored."""
    assert structural_doubt(bent(), 4) is None
    assert soft_doubt(bent(), LAST, 0) is None


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {},
        {"mapping": {}},
        {"mapping": []},
        bent(current_node="elsewhere"),
        bent(current_node=None),
        without("n4"),
        without("n1"),
        without("n2"),
        without("root"),
        without("n1", "n2", "n3", "n4"),
    ],
)
def test_a_tree_that_lacks_a_part_is_doubted(payload):
    """Every way of cutting a tree that leaves a loose end is noticed."""
    assert structural_doubt(payload, 0) is not None


def test_fewer_messages_than_are_stored_are_doubted():
    """A smaller tree never replaces a bigger one unproven."""
    assert structural_doubt(bent(), 5) is not None


def test_a_later_time_in_the_list_is_a_smell():
    """The list shows a change that no message of the tree tells of."""
    assert soft_doubt(bent(), LAST + 3600 * 1_000_000, 4) is not None
    assert soft_doubt(bent(), LAST + 60 * 1_000_000, 4) is None
    assert soft_doubt(bent(), None, 4) is None


def test_a_new_chat_that_ends_with_a_question_is_a_smell():
    """A chat never seen before whose last word is the person's may have been cut there."""
    assert soft_doubt(tree("q", "a", "q2"), None, 0) is not None
    assert soft_doubt(tree("q", "a", "q2"), None, 2) is None
