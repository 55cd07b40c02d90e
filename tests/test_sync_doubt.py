"""Whole answers that are not the truth: what is stored, what is said, and that it heals."""

from __future__ import annotations

import copy
import random
from itertools import pairwise

import pytest
from nights import DAY, Knobs, Night, differences

from mirror.simulator.account import Workspace

TEAM = "ws-team"


def with_team(night):
    """Add a workspace with three conversations; return their ids."""
    night.account.workspaces.append(Workspace(TEAM, "Team", "workspace", "team"))
    return [night.person.new_conversation(f"T{n}", workspace=TEAM) for n in range(3)]


def heal(night, nights=9):
    """Let the service be well for some nights; return what is still different."""
    night.bend(None)
    for name in ("batch", "single", "plural"):
        setattr(night.knobs, name, "normal")
    night.knobs.batch_omits = frozenset()
    for _ in range(nights):
        night.night()
    return differences(night)


def emptied(tree):
    return {**tree, "mapping": {}}


def beheaded(tree):
    return {**tree, "mapping": {key: node for key, node in tree["mapping"].items() if key != tree["current_node"]}}


@pytest.mark.parametrize("cut", [emptied, beheaded])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_cut_single_read_is_not_the_truth(tmp_path, cut, is_known):
    """Where no lane gives the whole, the run says so, keeps what came, and the whole arrives later."""
    with Night(tmp_path) as night:
        key = night.ids()[3]
        if is_known:
            assert night.night() == 0
            night.person.new_message(key)
        night.knobs.batch_omits, night.knobs.plural = frozenset({key}), "missing"
        night.bend(lambda request, data: cut(data) if request.path.endswith(f"/conversation/{key}") else data)
        assert night.night() == 3
        assert key in night.value("SELECT message FROM sync_runs ORDER BY id DESC")
        kept = {emptied: (4, 0), beheaded: (5, 3)}[cut][0 if is_known else 1]
        assert night.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) == kept
        assert heal(night) == []


def test_a_cut_single_read_gives_way_to_a_whole_flat_one(tmp_path):
    """The flat lane shows at least the branch that a person sees, on the same night."""
    with Night(tmp_path) as night:
        key = night.ids()[3]
        night.knobs.batch_omits = frozenset({key})
        night.bend(lambda request, data: beheaded(data) if request.path.endswith(f"/conversation/{key}") else data)
        assert night.night() == 0
        assert differences(night) == []


def test_a_tree_that_never_holds_together_does_not_fail_for_ever(tmp_path):
    """What the service says on several nights is taken for all there is, and still asked for again now and then."""
    with Night(tmp_path) as night:
        key = night.ids()[3]
        night.knobs.batch = night.knobs.plural = "missing"
        night.bend(lambda request, data: beheaded(data) if request.path.endswith(f"/conversation/{key}") else data)
        codes = [night.night() for _ in range(20)]
        assert codes[0] == 3
        assert set(codes[-5:]) == {0}
        assert night.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) == 3
        asked = sum(len(night.asked(f"/conversation/{key}")) for _ in range(20) if night.night() == 0)
        assert asked < 6
        assert heal(night, 10) == []


def test_a_conversation_without_a_word_is_one(tmp_path):
    """A new chat in which nothing was said yet is no reason to fail."""
    with Night(tmp_path) as night:
        key = night.person.new_conversation("Nothing yet")
        tree = night.account.tree(key)
        root = next(name for name, node in tree["mapping"].items() if node["parent"] is None)
        tree["mapping"] = {root: {**tree["mapping"][root], "children": [], "message": None}}
        tree["current_node"] = root
        assert night.night() == 0
        assert night.value("SELECT title FROM conversations WHERE id = ?", key) == "Nothing yet"


