"""Lists and reads that lie: nothing is lost, nothing half is taken for whole, and exit 0 means current."""

from __future__ import annotations

import pytest
from nights import Night, differences, findings

from mirror.simulator import Knobs


def kept(night):
    """How many conversations are here and not marked in any way."""
    return night.value("SELECT count(*) FROM conversations WHERE deleted_at IS NULL AND missing_since IS NULL")


@pytest.mark.parametrize("total", ["hint", "true", "null", "zero", "absent", "wrong"])
def test_the_total_is_never_trusted(tmp_path, total):
    """Whatever the list says of its length, all of it is read."""
    with Night(tmp_path, knobs=Knobs(total=total), conversations=230) as night:
        assert night.night() == 0
        assert differences(night) == []


@pytest.mark.parametrize(
    "knobs",
    [
        Knobs(page_cap=28),
        Knobs(endless=True),
        Knobs(repeat_and_skip=True),
        Knobs(mixed_times=True),
    ],
    ids=["small pages", "endless", "repeats and skips", "mixed times"],
)
def test_bent_lists_are_read_whole(tmp_path, knobs):
    """Small, repeated, endless and skipping pages cost nothing but requests."""
    with Night(tmp_path, knobs=knobs, conversations=330) as night:
        assert night.night() == 0
        assert differences(night) == []
        assert night.night() == 0
        assert night.reads() == 0


def test_a_page_that_never_comes_is_said(tmp_path):
    """A page that always shows an earlier one hides rows from everybody: exit 5, and all of them once it is mended."""
    with Night(tmp_path, knobs=Knobs(repeated_page_at=1), conversations=330) as night:
        assert night.night() == 5
        assert "hang together" in night.value("SELECT message FROM sync_runs")
        night.knobs.repeated_page_at = None
        assert night.night() == 0
        assert differences(night) == []


def test_what_the_person_does_while_it_is_listed_is_not_lost(tmp_path):
    """Touched, added and deleted between two pages: this night or the next, all of it arrives."""
    with Night(tmp_path, conversations=350) as night:
        keys = night.ids()

        def act(scope, page):
            if scope == "main" and page == 1:
                night.person.new_message(keys[300])
                night.person.delete(keys[5])
                night.person.new_conversation("In between")

        night.knobs.between_pages = act
        night.night()
        night.knobs.between_pages = None
        night.night(full=True)
        assert night.night(full=True) == 0
        assert [line for line in differences(night) if "not marked" not in line] == []


def test_a_failing_deep_page_is_said_and_costs_no_other(tmp_path):
    """The list breaks off at an offset: what came before is stored, exit 5; mended, the rest follows."""
    with Night(tmp_path, knobs=Knobs(deep_offset_error_from=180), conversations=300) as night:
        assert night.night() == 5
        assert night.value("SELECT count(*) FROM conversations") >= 190
        assert "broke off" in night.value("SELECT message FROM sync_runs ORDER BY id DESC")
        night.knobs.deep_offset_error_from = None
        assert night.night() == 0
        assert differences(night) == []


@pytest.mark.parametrize("share", [0.0, 0.04, 0.5, 0.85])
@pytest.mark.parametrize("count", [60, 250])
def test_a_collapsed_list_marks_nothing(tmp_path, share, count):
    """A list that holds suspiciously few pulls the brake: exit 7, nothing marked, and new chats are still read."""
    with Night(tmp_path, conversations=count) as night:
        night.night()
        night.knobs.collapse_to = share
        new = night.person.new_conversation("Brand new")
        assert night.night(full=True) == 7
        assert "none was marked deleted" in night.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert night.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0
        assert kept(night) >= count
        if share:
            assert night.value("SELECT count(*) FROM conversations WHERE id = ?", new) == 1
        night.knobs.collapse_to = None
        assert night.night(full=True) == 0
        assert differences(night) == []


def test_an_anonymous_answer_is_not_an_empty_account(tmp_path):
    """A service that forgot who asks lists nothing: on a filled mirror the brake, on an empty one a sign-in."""
    with Night(tmp_path) as night:
        backend = night.service._backend
        night.service._backend = lambda request, headers, body: backend(request, {**headers, "authorization": ""}, body)
        assert night.night() == 4
        night.service._backend = backend
        assert night.night() == 0
        night.service._backend = lambda request, headers, body: backend(request, {**headers, "authorization": ""}, body)
        assert night.night() in {4, 7}
        assert kept(night) == 12


def test_lists_that_forget_who_asks_are_not_an_empty_account(tmp_path):
    """All else answers, the lists come empty and nobody is signed in: exit 4, not success."""
    with Night(tmp_path) as night:
        backend = night.service._backend

        def forgetful(request, headers, body):
            is_forgotten = request.path.endswith(("/conversations", "/me"))
            return backend(request, {**headers, "authorization": ""} if is_forgotten else headers, body)

        night.service._backend = forgetful
        assert night.night() == 4
        night.service._backend = backend
        assert night.night() == 0
        assert kept(night) == 12


