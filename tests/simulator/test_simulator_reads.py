"""Reading conversations from the simulated service, and what reads can get wrong (API notes §3, §8)."""

from __future__ import annotations

import random
from email.utils import parsedate_to_datetime

import pytest

from mirror.simulator import Behaviour, ManualClock, demo_account, generated_account
from mirror.simulator.clock import iso_microseconds

UNKNOWN = "00000000-0000-4000-8000-00000000dead"


def single(browser, key):
    return browser.get(f"/conversation/{key}")[1]


def windows(browser, key, turns=10):
    """The plural read, put together: messages oldest first, and how many windows it took."""
    first = page = browser.get(f"/conversations/{key}", include_has_versions="true", num_turns=turns)[1]
    found, count = first["messages"], 1
    while page["page_info"]["has_previous_page"]:
        before = page["page_info"]["start_cursor"]
        page = browser.get(f"/conversations/{key}/messages", before=before, num_turns=turns)[1]
        found, count = page["messages"] + found, count + 1
    return first, found, count


def dangling(tree):
    """Whether the current node, a parent or a child is not in the tree."""
    mapping = tree["mapping"]
    ends = [n["parent"] for n in mapping.values()] + [c for n in mapping.values() for c in n["children"]]
    return tree["current_node"] not in mapping, any(end is not None and end not in mapping for end in ends)


def test_the_three_shapes_of_one_conversation(start):
    """Single: conversation_id and floats; batch: id, ISO and no default model; plural: flat, without a tree."""
    browser = start()
    key = browser.ids()[0]
    one, (many,) = single(browser, key), browser.batch(key)[1]
    flat = browser.get(f"/conversations/{key}", num_turns=50)[1]
    assert "id" not in one
    assert "conversation_id" not in many
    assert one["conversation_id"] == many["id"] == flat["conversation_id"] == key
    assert many["update_time"] == iso_microseconds(one["update_time"]) == iso_microseconds(flat["update_time"])
    assert "default_model_slug" in one
    assert "default_model_slug" not in many
    assert one["mapping"] == many["mapping"]
    assert "mapping" not in flat
    assert [m["metadata"]["parent_id"] in one["mapping"] for m in flat["messages"]] == [True] * 6


def test_a_tree_is_sound(start):
    """One root without a message; parents and children agree; the current node is a leaf."""
    browser = start()
    tree = single(browser, browser.ids()[0])
    roots = [node for node in tree["mapping"].values() if node["parent"] is None]
    assert [root["message"] for root in roots] == [None]
    for key, node in tree["mapping"].items():
        assert all(tree["mapping"][child]["parent"] == key for child in node["children"])
    assert tree["mapping"][tree["current_node"]]["children"] == []


def test_what_is_not_there(start):
    """Deleted, unknown and malformed ids each have their own answer; a batch just omits the unknown."""
    browser = start()
    key = browser.ids()[0]
    browser.person.delete(key)
    assert browser.get(f"/conversation/{key}")[1]["detail"]["code"] == "conversation_deleted"
    assert browser.get(f"/conversations/{key}", num_turns=5)[1]["detail"]["code"] == "conversation_deleted"
    assert browser.get(f"/conversation/{UNKNOWN}")[1]["detail"]["code"] == "conversation_not_found"
    assert browser.get("/conversation/no-uuid")[0] == 422
    assert browser.get(f"/conversation/{browser.ids()[0]}", include_full_conversation="true")[0] == 403
    assert [tree["id"] for tree in browser.batch(key, UNKNOWN, browser.ids()[0])[1]] == [key, browser.ids()[0]]
    browser.behaviour.batch_shows_deleted = False
    assert browser.batch(key)[1] == []


def test_a_batch_takes_ten_at_most(start):
    """Eleven are refused in the service's own words."""
    browser = start(11)
    assert len(browser.batch(*browser.ids()[:10])[1]) == 10
    status, found = browser.batch(*browser.ids())
    assert (status, found["detail"][0]["loc"]) == (422, ["body"])
    assert found["detail"][0]["msg"] == "Value error, conversation_ids must contain at most 10 entries"
    assert browser.get("/conversations/batch")[0] == 405


