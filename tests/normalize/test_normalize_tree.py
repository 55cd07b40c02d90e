"""Which branch a person sees, also in trees that no service should send."""

from __future__ import annotations

import random

import pytest

from mirror.normalize.tree import Weight, visible_branch

SAID = Weight(1, is_readable=True)


def at(us: int, *, readable: bool = True) -> Weight:
    """A message written at this time."""
    return Weight(us, is_readable=readable)


def test_the_shown_answer_is_the_branch_and_its_siblings_are_not() -> None:
    """Of a question asked twice, the chat shows the answer that is current."""
    parents = {"root": None, "q": "root", "old": "q", "new": "q"}
    assert visible_branch(parents, "old", dict.fromkeys(parents, SAID)) == ["root", "q", "old"]


def test_without_a_current_node_the_newest_leaf_is_shown() -> None:
    """An export without ``current_node`` still opens at its newest answer; ties go to the later one."""
    parents = {"root": None, "q": "root", "new": "q", "old": "q"}
    weight = {"q": at(5), "new": at(9), "old": at(7)}
    assert visible_branch(parents, None, weight)[-1] == "new"
    assert visible_branch(parents, "gone", weight)[-1] == "new"
    assert visible_branch(parents, None, dict.fromkeys(parents, SAID))[-1] == "old"
    assert visible_branch(parents, None, {})[-1] == "old"


def test_an_undated_leaf_counts_as_old_as_its_branch() -> None:
    """A last node without a time does not lose against an older branch."""
    parents = {"root": None, "a": "root", "a2": "a", "b": "root"}
    assert visible_branch(parents, None, {"a": at(9), "a2": Weight(None, is_readable=True), "b": at(5)})[-1] == "a2"


def test_a_branch_with_something_to_show_is_preferred() -> None:
    """An empty stray node, however new, does not hide the conversation."""
    parents = {"root": None, "q": "root", "a": "q", "stray": None}
    weight = {"q": at(1), "a": at(2), "stray": at(99, readable=False)}
    assert visible_branch(parents, None, weight) == ["root", "q", "a"]


@pytest.mark.parametrize("current", ["root", "hidden"])
def test_a_current_node_with_nothing_to_show_above_it_hides_no_conversation(current: str) -> None:
    """A root without a message, or a hidden one, is no branch that a person sees while there is one that they can."""
    parents = {"root": None, "hidden": "root", "old": "hidden", "new": "hidden"}
    weight = {"hidden": at(1, readable=False), "old": at(2), "new": at(3)}
    assert visible_branch(parents, current, weight) == ["root", "hidden", "new"]
    assert visible_branch(parents, current, {"hidden": at(1, readable=False)})[-1] == current


def test_cycles_and_gaps_end_the_chain() -> None:
    """Of a broken tree the connected part is shown, each node once."""
    assert visible_branch({"a": "b", "b": "a"}, "a", {}) == ["b", "a"]
    assert visible_branch({"a": "a"}, None, {}) == ["a"]
    assert visible_branch({"a": "lost", "b": "a"}, "b", {}) == ["a", "b"]
    assert visible_branch({}, "x", {}) == []


def test_several_roots_are_not_mixed() -> None:
    """With some structure, only the chain of the current node is shown."""
    assert visible_branch({"r1": None, "r2": None, "m": "r2"}, "m", {}) == ["r2", "m"]


def test_nodes_without_any_structure_are_one_conversation_in_time() -> None:
    """A list of bare messages reads from top to bottom, by time where every message has one."""
    parents = dict.fromkeys("abc")
    assert visible_branch(parents, "b", {}) == ["a", "b", "c"]
    assert visible_branch(parents, "b", {"a": at(3), "b": at(1), "c": at(2)}) == ["b", "c", "a"]
    assert visible_branch(parents, "b", {"a": at(3), "b": at(1), "c": Weight()}) == ["a", "b", "c"]


@pytest.mark.timeout(60)  # what takes the square of this number would take longer, what does not a second
def test_a_chain_of_a_hundred_thousand_nodes_takes_no_time() -> None:
    """The longest chat opens at once, in whatever order its nodes come, with and without a current node."""
    names = [str(n) for n in range(100_000)]
    links = list(zip(names, [None, *names], strict=False))
    random.Random(7).shuffle(links)
    parents = {**dict(links), "side": "0"}
    weight = {name: Weight(1 + int(name), is_readable=True) for name in names}
    assert visible_branch(parents, "99999", weight) == names
    assert visible_branch(parents, None, weight) == names
