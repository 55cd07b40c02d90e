"""Whole answers that are not the truth: what is stored, what is said, and that it heals."""

from __future__ import annotations

import copy
import random
from contextlib import closing
from itertools import pairwise
from sqlite3 import connect

import pytest
from mirrored_service import DAY, MirroredService, differences

from mirror.errors import IncompleteError
from mirror.simulator import Behaviour, SimulatedWorkspace

TEAM = "ws-team"


def with_team(mirrored):
    """Add a workspace with three conversations; return their ids."""
    mirrored.account.workspaces.append(SimulatedWorkspace(TEAM, "Team", "workspace", "team"))
    return [mirrored.person.new_conversation(f"T{n}", workspace=TEAM) for n in range(3)]


def heal(mirrored, runs=9):
    """Let the service be healthy for some runs; return what is still different."""
    mirrored.alter_answers(None)
    for name in ("batch", "single", "plural"):
        setattr(mirrored.behaviour, name, "normal")
    mirrored.behaviour.batch_omits = frozenset()
    for _ in range(runs):
        mirrored.next_run()
    return differences(mirrored)


def emptied(tree):
    return {**tree, "mapping": {}}


def beheaded(tree):
    return {**tree, "mapping": {key: node for key, node in tree["mapping"].items() if key != tree["current_node"]}}


@pytest.mark.parametrize("cut", [emptied, beheaded])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_cut_single_read_is_not_the_truth(tmp_path, cut, is_known):
    """Where no endpoint gives the whole, the run says so, keeps what came, and the whole arrives later."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[3]
        if is_known:
            assert mirrored.next_run() == 0
            mirrored.person.new_message(key)
        mirrored.behaviour.batch_omits, mirrored.behaviour.plural = frozenset({key}), "missing"
        mirrored.alter_answers(
            lambda request, data: cut(data) if request.path.endswith(f"/conversation/{key}") else data
        )
        assert mirrored.next_run() == 3
        assert key in mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        kept = {emptied: (4, 0), beheaded: (5, 3)}[cut][0 if is_known else 1]
        assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) == kept
        assert heal(mirrored) == []


def shortened(tree):
    """Return a whole tree that ends two messages earlier: a copy that lags behind."""
    tree = copy.deepcopy(tree)
    for _ in range(2):
        last = tree["mapping"].pop(tree["current_node"])
        tree["current_node"] = last["parent"]
        tree["mapping"][last["parent"]]["children"].remove(last["id"])
    return tree


@pytest.mark.parametrize("cut", [beheaded, shortened])
def test_a_single_read_that_holds_less_than_a_batch_takes_nothing_away(tmp_path, cut):
    """It is asked for because the list's time is later than the newest message, and what the batch gave is stored."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[2]
        mirrored.behaviour.plural = "missing"

        def alter(request, data):
            if request.path.endswith(f"/conversation/{key}"):
                return cut(data)
            if request.path.endswith("/conversations"):
                data["items"] = [{**row, "update_time": mirrored.clock()} for row in data["items"]]
            return data

        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_cut_single_read_gives_way_to_a_whole_flat_one(tmp_path):
    """The plural endpoint gives at least the visible branch, in the same run."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[3]
        mirrored.behaviour.batch_omits = frozenset({key})
        mirrored.alter_answers(
            lambda request, data: beheaded(data) if request.path.endswith(f"/conversation/{key}") else data
        )
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_tree_that_never_holds_together_does_not_fail_for_ever(tmp_path):
    """What the service says in several runs is taken for all there is, and still asked for again now and then."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[3]
        mirrored.behaviour.batch = mirrored.behaviour.plural = "missing"
        mirrored.alter_answers(
            lambda request, data: beheaded(data) if request.path.endswith(f"/conversation/{key}") else data
        )
        codes = [mirrored.next_run() for _ in range(20)]
        assert codes[0] == 3
        assert set(codes[-5:]) == {0}
        assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) == 3
        asked = sum(len(mirrored.asked(f"/conversation/{key}")) for _ in range(20) if mirrored.next_run() == 0)
        assert asked < 6
        assert heal(mirrored, 10) == []


