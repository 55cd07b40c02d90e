"""The whole account: everything arrives, and in the next run only what changed."""

from __future__ import annotations

import pytest
from mirrored_service import DAY, MirroredService, content, differences, findings, on_request

from mirror.errors import StorageError
from mirror.simulator import Behaviour, ManualClock, SimulatedWorkspace, generated_account
from mirror.store import database


@pytest.fixture
def mirrored(tmp_path):
    with MirroredService(tmp_path) as opened:
        yield opened


def test_a_first_run_stores_everything(mirrored):
    """After one run the mirror equals the account, and says so."""
    assert mirrored.next_run() == 0
    assert differences(mirrored) == []
    assert findings(mirrored) == []
    assert mirrored.value("SELECT outcome FROM sync_runs") == "current"


def test_a_run_without_changes_fetches_and_writes_nothing(mirrored):
    """The second run reads no conversation and changes no content row."""
    mirrored.next_run()
    before = content(mirrored)
    assert mirrored.next_run() == 0
    assert mirrored.reads() == 0
    assert content(mirrored) == before
    assert len(mirrored.service.requests) <= 10


def test_only_what_changed_is_fetched(mirrored):
    """A new message, an edit, another answer and a new chat cost one batch."""
    mirrored.next_run()
    keys = mirrored.ids()
    mirrored.person.new_message(keys[0])
    mirrored.person.edit_prompt(keys[1], "Something else then")
    mirrored.person.regenerate(keys[2])
    new = mirrored.person.new_conversation("Fresh", "Hi", "Hello")
    assert mirrored.next_run() == 0
    assert {i for r in mirrored.asked("/batch") for i in r.ids} == {*keys[:3], new}
    assert differences(mirrored) == []
    changes = mirrored.changes()
    assert changes[new] == {"new"}
    assert "messages added" in changes[keys[0]]
    assert "branch switched" in changes[keys[1]]


def test_what_changes_no_time_arrives_in_the_next_run(mirrored):
    """Archiving, starring, and taking both back are seen although the update time stands still."""
    mirrored.next_run()
    keys = mirrored.ids()
    mirrored.person.archive(keys[3])
    mirrored.person.star(keys[9])
    assert mirrored.next_run() == 0
    assert mirrored.changes() == {keys[3]: {"archived"}, keys[9]: {"starred"}}
    assert differences(mirrored) == []
    mirrored.person.archive(keys[3], on=False)
    mirrored.person.star(keys[9], on=False)
    assert mirrored.next_run() == 0
    assert mirrored.changes() == {keys[3]: {"unarchived"}, keys[9]: {"unstarred"}}
    assert differences(mirrored) == []


def test_what_moves_no_time_arrives_also_in_a_large_account(tmp_path):
    """The same far below the first page of the list."""
    with MirroredService(tmp_path, conversations=420) as mirrored:
        mirrored.next_run()
        old = mirrored.ids()[400:404]
        mirrored.person.archive(old[0])
        mirrored.person.star(old[1])
        mirrored.next_run()
        assert mirrored.changes() == {old[0]: {"archived"}, old[1]: {"starred"}}
        mirrored.person.archive(old[0], on=False)
        mirrored.person.star(old[1], on=False)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_renames_arrive_also_where_only_the_list_shows_them(mirrored):
    """An old chat's new title is taken from the list, and the old one of the read does not come back."""
    mirrored.next_run()
    keys = mirrored.ids()
    mirrored.person.rename(keys[0], "A better title")
    mirrored.person.rename(keys[1], "Legacy title", legacy=True)
    assert mirrored.next_run() == 0
    assert differences(mirrored) == []
    assert mirrored.changes()[keys[1]] == {"renamed"}
    mirrored.next_run(full=True)
    assert mirrored.changes() == {}


