"""What one arrival makes of a conversation, decided without a database."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import arrival, tree

from mirror.fold import fold, fold_listing
from mirror.normalize import ParsedPayload, merge, normalize
from mirror.source import Listed
from mirror.store.conversations import Stored, Update
from mirror.store.payloads import DamagedPayloadError
from mirror.store.tracking import Tracked

if TYPE_CHECKING:
    from mirror.payload_versions import Arrival

EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"
LIST_US = 1_750_000_500_000_000
LISTED = LIST_US / 1_000_000
NOTHING = Stored("c1")


def stored_after(*arrivals: Arrival, listed: Tracked | None = None) -> Stored:
    """Return what would be stored after these arrivals, one after the other."""
    stored = NOTHING
    for came in arrivals:
        stored = applied(stored, fold(stored, came, listed))
    return stored


def applied(stored: Stored, update: Update) -> Stored:
    """Return what is stored once an update was saved."""
    messages = dict(stored.messages)
    for write in update.messages:
        if write.new is not None:
            messages[write.new.id] = write.new
        elif write.old is not None:
            del messages[write.old.id]
    kept = stored.payloads if update.payloads is None else update.payloads
    numbered = tuple(replace(payload, id=n) for n, payload in enumerate(kept, 1))
    return Stored(stored.conversation_id, update.row, numbered, messages)


def listing(**stated: Any) -> Tracked:
    """Return a conversation of which the lists state everything, changed as told."""
    told: dict[str, Any] = {
        "list_us": LIST_US,
        "title": "A title",
        "is_archived": False,
        "is_starred": False,
        "states_home": True,
    }
    listed = Listed("c1", **(told | stated))
    return Tracked(listed, "chatgpt", account_id="w1", stored_us=listed.list_us, stored_mark=listed.mark)


def kinds(update: Update) -> list[str]:
    return [change.kind for change in update.changes]


def test_a_first_payload_makes_a_new_conversation() -> None:
    update = fold(NOTHING, arrival(tree("hello", "hi")), None)
    assert kinds(update) == ["new"]
    assert (update.row.title, update.row.message_count, update.row.url) == ("A title", 2, "https://chatgpt.com/c/c1")
    assert [write.new.text for write in update.messages if write.new] == ["hello", "hi"]
    assert [payload.body for payload in update.payloads or ()] == [arrival(tree("hello", "hi")).body.raw]


@pytest.mark.parametrize(
    ("stated", "changed", "told"),
    [
        pytest.param({"title": "Another"}, {"title": "Another"}, ["renamed"], id="title"),
        pytest.param({"title": None}, {}, [], id="a list that says no title leaves the old one"),
        pytest.param({"is_archived": True}, {"is_archived": True}, ["archived"], id="archived"),
        pytest.param({"is_starred": True}, {"is_starred": True}, ["starred"], id="starred"),
        pytest.param({"is_starred": None}, {}, [], id="a list that says nothing of stars"),
        pytest.param({"project_id": "g-p-1"}, {"project_id": "g-p-1"}, ["moved"], id="project"),
        pytest.param({"gpt_id": "g-1"}, {"gpt_id": "g-1"}, [], id="custom GPT"),
        pytest.param({"project_id": "g-p-1", "states_home": False}, {}, [], id="a list that says no home"),
        pytest.param(
            {"list_us": LIST_US + 1_000_000}, {"updated_at": "2025-06-15T15:15:01.000Z"}, [], id="another list time"
        ),
        pytest.param({"list_us": 0}, {}, [], id="a list without times"),
    ],
)
def test_a_list_row_touches_the_conversations_own_row(
    stated: dict[str, Any], changed: dict[str, Any], told: list[str]
) -> None:
    stored = stored_after(arrival(tree("hello", "hi")), listed=listing())
    update = fold_listing(stored, listing(**stated))
    assert {name: getattr(update.row, name) for name in update.changed_columns} == changed
    assert kinds(update) == told
    assert update.payloads is None
    assert update.messages == ()


def test_the_lists_outrank_the_payload() -> None:
    payload = tree("hello", title="Old title", is_archived=True, gizmo_id="g-p-9")
    update = fold(NOTHING, arrival(payload), listing(title="New title", project_id="g-p-1"))
    assert (update.row.title, update.row.is_archived, update.row.project_id) == ("New title", False, "g-p-1")
    assert update.row.account_id == "w1"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        pytest.param(tree("a", "b"), tree("a", "b"), [], id="the same again"),
        pytest.param(tree("a", "b"), tree("a", "b", "c", "d"), ["messages added"], id="more"),
        pytest.param(tree("a", "b"), tree("a", "B"), ["messages edited"], id="another text"),
        pytest.param(tree("a", "b", "c", "d"), tree("a", "b"), ["messages removed", "branch switched"], id="fewer"),
        pytest.param(
            tree("a", "b", ("x", "n1", "c")),
            tree("a", "b", ("x", "n1", "c"), current="n2"),
            ["branch switched"],
            id="leaf",
        ),
        pytest.param(tree("a", title="A"), tree("a", title="B"), ["renamed"], id="title"),
    ],
)
def test_what_changed_is_named(first: dict[str, Any], second: dict[str, Any], told: list[str]) -> None:
    stored = stored_after(arrival(first, at=EARLY))
    assert kinds(fold(stored, arrival(second, at=LATE), None)) == told


def test_what_is_stored_says_nothing_new() -> None:
    """Bytes that are stored change nothing."""
    stored = stored_after(arrival(tree("a", "b")))
    update = fold(stored, arrival(tree("a", "b"), at=LATE), None)
    assert not update.changes_rows
    assert (update.payloads, update.damage) == (None, None)


def test_the_same_bytes_take_the_place_of_damaged_ones() -> None:
    """Their hash says that they are the same."""
    stored = stored_after(arrival(tree("a", "b")))
    damaged = tuple(replace(payload, packed=b"no zlib") for payload in stored.payloads)
    update = fold(replace(stored, payloads=damaged), arrival(tree("a", "b"), at=LATE), None)
    assert not update.changes_rows
    assert update.damage is not None
    assert update.damage.is_healed
    assert update.payloads is not None
    assert [replace(version, id=1) for version in update.payloads] == list(stored.payloads)


def test_stored_payloads_alone_make_the_same_rows() -> None:
    """Deriving the rows again changes none, whatever came before."""
    older, newer = tree("a", "b", "secret", "d"), tree("a", "b")
    stored = stored_after(arrival(older, at=EARLY), arrival(newer, at=LATE))
    stored = applied(stored, fold_listing(stored, listing()))
    assert len(stored.payloads) == 2, "the older one alone holds what vanished"
    again = fold(stored, None, listing())
    assert not again.changes_rows
    assert again.payloads is None
    assert stored.messages["n3"].removed_at == LATE


def seen_smaller(update: Update, at: str) -> Tracked:
    """Return what is tracked once a smaller reading was remembered."""
    return listing()._replace(smaller_ids=update.smaller_ids, smaller_at=at)


def test_a_smaller_tree_takes_nothing_away_at_first() -> None:
    """A copy that lags, or an answer that is cut, looks just like messages that were deleted."""
    stored = stored_after(arrival(tree("a", "b", "c", "d"), at=EARLY), listed=listing())
    update = fold(stored, arrival(tree("a", "b"), at=LATE), listing())
    assert update.smaller_ids is not None
    assert kinds(update) == []
    assert [m.removed_at for m in applied(stored, update).messages.values()] == [None] * 4


@pytest.mark.parametrize(
    ("second", "at", "is_believed"),
    [
        pytest.param(tree("a", "b", at=LISTED), "2026-02-01T06:00:00.000Z", True, id="the same hours later"),
        pytest.param(tree("a", "b", at=LISTED), "2026-02-01T05:59:00.000Z", False, id="the same too soon"),
        pytest.param(tree("a", "b", "c", at=LISTED), "2026-02-02T00:00:00.000Z", False, id="another smaller one"),
        pytest.param(tree("a", "b", at=LISTED - 60), "2026-02-14T00:00:00.000Z", False, id="an older one days later"),
        pytest.param(tree("a", "b", at=LISTED - 60), "2026-02-15T00:00:00.000Z", True, id="an older one weeks later"),
    ],
)
def test_a_smaller_tree_is_believed_when_another_says_the_same(
    second: dict[str, Any], at: str, is_believed: bool
) -> None:
    stored = stored_after(arrival(tree("a", "b", "c", "d"), at=EARLY), listed=listing())
    first = fold(stored, arrival(tree("a", "b"), at=LATE), listing())
    update = fold(applied(stored, first), arrival({**second, "extra": 1}, at=at), seen_smaller(first, LATE))
    assert ("messages removed" in kinds(update)) is is_believed
    assert (update.smaller_ids is None) is is_believed


def test_a_larger_tree_ends_the_suspicion() -> None:
    stored = stored_after(arrival(tree("a", "b", "c", "d"), at=EARLY), listed=listing())
    first = fold(stored, arrival(tree("a", "b"), at=LATE), listing())
    whole = arrival(tree("a", "b", "c", "d", "e"), at="2026-02-02T00:00:00.000Z")
    update = fold(applied(stored, first), whole, seen_smaller(first, LATE))
    assert kinds(update) == ["messages added"]
    assert update.smaller_ids is None


def test_an_older_copy_never_replaces_a_newer_one() -> None:
    newer, older = tree("a", "b", "c", "d", at=1_750_009_000.0), tree("a", "b", title="Old")
    stored = stored_after(arrival(newer, origin="export"))
    update = fold(stored, arrival(older, origin="export", at=LATE), None)
    assert not update.changes_rows
    assert len(update.payloads or ()) == 1


def test_an_export_stands_below_a_live_payload_of_the_same_time() -> None:
    payload = tree("a", "b")
    exported = arrival({**payload, "title": "From the export"}, origin="export", at=LATE)
    stored = stored_after(arrival(payload, list_us=int(payload["update_time"] * 1_000_000)))
    assert fold(stored, exported, None).row.title == "A title"


def renamed(stored: Stored, **more: Any) -> Update:
    """Return what a renamed chat's payload makes: another title and time, the same messages."""
    payload = {**tree("a", "b"), "title": "Another", "update_time": 1_750_000_600.0, **more}
    return fold(stored, arrival(payload, at=LATE, list_us=LIST_US + 1), listing(title="Another"))


