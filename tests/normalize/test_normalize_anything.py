"""No payload, however broken, stops a sync or leaves a row that SQLite, FTS5 or a terminal cannot hold."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mirror.large_json import read_json
from mirror.normalize import ParsedPayload, merge, normalize, says_the_same
from mirror.rows import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.normalize import Conversation

FORBIDDEN = re.compile("[\0\ue000-\uf8ff\U000f0000-\U0010ffff]")
TYPES = [
    "text",
    "multimodal_text",
    "code",
    "execution_output",
    "citable_code_output",
    "computer_output",
    "tether_quote",
    "sonic_webpage",
    "tether_browsing_display",
    "tether_browsing_code",
    "system_error",
    "user_editable_context",
    "model_editable_context",
    "system_message",
    "thoughts",
    "reasoning_recap",
    "app_pairing_content",
    "super_widget",
    "image_asset_pointer",
    "audio_transcription",
    "audio_asset_pointer",
    "real_time_user_audio_video_asset_pointer",
    "video_container_asset_pointer",
    "file",
    "future",
]
KEYS = [
    "id",
    "conversation_id",
    "title",
    "mapping",
    "messages",
    "current_node",
    "message",
    "parent",
    "children",
    "author",
    "role",
    "name",
    "content",
    "parts",
    "content_type",
    "text",
    "result",
    "summary",
    "thoughts",
    "chunks",
    "metadata",
    "recipient",
    "weight",
    "status",
    "create_time",
    "update_time",
    "asset_pointer",
    "size_bytes",
    "dalle",
    "prompt",
    "content_references",
    "matched_text",
    "alt",
    "type",
    "items",
    "url",
    "sources",
    "entries",
    "search_result_groups",
    "ref_id",
    "turn_index",
    "ref_type",
    "ref_index",
    "citations",
    "start_ix",
    "end_ix",
    "start_idx",
    "attachments",
    "mime_type",
    "aggregate_result",
    "image_url",
    "chatgpt_sdk",
    "widget_state",
    "report_message",
    "widgets",
    "async_status",
    "gizmo_id",
    "workspace_id",
    "default_model_slug",
    "model_slug",
    "parent_id",
    "is_visually_hidden_from_conversation",
    "state",
    "screenshot",
    "is_archived",
    "extra",
    "cited_message_idx",
    "_cite_metadata",
    "metadata_list",
    "supporting_websites",
    "images",
    "updates",
    "comments",
]
WORDS = [
    *("a", "b", "n1", "user", "assistant", "tool", "system", "all", "canmore.create_textdoc", "in_progress", "3"),
    *("\ue200cite\ue202turn0search1\ue201", "x \ue200entity\ue202[1]\ue201", "\u30101\u2020source\u3011", " ", ""),
    *("https://a.test/(b) c", "http://[", "javascript:x", "file-service://file-1", "\ud83d", "\0", "\udbff\udfff"),
    *('{"content": "x", "name": [1]}', '{"report_message": {"content": "r"}}', "[" * 2000, "2025-01-01", "\ue200"),
]
LEAVES = st.one_of(
    st.sampled_from([*WORDS, *TYPES]),
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.sampled_from([2**63, -(2**70), 10**400, 1.7e9, 1.7e12, float("nan"), float("inf"), -0.0]),
    st.text(st.characters(categories=None), max_size=5),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*KEYS, *WORDS[:4]]), inner, max_size=6)
    ),
    max_leaves=25,
)


def object_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with some of these fields, and sometimes an unexpected one."""
    return st.fixed_dictionaries({}, optional={**fields, "odd": ANYTHING})


CONTENT = object_of(
    content_type=st.sampled_from(TYPES) | ANYTHING,
    parts=st.lists(
        object_of(content_type=st.sampled_from(TYPES), text=ANYTHING, metadata=ANYTHING) | ANYTHING, max_size=3
    )
    | ANYTHING,
    text=ANYTHING,
    thoughts=ANYTHING,
    widgets=ANYTHING,
    url=ANYTHING,
)
REFERENCE = object_of(matched_text=st.sampled_from(WORDS), alt=ANYTHING, type=ANYTHING, items=ANYTHING, url=ANYTHING)
METADATA = object_of(
    content_references=st.lists(REFERENCE, max_size=3) | ANYTHING,
    search_result_groups=ANYTHING,
    citations=st.lists(object_of(start_ix=ANYTHING, end_ix=ANYTHING, metadata=ANYTHING), max_size=2) | ANYTHING,
    attachments=ANYTHING,
    aggregate_result=ANYTHING,
    chatgpt_sdk=ANYTHING,
)
AUTHOR = object_of(role=st.sampled_from(WORDS[3:7]) | ANYTHING, name=ANYTHING)
MESSAGE = object_of(
    id=ANYTHING, author=AUTHOR | ANYTHING, content=CONTENT | ANYTHING, metadata=METADATA | ANYTHING, recipient=ANYTHING
)
NAMES = st.sampled_from(["a", "b", "c", "", "\ud800", "\ud801"])
NODE = object_of(id=NAMES, parent=NAMES | ANYTHING, children=st.lists(NAMES) | ANYTHING, message=MESSAGE | ANYTHING)
MAPPING = st.dictionaries(NAMES, NODE | ANYTHING, max_size=4) | st.lists(NODE, max_size=4) | ANYTHING
PAYLOAD = object_of(
    id=ANYTHING,
    title=ANYTHING,
    mapping=MAPPING,
    messages=st.lists(MESSAGE, max_size=3) | ANYTHING,
    current_node=NAMES | ANYTHING,
    create_time=ANYTHING,
    async_status=ANYTHING,
)