def test_a_conversation_without_a_word_is_one(tmp_path):
    """A new chat in which nothing was said yet is no reason to fail."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.person.new_conversation("Nothing yet")
        tree = mirrored.account.tree(key)
        root = next(name for name, node in tree["mapping"].items() if node["parent"] is None)
        tree["mapping"] = {root: {**tree["mapping"][root], "children": [], "message": None}}
        tree["current_node"] = root
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT title FROM conversations WHERE id = ?", key) == "Nothing yet"


@pytest.mark.parametrize("lie", [{"messages": [], "page_info": None}, {"page_info": {"has_previous_page": True}}])
def test_a_cut_flat_read_is_not_the_truth(tmp_path, lie):
    """No messages, or older ones without a way to them: said, and made good later."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        key = mirrored.ids()[3]
        for _ in range(30):
            mirrored.person.new_message(key)
        mirrored.behaviour.batch = mirrored.behaviour.single = "missing"
        mirrored.alter_answers(
            lambda request, data: {**data, **lie} if request.path.endswith(f"/conversations/{key}") else data
        )
        assert mirrored.next_run() == 3
        assert heal(mirrored) == []


@pytest.mark.parametrize("endpoint", ["single", "plural"])
def test_an_answer_that_is_another_conversations_is_not_stored(tmp_path, endpoint):
    """Messages never end up in a conversation that they are not of."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        key, other = mirrored.ids()[3], mirrored.ids()[5]
        mirrored.person.new_message(key)
        mirrored.behaviour.batch_omits = frozenset({key})
        setattr(mirrored.behaviour, "plural" if endpoint == "single" else "single", "missing")
        wrong = {**copy.deepcopy(mirrored.account.tree(other)), "messages": []}
        mirrored.alter_answers(lambda request, data: wrong if request.path.endswith(f"/{key}") else data)
        assert mirrored.next_run() == 3
        stored = {node for (node,) in mirrored.rows("SELECT id FROM messages WHERE conversation_id = ?", key)}
        assert stored.isdisjoint(wrong["mapping"])
        assert heal(mirrored) == []


@pytest.mark.parametrize("field", ["title", "gizmo_id"])
def test_half_a_character_in_a_list_costs_nothing(tmp_path, field):
    """A title cut inside an emoji is mended, and everything is stored."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.account.conversations[mirrored.ids()[0]][field] = "bad \ud83d"
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT count(*) FROM conversations") == 12


def test_after_the_lock_nothing_more_is_asked_for_any_workspace(tmp_path):
    """Also where a proof of deletion meets the lock."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        with_team(mirrored)
        assert mirrored.next_run(full=True) == 0
        key = mirrored.ids()[2]
        mirrored.person.delete(key)
        mirrored.behaviour.bucket, mirrored.behaviour.locks_out = 0, True
        assert mirrored.next_run(full=True) == 6
        assert mirrored.service.requests[-1].path.endswith(key)


@pytest.mark.parametrize("answer", [(200, {"accounts": {}}), (200, []), (403, {}), (404, {}), (500, {})])
def test_silence_about_a_workspace_is_not_its_end(tmp_path, answer):
    """Where the service does not list the workspaces, those that are known are read, and the run says so."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = with_team(mirrored)
        assert mirrored.next_run() == 0
        mirrored.person.new_message(keys[0])
        own = mirrored.ids()[0]
        mirrored.person.new_message(own)
        mirrored.alter_answers(lambda request, data: answer if "accounts/check" in request.path else data)
        assert mirrored.next_run() == 3
        assert "did not list your workspaces" in mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert differences(mirrored) == []
        assert heal(mirrored, 1) == []


