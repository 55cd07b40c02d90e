"""Trees that contradict themselves, the list, or what is stored."""

from __future__ import annotations

from typing import Any

import pytest
from trees import T0, tree

from mirror.chatgpt.completeness import (
    NO_MESSAGES,
    contradiction_in,
    is_empty_conversation,
    is_of_another_conversation,
    node_count,
    outdated_reason,
)

LAST_US = int((T0 + 4) * 1_000_000)
MINUTE_US = 60 * 1_000_000
Payload = dict[str, Any]


def changed(**changes: Any) -> Payload:
    return {**tree("q", "a", "q2", "a2"), **changes}


def without(*nodes: str) -> Payload:
    whole = tree("q", "a", "q2", "a2")
    return {**whole, "mapping": {key: node for key, node in whole["mapping"].items() if key not in nodes}}


def with_node(node_id: str, **fields: Any) -> Payload:
    whole = tree("q", "a", "q2", "a2")
    whole["mapping"][node_id] = {**whole["mapping"].get(node_id, {}), **fields}
    return whole


def emptied(root_fields: dict[str, Any] | None = None, **fields: Any) -> Payload:
    root = {"id": "root", "parent": None, "children": [], "message": None, **(root_fields or {})}
    return {"mapping": {"root": root}, "current_node": "root", **fields}


WHOLE = [
    tree("q"),
    changed(),
    with_node("n2", children=None),
    with_node("n2", children="n3"),
    with_node("n2", children=[5]),
    with_node("loose", parent=None, message=None, children=[]),
    {**changed(), "mapping": {**changed()["mapping"], "odd": None}},
]


@pytest.mark.parametrize("payload", WHOLE)
def test_a_whole_tree_is_believed(payload: Payload) -> None:
    """Nothing is held against a tree whose parts are all there, exports without children included."""
    assert contradiction_in(payload, 0) is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, NO_MESSAGES),
        ([], NO_MESSAGES),
        ({}, NO_MESSAGES),
        ({"mapping": {}}, NO_MESSAGES),
        ({"mapping": []}, NO_MESSAGES),
        ({"mapping": {"n1": None}}, NO_MESSAGES),
        ({"mapping": {"n1": {"message": "text"}}, "current_node": "n1"}, NO_MESSAGES),
        (without("n1", "n2", "n3", "n4"), NO_MESSAGES),
        (changed(current_node="elsewhere"), "its newest message is missing from the tree"),
        (changed(current_node=None), "its newest message is missing from the tree"),
        (changed(current_node=["n4"]), "its newest message is missing from the tree"),
        (without("n4"), "its newest message is missing from the tree"),
        (changed(current_node="root"), "its newest message is empty"),
        (with_node("n4", message=None), "its newest message is empty"),
        (without("n1"), "a message lists a child that is missing"),
        (without("n2"), "a message lists a child that is missing"),
        (without("root"), "a message's parent is missing from the tree"),
        (with_node("n1", parent="elsewhere"), "a message's parent is missing from the tree"),
        (with_node("n1", parent=5), "a message's parent is missing from the tree"),
        (with_node("n2", children=["n3", "gone"]), "a message lists a child that is missing"),
    ],
)
def test_a_tree_that_lacks_a_part_is_not_believed(payload: object, reason: str) -> None:
    """Every way of cutting a tree that leaves a loose end is noticed, and named."""
    assert contradiction_in(payload, 0) == reason


def test_fewer_messages_than_are_stored_are_not_believed() -> None:
    """A smaller tree never replaces a bigger one unproven."""
    assert contradiction_in(changed(), 4) is None
    assert contradiction_in(changed(), 5) == "it came with 4 messages, and 5 are stored"


@pytest.mark.parametrize(
    ("payload", "list_us", "known_messages", "reason"),
    [
        (changed(), LAST_US, 0, None),
        (changed(), LAST_US + 60 * MINUTE_US, 4, "the list shows a later change"),
        (changed(), LAST_US + 60 * MINUTE_US, 0, "the list shows a later change"),
        (changed(), LAST_US + MINUTE_US, 4, None),
        (changed(), LAST_US - 60 * MINUTE_US, 4, None),
        (changed(), None, 4, None),
        (with_node("n4", message={"update_time": T0 + 3600}), LAST_US + 60 * MINUTE_US, 4, None),
        (emptied({"message": {"create_time": None}}), LAST_US, 1, None),
        (tree("q", "a", "q2"), None, 0, "it ends with a question"),
        (tree("q", "a", "q2"), None, 2, None),
        (with_node("n4", message={"author": None}), None, 0, None),
        (changed(current_node="elsewhere"), None, 0, None),
    ],
)
def test_a_whole_tree_that_may_be_an_old_one(
    payload: Payload, list_us: int | None, known_messages: int, reason: str | None
) -> None:
    """The list shows a change that no message explains, or a new chat ends with the person's words."""
    assert outdated_reason(payload, list_us, known_messages) == reason


@pytest.mark.parametrize(
    ("payload", "is_empty"),
    [
        (emptied(), True),
        (emptied(current_node=None), True),
        (emptied(current_node="elsewhere"), False),
        (emptied({"parent": "elsewhere"}), False),
        (emptied({"message": {"id": "root"}}), False),
        ({"mapping": {}, "current_node": None}, False),
        ({}, False),
        (None, False),
        (tree("q"), False),
    ],
)
def test_a_conversation_in_which_nothing_was_said(payload: object, is_empty: bool) -> None:
    """Whole nodes without a message are one; no nodes, or loose ends, are not."""
    assert is_empty_conversation(payload) is is_empty


@pytest.mark.parametrize(
    ("payload", "count"), [(tree("q", "a"), 3), ({"mapping": {}}, 0), ({"messages": []}, 0), (None, 0), ([], 0)]
)
def test_how_large_a_tree_is(payload: object, count: int) -> None:
    """Its nodes are counted; what is no tree has none."""
    assert node_count(payload) == count


@pytest.mark.parametrize(
    ("payload", "is_another"),
    [
        ({"conversation_id": "c"}, False),
        ({"id": "c"}, False),
        ({"id": "share", "conversation_id": "c"}, False),
        ({}, False),
        ({"id": "", "conversation_id": None}, False),
        ({"conversation_id": 5}, False),
        ({"conversation_id": "other"}, True),
        ({"id": "other"}, True),
    ],
)
def test_an_answer_that_is_another_conversations(payload: Payload, is_another: bool) -> None:
    """It states an id, and not the one that was asked for."""
    assert is_of_another_conversation(payload, "c") is is_another
