"""Several payloads of one conversation: nothing seen is lost, and the newest value counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mirror.normalize import Attachment, Conversation, Link, Message, ParsedPayload, merge, normalize

Json = dict[str, Any]

DAY1, DAY2, DAY3 = "2025-01-01T00:00:00.000Z", "2025-01-02T00:00:00.000Z", "2025-01-03T00:00:00.000Z"


def payload(chain: dict[str, str | None], *, leaf: str | None = None, **more: Any) -> Json:
    """A conversation of one chain: node id -> text (None: a node without a message)."""
    names = list(chain)
    mapping = {
        name: {
            "parent": names[n - 1] if n else None,
            "message": None if text is None else {"author": {"role": "user"}, "content": {"parts": [text]}},
        }
        for n, (name, text) in enumerate(chain.items())
    }
    return {"conversation_id": "c", "mapping": mapping, "current_node": leaf or names[-1], **more}


def version(record: Json, seen_at: str = DAY1, *, whole: bool = True) -> ParsedPayload:
    """A payload version; a whole tree unless said otherwise."""
    return ParsedPayload(normalize("chatgpt", record), seen_at, proves_absence=whole)


def rows(conversation: Conversation) -> dict[str, tuple[str, int | None, str | None]]:
    """Text, position and time of removal of each message."""
    return {m.id: (m.text, m.position, m.removed_at) for m in conversation.messages}


def test_nothing_and_one_payload() -> None:
    """One payload merges to itself; none to an empty conversation."""
    alone = payload({"root": None, "a": "1", "b": "2"}, title="T", gizmo_id="g-1", default_model_slug="m")
    # Whether a payload is whole by its shape is a fact of that payload, not of the conversation merged from several.
    assert merge([version(alone)]) == replace(normalize("chatgpt", alone), incomplete_reason=None)
    assert merge([]).messages == ()


def test_an_edit_adds_a_branch_and_moves_the_positions() -> None:
    """After an edit the new question is on the visible branch, the old one beside it."""
    old, new = payload({"r": None, "a": "1", "b": "2"}), payload({"r": None, "a": "1", "b2": "2, better"})
    new["mapping"]["b"] = old["mapping"]["b"]
    merged = merge([version(old), version(new, DAY2)])
    assert rows(merged) == {"a": ("1", 1, None), "b": ("2", None, None), "b2": ("2, better", 2, None)}
    assert list(merged.parents or {}) == ["r", "a", "b", "b2"]


def test_what_a_whole_tree_lacks_is_kept_with_a_date() -> None:
    """A message that vanished upstream is still there, with the day it was first missed."""
    old, new = payload({"a": "1", "b": "2"}), payload({"a": "1"})
    merged = merge([version(old), version(new, DAY2), version(new, DAY3)])
    assert rows(merged) == {"a": ("1", 1, None), "b": ("2", None, DAY2)}
    assert merged.current_node_id == "a"


def test_what_comes_back_is_no_longer_gone() -> None:
    """A message that a truncated payload lacked is whole again after the next."""
    old, new = payload({"a": "1", "b": "2"}), payload({"a": "1"})
    assert rows(merge([version(old), version(new, DAY2), version(old, DAY3)]))["b"] == ("2", 2, None)


def test_a_partial_payload_proves_nothing_gone() -> None:
    """A flat page or an export that lacks a message does not mark it."""
    old, new = payload({"a": "1", "b": "2"}), payload({"a": "1"})
    assert rows(merge([version(old), version(new, DAY2, whole=False)]))["b"][2] is None


def test_a_text_emptied_upstream_is_kept() -> None:
    """A message emptied upstream keeps its words, kind, links and files, with the date."""
    files = {"attachments": [{"id": "file-1", "name": "a.pdf"}]}
    old = payload({"a": "1", "b": "2"})
    old["mapping"]["b"]["message"]["metadata"] = files
    emptied = payload({"a": "1", "b": ""})
    for versions in (
        [version(old), version(emptied, DAY2)],
        [version(old), version(emptied, DAY2), version(emptied, DAY3)],
    ):
        merged = merge(versions)
        assert rows(merged)["b"] == ("2\n[file: a.pdf]", 2, DAY2)
        assert [(m.is_hidden, len(m.attachments)) for m in merged.messages] == [(False, 0), (False, 1)]
    assert rows(merge([version(old), version(payload({"a": "1", "b": None}), DAY2)]))["b"][2] == DAY2
    assert rows(merge([version(old), version(emptied, DAY2), version(old, DAY3)]))["b"][2] is None


def test_newer_text_wins() -> None:
    """An answer read while it was written is replaced by the finished one."""
    assert rows(merge([version(payload({"a": "hal"})), version(payload({"a": "half"}), DAY2)]))["a"][0] == "half"


def test_fields_follow_the_newest_payload_that_states_them() -> None:
    """Moving a chat out of its project counts; an export's silence does not; a title is never lost."""
    first = payload({"a": "1"}, title="T", gizmo_id="g-p-1", is_starred=True, default_model_slug="m", create_time=1.7e9)
    second = payload({"a": "1"}, title="", gizmo_id=None)
    merged = merge([version(first), version(second, DAY2)])
    assert (merged.title, merged.project_id, merged.is_starred, merged.model) == ("T", None, True, "m")
    assert merged.created_at == "2023-11-14T22:13:20.000Z"
    third = payload({"a": "1"}, title="U")
    merged = merge([version(first), version(third, DAY2)])
    assert (merged.title, merged.project_id) == ("U", "g-p-1")


