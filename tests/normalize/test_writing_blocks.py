"""Drafts inside an answer: what the person made of one is shown in its place, and what it was before stays readable."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.normalize.chatgpt.conversation import from_payload
from mirror.normalize.chatgpt.writing_blocks import BEFORE, readable

if TYPE_CHECKING:
    from mirror.rows import Message

DRAFT = ':::writing{variant="email" id="38274" subject="Broken lift"}\nDear all,\n\nthe lift is stuck.\n:::\n\nFirmer?'
PLAIN = "Broken lift\n\nDear all,\n\nthe lift is stuck.\n\nFirmer?"
EDITED = (
    "Broken lift\n\nTo whom it may concern,\n\nthe lift is dead.\n\nFirmer?\n\n"
    f"{BEFORE}\n\nBroken lift\n\nDear all,\n\nthe lift is stuck."
)
NEW = "To whom it may concern,\n\nthe lift is dead."


@pytest.mark.parametrize(
    "edited",
    [None, {}, [], "", 5, {"38274": ""}, {"38274": None}, {"38274": {}}, [{}], [[[]]], {"38274": {"status": "saved"}}],
)
def test_without_an_edit_the_draft_is_shown(edited: Any) -> None:
    assert readable(DRAFT, edited) == PLAIN


@pytest.mark.parametrize(
    "edited",
    [
        {"38274": NEW},
        {"38274": {"content": NEW}},
        {"38274": {"text": NEW, "updated_at": "2026-10-01T00:00:00Z", "variant": "email"}},
        {"38274": {"body": NEW, "subject": "Broken lift"}},
        {"38274": {"content": {"text": NEW}}},
        {"38274": {"content": f':::writing{{id="38274"}}\n{NEW}\n:::'}},
        {"38274": {"versions": [{"content": "Older"}, {"content": NEW}]}},
        [{"id": "38274", "content": NEW}],
        [{"id": 38274, "content": NEW}],
        {"blocks": [{"block_id": "38274", "markdown": NEW}]},
        {"blocks": {"38274": {"value": NEW}}},
        [{"content": NEW}],
        {"blocks": [{"content": NEW}]},
        {"38274": ["Older", NEW]},
        {"38274": {"status": "saved", "content": NEW.split("\n")}},
        {"38274": [{"content": "Older"}, {"content": NEW}]},
    ],
)
def test_an_edit_takes_the_place_of_its_draft_and_the_draft_stays_readable(edited: Any) -> None:
    assert readable(DRAFT, edited) == EDITED


@pytest.mark.parametrize(
    ("text", "edited", "drafts"),
    [
        (DRAFT, None, [("email", "Broken lift", "Dear all,\n\nthe lift is stuck.")]),
        (DRAFT, {"38274": NEW}, [("email", "Broken lift", NEW)]),
        (DRAFT, {"38274": {"subject": "Dead lift", "content": NEW}}, [("email", "Dead lift", NEW)]),
        (":::writing\nOnly begun", None, [("", "", "Only begun")]),
        (f"{DRAFT}\n{DRAFT}", None, [("email", "Broken lift", "Dear all,\n\nthe lift is stuck.")] * 2),
        ("no draft", {"38274": NEW}, []),
        (':::writing{id="1"}\n:::', None, []),
        (f"Odd ``` in prose.\n\n{DRAFT}", None, [("email", "Broken lift", "Dear all,\n\nthe lift is stuck.")]),
        (f"~~~\n{DRAFT}\n~~~", None, []),
        (f"````md\n```py\n{DRAFT}\n```\n````", None, []),
        (f"- ```py\n  x\n  ```\n\n{DRAFT}", None, [("email", "Broken lift", "Dear all,\n\nthe lift is stuck.")]),
        (":::writing\n````md\n```py\n:::\n```\n````\nb\n:::\nc", None, [("", "", "````md\n```py\n:::\n```\n````\nb")]),
        (":::writing\n```a``` words\n:::\nc", None, [("", "", "```a``` words")]),
        (
            ':::writing{variant="email" to="bob@example.com" subject="Invoice"}\nDear Bob\n:::',
            None,
            [("email", "Invoice", "to: bob@example.com\n\nDear Bob")],
        ),
        (
            ':::writing{variant="email" id="1" to="bob@example.com" subject="Invoice"}\nDear Bob\n:::',
            {"1": "Dear Bob, hello"},
            [("email", "Invoice", "to: bob@example.com\n\nDear Bob, hello")],
        ),
        (":::writing{variant='email' subject='Quarterly'}\na\n:::", None, [("email", "Quarterly", "a")]),
        (
            ':::writing{subject="One" title="Two" .wide "lost" words}\na\n:::',
            None,
            [("", "One", 'title: Two\n.wide "lost" words\n\na')],
        ),
        (":::writing\na\n:::tip\nb\n:::\nc\n:::\nd", None, [("", "", "a\n:::tip\nb\n:::\nc")]),
        (":::writing\n:::tip A title\nb\n:::\nc\n:::\nd", None, [("", "", ":::tip A title\nb\n:::\nc")]),
        (":::writing\n:::and so on\nb\n:::\nc", None, [("", "", ":::and so on\nb")]),
        (":::writing\na\n:::writing\nb\n:::\nc", None, [("", "", "a"), ("", "", "b")]),
        (':::writing{id="1"}\nsplit \ud800 and \ue200mark\n:::', None, [("", "", "split \ufffd and mark")]),
    ],
)
def test_drafts_are_stored_apart(text: str, edited: Any, drafts: list[tuple[str, str, str]]) -> None:
    """As they stand in the message's text, to the letter."""
    row = only_message(text, edited)
    found = json.loads(row.drafts or "[]")
    assert [(one["kind"], one["title"], one["text"]) for one in found] == drafts
    assert all(row.text.startswith(one["text"], one["at"]) for one in found)