def test_a_renamed_chat_replaces_its_payload_without_reading_the_stored_one() -> None:
    stored = stored_after(arrival(tree("a", "b")), listed=listing())
    unreadable = tuple(replace(payload, packed=b"no zlib") for payload in stored.payloads)
    update = renamed(replace(stored, payloads=unreadable))
    assert kinds(update) == ["renamed"]
    assert update.messages == ()
    assert [payload.id for payload in update.payloads or ()] == [None]
    assert not fold(applied(stored, update), None, listing(title="Another")).changes_rows


def test_a_renamed_chat_with_another_message_is_read() -> None:
    stored = stored_after(arrival(tree("a", "b")), listed=listing())
    assert kinds(renamed(stored, mapping=tree("a", "b", "c")["mapping"], current_node="n3")) == [
        "renamed",
        "messages added",
    ]


def test_damaged_bytes_are_named_where_they_are_needed() -> None:
    stored = stored_after(arrival(tree("a", "b")))
    for packed in (b"no zlib", zlib.compress(b"{}")):
        damaged = replace(stored, payloads=tuple(replace(payload, packed=packed) for payload in stored.payloads))
        with pytest.raises(DamagedPayloadError):
            fold(damaged, None, None)


def test_rows_without_a_payload_are_not_wiped() -> None:
    stored = replace(stored_after(arrival(tree("a", "b"))), payloads=())
    with pytest.raises(ValueError, match="no stored payload"):
        fold(stored, None, None)


TEXTS = st.sampled_from(["", " ", "one", "two words", "one and more"])


@given(
    before=st.lists(TEXTS, min_size=1, max_size=5), after=st.lists(TEXTS, min_size=1, max_size=7), goes_on=st.booleans()
)
def test_a_tree_that_goes_on_makes_the_same_rows_as_when_both_are_read(
    before: list[str], after: list[str], *, goes_on: bool
) -> None:
    """What the newer tree surely holds of the older one is not derived again, which changes no row."""
    old, new = tree(*before), tree(*before, *after) if goes_on else tree(*after)
    stored = stored_after(arrival(old, at=EARLY))
    update = fold(stored, arrival(new, at=LATE), None)
    versions = [
        ParsedPayload(normalize("chatgpt", payload), at, proves_absence=True)
        for payload, at in ((old, EARLY), (new, LATE))
    ]
    assert applied(stored, update).messages == {row.id: row for row in merge(versions).messages}
    if goes_on:
        assert {write.new.id for write in update.messages if write.new} == {
            f"n{n + 1}" for n in range(len(before), len(before) + len(after))
        }
        assert len(update.payloads or ()) == 1