@pytest.mark.parametrize(
    "damage", ["UPDATE _listed SET retry_at = 'x' WHERE rowid = 1", "UPDATE _scopes SET listed = 'x'"]
)
def test_damage_that_is_mended_makes_no_workspace_forgotten(tmp_path, damage):
    """What is known of the workspaces stands beside what a sync learns again."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = with_team(mirrored)
        assert mirrored.next_run() == 0
        mirrored.alter_answers(lambda request, data: (403, {}) if "accounts/check" in request.path else data)
        with closing(connect(mirrored.path)) as conn:
            conn.execute(damage)
            conn.commit()
        mirrored.person.new_message(keys[0])
        assert mirrored.next_run() == 3
        assert differences(mirrored) == []


@pytest.mark.parametrize("answer", [(200, {"accounts": {}}), (200, {}), (500, {})])
def test_a_first_run_without_a_list_of_workspaces_says_so(tmp_path, answer):
    """There may be others than the login's own."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        with_team(mirrored)
        mirrored.alter_answers(lambda request, data: answer if "accounts/check" in request.path else data)
        assert mirrored.next_run() == 3
        assert heal(mirrored, 1) == []


def test_silence_about_workspaces_and_an_unknown_person_is_a_missing_login(tmp_path):
    """Lists that are empty because nobody knows who asks are not believed, whatever else is wrong."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        with_team(mirrored)
        assert mirrored.next_run() == 0

        def anonymous(request, data):
            if "accounts/check" in request.path:
                return 403, {}
            lists = isinstance(data, dict) and "items" in data
            return {**data, "items": [], "total": 0} if lists else {} if request.path.endswith("/me") else data

        mirrored.alter_answers(anonymous)
        assert mirrored.next_run() == 4
        assert heal(mirrored, 1) == []


def test_a_workspace_that_ends_is_said_once(tmp_path):
    """Its conversations are kept, nothing of it is waited for, and should it come back, so does all of it."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        keys = with_team(mirrored)
        mirrored.behaviour.poisoned = frozenset(keys[:1])
        assert mirrored.next_run() == 3
        team = mirrored.account.workspaces.pop()
        assert [mirrored.next_run() for _ in range(3)] == [7, 0, 0]
        assert mirrored.value("SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL") == 2
        assert mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0
        mirrored.account.workspaces.append(team)
        mirrored.behaviour.poisoned = frozenset()
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def account_id_of(entry):
    return entry["account"]["account_id"]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("how", ["another form", "an id of another form", "left out"])
def test_a_workspace_that_is_not_listed_rightly_is_read_on(tmp_path, which, how):
    """Its news arrive in every run, each of which says that it was not listed; the personal one ends at last."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = [mirrored.ids()[0], *with_team(mirrored)][which]
        assert mirrored.next_run() == 0
        meant = mirrored.account.workspaces[which].id

        def alter(request, data):
            if "accounts/check" not in request.path:
                return data
            found = dict(data["accounts"])
            for name in [name for name, entry in found.items() if account_id_of(entry) == meant]:
                entry = found.pop(name)
                if how != "left out":
                    about = entry["account"]
                    found[name] = {"account": [about] if how == "another form" else {**about, "account_id": 5}}
            return {**data, "accounts": found}

        mirrored.alter_answers(alter)
        for n in range(4):
            mirrored.person.new_message(key, f"news {n}")
        assert mirrored.next_run() == 3
        assert "did not list" in mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert mirrored.value("SELECT count(*) FROM messages WHERE text LIKE 'news %'") == 4
        ends = how == "left out" and which == 0
        assert [mirrored.next_run() for _ in range(2)] == ([7, 0] if ends else [3, 3])
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_personal_workspace_that_is_left_out_now_and_then_is_read_on(tmp_path):
    """Twice within hours, or once each on two days with a sound answer between, is not its end."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        with_team(mirrored)
        assert mirrored.next_run() == 0

        def alter(request, data):
            if "accounts/check" not in request.path:
                return data
            return {**data, "accounts": {k: v for k, v in data["accounts"].items() if account_id_of(v) == TEAM}}

        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 3
        assert isinstance(mirrored.sync().error, IncompleteError)
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        mirrored.alter_answers(alter)
        assert mirrored.next_run() == 3


