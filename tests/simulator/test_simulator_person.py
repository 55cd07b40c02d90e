"""What the person does, and what the service then shows (API notes §2.3)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.simulator import ManualClock, Person, generated_account
from mirror.simulator.trees import branch


@pytest.fixture
def person():
    return Person(generated_account(ManualClock(), 6, 6))


def texts(account, key):
    mapping = account.tree(key)["mapping"]
    return [mapping[n]["message"]["content"]["parts"][0] for n in branch(account.tree(key)) if mapping[n]["message"]]


BUMPS = {
    "new_message": lambda p, key: p.new_message(key, "More?"),
    "edit_prompt": lambda p, key: p.edit_prompt(key, "Rather this"),
    "regenerate": lambda p, key: p.regenerate(key),
    "rename": lambda p, key: p.rename(key, "Other"),
    "legacy rename": lambda p, key: p.rename(key, "Other", legacy=True),
    "move": lambda p, key: p.move(key, p.new_project("Bread")),
    "start_reply": lambda p, key: p.start_reply(key),
}
STILL = {
    "archive": lambda p, key: p.archive(key),
    "unarchive": lambda p, key: p.unarchive(key),
    "star": lambda p, key: p.star(key),
    "unstar": lambda p, key: p.unstar(key),
    "share": lambda p, key: p.share(key),
    "pin": lambda p, key: p.pin(key),
    "quiet move": lambda p, key: p.move(key, p.new_project("Bread"), bump=False),
}


@pytest.mark.parametrize("act", [*BUMPS, *STILL])
def test_which_acts_move_the_update_time(person, act):
    """Messages, renames and moves bring a chat to the top at the clock's time; archive, star and share do not."""
    account, key = person.account, list(person.account.conversations)[4]
    before = account.conversations[key]["update_time"]
    account.clock.advance(3600)
    (BUMPS | STILL)[act](person, key)
    after = account.conversations[key]["update_time"]
    assert after == pytest.approx(account.clock(), abs=0.001) if act in BUMPS else after == before


def test_a_conversation_begins_grows_and_branches(person):
    """Edits and new answers are added beside the old ones; the current node follows, and can go back."""
    account = person.account
    key = person.new_conversation("Bread", "Hello", "Hi", "Why rye?", "Taste.")
    assert texts(account, key) == ["Hello", "Hi", "Why rye?", "Taste."]
    first = account.tree(key)["current_node"]
    person.edit_prompt(key, "Why wheat?")
    assert texts(account, key)[:3] == ["Hello", "Hi", "Why wheat?"]
    person.regenerate(key)
    mapping = account.tree(key)["mapping"]
    assert len(mapping) == 1 + 4 + 2 + 1
    assert first in mapping
    assert account.tree(key)["current_node"] != first
    assert account.tree(key)["current_node"] != person.switch_branch(key) or len(mapping) == 1


def test_a_legacy_rename_shows_in_lists_only(start):
    """Reads keep the old title, until it is renamed again."""
    browser = start()
    key = browser.ids()[0]
    old = browser.get(f"/conversation/{key}")[1]["title"]
    browser.person.rename(key, "New", legacy=True)
    assert browser.get("/conversations")[1]["items"][0]["title"] == "New"
    assert browser.get(f"/conversation/{key}")[1]["title"] == browser.batch(key)[1][0]["title"] == old
    browser.person.rename(key, "Newest")
    assert browser.get(f"/conversation/{key}")[1]["title"] == "Newest"


def test_a_reply_grows_until_it_is_finished(start):
    """async_status 3 and in_progress while it is written; then neither."""
    browser = start()
    key = browser.ids()[2]
    node = browser.person.start_reply(key)

    def seen():
        row, tree = browser.get("/conversations")[1]["items"][0], browser.get(f"/conversation/{key}")[1]
        message = tree["mapping"][node]["message"]
        return row["async_status"], message["status"], message["content"]["parts"][0]

    assert seen() == (3, "in_progress", "It begins")
    browser.person.grow_reply(key)
    assert seen() == (3, "in_progress", "It begins and goes on")
    browser.person.finish_reply(key)
    assert seen() == (None, "finished_successfully", "It begins, and here it ends.")


def test_deleting_and_bringing_back(start):
    """Out of every list and read, and back as it was."""
    browser = start()
    key = browser.ids()[1]
    whole = browser.get(f"/conversation/{key}")[1]
    browser.person.delete(key)
    browser.person.delete(key)
    assert key not in browser.all_listed()
    assert browser.get(f"/conversation/{key}")[0] == 404
    browser.person.undelete(key)
    assert browser.get(f"/conversation/{key}")[1] == whole
    assert key in browser.all_listed()


def test_moves_into_and_out_of_a_project(start):
    """The chat, and the project's own list, say the same."""
    browser = start()
    key, bread = browser.ids()[0], browser.person.new_project("Bread", instructions="Grams.")
    browser.person.move(key, bread)
    found = browser.get(f"/conversation/{key}")[1]
    assert (found["gizmo_id"], found["conversation_template_id"], found["gizmo_type"]) == (bread, bread, "snorlax")
    assert [row["id"] for row in browser.get(f"/gizmos/{bread}/conversations")[1]["items"]] == [key]
    browser.person.move(key, None)
    assert browser.get(f"/gizmos/{bread}/conversations")[1]["items"] == []


def test_memories_are_written_changed_and_forgotten(person):
    """By their ids."""
    rye, wheat = person.remember("Rye"), person.remember("Wheat")
    person.change_memory(rye, "Rye only")
    person.forget(wheat)
    assert [(m["id"], m["content"]) for m in person.account.memories] == [(rye, "Rye only")]


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([*BUMPS, *STILL, "switch_branch", "new_conversation"]), max_size=25), st.integers(0, 99)
)
def test_whatever_happens_trees_are_sound(acts, seed):
    """After any acts every parent knows its child, every leaf leads to the root, and no two times are equal."""
    rng, person = random.Random(seed), Person(generated_account(ManualClock(), 3, 4))
    account = person.account
    for act in acts:
        key = rng.choice(list(account.conversations))
        if act == "new_conversation":
            person.new_conversation()
        elif act == "switch_branch":
            person.switch_branch(key)
        else:
            (BUMPS | STILL)[act](person, key)
    for key in account.conversations:
        tree = account.tree(key)
        for node in tree["mapping"].values():
            assert node["parent"] is None or node["id"] in tree["mapping"][node["parent"]]["children"]
        assert tree["mapping"][branch(tree)[0]]["parent"] is None
        assert branch(tree)[-1] == tree["current_node"]
    times = [c["update_time"] for c in account.listed(account.workspaces[0].id)]
    assert times == sorted(times, reverse=True)