@pytest.mark.parametrize("lie", [{"messages": [], "page_info": None}, {"page_info": {"has_previous_page": True}}])
def test_a_cut_flat_read_is_not_the_truth(tmp_path, lie):
    """No messages, or older ones without a way to them: said, and made good later."""
    with Night(tmp_path) as night:
        assert night.night() == 0
        key = night.ids()[3]
        for _ in range(30):
            night.person.new_message(key)
        night.knobs.batch = night.knobs.single = "missing"
        night.bend(lambda request, data: {**data, **lie} if request.path.endswith(f"/conversations/{key}") else data)
        assert night.night() == 3
        assert heal(night) == []


@pytest.mark.parametrize("lane", ["single", "plural"])
def test_an_answer_that_is_another_conversations_is_not_stored(tmp_path, lane):
    """Messages never end up in a conversation that they are not of."""
    with Night(tmp_path) as night:
        assert night.night() == 0
        key, other = night.ids()[3], night.ids()[5]
        night.person.new_message(key)
        night.knobs.batch_omits = frozenset({key})
        setattr(night.knobs, "plural" if lane == "single" else "single", "missing")
        wrong = {
            "conversation_id": other,
            "mapping": copy.deepcopy(night.account.tree(other)["mapping"]),
            "messages": [],
        }
        night.bend(lambda request, data: wrong if request.path.endswith(f"/{key}") else data)
        assert night.night() == 3
        assert heal(night) == []


@pytest.mark.parametrize("field", ["title", "gizmo_id"])
def test_half_a_character_in_a_list_costs_nothing(tmp_path, field):
    """A title cut inside an emoji is mended, and everything is stored."""
    with Night(tmp_path) as night:
        night.account.conversations[night.ids()[0]][field] = "bad \ud83d"
        assert night.night() == 0
        assert night.value("SELECT count(*) FROM conversations") == 12


def test_after_the_lock_nothing_more_is_asked_for_any_workspace(tmp_path):
    """Also where a proof of deletion meets the lock."""
    with Night(tmp_path) as night:
        with_team(night)
        assert night.night(full=True) == 0
        key = night.ids()[2]
        night.person.delete(key)
        night.knobs.bucket, night.knobs.locks_out = 0, True
        assert night.night(full=True) == 6
        assert night.service.requests[-1].path.endswith(key)


@pytest.mark.parametrize("answer", [(200, {"accounts": {}}), (200, []), (403, {}), (404, {})])
def test_silence_about_a_workspace_is_not_its_end(tmp_path, answer):
    """Where the service does not tell the workspaces, the run says which one it has not looked at."""
    with Night(tmp_path) as night:
        keys = with_team(night)
        assert night.night() == 0
        night.person.new_message(keys[0])
        own = night.ids()[0]
        night.person.new_message(own)
        night.bend(lambda request, data: answer if "accounts/check" in request.path else data)
        assert night.night() == 5
        assert "Team" in night.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert night.value("SELECT count(*) FROM messages WHERE conversation_id = ?", own) == 6
        assert heal(night, 1) == []


def test_silence_about_workspaces_and_an_unknown_person_is_a_missing_login(tmp_path):
    """Lists that are empty because nobody knows who asks are not believed, whatever else is wrong."""
    with Night(tmp_path) as night:
        with_team(night)
        assert night.night() == 0

        def anonymous(request, data):
            if "accounts/check" in request.path:
                return 403, {}
            lists = isinstance(data, dict) and "items" in data
            return {**data, "items": [], "total": 0} if lists else {} if request.path.endswith("/me") else data

        night.bend(anonymous)
        assert night.night() == 4
        assert heal(night, 1) == []


def test_a_workspace_that_ends_is_said_once(tmp_path):
    """Its conversations are kept, nothing of it is waited for, and should it come back, so does all of it."""
    with Night(tmp_path) as night:
        keys = with_team(night)
        night.knobs.poisoned = frozenset(keys[:1])
        assert night.night() == 3
        team = night.account.workspaces.pop()
        assert [night.night() for _ in range(3)] == [7, 0, 0]
        assert night.value("SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL") == 2
        assert night.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0
        night.account.workspaces.append(team)
        night.knobs.poisoned = frozenset()
        assert night.night() == 0
        assert differences(night) == []


