"""The path through a tree: which nodes a reader sees, and where other branches begin."""

from __future__ import annotations

from contextlib import closing

from mirrors import add, add_conversation, add_message, open_mirror

from mirror.store.branches import Fork, Step, TreeNode, path_through, tree_nodes


def node(
    name: str, parent: str | None = None, position: int | None = None, *, at: str | None = None, size: int = 1
) -> TreeNode:
    """Return a node; its number is the order of arrival."""
    number = int("".join(c for c in name if c.isdigit()) or 0)
    return TreeNode(
        rowid=number,
        id=name,
        parent_id=parent,
        position=position,
        role="user",
        kind="text",
        created_at=at,
        is_hidden=False,
        size=size,
        has_links_or_files=False,
    )


def ids(way: list[Step]) -> list[str]:
    return [step.node.id for step in way]


# 1 - 2 - 4 is what the service shows; 3 is another answer, 5 answers that one, 6 is a third answer.
TREE = [
    node("n1", None, 1),
    node("n2", "n1", 2),
    node("n4", "n2", 3),
    node("n3", "n1"),
    node("n5", "n3"),
    node("n6", "n1"),
]


def test_the_visible_branch_is_the_path() -> None:
    """Without a wanted node, for an unknown one, and for one that is on it."""
    for wanted in (None, "", "nope", "n1", "n2", "n4"):
        assert ids(path_through(TREE, wanted)) == ["n1", "n2", "n4"]


def test_a_fork_knows_its_branches_by_age() -> None:
    """Two of three, the others by id; a single answer is no fork."""
    assert [step.fork for step in path_through(TREE)] == [None, Fork(1, ("n2", "n3", "n6")), None]
    assert [step.fork for step in path_through(TREE, "n5")] == [None, Fork(2, ("n2", "n3", "n6")), None]
    late = [node("n1", None, 1), node("n2", "n1", 2, at="2025"), node("n3", "n1", at="2024")]
    assert path_through(late)[1].fork == Fork(2, ("n3", "n2"))


def test_the_branches_of_a_fork_are_held_once() -> None:
    """However many there are: where each held the ids of all, twenty thousand took gigabytes of memory."""
    listed = [node(f"n{n}", None, n) for n in range(1, 2_000)]
    forks = [step.fork for step in path_through(listed)]
    assert [fork.number for fork in forks if fork] == list(range(1, 2_000))
    assert len({id(fork.branches) for fork in forks if fork}) == 1


def test_a_path_goes_through_the_wanted_node_and_on() -> None:
    """The path goes up to the root, and down along visible answers or the newest."""
    assert ids(path_through(TREE, "n3")) == ["n1", "n3", "n5"]
    assert ids(path_through(TREE, "n6")) == ["n1", "n6"]
    deeper = [*TREE, node("n7", "n3")]
    assert ids(path_through(deeper, "n3")) == ["n1", "n3", "n7"]


def test_without_a_visible_branch_the_newest_leaf_leads() -> None:
    """Without a visible branch, the path leads to what was written last."""
    assert ids(path_through([node("n1"), node("n2", "n1"), node("n3", "n1")])) == ["n1", "n3"]
    assert path_through([]) == []


def test_broken_trees_end() -> None:
    """Missing parents, several roots and circles end a path, not the program."""
    assert ids(path_through([node("n1", "gone"), node("n2", "n1")], "n2")) == ["n1", "n2"]
    assert ids(path_through([node("n1", "n2"), node("n2", "n1")], "n1")) == ["n2", "n1"]
    assert ids(path_through([node("n1", "n1")], "n1")) == ["n1"]
    roots = [node("n1"), node("n2")]
    assert ids(path_through(roots, "n1")) == ["n1"]
    assert path_through(roots, "n1")[0].fork == Fork(1, ("n1", "n2"))


def test_a_very_long_chain_is_walked() -> None:
    """A hundred thousand messages, none of them visible, need no recursion."""
    chain = [node("n0"), *(node(f"n{n}", f"n{n - 1}") for n in range(1, 100_000))]
    assert len(path_through(chain, "n5")) == 100_000


def test_below_the_wanted_node_visible_answers_come_first() -> None:
    """In a broken tree a visible node below another branch is followed before a newer one."""
    assert ids(path_through([node("n2", "n1", 1), node("n1"), node("n3", "n1")], "n1")) == ["n1", "n2"]


def test_nodes_come_from_a_mirror_in_the_order_of_the_visible_branch() -> None:
    """In the branch's order, not the stored one; blanks are no text, a link is something to show."""
    with closing(open_mirror()) as conn:
        add_conversation(conn, "c1", "x")
        for name, text, position in (("n3", "z", None), ("n2", "  ", 2), ("n1", "a", 1), ("n4", "", 3)):
            rowid = add_message(conn, "c1", name, text, position=position)
        add(conn, "links", message_rowid=rowid, position=1, url="https://example.org", kind="citation")
        found = tree_nodes(conn, "c1")
    assert [(one.id, one.is_empty) for one in found] == [("n1", False), ("n2", True), ("n4", False), ("n3", False)]
