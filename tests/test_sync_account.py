"""The account, whole: everything arrives, the next night only what changed."""

from __future__ import annotations

import pytest
from nights import DAY, Night, content, differences, findings

from mirror.simulator import Knobs, generated_account
from mirror.simulator.account import Workspace
from mirror.simulator.clock import ManualClock


@pytest.fixture
def night(tmp_path):
    with Night(tmp_path) as opened:
        yield opened


def test_a_first_run_stores_everything(night):
    """After one run the mirror equals the account, and says so."""
    assert night.night() == 0
    assert differences(night) == []
    assert findings(night) == []
    assert night.value("SELECT outcome FROM sync_runs") == "current"


def test_an_unchanged_night_fetches_and_writes_nothing(night):
    """The second run reads no conversation and changes no content row."""
    night.night()
    before = content(night)
    assert night.night() == 0
    assert night.reads() == 0
    assert content(night) == before
    assert len(night.service.requests) <= 10


def test_only_what_changed_is_fetched(night):
    """A new message, an edit, another answer and a new chat cost one batch."""
    night.night()
    keys = night.ids()
    night.person.new_message(keys[0])
    night.person.edit_prompt(keys[1], "Something else then")
    night.person.regenerate(keys[2])
    new = night.person.new_conversation("Fresh", "Hi", "Hello")
    assert night.night() == 0
    assert {i for r in night.asked("/batch") for i in r.ids} == {*keys[:3], new}
    assert differences(night) == []
    changes = night.changes()
    assert changes[new] == {"new"}
    assert "messages added" in changes[keys[0]]
    assert "branch switched" in changes[keys[1]]


def test_what_moves_no_time_arrives_the_next_night(night):
    """Archiving, starring, and taking both back are seen although the update time stands still."""
    night.night()
    keys = night.ids()
    night.person.archive(keys[3])
    night.person.star(keys[9])
    assert night.night() == 0
    assert night.changes() == {keys[3]: {"archived"}, keys[9]: {"starred"}}
    assert differences(night) == []
    night.person.archive(keys[3], on=False)
    night.person.star(keys[9], on=False)
    assert night.night() == 0
    assert night.changes() == {keys[3]: {"unarchived"}, keys[9]: {"unstarred"}}
    assert differences(night) == []


def test_what_moves_no_time_arrives_also_in_a_large_account(tmp_path):
    """The same far below the first page of the list."""
    with Night(tmp_path, conversations=420) as night:
        night.night()
        old = night.ids()[400:404]
        night.person.archive(old[0])
        night.person.star(old[1])
        night.night()
        assert night.changes() == {old[0]: {"archived"}, old[1]: {"starred"}}
        night.person.archive(old[0], on=False)
        night.person.star(old[1], on=False)
        assert night.night() == 0
        assert differences(night) == []


def test_renames_arrive_also_where_only_the_list_shows_them(night):
    """An old chat's new title is taken from the list, and the old one of the read does not come back."""
    night.night()
    keys = night.ids()
    night.person.rename(keys[0], "A better title")
    night.person.rename(keys[1], "Legacy title", legacy=True)
    assert night.night() == 0
    assert differences(night) == []
    assert night.changes()[keys[1]] == {"renamed"}
    night.night(full=True)
    assert night.changes() == {}


def test_projects_and_their_conversations(tmp_path):
    """Projects have names; moves in and out arrive; chats that only a project's list shows are found."""
    with Night(tmp_path, knobs=Knobs(main_excludes_projects=True)) as night:
        bread = night.person.new_project("Bread", instructions="Use grams.")
        hidden = [night.person.new_conversation(f"Loaf {n}", project=bread) for n in range(60)]
        assert night.night() == 0
        assert differences(night) == []
        assert night.rows("SELECT name, instructions FROM projects") == [("Bread", "Use grams.")]
        night.person.new_message(hidden[50])
        night.person.move(night.ids()[0], bread, bump=False)
        night.person.move(hidden[0], None)
        assert night.night() == 0
        assert differences(night) == []
        assert night.changes()[night.ids()[0]] == {"moved"}


@pytest.mark.parametrize("nesting", [0, 1, 2])
def test_every_nesting_of_the_projects_list_is_read(tmp_path, nesting):
    """Sidebar rows nest in three ways, five and more projects on several pages."""
    with Night(tmp_path, knobs=Knobs(sidebar_nesting=nesting)) as night:
        names = {f"Project {n}" for n in range(45)}
        for name in sorted(names):
            night.person.new_project(name)
        assert night.night() == 0
        assert {row[0] for row in night.rows("SELECT name FROM projects")} == names


