"""What is asked of a normalizer beside rows: its version, an id, and whether two payloads say the same."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from mirror import normalize


def export(**fields: Any) -> dict[str, Any]:
    """A conversation of one message as an export writes it."""
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["hello \ud83d"]}}
    whole = {"conversation_id": "c1", "title": "A title", "update_time": 1750000000.5, "current_node": "a"}
    return {**whole, "mapping": {"a": {"id": "a", "parent": None, "children": [], "message": message}}, **fields}


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def test_an_unknown_provider_is_refused_by_name() -> None:
    """The message names the provider that is missing and those that exist."""
    for ask in (normalize.normalize, normalize.conversation_id):
        with pytest.raises(ValueError, match=r"'gemini'.*chatgpt"):
            ask("gemini", {})
    for compare in (normalize.says_the_same, normalize.holds_all):
        with pytest.raises(ValueError, match=r"'gemini'.*chatgpt"):
            compare("gemini", {}, {})
    with pytest.raises(ValueError, match=r"'gemini'.*chatgpt"):
        normalize.version_of("gemini")
    assert normalize.version_of("chatgpt") >= 1


@pytest.mark.parametrize(
    "payload",
    [
        *(
            {"conversation_id": "x", "id": "y"},
            {"id": "y"},
            {"conversation_id": "", "id": 5},
            {"conversation_id": None},
        ),
        *({"id": "\ud800"}, {"id": "\ue200"}, {"id": 2**70}, {"id": ["x"]}, {}, [], None, "x", 5, nested(10_000)),
    ],
)
def test_the_id_is_the_one_that_the_whole_reading_finds(payload: Any) -> None:
    """Asking for the id alone never leads to another conversation."""
    assert normalize.conversation_id("chatgpt", payload) == normalize.normalize("chatgpt", payload).id


@pytest.mark.parametrize(
    "listed",
    [
        {"title": "Another"},
        {"update_time": "2026-01-01T00:00:00Z"},
        {"is_archived": True},
        {"is_starred": None},
        {"gizmo_id": "g-p-1", "conversation_template_id": "g-p-1"},
    ],
)
def test_what_a_list_states_too_makes_no_difference(listed: dict[str, Any]) -> None:
    """A new title, star, archive flag or project is no new version of the messages."""
    assert normalize.says_the_same("chatgpt", export(**listed), export())


@pytest.mark.parametrize("changed", [{"current_node": "b"}, {"create_time": 1.0}, {"async_status": 3}, {"mapping": {}}])
def test_anything_else_makes_a_difference(changed: dict[str, Any]) -> None:
    """A change of what only the payload says is seen."""
    assert not normalize.says_the_same("chatgpt", export(**changed), export())
    assert not normalize.says_the_same("chatgpt", export(), export(**changed))


def test_a_word_in_a_message_makes_a_difference() -> None:
    """An edited message is seen, also where the only change is in a lone surrogate."""
    for text in ("hello", "hello \ud83e"):
        edited = copy.deepcopy(export())
        edited["mapping"]["a"]["message"]["content"]["parts"] = [text]
        assert not normalize.says_the_same("chatgpt", edited, export())


def test_order_and_spelling_of_the_json_make_no_difference() -> None:
    """The same content in another order of keys is the same content."""
    turned = json.loads(json.dumps(export(), indent=3))
    turned = dict(reversed(turned.items()))
    assert normalize.says_the_same("chatgpt", turned, export())


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        5,
        {},
        {"messages": []},
        {"mapping": None},
        {"mapping": []},
        {"mapping": {"a": nested(100_000)}},
    ],
)
def test_what_has_no_tree_is_never_the_same(payload: Any) -> None:
    """Payloads of no tree, or of one nested beyond what can be compared, are never taken for the same."""
    assert not normalize.says_the_same("chatgpt", payload, payload)


def test_strange_numbers_are_compared() -> None:
    """Values that JSON of the service may hold although the standard has none of them."""
    strange = export(weird=[float("nan"), float("inf"), 10**400, -0.0])
    assert normalize.says_the_same("chatgpt", strange, copy.deepcopy(strange))
    assert not normalize.says_the_same("chatgpt", strange, export(weird=[float("nan"), float("inf"), 10**400, 0.0]))
    assert not normalize.says_the_same("chatgpt", export(weird=10**5000), export(weird=10**5000))