def test_a_workspace_that_shows_the_others_chats_takes_none(tmp_path):
    """What two workspaces list is stored once, and a run without changes writes nothing."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.account.workspaces.append(SimulatedWorkspace(TEAM, "Team", "workspace", "team"))
        assert mirrored.next_run() == 0
        mirrored.behaviour.unseen_headers = lambda _: {"chatgpt-account-id"}
        owners = mirrored.rows("SELECT id, account_id FROM conversations ORDER BY id")
        assert mirrored.next_run() == 0
        assert mirrored.reads() == 0
        assert mirrored.rows("SELECT id, account_id FROM conversations ORDER BY id") == owners


def test_lists_that_take_all_requests_are_not_listed_in_vain(tmp_path):
    """What a limited list showed is remembered, and fetched first in the next run."""
    with MirroredService(tmp_path, conversations=600, over_http=False) as mirrored:
        pages = []

        def limited(request, data):
            if request.path.endswith("/conversations") and request.query.get("is_archived") == "false":
                pages.append(request)
                return (429, {}) if len(pages) > 4 else data
            return data

        mirrored.alter_answers(limited)
        assert mirrored.next_run() == 6
        pages.clear()
        assert mirrored.next_run() == 6
        assert mirrored.value("SELECT count(*) FROM conversations") > 300
        assert heal(mirrored, 1) == []


def test_batches_that_only_fail_are_given_up(tmp_path):
    """A few batches are enough to know it; the other endpoints give the conversations."""
    with MirroredService(tmp_path, behaviour=Behaviour(), conversations=100, over_http=False) as mirrored:
        mirrored.behaviour.break_request = lambda request: "error_500" if request.path.endswith("/batch") else None
        assert mirrored.next_run() == 0
        assert len(mirrored.asked("/batch")) < 60
        assert differences(mirrored) == []
        mirrored.behaviour.break_request = None
        mirrored.person.new_message(mirrored.ids()[0])
        mirrored.next_run()
        assert mirrored.asked("/batch")


def test_a_service_in_maintenance_says_for_how_long(tmp_path):
    """Retry-After of a 503 is obeyed; a long one ends the run."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        asked = []

        def maintained(wait, request, data):
            if not request.path.endswith("/conversations"):
                return data
            asked.append(mirrored.clock())
            return (503, {}, {"Retry-After": [wait]}) if len(asked) < 3 else data

        mirrored.alter_answers(lambda request, data: maintained("300", request, data))
        assert mirrored.next_run() == 0
        assert min(b - a for a, b in pairwise(asked[:3])) >= 300
        asked.clear()
        mirrored.alter_answers(lambda request, data: maintained("7200", request, data))
        assert mirrored.next_run() == 6
        assert len(asked) == 1


def test_a_clock_that_once_went_wrong_stops_nothing(tmp_path):
    """Full runs, retries and proofs go on, though their last time lies in the future."""
    with MirroredService(tmp_path, conversations=250, over_http=False) as mirrored:
        mirrored.next_run()
        mirrored.clock.advance(20 * 365 * DAY)
        mirrored.sync()
        mirrored.clock.seconds -= 20 * 365 * DAY
        mirrored.person.delete(min(mirrored.ids(), key=lambda key: mirrored.account.conversations[key]["update_time"]))
        for _ in range(16):
            mirrored.next_run()
        assert differences(mirrored) == []