def test_a_workspace_that_shows_the_others_chats_takes_none(tmp_path):
    """What two workspaces list is stored once, and a quiet night writes nothing."""
    with Night(tmp_path) as night:
        night.account.workspaces.append(Workspace(TEAM, "Team", "workspace", "team"))
        assert night.night() == 0
        answer = night.service.answer
        night.service.answer = lambda request, headers, body: answer(
            request, {name: value for name, value in headers.items() if name != "chatgpt-account-id"}, body
        )
        owners = night.rows("SELECT id, account_id FROM conversations ORDER BY id")
        assert night.night() == 0
        assert night.reads() == 0
        assert night.rows("SELECT id, account_id FROM conversations ORDER BY id") == owners


def test_lists_that_take_all_requests_are_not_listed_in_vain(tmp_path):
    """What a limited list showed is remembered, and fetched first on the next night."""
    with Night(tmp_path, conversations=600) as night:
        pages = []

        def limited(request, data):
            if request.path.endswith("/conversations") and request.query.get("is_archived") == "false":
                pages.append(request)
                return (429, {}) if len(pages) > 4 else data
            return data

        night.bend(limited)
        assert night.night() == 6
        pages.clear()
        assert night.night() == 6
        assert night.value("SELECT count(*) FROM conversations") > 300
        assert heal(night, 1) == []


def test_batches_that_only_fail_are_given_up(tmp_path):
    """A few groups are enough to know it; the conversations come by the other lanes."""
    with Night(tmp_path, knobs=Knobs(), conversations=100) as night:
        night.knobs.break_request = lambda request: "error_500" if request.path.endswith("/batch") else None
        assert night.night() == 0
        assert len(night.asked("/batch")) < 60
        assert differences(night) == []
        night.knobs.break_request = None
        night.person.new_message(night.ids()[0])
        night.night()
        assert night.asked("/batch")


def test_a_service_in_maintenance_says_for_how_long(tmp_path):
    """Retry-After of a 503 is obeyed; a long one ends the run."""
    with Night(tmp_path) as night:
        asked = []

        def maintained(wait, request, data):
            if not request.path.endswith("/conversations"):
                return data
            asked.append(night.clock())
            return (503, {}, {"Retry-After": [wait]}) if len(asked) < 3 else data

        night.bend(lambda request, data: maintained("300", request, data))
        assert night.night() == 0
        assert min(b - a for a, b in pairwise(asked[:3])) >= 300
        asked.clear()
        night.bend(lambda request, data: maintained("7200", request, data))
        assert night.night() == 6
        assert len(asked) == 1


def test_a_clock_that_once_went_wrong_stops_nothing(tmp_path):
    """Full runs, retries and proofs go on, though their last time lies in the future."""
    with Night(tmp_path, conversations=250) as night:
        night.night()
        night.clock.advance(20 * 365 * DAY)
        night.sync()
        night.clock.seconds -= 20 * 365 * DAY
        night.person.delete(min(night.ids(), key=lambda key: night.account.conversations[key]["update_time"]))
        for _ in range(16):
            night.night()
        assert differences(night) == []


@pytest.mark.parametrize("pins", [None, 5, "x", {"items": []}, [None], [{"item_type": "conversation", "item": None}]])
def test_odd_pins_cost_nothing(tmp_path, pins):
    """A mere selection in a form that nobody knows is no reason to stop."""
    with Night(tmp_path) as night:
        night.bend(lambda request, data: pins if request.path.endswith("/pins") else data)
        assert night.night() == 0
        assert differences(night) == []


