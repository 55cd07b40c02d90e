"""Several payloads of one conversation: nothing seen is lost, and the newest word rules."""

from mirror.normalize import ParsedPayload, merge, normalize

DAY1, DAY2, DAY3 = "2025-01-01T00:00:00.000Z", "2025-01-02T00:00:00.000Z", "2025-01-03T00:00:00.000Z"


def payload(chain, *, leaf=None, **more):
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


def layer(record, seen_at=DAY1, *, whole=True):
    return ParsedPayload(normalize("chatgpt", record), seen_at, proves_absence=whole)


def told(conversation):
    return {m.id: (m.text, m.position, m.removed_at) for m in conversation.messages}


def test_nothing_and_one_payload():
    """One payload merges to itself; none to an empty conversation."""
    alone = payload({"root": None, "a": "1", "b": "2"}, title="T", gizmo_id="g-1", default_model_slug="m")
    assert merge([layer(alone)]) == normalize("chatgpt", alone)
    assert merge([]).messages == ()


def test_an_edit_adds_a_branch_and_moves_the_positions():
    """After an edit the new question is on the visible branch, the old one beside it."""
    old, new = payload({"r": None, "a": "1", "b": "2"}), payload({"r": None, "a": "1", "b2": "2, better"})
    new["mapping"]["b"] = old["mapping"]["b"]
    merged = merge([layer(old), layer(new, DAY2)])
    assert told(merged) == {"a": ("1", 1, None), "b": ("2", None, None), "b2": ("2, better", 2, None)}
    assert list(merged.parents) == ["r", "a", "b", "b2"]


def test_what_a_whole_tree_lacks_stays_and_is_dated():
    """A message that vanished upstream is still there, with the day it was first missed."""
    old, new = payload({"a": "1", "b": "2"}), payload({"a": "1"})
    merged = merge([layer(old), layer(new, DAY2), layer(new, DAY3)])
    assert told(merged) == {"a": ("1", 1, None), "b": ("2", None, DAY2)}
    assert merged.current_node_id == "a"


def test_what_comes_back_is_no_longer_gone():
    """A message that a truncated reading lacked is whole again after the next."""
    old, new = payload({"a": "1", "b": "2"}), payload({"a": "1"})
    assert told(merge([layer(old), layer(new, DAY2), layer(old, DAY3)]))["b"] == ("2", 2, None)


def test_a_partial_reading_proves_nothing_gone():
    """A flat page or an export that lacks a message does not mark it."""
    old, new = payload({"a": "1", "b": "2"}), payload({"a": "1"})
    assert told(merge([layer(old), layer(new, DAY2, whole=False)]))["b"][2] is None


def test_a_text_taken_away_upstream_stays_readable():
    """A message emptied upstream keeps its words, kind, links and files, and tells since when."""
    files = {"attachments": [{"id": "file-1", "name": "a.pdf"}]}
    old = payload({"a": "1", "b": "2"})
    old["mapping"]["b"]["message"]["metadata"] = files
    emptied = payload({"a": "1", "b": ""})
    for layers in ([layer(old), layer(emptied, DAY2)], [layer(old), layer(emptied, DAY2), layer(emptied, DAY3)]):
        merged = merge(layers)
        assert told(merged)["b"] == ("2\n[file: a.pdf]", 2, DAY2)
        assert [(m.is_hidden, len(m.attachments)) for m in merged.messages] == [(False, 0), (False, 1)]
    assert told(merge([layer(old), layer(payload({"a": "1", "b": None}), DAY2)]))["b"][2] == DAY2
    assert told(merge([layer(old), layer(emptied, DAY2), layer(old, DAY3)]))["b"][2] is None


def test_newer_text_wins():
    """An answer read while it was written is replaced by the finished one."""
    assert told(merge([layer(payload({"a": "hal"})), layer(payload({"a": "half"}), DAY2)]))["a"][0] == "half"


def test_fields_follow_the_newest_payload_that_states_them():
    """Moving a chat out of its project counts; an export's silence does not; a title is never lost."""
    first = payload({"a": "1"}, title="T", gizmo_id="g-p-1", is_starred=True, default_model_slug="m", create_time=1.7e9)
    second = payload({"a": "1"}, title="", gizmo_id=None)
    merged = merge([layer(first), layer(second, DAY2)])
    assert (merged.title, merged.project_id, merged.is_starred, merged.model) == ("T", None, True, "m")
    assert merged.created_at == "2023-11-14T22:13:20.000Z"
    third = payload({"a": "1"}, title="U")
    merged = merge([layer(first), layer(third, DAY2)])
    assert (merged.title, merged.project_id) == ("U", "g-p-1")


def test_the_shown_branch_is_the_newest_stated_one_that_exists():
    """A reading that names no leaf, or one that is nowhere, does not change what is shown."""
    old = payload({"a": "1", "b": "2"}, leaf="a")
    assert merge([layer(old), layer(payload({"a": "1", "b": "2"}, leaf="gone"), DAY2)]).current_node_id == "a"
    assert merge([layer(payload({"a": "1", "b": "2"}, leaf="gone"))]).current_node_id == "b"
    assert merge([layer(old), layer(payload({"a": "1", "b": "2"}, leaf="b"), DAY2)]).current_node_id == "b"


def test_a_flat_reading_adds_to_a_tree_without_flattening_it():
    """New messages of a flat reading join the tree that is known, hidden nodes in between included."""
    old = payload({"root": None, "hidden": "", "a": "1", "tool": "", "b": "2"})
    said = [{"id": name, "author": {"role": "user"}, "content": {"parts": [name]}} for name in ("a", "b", "c")]
    merged = merge([layer(old), layer({"messages": said, "current_node": "c"}, DAY2, whole=False)])
    assert merged.parents == {"root": None, "hidden": "root", "a": "hidden", "tool": "a", "b": "tool", "c": "b"}
    assert [m.position for m in merged.messages] == [1, 2, 3, 4, 5]
    assert {m.id: m.parent_id for m in merged.messages}["a"] == "hidden"
