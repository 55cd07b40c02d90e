"""A conversation's metadata and tree, in each of the shapes it comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mirror.normalize import normalize

if TYPE_CHECKING:
    from mirror.normalize import Conversation

Json = dict[str, Any]


def message(text: str, role: str = "user", **more: Any) -> Json:
    """A message as the service sends it."""
    return {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, **more}


def tree(*texts: str, **more: Any) -> Json:
    """A chain of messages under an empty root, as the service sends it."""
    nodes: Json = {"root": {"id": "root", "parent": None, "children": ["n0"] if texts else [], "message": None}}
    for n, text in enumerate(texts):
        parent = f"n{n - 1}" if n else "root"
        children = [f"n{n + 1}"] if n + 1 < len(texts) else []
        role = "assistant" if n % 2 else "user"
        nodes[f"n{n}"] = {"id": f"n{n}", "parent": parent, "children": children, "message": message(text, role)}
    return {"conversation_id": "c", "mapping": nodes, "current_node": f"n{len(texts) - 1}", **more}


def thread(conversation: Conversation) -> list[str]:
    """The texts on the visible branch, in order."""
    by_position = {m.position: m.text for m in conversation.messages if m.position}
    return [by_position[position] for position in sorted(by_position)]


def test_the_three_shapes_give_the_same_conversation() -> None:
    """A chat reads the same whether it came singly, in a batch or page by page."""
    single = tree("q", "a", create_time=1752159238.5, title="T")
    batch = {**single, "id": "c", "create_time": "2025-07-10T14:53:58.500000Z"}
    del batch["conversation_id"]
    flat = {key: value for key, value in single.items() if key != "mapping"}
    flat["messages"] = [{"id": "n0", **message("q")}, {"id": "n1", **message("a", "assistant")}]
    seen = [normalize("chatgpt", payload) for payload in (single, batch, flat)]
    assert [c.id for c in seen] == ["c", "c", "c"]
    assert {c.created_at for c in seen} == {"2025-07-10T14:53:58.500Z"}
    assert [thread(c) for c in seen] == [["q", "a"]] * 3
    assert [m.position for m in seen[0].messages] == [1, 2]


def test_a_missing_key_differs_from_an_explicit_null() -> None:
    """A chat moved out of its project differs from an export that does not mention projects."""
    assert "project_id" in normalize("chatgpt", tree("q", gizmo_id=None)).stated
    silent = normalize("chatgpt", tree("q"))
    assert silent.stated == {"current_node_id"}


@pytest.mark.parametrize(
    ("record", "project_id", "gpt_id"),
    [
        ({"gizmo_id": "g-p-1", "conversation_template_id": "g-p-1"}, "g-p-1", None),
        ({"conversation_template_id": "g-p-1"}, "g-p-1", None),
        ({"gizmo_id": "g-9"}, None, "g-9"),
        ({"gizmo_id": "g-9", "conversation_template_id": "g-p-1"}, "g-p-1", "g-9"),
        ({"gizmo_id": ""}, None, None),
        ({"gizmo_id": 5}, None, None),
    ],
)
def test_projects_and_gpts_are_told_apart(record: Json, project_id: str | None, gpt_id: str | None) -> None:
    """A project chat is filed under its project, a custom GPT's chat under the GPT."""
    conversation = normalize("chatgpt", tree("q", **record))
    assert (conversation.project_id, conversation.gpt_id) == (project_id, gpt_id)


def test_flags_account_and_model_come_over() -> None:
    """Archived, starred, workspace and model are those of the payload; the model else that of the last answer."""
    stated = normalize("chatgpt", tree("q", is_archived=True, is_starred=0, workspace_id="w", default_model_slug="m"))
    assert (stated.is_archived, stated.is_starred, stated.account_id, stated.model) == (True, False, "w", "m")
    payload = tree("q", "a")
    payload["mapping"]["n1"]["message"]["metadata"] = {"model_slug": "late"}
    assert normalize("chatgpt", payload).model == "late"