def test_cursors_that_never_end_do_not_hold_a_night(tmp_path):
    """Endless cursors in sidebar and project lists end by themselves."""
    with Night(tmp_path, knobs=Knobs(cursors_never_end=True)) as night:
        project = night.person.new_project("Bread")
        night.person.new_conversation("Loaf", project=project)
        assert night.night() == 0
        assert differences(night) == []
        assert len(night.service.requests) < 60


def test_every_workspace_is_mirrored(tmp_path):
    """Each workspace of the login is asked for by its id, and its rows say whose they are."""
    clock = ManualClock()
    account = generated_account(clock, 5, 4)
    account.workspaces.append(Workspace("ws-team", "The Team", "workspace", "team"))
    with Night(tmp_path, account) as night:
        ours = night.person.new_conversation("Team talk", workspace="ws-team")
        assert night.night() == 0
        assert differences(night) == []
        assert night.value("SELECT account_id FROM conversations WHERE id = ?", ours) == "ws-team"
        assert night.value("SELECT name FROM accounts WHERE id = 'ws-team'") == "The Team"
        night.person.new_message(ours)
        assert night.night() == 0
        assert night.changes() == {ours: {"messages added"}}


def test_a_cohort_that_rejects_a_parameter_still_syncs(tmp_path):
    """hide_snorlax is dropped where the service refuses it, and not asked with again."""
    with Night(tmp_path, knobs=Knobs(hide_snorlax_rejected=True)) as night:
        assert night.night() == 0
        assert differences(night) == []
        night.night()
        assert not any("hide_snorlax" in r.query for r in night.service.requests)


def test_shared_chats_are_found_by_their_conversation(night):
    """A chat that only the shared list shows is read by its conversation id; the share's id makes no ghost."""
    key = night.ids()[0]
    night.person.share(key)
    night.knobs.omitted = frozenset({key})
    night.knobs.shared_repeats = True
    assert night.night() == 0
    assert differences(night) == []


def test_memories_and_instructions_keep_their_older_texts(night):
    """A changed memory has two rows, the older one with its end."""
    night.account.instructions["about_user_message"] = "I bake."
    memory = night.person.remember("Likes rye")
    night.night()
    night.person.change_memory(memory, "Likes wheat")
    night.account.instructions["about_user_message"] = "I bake at night."
    night.clock.advance(DAY)
    night.night()
    rows = night.rows("SELECT content, replaced_at IS NULL FROM memories ORDER BY rowid")
    assert rows == [("Likes rye", 0), ("Likes wheat", 1)]
    texts = night.rows("SELECT content, replaced_at IS NULL FROM instructions ORDER BY rowid")
    assert [(("at night" in text), current) for text, current in texts] == [(False, 0), (True, 1)]


def test_a_custom_gpt_gets_its_name(night):
    """Chats with a custom GPT point to a row that has its name; a private one keeps its id."""
    night.account.gpts["g-abc"] = {"id": "g-abc", "display": {"name": "Crumb Coach"}}
    for key, gizmo in zip(night.ids(), ("g-abc", "g-private"), strict=False):
        night.account.tree(key)["gizmo_id"] = gizmo
    night.night()
    night.night()
    assert dict(night.rows("SELECT id, name FROM gpts")) == {"g-abc": "Crumb Coach", "g-private": "g-private"}


def test_a_conversation_still_being_written_is_read_again(night):
    """Half an answer is stored as such, and the whole one the next night, although no time moved."""
    key = night.ids()[0]
    night.night()
    night.person.start_reply(key)
    assert night.night() == 0
    assert night.value("SELECT count(*) FROM messages WHERE text = 'It begins'") == 1
    night.person.finish_reply(key, bump=False)
    assert night.night() == 0
    assert differences(night) == []
    night.night()
    assert night.reads() == 0


def test_a_dry_run_stores_nothing(night):
    """--dry-run lists and compares only."""
    outcome = night.sync(dry=True)
    assert outcome.counts.new == 12
    assert night.value("SELECT count(*) FROM conversations") == 0
    assert night.reads() == 0
    assert night.night() == 0