def test_the_shown_branch_is_the_newest_stated_one_that_exists() -> None:
    """A payload that names no leaf, or one that does not exist, does not change what is shown."""
    old = payload({"a": "1", "b": "2"}, leaf="a")
    assert merge([version(old), version(payload({"a": "1", "b": "2"}, leaf="gone"), DAY2)]).current_node_id == "a"
    assert merge([version(payload({"a": "1", "b": "2"}, leaf="gone"))]).current_node_id == "b"
    assert merge([version(old), version(payload({"a": "1", "b": "2"}, leaf="b"), DAY2)]).current_node_id == "b"


def test_a_flat_payload_adds_to_a_tree_without_flattening_it() -> None:
    """New messages of a flat payload are added to the known tree; hidden nodes in between are kept."""
    old = payload({"root": None, "hidden": "", "a": "1", "tool": "", "b": "2"})
    said: list[Json] = [
        {"id": name, "author": {"role": "user"}, "content": {"parts": [name]}} for name in ("a", "b", "c")
    ]
    merged = merge([version(old), version({"messages": said, "current_node": "c"}, DAY2, whole=False)])
    assert merged.parents == {"root": None, "hidden": "root", "a": "hidden", "tool": "a", "b": "tool", "c": "b"}
    assert [m.position for m in merged.messages] == [1, 2, 3, 4, 5]
    assert {m.id: m.parent_id for m in merged.messages}["a"] == "hidden"


@pytest.mark.parametrize("steps", [1, 63, 64, 82, 2_000])
def test_an_answer_of_many_steps_stays_on_the_branch_when_a_flat_copy_lacks_the_steps(steps: int) -> None:
    """However many tool calls lie between a question and its answer, an older flat export hides none of them."""
    between = {f"step {n}": f"call {n}" for n in range(steps)}
    tree = payload({"question": "why?", **between, "answer": "because"})
    said: list[Json] = [
        {"id": name, "author": {"role": "user"}, "content": {"parts": [name]}} for name in ("question", "answer")
    ]
    merged = merge([version(tree), version({"messages": said, "current_node": "answer"}, DAY2, whole=False)])
    assert [m.id for m in merged.messages if m.position] == ["question", *between, "answer"]