@pytest.mark.parametrize("by_id", ["missing", "error"])
def test_removed_messages_of_which_only_batches_tell(tmp_path, by_id):
    """Two readings of two nights are believed where no other endpoint gives that chat, and no run fails for ever."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[2]
        if by_id == "missing":
            mirrored.behaviour.single = mirrored.behaviour.plural = "missing"
        else:
            mirrored.alter_answers(lambda request, data: (500, {}) if request.path.endswith(key) else data)
        assert mirrored.next_run() == 0
        mirrored.account.conversations[key] = shortened(mirrored.account.tree(key))
        mirrored.person.rename(key, "Shorter")
        assert mirrored.next_run() == 3
        assert mirrored.value("SELECT count(*) FROM messages WHERE removed_at IS NOT NULL") == 0
        codes = [mirrored.next_run() for _ in range(4)]
        assert codes[-1] == 0
        assert differences(mirrored) == []
        assert mirrored.value("SELECT count(*) FROM messages WHERE removed_at IS NOT NULL") == 2


@pytest.mark.parametrize("by_id", ["missing", "error"])
def test_a_batch_that_lags_behind_takes_nothing_away(tmp_path, by_id):
    """Where it alone gives a chat, what was stored stays, and the whole is taken as soon as it comes."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[2]
        assert mirrored.next_run() == 0
        if by_id == "missing":
            mirrored.behaviour.single = mirrored.behaviour.plural = "missing"
        mirrored.person.new_message(key)

        def lagging(request, data):
            if request.path.endswith(key):
                return data if by_id == "missing" else (500, {})
            if request.path.endswith("/batch") and isinstance(data, list):
                return [shortened(shortened(t)) if t["id"] == key else t for t in data]
            return data

        mirrored.alter_answers(lagging)
        assert mirrored.next_run() == 3
        assert mirrored.value("SELECT count(*) FROM messages WHERE removed_at IS NOT NULL") == 0
        mirrored.alter_answers(None)
        for _ in range(4):
            mirrored.next_run()
        assert differences(mirrored) == []


def test_removed_messages_that_were_seen_while_the_clock_ran_ahead(tmp_path):
    """Another reading, hours later by the right clock, is enough: that time in the future counts as none."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[2]
        assert mirrored.next_run() == 0
        mirrored.account.conversations[key] = shortened(mirrored.account.tree(key))
        mirrored.person.rename(key, "Shorter")
        mirrored.clock.advance(5 * 365 * DAY)
        assert mirrored.next_run() == 3
        mirrored.clock.seconds -= 5 * 365 * DAY
        codes = [mirrored.next_run() for _ in range(4)]
        assert codes[-1] == 0
        assert differences(mirrored) == []
        assert mirrored.value("SELECT count(*) FROM messages WHERE removed_at IS NOT NULL") == 2


@pytest.mark.parametrize("pins", [None, 5, "x", {"items": []}, [None], [{"item_type": "conversation", "item": None}]])
def test_odd_pins_cost_nothing(tmp_path, pins):
    """A mere selection in a form that nobody knows is no reason to stop."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.alter_answers(lambda request, data: pins if request.path.endswith("/pins") else data)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_wrapped_batch_is_found_by_its_name(tmp_path):
    """Whatever else the wrapping holds, also the same word as a text."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.alter_answers(
            lambda request, data: (
                {"object": "conversations", "ids": ["x"], "conversations": data, "more": {"conversations": []}}
                if request.path.endswith("/batch")
                else data
            )
        )
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize(("scope", "act"), [("starred", "star"), ("archived", "archive")])
def test_what_a_later_list_shows_counts(tmp_path, scope, act):
    """A star or an archiving in mid-run, which moves no time, is stored as the later list showed it."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        key = mirrored.ids()[4]
        done: list[str] = []

        def between(name, _page):
            if name == scope and not done:
                done.append(getattr(mirrored.person, act)(key))

        mirrored.behaviour.between_pages = between
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_deletion_seen_between_two_showings_is_lifted(tmp_path):
    """Proven, shown again, proven, and shown as it always was: the mark goes."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[2]
        assert mirrored.next_run() == 0
        kept = mirrored.account.tree(key)
        mirrored.person.delete(key)
        mirrored.next_run(full=True)
        assert mirrored.value("SELECT gone_run_id FROM _listed WHERE conversation_id = ?", key)
        mirrored.account.conversations[key] = kept
        mirrored.next_run(full=True)
        mirrored.account.conversations.pop(key)
        for _ in range(2):
            mirrored.next_run(full=True)
        assert mirrored.value("SELECT deleted_at FROM conversations WHERE id = ?", key)
        mirrored.person.undelete(key)
        for _ in range(3):
            mirrored.next_run(full=True)
        assert differences(mirrored) == []


def test_what_comes_back_is_read_again(tmp_path):
    """A deleted conversation that changed before it went is stored as it is when it returns."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[2]
        assert mirrored.next_run() == 0
        mirrored.account.deleted[key] = mirrored.account.tree(key)
        mirrored.behaviour.batch_omits = frozenset({key})
        mirrored.person.new_message(key)  # listed, and twice proven deleted
        for _ in range(5):
            mirrored.next_run()
        mirrored.account.conversations.pop(key)
        for _ in range(12):
            mirrored.next_run()
        assert mirrored.value("SELECT deleted_at FROM conversations WHERE id = ?", key)
        mirrored.person.undelete(key)
        mirrored.behaviour.batch_omits = frozenset()
        mirrored.next_run(full=True)
        mirrored.next_run(full=True)
        assert differences(mirrored) == []