def test_a_deletion_needs_proof_on_two_runs(tmp_path):
    """Gone from the lists: first missing, then, after the second 404 of its own, marked, and every text kept."""
    with Night(tmp_path) as night:
        night.night()
        key = night.ids()[3]
        texts = night.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key)
        night.person.delete(key)
        assert night.night() == 0
        assert night.rows("SELECT deleted_at, missing_since IS NOT NULL FROM conversations WHERE id = ?", key) == [
            (None, 1)
        ]
        assert night.night() == 0
        assert night.value("SELECT deleted_at FROM conversations WHERE id = ?", key) is not None
        assert night.changes() == {key: {"gone"}}
        assert night.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) == texts
        night.person.undelete(key)
        assert night.night() == 0
        assert night.value("SELECT deleted_at FROM conversations WHERE id = ?", key) is None
        assert night.changes()[key] == {"back"}


def test_absence_alone_never_marks(tmp_path):
    """A chat that lives and that no list shows is asked for by itself, and left alone."""
    with Night(tmp_path) as night:
        night.night()
        key = night.ids()[3]
        night.knobs.omitted = frozenset({key})
        for _ in range(3):
            assert night.night(full=True) == 0
        assert night.value("SELECT deleted_at FROM conversations WHERE id = ?", key) is None


def test_without_a_way_to_prove_it_nothing_is_marked(tmp_path):
    """Where no per-id lane answers, a batch that omits and a list that omits prove nothing."""
    with Night(tmp_path, knobs=Knobs(single="missing", plural="missing")) as night:
        night.night()
        night.person.delete(night.ids()[3])
        for _ in range(4):
            night.night(full=True)
        assert night.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0


# -- reads


@pytest.mark.parametrize("how", ["tail", "head", "empty", "consistent"])
def test_a_truncated_batch_is_read_singly(tmp_path, how):
    """A tree cut short with status 200 is noticed on the first night, and the whole one is stored."""
    with Night(tmp_path, conversations=25) as night:
        for key in night.ids()[:2]:
            for _ in range(40):
                night.clock.advance(20)
                night.person.new_message(key)
        night.knobs.truncated = dict.fromkeys(night.ids()[:2], how)
        assert night.night() == 0
        assert differences(night) == []
        assert night.value("SELECT count(*) FROM messages WHERE removed_at IS NOT NULL") == 0


@pytest.mark.parametrize("how", ["tail", "head", "empty", "consistent"])
def test_a_truncated_batch_never_shrinks_what_is_stored(tmp_path, how):
    """A cut tree of a known chat, with no other lane to ask: nothing is lost and the run does not say current."""
    with Night(tmp_path) as night:
        night.night()
        key = night.ids()[0]
        before = night.value("SELECT count(*) FROM messages WHERE conversation_id = ? AND removed_at IS NULL", key)
        night.person.rename(key, "Touched")
        night.knobs.truncated, night.knobs.single, night.knobs.plural = {key: how}, "broken", "broken"
        assert night.night() == 3
        count = night.value("SELECT count(*) FROM messages WHERE conversation_id = ? AND removed_at IS NULL", key)
        assert count == before
        night.knobs.single = "normal"
        for _ in range(3):
            last = night.night()
        assert last == 0
        assert differences(night) == []


@pytest.mark.parametrize(
    "knobs",
    [
        Knobs(batch="missing"),
        Knobs(batch="wrapped"),
        Knobs(batch="shuffled"),
        Knobs(single="missing"),
        Knobs(plural="missing"),
        Knobs(batch="missing", plural="missing"),
        Knobs(stale_batch_times=True),
    ],
    ids=["no batch", "wrapped batch", "shuffled batch", "no single", "no plural", "single only", "stale times"],
)
def test_whatever_lanes_an_account_has(tmp_path, knobs):
    """Every cohort is mirrored whole, and asks nothing on the second night."""
    with Night(tmp_path, knobs=knobs, conversations=34) as night:
        night.person.regenerate(night.ids()[0])
        assert night.night() == 0
        assert differences(night) == []
        assert findings(night) == []
        assert night.night() == 0
        assert night.reads() == 0


def test_the_plural_lane_alone_gives_every_visible_branch(tmp_path):
    """Business accounts have only the paged, flat lane; overlapping windows are joined."""
    knobs = Knobs(batch="missing", single="missing", plural_overlap=3)
    with Night(tmp_path, knobs=knobs, conversations=6) as night:
        for _ in range(18):
            night.person.new_message(night.ids()[0])
        assert night.night() == 0
        assert differences(night) == []
        assert len(night.asked("/messages")) >= 2


def test_a_flat_read_discards_no_branch(tmp_path):
    """When only the flat lane is left, branches known from a tree stay."""
    with Night(tmp_path) as night:
        key = night.ids()[0]
        night.person.regenerate(key)
        night.night()
        night.knobs.batch = night.knobs.single = "missing"
        night.person.new_message(key)
        for _ in range(2):
            last = night.night()
        assert last == 0
        assert differences(night) == []