def test_the_place_of_a_draft_is_stored() -> None:
    """Also where its words come before it, and a citation before it is gone from the text."""
    text = "Thanks!\n\n\ue200cite\ue202turn0search0\ue201 So Thanks!\n:::writing\nThanks!\n:::\nThanks!"
    row = only_message(f"{text}\n{text}", None)
    places = [one["at"] for one in json.loads(row.drafts or "")]
    assert [row.text[:at].count("Thanks!") for at in places] == [2, 6]
    assert len(set(places)) == 2


@pytest.mark.parametrize("line", [":::writing\n", ":::writing\n:::a b\n:::\n", ":::writing{" + "a" * 90_000 + "}\n"])
def test_reading_drafts_takes_time_by_the_length(line: str) -> None:
    text = line * (190_000 // len(line))
    begin = time.process_time()
    only_message(text, None)
    assert time.process_time() - begin < 3


def test_an_edited_subject() -> None:
    found = readable(DRAFT, {"38274": {"subject": "Dead lift", "content": NEW}})
    assert found.startswith("Dead lift\n\nTo whom")
    assert found.endswith("Broken lift\n\nDear all,\n\nthe lift is stuck.")


def test_an_edit_that_changes_nothing_is_not_said_twice() -> None:
    assert readable(DRAFT, {"38274": {"content": "Dear all,\n\nthe lift is stuck."}}).count("stuck") == 1


def test_of_several_drafts_each_has_its_own_edit() -> None:
    text = "One:\n" + "\n".join(f':::writing{{id="{n}"}}\nDraft {n}\n:::' for n in range(3))
    found = readable(text, {"1": "Edit 1", "2": {"content": "Edit 2"}})
    assert found.partition(BEFORE)[0] == "One:\nDraft 0\nEdit 1\nEdit 2\n\n"
    assert found.count(BEFORE) == 2
    assert "Draft 1" in found
    assert "Draft 2" in found


def test_an_edit_of_an_unknown_draft_is_readable_all_the_same() -> None:
    found = readable(DRAFT, {"9": {"subject": "Other", "content": NEW}})
    assert found == f"{PLAIN}\n\nOther\n\n{NEW}"
    assert readable("No fence here", {"9": NEW}) == f"No fence here\n\n{NEW}"


def test_what_stands_in_code_is_left_alone() -> None:
    text = f"```\n{DRAFT}\n```"
    assert readable(text) == text


def only_message(text: str, edited: Any, role: str = "assistant") -> Message:
    """Return the row of a message with this text."""
    content = {"content_type": "text", "parts": [text]}
    message = {"id": "a", "author": {"role": role}, "content": content, "metadata": {"writing_blocks": edited}}
    node: dict[str, Any] = {"id": "a", "parent": None, "children": [], "message": message}
    (row,) = from_payload({"conversation_id": "c", "mapping": {"a": node}, "current_node": "a"}).messages
    return row


def test_both_are_in_the_text_of_the_message() -> None:
    assert only_message(DRAFT, {"38274": {"content": NEW}}).text == EDITED
    said_by_person = only_message(DRAFT, {"38274": {"content": NEW}}, "user")
    assert (said_by_person.text, said_by_person.drafts) == (DRAFT, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(NEW),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["38274", "id", "content", "versions", "text", "subject", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_it_holds_no_word_of_the_draft_is_lost(edited: Any) -> None:
    found = readable(DRAFT, edited)
    assert "the lift is stuck." in found
    assert "Firmer?" in found
    assert ":::writing" not in found or ":::writing" in str(edited)