@pytest.mark.parametrize(
    ("async_status", "leaf", "expected"),
    [
        (None, "in_progress", False),
        (None, "finished_successfully", False),
        (4, "in_progress", True),
        (4, "finished_successfully", False),
        *((busy, "finished_successfully", True) for busy in (3, 5, 6, 7, "3", "7")),
        *((idle, "finished_successfully", False) for idle in (2, 0, "x", True, float("nan"))),
        ([], "finished_successfully", False),
        ({}, "finished_successfully", False),
    ],
)
def test_a_chat_is_generating_only_while_the_service_says_so(async_status: Any, leaf: str, expected: bool) -> None:
    """An answer cut off years ago does not look busy for ever."""
    payload = tree("q", "a", async_status=async_status)
    payload["mapping"]["n1"]["message"]["status"] = leaf
    assert normalize("chatgpt", payload).is_generating is expected


@pytest.mark.parametrize(
    "mapping",
    [
        {"a": {"message": message("1")}, "b": {"message": message("2"), "parent": "a"}},
        {"a": {"message": message("1"), "children": ["b"]}, "b": {"message": message("2")}},
        {"a": {"message": message("1"), "children": ["b"]}, "b": {"message": message("2"), "parent": "lost"}},
        [{"id": "a", "message": message("1")}, {"id": "b", "parent": "a", "message": message("2")}],
        [{"message": message("1")}, {"message": message("2")}],
        {"a": message("1"), "b": message("2")},
        {"a": {"message": "1"}, "b": {"message": "2", "parent": "a"}},
        {"a": {"author": "user", "content": "1"}, "b": {"role": "assistant", "text": "2"}},
        {"a": {"message": message("1", id="m1")}, "b": {"message": message("2"), "parent": "m1"}},
        {"a": message("1", id="m1"), "b": message("2", metadata={"parent_id": "m1"})},
    ],
)
def test_nodes_with_gaps_still_make_a_thread(mapping: Any) -> None:
    """Exports and tools drop ids, parents, children or the node around a message; the thread reads on."""
    assert thread(normalize("chatgpt", {"mapping": mapping})) == ["1", "2"]


def test_a_current_node_without_a_message_hides_no_conversation() -> None:
    """Where the root counts as the end of the branch, the newest branch is read."""
    payload = tree("q", "a")
    payload["mapping"]["root"] = {"id": "root", "parent": None, "children": ["n0"], "message": None}
    read = normalize("chatgpt", {**payload, "current_node": "root"})
    assert (thread(read), read.current_node_id) == (["q", "a"], "n1")


def test_nodes_without_parents_are_one_chain() -> None:
    """Nodes that say nothing of others are read from top to bottom, each below the one before, and none is a fork."""
    nodes = {f"n{n}": {"id": f"n{n}", "message": message(str(n), create_time=1.7e9 - n)} for n in range(3)}
    read = normalize("chatgpt", {"conversation_id": "c", "mapping": {"root": {"id": "root"}, **nodes}})
    assert thread(read) == ["2", "1", "0"]
    assert {m.id: m.parent_id for m in read.messages} == {"n2": None, "n1": "n2", "n0": "n1"}


def test_a_flat_payload_follows_the_parents_it_names() -> None:
    """Where a page of messages names its parents they count; where it names unknown ones, the order does."""
    said = [
        {"id": "a", **message("1"), "metadata": {"parent_id": "on-an-earlier-page"}},
        {"id": "b", **message("2"), "metadata": {"parent_id": "hidden"}},
        {"id": "x", **message("other"), "metadata": {"parent_id": "b"}},
        {"id": "c", **message("3"), "metadata": {"parent_id": "b"}},
        {"id": "c", **message("3"), "metadata": {"parent_id": "b"}},
    ]
    conversation = normalize("chatgpt", {"messages": said})
    assert thread(conversation) == ["1", "2", "3"]
    assert conversation.parents == {"a": "on-an-earlier-page", "b": "a", "x": "b", "c": "b"}