def test_a_wrapped_batch_is_found_by_its_name(tmp_path):
    """Whatever else the wrapping holds, also the same word as a text."""
    with Night(tmp_path) as night:
        night.bend(
            lambda request, data: (
                {"object": "conversations", "ids": ["x"], "conversations": data, "more": {"conversations": []}}
                if request.path.endswith("/batch")
                else data
            )
        )
        assert night.night() == 0
        assert differences(night) == []


@pytest.mark.parametrize(("scope", "act"), [("starred", "star"), ("archived", "archive")])
def test_what_a_later_list_shows_counts(tmp_path, scope, act):
    """A star or an archiving in mid-run, which moves no time, is stored as the later list showed it."""
    with Night(tmp_path) as night:
        assert night.night() == 0
        key, done = night.ids()[4], []

        def between(name, _page):
            if name == scope and not done:
                done.append(getattr(night.person, act)(key))

        night.knobs.between_pages = between
        assert night.night() == 0
        assert differences(night) == []


def test_a_deletion_seen_between_two_showings_is_lifted(tmp_path):
    """Proven, shown again, proven, and shown as it always was: the mark goes."""
    with Night(tmp_path) as night:
        key = night.ids()[2]
        assert night.night() == 0
        kept = night.account.tree(key)
        night.person.delete(key)
        night.night(full=True)
        assert night.value("SELECT gone_run_id FROM _listed WHERE conversation_id = ?", key)
        night.account.conversations[key] = kept
        night.night(full=True)
        night.account.conversations.pop(key)
        is_main = {"is_archived": "false"}.items()
        night.bend(lambda request, data: (500, {}) if is_main <= dict(request.query).items() else data)
        assert night.night() == 5
        assert night.value("SELECT deleted_at FROM conversations WHERE id = ?", key)
        night.bend(None)
        night.person.undelete(key)
        for _ in range(3):
            night.night(full=True)
        assert differences(night) == []


def test_what_comes_back_is_read_again(tmp_path):
    """A deleted conversation that changed before it went is stored as it is when it returns."""
    with Night(tmp_path) as night:
        key = night.ids()[2]
        assert night.night() == 0
        night.account.deleted[key] = night.account.tree(key)
        night.knobs.batch_omits = frozenset({key})
        night.person.new_message(key)  # listed, and twice proven deleted
        for _ in range(5):
            night.night()
        night.account.conversations.pop(key)
        for _ in range(12):
            night.night()
        assert night.value("SELECT deleted_at FROM conversations WHERE id = ?", key)
        night.person.undelete(key)
        night.knobs.batch_omits = frozenset()
        night.night(full=True)
        night.night(full=True)
        assert differences(night) == []


def test_a_session_that_does_not_say_whose_it_is(tmp_path):
    """Nothing is written for nobody, and the next night is a night as any."""
    with Night(tmp_path) as night:
        night.bend(lambda request, data: {**data, "user": {}} if request.path.endswith("/session") else data)
        assert night.night() == 5
        night.bend(None)
        assert night.night() == 0
        assert differences(night) == []


NONSENSE = [
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
    with Night(tmp_path, conversations=chance.choice([3, 12])) as night:
        with_team(night)
        night.person.move(night.ids()[0], night.person.new_project("P"))
        night.person.share(night.ids()[1])
        if seed:
            assert night.night() == 0
        texts = set(night.rows("SELECT conversation_id, id, text FROM messages")) if seed else set()
        for key in night.ids()[:3]:
            night.person.new_message(key)
        night.knobs.batch = chance.choice(["normal", "missing"])
        night.bend(lambda request, data: mutated(data, chance) if road in request.path else data)
        codes = {night.night(full=seed == 2) for _ in range(2)}
        assert codes <= {0, 3, 4, 5, 6, 7}
        wrong = [line for line in heal(night, 10) if "messages are not" not in line]
        assert night.night(full=True) == 0
        assert wrong == []
        assert texts <= set(night.rows("SELECT conversation_id, id, text FROM messages"))