def assert_storable(conversation: Conversation) -> None:
    """Assert that SQLite, FTS5 and a terminal can hold every field, and that the tree is consistent."""
    assert conversation.parents is not None
    rows = conversation.messages
    assert len({row.id for row in rows}) == len(rows)
    assert {row.id for row in rows} <= conversation.parents.keys()
    positions = sorted(row.position for row in rows if row.position is not None)
    assert positions == list(range(1, len(positions) + 1))
    assert {row.kind for row in rows} <= set(KINDS)
    stack: list[Any] = [asdict(conversation)]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack += [*value, *value.values()]
        elif isinstance(value, list | tuple | frozenset):
            stack += value
        elif isinstance(value, str):
            value.encode()
            assert not FORBIDDEN.search(value)
        else:
            assert value is None or (isinstance(value, int) and abs(value) < 2**63)
    for row in rows:
        assert all(link.url.startswith(("http://", "https://")) for link in row.links)


@settings(max_examples=250)
@given(PAYLOAD | ANYTHING)
def test_any_json_becomes_rows_that_can_be_stored(payload: Any) -> None:
    """One damaged chat never ends a run, and its row is a sound row."""
    conversation = normalize("chatgpt", payload)
    assert_storable(conversation)
    assert normalize("chatgpt", payload) == conversation


@settings(max_examples=80)
@given(st.lists(st.tuples(PAYLOAD, st.booleans()), max_size=3))
@example([({"messages": [{"id": "a"}, {}]}, False), ({"messages": [None, "a"]}, False)])
def test_any_payloads_can_be_merged(payloads: list[tuple[Any, bool]]) -> None:
    """However the payloads of a chat differ, together they make sound rows and no message is lost."""
    versions = [
        ParsedPayload(normalize("chatgpt", payload), "2025-01-01T00:00:00.000Z", whole) for payload, whole in payloads
    ]
    merged = merge(versions)
    assert_storable(merged)
    assert {m.id for m in merged.messages} == {m.id for version in versions for m in version.conversation.messages}
    if versions:
        assert merge([*versions, versions[-1]]) == merged


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    """A text wrapped many times."""
    value: Any = "the innermost words"
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"text": v}, lambda v: {"message": v, "id": "x"}])
@pytest.mark.parametrize("depth", [10, 100_000])
def test_json_of_any_depth_is_read(wrap: Callable[[Any], Any], depth: int) -> None:
    """JSON nested beyond any recursion limit is read like any other, wherever it is."""
    deep = nested(depth, wrap)
    for content in ({"content_type": "future", "body": deep}, {"content_type": "multimodal_text", "parts": [deep]}):
        message = {"author": deep, "content": content, "recipient": deep, "create_time": deep, "weight": deep}
        payload = {"mapping": {"n": {"message": message}}, "title": deep, "id": deep}
        if '"id"' not in json.dumps(wrap(1)):
            assert "the innermost words" in normalize("chatgpt", payload).messages[0].text
    message = {"content": deep, "metadata": {"content_references": deep, "attachments": deep, "chatgpt_sdk": deep}}
    for payload in (deep, {"mapping": deep}, {"messages": [message, message]}):
        assert_storable(normalize("chatgpt", payload))


@pytest.mark.timeout(120)  # what takes the square of this number would take longer, what does not a few seconds
def test_a_conversation_of_a_hundred_thousand_messages_is_read_in_seconds() -> None:
    """The longest chat anybody has is no reason to wait."""
    mapping = {
        str(n): {
            "parent": str(n - 1) if n else None,
            "message": {"author": {"role": "user"}, "content": {"parts": ["x"]}},
        }
        for n in range(100_000)
    }
    conversation = normalize("chatgpt", {"mapping": mapping})
    assert conversation.messages[-1].position == 100_000


@pytest.mark.parametrize("where", ["message", "metadata", "content", "mapping", "root"])
@pytest.mark.parametrize("shape", ["mapping", "messages"])
def test_large_objects_anywhere_are_normalized_like_small_ones(where: str, shape: str) -> None:
    """What a large payload keeps as bytes is read like any other object."""
    many = {f"k{n}": {"title": f"word {n}", "url": f"https://site.example/{n}"} for n in range(1500)}
    message = {"id": "m", "author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["a"]}}
    message |= {"metadata": {}}
    for name in ("metadata", "content"):
        if where == name:
            message[name] = many
    message |= many if where == "message" else {}
    node: dict[str, Any] = {"id": "m", "parent": None, "children": [], "message": message}
    payload: dict[str, Any] = {"conversation_id": "c", "title": "t"}
    payload |= {"mapping": {"m": node}} if shape == "mapping" else {"messages": [message]}
    if where == "mapping" and shape == "mapping":
        payload["mapping"] |= many
    payload |= many if where == "root" else {}
    small = json.loads(json.dumps(payload))
    large = read_json(json.dumps(payload).encode(), large=0, at_once=0, piece=100)
    assert normalize("chatgpt", large) == normalize("chatgpt", small)
    if shape == "mapping":
        assert says_the_same("chatgpt", large, small)
        assert says_the_same("chatgpt", small, large)