def test_a_session_that_does_not_say_whose_it_is(tmp_path):
    """Nothing is written for nobody, and the next run is an ordinary one."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.alter_answers(
            lambda request, data: {**data, "user": {}} if request.path.endswith("/session") else data
        )
        assert mirrored.next_run() == 5
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


NONSENSE: list[object] = [
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x",
    "\ud83d",
    [],
    {},
    [None],
    {"a": 1},
    10**40,
    "2025-13-45",
    [[]],
    {"id": None},
]
ROADS = ["/conversations", "/batch", "/conversation/", "session", "accounts/check", "sidebar", "gizmos", "memories"]
ROADS += ["user_system", "pins", "shared", "/me", "messages"]


def mutated(value, chance, depth=0):
    """Return JSON with one part of it replaced or left out."""
    if not isinstance(value, dict | list) or not value or (depth > 0 and chance.random() < 0.15):
        return chance.choice(NONSENSE)
    changed = copy.copy(value)
    key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if isinstance(value, dict) and chance.random() < 0.2:
        del changed[key]
    else:
        changed[key] = mutated(value[key], chance, depth + 1)
    return changed


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("seed", range(3))
def test_nonsense_from_any_road_is_survived(tmp_path, road, seed):
    """Whatever JSON comes, a run ends as the table says, loses nothing, and is current when the service is well."""
    chance = random.Random(f"{road} {seed}")
    with MirroredService(tmp_path, conversations=chance.choice([3, 12]), over_http=False) as mirrored:
        with_team(mirrored)
        mirrored.person.move(mirrored.ids()[0], mirrored.person.new_project("P"))
        mirrored.person.share(mirrored.ids()[1])
        if seed:
            assert mirrored.next_run() == 0
        texts = set(mirrored.rows("SELECT conversation_id, id, text FROM messages")) if seed else set()
        for key in mirrored.ids()[:3]:
            mirrored.person.new_message(key)
        mirrored.behaviour.batch = chance.choice(["normal", "missing"])
        mirrored.alter_answers(lambda request, data: mutated(data, chance) if road in request.path else data)
        codes = {mirrored.next_run(full=seed == 2) for _ in range(2)}
        assert codes <= {0, 3, 4, 5, 6, 7}
        wrong = [line for line in heal(mirrored, 10) if "messages are not" not in line]
        assert mirrored.next_run(full=True) == 0
        assert wrong == []
        assert texts <= set(mirrored.rows("SELECT conversation_id, id, text FROM messages"))