@pytest.mark.parametrize("mode", ["tail", "head", "empty", "consistent"])
def test_truncated_trees(start, mode):
    """Only in batches, with status 200: missing nodes betray the cut, except where it is consistent."""
    browser = start(3, 30)
    key, other = browser.ids()[:2]
    browser.behaviour.truncated = {key: mode}
    cut, whole = browser.batch(key, other)[1]
    lost_current, lost_end = dangling(cut)
    expected = {"tail": (True, False), "head": (False, True), "empty": (True, False), "consistent": (False, False)}
    assert (lost_current, lost_end) == expected[mode]
    assert len(cut["mapping"]) <= 11 < len(whole["mapping"]) == len(single(browser, key)["mapping"]) == 31


def test_batches_that_answer_otherwise(start):
    """Omitted ids, another order, a wrapper, old and rounded times, ISO times inside."""
    browser = start(9)
    ids = browser.ids()
    browser.behaviour.batch_omits = frozenset(ids[:1])
    assert {tree["id"] for tree in browser.batch(*ids)[1]} == set(ids[1:])
    browser.behaviour.batch = "shuffled"
    assert [tree["id"] for tree in browser.batch(*ids)[1]] != ids[1:]
    browser.behaviour.batch, browser.behaviour.stale_batch_times, browser.behaviour.batch_iso_messages = (
        "wrapped",
        True,
        True,
    )
    tree = browser.batch(ids[1])[1]["conversations"][0]
    assert tree["update_time"] < iso_microseconds(browser.account.conversations[ids[1]]["update_time"])
    assert tree["mapping"][tree["current_node"]]["message"]["create_time"].endswith("Z")


@pytest.mark.parametrize(
    ("cohort", "statuses"),
    [("legacy", (200, 1, 404, 404)), ("business", (404, None, 200, 200)), ("huge", (500, 0, 200, 500))],
)
def test_cohorts(start, cohort, statuses):
    """Which endpoints give a conversation: single, batch, plural with 10 and with 100 turns."""
    browser = start()
    browser.service.behaviour = Behaviour.cohort(cohort)
    key = browser.ids()[0]
    status, found = browser.batch(key)
    assert statuses == (
        browser.get(f"/conversation/{key}")[0],
        len(found) if status == 200 else None,
        browser.get(f"/conversations/{key}", num_turns=10)[0],
        browser.get(f"/conversations/{key}", num_turns=100)[0],
    )


def test_single_conversations_can_be_bad(start):
    """One huge, one poisoned, one shapeless; the others are as usual."""
    browser = start(4)
    huge, poisoned, shapeless, good = browser.ids()
    browser.behaviour.huge, browser.behaviour.poisoned = frozenset({huge}), frozenset({poisoned})
    browser.behaviour.shapeless = frozenset({shapeless})
    assert [browser.get(f"/conversation/{key}")[0] for key in browser.ids()] == [500, 500, 200, 200]
    assert [browser.get(f"/conversations/{key}", num_turns=5)[0] for key in browser.ids()] == [200, 500, 200, 200]
    assert not {"mapping", "messages"} & set(single(browser, shapeless))
    assert [tree["id"] for tree in browser.batch(huge, good)[1]] == [good]
    assert browser.batch(poisoned, good)[0] == 500
    assert "mapping" not in browser.batch(shapeless)[1][0]


def test_details_can_be_later_than_the_list(start):
    """By so many seconds, in single and plural reads."""
    browser = start(detail_later=2.5)
    key = browser.ids()[0]
    listed = browser.account.conversations[key]["update_time"]
    assert single(browser, key)["update_time"] == listed + 2.5
    assert browser.get(f"/conversations/{key}", num_turns=5)[1]["update_time"] == listed + 2.5


# -- windows


def test_windows_give_the_visible_branch_and_no_other(start):
    """Page by page from the newest; older pages have neither id nor title; branches are flags only."""
    browser = start(2, 42)
    key = browser.ids()[0]
    browser.person.regenerate(key)
    first, found, count = windows(browser, key)
    tree = browser.account.tree(key)
    assert (len(found), count) == (42, 5)
    assert found[-1]["id"] == tree["current_node"]
    assert found[-1]["metadata"]["has_versions"]
    assert [m["metadata"]["parent_id"] for m in found[1:]] == [m["id"] for m in found[:-1]]
    older = browser.get(f"/conversations/{key}/messages", before=first["page_info"]["start_cursor"], num_turns=3)[1]
    assert set(older) == {"messages", "page_info", "safe_urls", "blocked_urls"}
    newer = browser.get(f"/conversations/{key}/messages", after=older["page_info"]["end_cursor"], num_turns=10)[1]
    assert newer["messages"] == first["messages"]
    assert browser.get(f"/conversations/{key}")[0] == 422