def test_every_node_is_kept_once_under_its_own_id() -> None:
    """Two messages under one id are both in the archive."""
    conversation = normalize(
        "chatgpt", {"mapping": [{"id": "a", **message("1")}, {"id": "a", **message("2")}, {}, None]}
    )
    assert [m.text for m in conversation.messages] == ["1", "2"]
    assert len({m.id for m in conversation.messages}) == 2
    assert conversation.parents is not None
    assert len(conversation.parents) == 4


def test_times_authors_and_ids_of_a_message_come_over() -> None:
    """A row says who wrote it to whom, when, with what model, and the message's own id where it differs."""
    said = message("hi", "tool", id="own", create_time=1752159238, status="s", recipient="all", channel="final")
    said["author"]["name"] = "web.run"
    said["metadata"] = {"model_slug": "m"}
    (row,) = normalize("chatgpt", {"mapping": {"n": {"message": said}}}).messages
    assert (row.id, row.message_id, row.role, row.author) == ("n", "own", "tool", "web.run")
    assert (row.recipient, row.channel, row.status, row.model) == ("all", "final", "s", "m")
    assert row.created_at == "2025-07-10T14:53:58.000Z"


def test_a_title_carries_no_marks() -> None:
    """A title is one that a list can print; a blank one is none."""
    assert (
        normalize("chatgpt", {"title": "Oslo \ue200cite\ue202turn0search1\ue201, Norway\0"}).title
        == "Oslo, Norway\u2400"
    )
    assert normalize("chatgpt", {"title": " "}).title is None


def test_an_unknown_provider_is_a_mistake_of_the_program() -> None:
    """Only a provider nobody wrote a normalizer for is refused."""
    with pytest.raises(ValueError, match="chatgpt"):
        normalize("clippy", {})


@pytest.mark.parametrize("is_list", [False, True])
def test_ids_that_are_numbers_are_ids(is_list: bool) -> None:
    """A tool that numbers its nodes loses neither order nor branch, and no message changes its id."""
    nodes: list[Json] = [
        {"id": 1, "parent": None, "children": [2]},
        {"id": 2, "parent": 1, "children": [3, 4], "message": {"id": 2, **message("q", create_time=1_700_000_000)}},
        {"id": 3, "parent": 2, "children": [], "message": {"id": 3, **message("shown", create_time=1_700_000_001)}},
        {"id": 4, "parent": 2, "children": [], "message": {"id": 4, **message("other", create_time=1_700_000_002)}},
    ]
    without: tuple[tuple[str, ...], ...] = ((), ("parent",), ("children",))
    for drop in without:
        kept = [{key: value for key, value in node.items() if key not in drop} for node in nodes]
        mapping: Any = kept if is_list else {str(node["id"]): node for node in kept}
        conversation = normalize("chatgpt", {"conversation_id": 17, "mapping": mapping, "current_node": 3})
        assert (conversation.id, conversation.current_node_id) == ("17", "3")
        assert thread(conversation) == ["q", "shown"]
        assert [(row.id, row.parent_id, row.message_id) for row in conversation.messages] == [
            ("2", "1", None),
            ("3", "2", None),
            ("4", "2", None),
        ]


@pytest.mark.parametrize("mapping", [None, "a tree", 7, {}, [], {"root": {"message": None}}, {"a": 1}, ["\0"], [[]]])
@pytest.mark.parametrize("key", ["messages", "linear_conversation"])
def test_what_is_no_tree_hides_no_messages_beside_it(mapping: Any, key: str) -> None:
    """A list of messages is read whatever stands in the place of the tree."""
    messages = [{"id": f"m{n}", "content": {"content_type": "text", "parts": [f"text {n}"]}} for n in range(2)]
    rows = normalize("chatgpt", {"mapping": mapping, key: messages}).messages
    assert [(row.id, row.parent_id, row.text) for row in rows] == [("m0", None, "text 0"), ("m1", "m0", "text 1")]
    bare = {"mapping": {"a": {"message": messages[0]}}, key: ["a", "b", "c"]}
    assert [row.text for row in normalize("chatgpt", bare).messages] == ["text 0"]