def test_a_tree_with_a_cycle_is_merged_all_the_same() -> None:
    """A broken older tree never blocks the merge, and no message is lost."""
    circle = payload({"a": "1", "b": "2", "c": "3"})
    circle["mapping"]["a"]["parent"] = "c"
    said: list[Json] = [
        {"id": name, "author": {"role": "user"}, "content": {"parts": [name]}} for name in ("x", "b", "a")
    ]
    merged = merge([version(circle), version({"messages": said}, DAY2, whole=False)])
    assert {m.id for m in merged.messages} == {"a", "b", "c", "x"}


LINKS = (Link("https://a.example", "A"), Link("https://b.example", "B", "search"))
FILE = Attachment("file-1", "a.pdf")
RICH = Message(
    "a", None, "assistant", "text", "text", "See [A](https://a.example).", recipient="all", model="gpt-5",
    status="finished_successfully", links=LINKS, attachments=(FILE,)
)  # fmt: skip
POOR = Message("a", None, "assistant", "text", "text", "See .")


def copy_of(*rows: Message, is_import: bool, seen_at: str = DAY1) -> ParsedPayload:
    """One reading of a conversation without any structure."""
    held = Conversation("c", "T", None, None, None, messages=rows, parents=dict.fromkeys(row.id for row in rows))
    return ParsedPayload(held, seen_at, proves_absence=not is_import, is_import=is_import)


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(POOR, RICH, id="poorer in all"),
        pytest.param(replace(RICH, links=()), RICH, id="without its pages"),
        pytest.param(replace(RICH, attachments=()), RICH, id="without its file"),
        pytest.param(replace(RICH, model=None, recipient=None), RICH, id="without its model"),
        pytest.param(replace(RICH, text="", links=(), attachments=()), RICH, id="emptied"),
        pytest.param(replace(RICH, kind="other"), RICH, id="of no known kind"),
        pytest.param(replace(RICH, text=RICH.text + " More."), replace(RICH, text=RICH.text + " More."), id="longer"),
        pytest.param(
            replace(POOR, text="See turn0search1 and turn0search2 of the pages."), RICH, id="longer, without its pages"
        ),
        pytest.param(
            replace(POOR, text="Short", channel="final", links=(Link("https://c.example"),)),
            replace(RICH, channel="final", links=(*LINKS, Link("https://c.example"))),
            id="poorer, with news",
        ),
    ],
)
def test_a_files_copy_adds_and_never_takes_away(new: Message, expected: Message) -> None:
    """Whatever an export or a capture leaves out of a message, what was known of it stays."""
    for is_old_import in (True, False):
        first = copy_of(RICH, is_import=is_old_import)
        (merged,) = merge([first, copy_of(new, is_import=True, seen_at=DAY2)]).messages
        assert replace(merged, position=None, is_hidden=False) == expected


def test_what_the_service_gives_later_replaces_a_files_copy() -> None:
    """A live reading wins, as it does over an older live one."""
    (merged,) = merge([copy_of(RICH, is_import=True), copy_of(POOR, is_import=False, seen_at=DAY2)]).messages
    assert replace(merged, position=None) == POOR


def test_a_file_marks_no_message_as_gone_and_moves_none() -> None:
    """A later file without a message, with an emptied one, or with other parents leaves the service's tree as it is."""
    tree = payload({"r": None, "a": "1", "tool": "call", "b": "2"})
    poor = payload({"r": None, "b": "2", "a": None}, leaf="b")
    merged = merge([version(tree), ParsedPayload(normalize("chatgpt", poor), DAY2, False, is_import=True)])
    assert rows(merged) == {"a": ("1", 1, None), "tool": ("call", 2, None), "b": ("2", 3, None)}
    assert merged.parents == {"r": None, "a": "r", "tool": "a", "b": "tool"}


def test_a_hidden_thought_stays_hidden_when_a_file_lost_that_it_is_one() -> None:
    """A copy without metadata looks like shown text."""
    thought = replace(RICH, kind="reasoning", is_hidden=True)
    (merged,) = merge([copy_of(thought, is_import=False), copy_of(RICH, is_import=True, seen_at=DAY2)]).messages
    assert (merged.kind, merged.is_hidden) == ("reasoning", True)