def test_windows_that_go_round_in_circles_are_an_error_of_that_chat(tmp_path):
    """A repeated cursor ends, the chat is reported, others are not held up."""
    knobs = Knobs(batch="missing", single="missing", plural_repeats_cursor=True)
    with Night(tmp_path, knobs=knobs, conversations=3) as night:
        assert night.night() in {3, 5}
        assert "circles" in night.value("SELECT error FROM _listed")


@pytest.mark.parametrize("place", [0, 13, 24])
def test_a_poisoned_chat_blocks_no_other(tmp_path, place):
    """One id that answers 500 for ever: 24 others are current, it is named, and asked for ever more seldom."""
    with Night(tmp_path, conversations=25) as night:
        key = night.ids()[place]
        night.knobs.poisoned = frozenset({key})
        assert night.night() == 3
        assert key in night.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert len(differences(night)) == 1
        nights_asked = 0
        for _ in range(14):
            assert night.night() == 3
            nights_asked += any(key in r.path or key in r.ids for r in night.service.requests)
        assert 2 <= nights_asked <= 5
        night.knobs.poisoned = frozenset()
        for _ in range(8):
            last = night.night()
        assert last == 0
        assert differences(night) == []


def test_an_answer_without_shape_is_an_error_of_that_chat(tmp_path):
    """200 with neither tree nor messages stores nothing and is reported."""
    with Night(tmp_path, knobs=Knobs(batch="missing")) as night:
        key = night.ids()[4]
        night.knobs.shapeless = frozenset({key})
        assert night.night() == 3
        assert night.value("SELECT count(*) FROM conversations WHERE id = ?", key) is not None
        assert len(differences(night)) == 1


def test_a_listed_chat_that_is_deleted_is_settled_on_two_runs(tmp_path):
    """A stale list that goes on showing a deleted chat does not fail every night for ever."""
    with Night(tmp_path) as night:
        key = night.ids()[2]
        night.account.deleted[key] = night.account.tree(key)
        assert night.night() == 0  # the batch still shows it, which proves nothing
        night.knobs.batch_omits = frozenset({key})
        night.person.rename(key, "Ghost")
        codes = [night.night() for _ in range(5)]
        assert codes[-1] == 0
        assert night.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) > 0


def test_no_more_single_reads_do_not_stop_the_batches(tmp_path):
    """Doubtful trees use up the single reads: everything else is still stored tonight, the rest on later nights."""
    with Night(tmp_path, knobs=Knobs(bucket=3), conversations=60) as night:
        night.knobs.truncated = dict.fromkeys(night.ids()[:8], "tail")
        night.knobs.plural = "missing"
        assert night.night() == 6
        assert night.value("SELECT count(*) FROM conversations") >= 54
        assert "left" in night.value("SELECT message FROM sync_runs")
        codes = [night.night() for _ in range(4)]
        assert codes[-1] == 0
        assert differences(night) == []


def test_half_a_new_conversation_is_not_shown(tmp_path):
    """A cut tree of a chat never seen before is asked for whole on some nights before its part is shown."""
    with Night(tmp_path, knobs=Knobs(single="broken", plural="broken"), conversations=3) as night:
        key = night.ids()[1]
        night.knobs.truncated = {key: "tail"}
        assert night.night() == 3
        assert night.value("SELECT count(*) FROM conversations WHERE id = ?", key) == 0
        for _ in range(20):
            night.night()
        assert night.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) > 0
        night.knobs.single = "normal"
        for _ in range(8):
            last = night.night()
        assert last == 0
        assert differences(night) == []


def test_a_deleted_project_takes_its_chats_along(tmp_path):
    """Deleting a project deletes its chats, and the list in which they would be missed is gone too."""
    with Night(tmp_path) as night:
        project = night.person.new_project("Short-lived")
        key = night.person.new_conversation("In it", project=project)
        assert night.night() == 0
        night.person.delete(key)
        del night.account.projects[project]
        for _ in range(2):
            assert night.night(full=True) == 0
        assert night.value("SELECT deleted_at FROM conversations WHERE id = ?", key) is not None
        assert night.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) > 0


def test_what_only_the_flat_lane_could_give_is_read_whole_later(tmp_path):
    """A bad night leaves only visible branches; when trees come again, the other branches arrive by themselves."""
    with Night(tmp_path) as night:
        key = night.ids()[0]
        night.person.regenerate(key)
        night.knobs.batch = night.knobs.single = "missing"
        assert night.night() == 0
        assert len(differences(night)) == 1
        night.knobs.batch = night.knobs.single = "normal"
        night.night(full=True)
        assert night.night() == 0
        assert differences(night) == []
        assert night.night() == 0
        assert night.reads() == 0


def test_a_list_that_broke_off_leaves_no_hole(tmp_path):
    """What changed below the place where the list broke off arrives when it is mended, though all above is stored."""
    with Night(tmp_path, conversations=300) as night:
        night.night()
        for key in night.ids()[:180]:
            night.clock.advance(1)
            night.person.new_message(key)
        night.knobs.deep_offset_error_from = 90
        assert night.night() == 5
        assert len(differences(night)) > 50
        night.knobs.deep_offset_error_from = None
        assert night.night() == 0
        assert differences(night) == []