def test_windows_that_are_wrong(start):
    """Overlap, blanks, a next page that does not exist, more than was asked for, and a cursor that repeats."""
    browser = start(2, 42)
    key, behaviour = browser.ids()[0], browser.behaviour
    behaviour.plural_overlap = 3
    _, found, _ = windows(browser, key)
    assert (len(found), len({m["id"] for m in found})) == (42 + 4 * 3, 42)
    behaviour.plural_overlap, behaviour.plural_blank_windows = 0, True
    _, found, count = windows(browser, key)
    assert (len(found), count) == (42, 9)
    behaviour.plural_blank_windows, behaviour.messages_a_turn, behaviour.plural_lies_about_next = False, 50, True
    first, found, count = windows(browser, key)
    assert (len(found), count, first["page_info"]["has_next_page"]) == (42, 1, True)
    behaviour.messages_a_turn, behaviour.plural_repeats_cursor = 1, True
    first = browser.get(f"/conversations/{key}", num_turns=10)[1]
    cursor = first["page_info"]["start_cursor"]
    again = browser.get(f"/conversations/{key}/messages", before=cursor, num_turns=10)[1]
    assert again["page_info"]["start_cursor"] == cursor


# -- limits


def test_per_id_reads_share_a_bucket_that_refills_by_the_clock(start):
    """Single and plural reads empty it, batches do not; a minute later there is one more."""
    browser = start(bucket=4)
    key = browser.ids()[0]
    codes = [browser.get(f"/conversation/{key}")[0] for _ in range(3)]
    codes += [browser.get(f"/conversations/{key}", num_turns=5)[0] for _ in range(2)]
    assert codes == [200, 200, 200, 200, 429]
    assert "retry-after" not in browser.headers
    assert browser.batch(key)[0] == 200
    browser.clock.advance(60)
    assert [browser.get(f"/conversation/{key}")[0] for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("text", ["120", "soon", "-5", ""])
def test_a_refusal_can_say_when_to_come_again(start, text):
    """In seconds, or in nonsense."""
    browser = start(bucket=0, retry_after=text)
    assert browser.get(f"/conversation/{browser.ids()[0]}")[0] == 429
    assert browser.headers["retry-after"] == text


def test_a_refusal_can_name_a_date_or_the_lock(start):
    """A minute from now by the service's clock, which its Date header shows too; the words of the lock."""
    browser = start(bucket=0, retry_after="date", locks_out=True)
    _, found = browser.get(f"/conversation/{browser.ids()[0]}")
    at = parsedate_to_datetime(browser.headers["retry-after"]).timestamp()
    assert at == int(browser.clock() + 60)
    assert parsedate_to_datetime(browser.headers["date"]).timestamp() == int(browser.clock())
    assert "temporarily limited access" in found["detail"]


def test_lists_and_batches_can_be_limited_for_a_while(start):
    """So many requests are refused, then they pass."""
    browser = start(list_limited=1, batch_limited=2)
    key = browser.ids()[0]
    assert [browser.get("/conversations")[0] for _ in range(2)] == [429, 200]
    assert [browser.batch(key)[0] for _ in range(3)] == [429, 429, 200]


# -- accounts


def test_a_generated_account_is_the_same_every_time():
    """Equal by its seed, and no person's act repeats one of its ids."""
    clock = ManualClock()
    accounts = [generated_account(clock, 20, 5, seed=seed, archived=3) for seed in (1, 1, 2)]
    ids = [list(account.conversations) for account in accounts]
    assert ids[0] == ids[1] != ids[2]
    assert len(ids[0]) == 23
    assert accounts[0].shown(ids[0][7]) == accounts[1].tree(ids[1][7])
    assert "mapping" not in accounts[0].conversations[ids[0][7]]


def test_the_demo_account_is_served_whole(start):
    """Every endpoint gives every conversation of it, whatever content it holds."""
    browser = start(account=demo_account(ManualClock(), random.Random(1)))
    listed = {*browser.all_listed(), *browser.all_listed(is_archived="true")}
    assert listed == set(browser.ids())
    for key in listed:
        one, (many,) = single(browser, key), browser.batch(key)[1]
        assert one["mapping"] == many["mapping"] == browser.account.conversations[key]["mapping"]
        assert windows(browser, key, 500)[1]