def test_projects_and_their_conversations(tmp_path):
    """Projects have names; moves in and out arrive; chats that only a project's list shows are found."""
    with MirroredService(tmp_path, behaviour=Behaviour(main_excludes_projects=True)) as mirrored:
        bread = mirrored.person.new_project("Bread", instructions="Use grams.")
        hidden = [mirrored.person.new_conversation(f"Loaf {n}", project=bread) for n in range(60)]
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert mirrored.rows("SELECT name, instructions FROM projects") == [("Bread", "Use grams.")]
        mirrored.person.new_message(hidden[50])
        mirrored.person.move(mirrored.ids()[0], bread, bump=False)
        mirrored.person.move(hidden[0], None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert mirrored.changes()[mirrored.ids()[0]] == {"moved"}


@pytest.mark.parametrize("nesting", [0, 1, 2])
def test_every_nesting_of_the_projects_list_is_read(tmp_path, nesting):
    """Sidebar rows nest in three ways, five and more projects on several pages."""
    with MirroredService(tmp_path, behaviour=Behaviour(sidebar_nesting=nesting)) as mirrored:
        names = {f"Project {n}" for n in range(45)}
        for name in sorted(names):
            mirrored.person.new_project(name)
        assert mirrored.next_run() == 0
        assert {row[0] for row in mirrored.rows("SELECT name FROM projects")} == names


def test_cursors_that_never_end_do_not_hold_up_a_run(tmp_path):
    """Endless cursors in sidebar and project lists end by themselves."""
    with MirroredService(tmp_path, behaviour=Behaviour(cursors_never_end=True)) as mirrored:
        project = mirrored.person.new_project("Bread")
        mirrored.person.new_conversation("Loaf", project=project)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert len(mirrored.service.requests) < 60


def test_every_workspace_is_mirrored(tmp_path):
    """Each workspace of the login is asked for by its id, and its rows say whose they are."""
    clock = ManualClock()
    account = generated_account(clock, 5, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))
    with MirroredService(tmp_path, account) as mirrored:
        ours = mirrored.person.new_conversation("Team talk", workspace="ws-team")
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert mirrored.value("SELECT account_id FROM conversations WHERE id = ?", ours) == "ws-team"
        assert mirrored.value("SELECT name FROM accounts WHERE id = 'ws-team'") == "The Team"
        mirrored.person.new_message(ours)
        assert mirrored.next_run() == 0
        assert mirrored.changes() == {ours: {"messages added"}}


@pytest.mark.parametrize("status", [500, 403])
def test_of_several_workspaces_the_failing_one_is_named(tmp_path, status):
    """Whose list could not be read is in the line; with one workspace there is nothing to tell apart."""
    account = generated_account(ManualClock(), 5, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))

    def alter(request, data):
        headers = {name.lower(): value for name, value in request.headers.items()}
        is_failing = request.path.endswith("/conversations") and headers.get("chatgpt-account-id") == "ws-team"
        return (status, {}) if is_failing else data

    with MirroredService(tmp_path, account) as mirrored:
        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 5
        said = mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert said.startswith("Workspace “The Team”: The main list could not be read")
        mirrored.alter_answers(lambda request, data: (500, {}) if request.path.endswith("/conversations") else data)
        account.workspaces.pop()
        mirrored.next_run()
        assert "Workspace" not in str(mirrored.sync().error)


def test_nothing_more_is_asked_once_the_disk_is_full(tmp_path, monkeypatch):
    """Neither of another workspace: what came could not be stored."""
    account = generated_account(ManualClock(), 40, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))
    with MirroredService(tmp_path, account) as mirrored:
        monkeypatch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "max_page_count=90"))
        with pytest.raises(StorageError, match="The disk is full"):
            mirrored.next_run()
        assert 0 < mirrored.value("SELECT count(*) FROM conversations") < 40
        assert not [r for r in mirrored.service.requests if "ws-team" in r.headers.values()]
        monkeypatch.undo()
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_safety_stop_names_the_workspace(tmp_path):
    """The list that collapsed is one of several."""
    account = generated_account(ManualClock(), 5, 4)
    account.workspaces.append(SimulatedWorkspace("ws-team", "The Team", "workspace", "team"))
    with MirroredService(tmp_path, account) as mirrored:
        ours = [mirrored.person.new_conversation(f"Talk {n}", workspace="ws-team") for n in range(20)]
        assert mirrored.next_run() == 0
        mirrored.behaviour.omitted = frozenset(ours[1:])
        assert mirrored.next_run(full=True) == 7
        said = mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert said.startswith("Workspace “The Team”: ChatGPT lists")


def test_a_cohort_that_rejects_a_parameter_still_syncs(tmp_path):
    """hide_snorlax is dropped where the service refuses it, and asked with once in the next run."""
    with MirroredService(tmp_path, behaviour=Behaviour(hide_snorlax_rejected=True)) as mirrored:
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        mirrored.next_run()
        assert sum("hide_snorlax" in r.query for r in mirrored.service.requests) == 1


def test_shared_chats_are_found_by_their_conversation(mirrored):
    """A chat that only the shared list shows is read by its conversation id; the share's id makes no ghost."""
    key = mirrored.ids()[0]
    mirrored.person.share(key)
    mirrored.behaviour.omitted = frozenset({key})
    mirrored.behaviour.shared_repeats = True
    assert mirrored.next_run() == 0
    assert differences(mirrored) == []


