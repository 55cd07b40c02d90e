"""Whether a payload can be the whole conversation, by its shape alone: a table of the shapes that exist."""

from __future__ import annotations

from typing import Any

import pytest

from mirror.normalize.chatgpt import wholeness
from mirror.normalize.chatgpt.nodes import nodes_of


def node(key: str, parent: str | None, **more: Any) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": key,
        "author": {"role": "user"},
        "status": "finished_successfully",
        "recipient": "all",
    }
    message["metadata"] = {}
    return {key: {"id": key, "parent": parent, "children": [], "message": message} | more}


TREE = {"root": {"id": "root", "parent": None, "children": ["a"], "message": None}, **node("a", "root")}
POOR_MESSAGE = {"id": "a", "author": {"role": "user"}, "content": {}, "create_time": 1, "metadata": {}}
POOR = {"a": {"id": "a", "parent": None, "message": POOR_MESSAGE}}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param({"mapping": TREE, "current_node": "a"}, None, id="a whole tree"),
        pytest.param({"mapping": TREE}, None, id="a tree without a leaf's name, as old exports have"),
        pytest.param({"mapping": {}, "current_node": None}, wholeness.NO_MESSAGES, id="nothing said, or lost"),
        pytest.param({"mapping": {}}, wholeness.NO_MESSAGES, id="an empty mapping alone"),
        pytest.param({"title": "T"}, wholeness.NO_MESSAGES, id="a shell without a mapping"),
        pytest.param({"mapping": POOR, "current_node": "a"}, wholeness.POOR, id="an export of June 2026"),
        pytest.param(
            {"mapping": {"a": POOR["a"] | {"children": []}}, "current_node": "a"},
            wholeness.POOR,
            id="children, but messages without their fate",
        ),
        pytest.param(
            {"mapping": {"root": TREE["root"], **node("a", "root", message={"status": "x"})}, "current_node": "a"},
            wholeness.POOR,
            id="children and fate, but a message without its metadata",
        ),
        pytest.param({"mapping": {"r": {"children": []}}}, wholeness.NO_MESSAGES, id="a root and nothing else"),
        pytest.param({"mapping": node("b", "a"), "current_node": "b"}, wholeness.CUT, id="its beginning cut off"),
        pytest.param({"mapping": TREE, "current_node": "z"}, wholeness.NO_LEAF, id="its end cut off"),
        pytest.param({"messages": [{"id": "a"}]}, wholeness.BRANCH, id="a flat answer"),
        pytest.param(
            {"messages": [{"id": "a"}], "page_info": {"has_previous_page": True}}, wholeness.WINDOW, id="a window"
        ),
        pytest.param(
            {"mapping": TREE, "current_node": "a", "page_info": {"has_previous_page": True}},
            wholeness.WINDOW,
            id="a window made into a tree",
        ),
        pytest.param({"mapping": {"a": 5}, "current_node": []}, wholeness.NO_LEAF, id="nonsense for a node"),
        pytest.param({"mapping": TREE, "current_node": [{}]}, wholeness.NO_LEAF, id="nonsense for a leaf"),
        pytest.param({"mapping": {"a": {"parent": {}}}}, wholeness.CUT, id="nonsense for a parent"),
    ],
)
def test_incomplete_reason(payload: dict[str, Any], reason: str | None) -> None:
    assert wholeness.incomplete_reason(payload, nodes_of(payload).tree) == reason
