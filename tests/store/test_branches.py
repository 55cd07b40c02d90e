"""The way through a tree: which nodes a reader meets, and where others branch off."""

from __future__ import annotations

from contextlib import closing

from mirrors import add, add_conversation, add_message, open_mirror

from mirror.store.branches import Fork, Node, nodes, path


def node(name, parent=None, position=None, *, at=None, size=1):
    """Return a node; its number is the order of arrival."""
    number = int("".join(c for c in name if c.isdigit()) or 0)
    return Node(number, name, parent, position, "user", "text", at, 0, size, 0)


def ids(way):
    return [step.node.id for step in way]


# 1 - 2 - 4 is what the service shows; 3 is another answer, 5 hangs on it, 6 is a third one.
TREE = [
    node("n1", None, 1),
    node("n2", "n1", 2),
    node("n4", "n2", 3),
    node("n3", "n1"),
    node("n5", "n3"),
    node("n6", "n1"),
]


def test_the_visible_branch_is_the_way():
    """Without a wish, and for one that makes no sense."""
    for wish in (None, "", "nope", "n1", "n2", "n4"):
        assert ids(path(TREE, wish)) == ["n1", "n2", "n4"]


def test_a_fork_knows_its_branches_by_age():
    """Two of three, the others by name; where there is no choice there is no fork."""
    assert [step.fork for step in path(TREE)] == [None, Fork(1, ("n2", "n3", "n6")), None]
    assert [step.fork for step in path(TREE, "n5")] == [None, Fork(2, ("n2", "n3", "n6")), None]
    late = [node("n1", None, 1), node("n2", "n1", 2, at="2025"), node("n3", "n1", at="2024")]
    assert path(late)[1].fork == Fork(2, ("n3", "n2"))


def test_a_wish_leads_through_its_node_and_on():
    """Above it to the root, below it the visible way or the newest."""
    assert ids(path(TREE, "n3")) == ["n1", "n3", "n5"]
    assert ids(path(TREE, "n6")) == ["n1", "n6"]
    deeper = [*TREE, node("n7", "n3")]
    assert ids(path(deeper, "n3")) == ["n1", "n3", "n7"]


def test_without_a_visible_branch_the_newest_leaf_leads():
    """A broken current node loses nothing: the way leads to what was written last."""
    assert ids(path([node("n1"), node("n2", "n1"), node("n3", "n1")])) == ["n1", "n3"]
    assert path([]) == []


def test_broken_trees_end():
    """Missing parents, several roots and circles end a way, not a program."""
    assert ids(path([node("n1", "gone"), node("n2", "n1")], "n2")) == ["n1", "n2"]
    assert ids(path([node("n1", "n2"), node("n2", "n1")], "n1")) == ["n2", "n1"]
    assert ids(path([node("n1", "n1")], "n1")) == ["n1"]
    roots = [node("n1"), node("n2")]
    assert ids(path(roots, "n1")) == ["n1"]
    assert path(roots, "n1")[0].fork == Fork(1, ("n1", "n2"))


def test_a_very_long_chain_is_walked():
    """A hundred thousand messages, none of them visible."""
    chain = [node("n0"), *(node(f"n{n}", f"n{n - 1}") for n in range(1, 100_000))]
    assert len(path(chain, "n5")) == 100_000


def test_below_a_wish_the_visible_way_goes_first():
    """A broken tree may hang a visible node under another branch: it leads on, though a newer answer is there."""
    assert ids(path([node("n2", "n1", 1), node("n1"), node("n3", "n1")], "n1")) == ["n1", "n2"]


def test_nodes_come_from_a_mirror_in_the_order_of_the_visible_branch():
    """Whatever order they were stored in; blanks alone are no text, a link is something to show."""
    with closing(open_mirror()) as conn:
        add_conversation(conn, "c1", "x")
        for name, text, position in (("n3", "z", None), ("n2", "  ", 2), ("n1", "a", 1), ("n4", "", 3)):
            rowid = add_message(conn, "c1", name, text, position=position)
        add(conn, "links", message_rowid=rowid, position=1, url="https://example.org", kind="citation")
        found = nodes(conn, "c1")
    assert [(one.id, one.is_empty) for one in found] == [("n1", False), ("n2", True), ("n4", False), ("n3", False)]