def test_a_long_shared_list_is_read_to_its_end_in_any_run(tmp_path):
    """A chat that only its second page shows arrives before the weekly full run."""
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        key = mirrored.person.new_conversation("Only shared")
        mirrored.person.share(key)
        for other in mirrored.ids()[:60]:
            mirrored.person.share(other)
        mirrored.behaviour.omitted = frozenset({key})

        def without_it(request, data):
            if request.path.endswith("/shared_conversations"):
                data["items"] = [row for row in data["items"] if row["conversation_id"] != key]
            return data

        mirrored.alter_answers(without_it)
        assert mirrored.next_run() == 0
        mirrored.alter_answers(None)
        mirrored.clock.advance(5.5 * DAY)
        mirrored.next_run()
        assert mirrored.asked("/shared_conversations")
        assert mirrored.value("SELECT is_full FROM sync_runs ORDER BY id DESC") == 0
        assert differences(mirrored) == []


def test_memories_and_instructions_keep_their_older_texts(mirrored):
    """A changed memory has two rows, the older one with its end."""
    mirrored.account.instructions["about_user_message"] = "I bake."
    memory = mirrored.person.remember("Likes rye")
    mirrored.next_run()
    mirrored.person.change_memory(memory, "Likes wheat")
    mirrored.account.instructions["about_user_message"] = "I bake at night."
    mirrored.clock.advance(DAY)
    mirrored.next_run()
    rows = mirrored.rows("SELECT content, replaced_at IS NULL FROM memories ORDER BY rowid")
    assert rows == [("Likes rye", 0), ("Likes wheat", 1)]
    texts = mirrored.rows("SELECT content, replaced_at IS NULL FROM instructions ORDER BY rowid")
    assert [(("at night" in text), current) for text, current in texts] == [(False, 0), (True, 1)]


@pytest.mark.parametrize("how", ["a final limit", "Ctrl-C"])
def test_memories_that_came_are_stored_whatever_comes_after_them(mirrored, how):
    """The run ends at the instructions, which come after them and are asked for again in time."""
    mirrored.person.remember("Likes rye")
    mirrored.account.gpts["g-abc"] = {"id": "g-abc", "display": {"name": "Crumb Coach"}}
    mirrored.account.conversations[mirrored.ids()[0]]["gizmo_id"] = "g-abc"

    def alter(request, data):
        if "user_system_messages" not in request.path:
            return data
        if how == "Ctrl-C":
            ended.append(request)
        return 429, {}, {"Retry-After": ["86400"]}

    ended: list[object] = []

    def interrupt(line):
        if ended:
            raise KeyboardInterrupt

    mirrored.alter_answers(alter)
    if how == "Ctrl-C":
        with on_request(interrupt), pytest.raises(KeyboardInterrupt):
            mirrored.next_run()
    else:
        assert mirrored.next_run() == 6
    assert mirrored.rows("SELECT content FROM memories") == [("Likes rye",)]
    assert mirrored.value("SELECT name FROM gpts WHERE id = 'g-abc'") == "Crumb Coach"
    mirrored.alter_answers(None)
    mirrored.clock.advance(2 * 86_400 if how == "a final limit" else 0)  # the next run does without them
    assert mirrored.sync(full=False).error is None
    assert mirrored.asked("/user_system_messages")


def test_a_custom_gpt_gets_its_name(mirrored):
    """Chats with a custom GPT point to a row that has its name; a private one keeps its id."""
    mirrored.account.gpts["g-abc"] = {"id": "g-abc", "display": {"name": "Crumb Coach"}}
    for key, gizmo in zip(mirrored.ids(), ("g-abc", "g-private"), strict=False):
        mirrored.account.tree(key)["gizmo_id"] = gizmo
    mirrored.next_run()
    mirrored.next_run()
    assert dict(mirrored.rows("SELECT id, name FROM gpts")) == {"g-abc": "Crumb Coach", "g-private": "g-private"}


def test_a_conversation_still_being_written_is_read_again(mirrored):
    """An unfinished answer is stored as such, and the finished one in the next run, although no time changed."""
    key = mirrored.ids()[0]
    mirrored.next_run()
    mirrored.person.start_reply(key)
    assert mirrored.next_run() == 0
    assert mirrored.value("SELECT count(*) FROM messages WHERE text = 'It begins'") == 1
    mirrored.person.finish_reply(key, bump=False)
    assert mirrored.next_run() == 0
    assert differences(mirrored) == []
    mirrored.next_run()
    assert mirrored.reads() == 0


def test_a_dry_run_stores_nothing(mirrored):
    """--dry-run lists and compares only."""
    outcome = mirrored.sync(dry=True)
    assert outcome.counts.new == 12
    assert mirrored.value("SELECT count(*) FROM conversations") == 0
    assert mirrored.reads() == 0
    assert mirrored.next_run() == 0
