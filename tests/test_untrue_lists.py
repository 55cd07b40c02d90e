"""Lists and reads that lie: nothing is lost, nothing half is taken for whole, and exit 0 means current."""

from __future__ import annotations

import pytest
from mirrored_service import MirroredService, differences, findings

from mirror.simulator import Behaviour


def message(mirrored):
    return mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")


def kept(mirrored):
    """How many conversations are here and not marked in any way."""
    return mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NULL AND missing_since IS NULL")


@pytest.mark.parametrize("total", ["hint", "true", "null", "zero", "absent", "wrong"])
def test_the_total_is_never_trusted(tmp_path, total):
    """Whatever the list says of its length, all of it is read."""
    with MirroredService(tmp_path, behaviour=Behaviour(total=total), conversations=230, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(page_cap=28),
        Behaviour(endless=True),
        Behaviour(repeat_and_skip=True),
        Behaviour(mixed_times=True),
    ],
    ids=["small pages", "endless", "repeats and skips", "mixed times"],
)
def test_wrong_lists_are_read_whole(tmp_path, behaviour):
    """Small, repeated, endless and skipping pages cost nothing but requests."""
    with MirroredService(tmp_path, behaviour=behaviour, conversations=330, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert mirrored.next_run() == 0
        assert mirrored.reads() == 0


def test_a_page_that_never_comes_is_said(tmp_path):
    """A page that always shows an earlier one hides rows from everybody: exit 5, and all of them once it is mended."""
    with MirroredService(
        tmp_path, behaviour=Behaviour(repeated_page_at=1), conversations=330, over_http=False
    ) as mirrored:
        assert mirrored.next_run() == 5
        assert "changed while it was read" in mirrored.value("SELECT message FROM sync_runs")
        mirrored.behaviour.repeated_page_at = None
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize(("known", "new"), [(350, 0), (2, 150)], ids=["first sync", "later"])
def test_an_empty_page_is_not_the_end(tmp_path, known, new):
    """More rows follow below it: exit 5, in a first sync and in a later one, and all of them once it is mended."""
    with MirroredService(tmp_path, conversations=known, over_http=False) as mirrored:
        if new:
            assert mirrored.next_run() == 0
        for n in range(new):
            mirrored.person.new_conversation(f"New {n}")
            mirrored.clock.advance(1)
        mirrored.behaviour.empty_page_at = 1
        assert mirrored.next_run() == 5
        assert "changed while it was read" in message(mirrored)
        mirrored.behaviour.empty_page_at = None
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_what_the_person_does_while_it_is_listed_is_not_lost(tmp_path):
    """Touched, added and deleted between two pages: in this run or the next, all of it arrives."""
    with MirroredService(tmp_path, conversations=350, over_http=False) as mirrored:
        keys = mirrored.ids()

        def act(scope, page):
            if scope == "main" and page == 1:
                mirrored.person.new_message(keys[300])
                mirrored.person.delete(keys[5])
                mirrored.person.new_conversation("In between")

        mirrored.behaviour.between_pages = act
        mirrored.next_run()
        mirrored.behaviour.between_pages = None
        mirrored.next_run(full=True)
        assert mirrored.next_run(full=True) == 0
        assert [line for line in differences(mirrored) if "not marked" not in line] == []


def test_a_failing_deep_page_is_said_and_costs_no_other(tmp_path):
    """The list breaks off at an offset: what came before is stored, exit 5; mended, the rest follows."""
    with MirroredService(
        tmp_path, behaviour=Behaviour(deep_offset_error_from=180), conversations=300, over_http=False
    ) as mirrored:
        assert mirrored.next_run() == 5
        assert mirrored.value("SELECT count(*) FROM conversations") >= 190
        assert "could not be read to its end" in mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        mirrored.behaviour.deep_offset_error_from = None
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize("share", [0.0, 0.04, 0.5, 0.85])
@pytest.mark.parametrize("count", [60, 250])
def test_a_collapsed_list_marks_nothing(tmp_path, share, count):
    """A list with suspiciously few rows stops the run: exit 7, nothing marked, and new chats are still read."""
    with MirroredService(tmp_path, conversations=count, over_http=False) as mirrored:
        mirrored.next_run()
        mirrored.behaviour.collapse_to = share
        new = mirrored.person.new_conversation("Brand new")
        assert mirrored.next_run(full=True) == 7
        assert "none was marked deleted" in mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0
        assert kept(mirrored) >= count
        if share:
            assert mirrored.value("SELECT count(*) FROM conversations WHERE id = ?", new) == 1
        mirrored.behaviour.collapse_to = None
        assert mirrored.next_run(full=True) == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize(("count", "code"), [(1, 0), (3, 7), (6, 7), (30, 7)])
@pytest.mark.parametrize("full", [False, True])
def test_a_projects_list_that_lacks_its_chats(tmp_path, count, code, full):
    """They stand in no other list, few of many as they are: each is asked for at once, and all are a safety stop."""
    behaviour = Behaviour(main_excludes_projects=True)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=110, over_http=False) as mirrored:
        bread = mirrored.person.new_project("Bread")
        hidden = [mirrored.person.new_conversation(f"Loaf {n}", project=bread) for n in range(count)]
        mirrored.next_run()
        mirrored.behaviour.omitted = frozenset(hidden)
        assert mirrored.next_run(full=full) == code
        asked = {key for key in hidden if any(key in r.path or key in r.ids for r in mirrored.service.requests)}
        assert asked == set(hidden)
        assert mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0
        mirrored.behaviour.omitted = frozenset()
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize(("count", "code"), [(1, 0), (6, 0), (15, 7)])
def test_a_main_list_that_leaves_out_some_is_noticed_at_once(tmp_path, count, code):
    """Above where a list is read to, what it showed before is asked for by id; what is new in it is stored."""
    with MirroredService(tmp_path, conversations=126, over_http=False) as mirrored:
        mirrored.next_run()
        hidden = mirrored.ids()[10 : 10 + count]
        mirrored.behaviour.omitted = frozenset(hidden)
        before = mirrored.ids()
        mirrored.person.new_message(hidden[0])
        assert mirrored.next_run() == code
        assert all(any(key in r.path for r in mirrored.service.requests) for key in hidden)
        assert mirrored.reads() <= 20
        assert differences(mirrored) == []
        assert mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0
        assert mirrored.next_run() == code
        assert mirrored.reads() <= 20 - count
        mirrored.behaviour.omitted = frozenset()
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL") == 0
        assert set(mirrored.ids()) == set(before)


def test_what_left_for_the_depth_of_another_list_is_not_missing(tmp_path):
    """Archived, or out of a project, without a new time: the chat itself says where it belongs."""
    behaviour = Behaviour(main_excludes_projects=True)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=260, over_http=False) as mirrored:
        bread = mirrored.person.new_project("Bread")
        for key in mirrored.ids()[140:146]:
            mirrored.person.move(key, bread, bump=False)
        for key in mirrored.ids()[:130]:
            mirrored.person.archive(key)
        mirrored.next_run(full=True)
        loaves, late = mirrored.ids()[140:146], mirrored.ids()[150:154]
        for key in loaves:
            mirrored.person.move(key, None, bump=False)
        for key in late:
            mirrored.person.archive(key)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert mirrored.value("SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL") == 0


def test_what_cannot_be_asked_for_yet_is_said(tmp_path):
    """More are missing than a run asks for, or the limit came first: no success, and the next runs ask for the rest."""
    with MirroredService(tmp_path, conversations=300, over_http=False) as mirrored:
        mirrored.next_run()
        deleted, hidden = mirrored.ids()[120:137], mirrored.ids()[137:145]
        for key in deleted:
            mirrored.person.delete(key)
        mirrored.behaviour.omitted = frozenset(hidden)
        assert mirrored.next_run(full=True) == 3
        assert "5 conversations that no list shows any more were not asked for" in message(mirrored)
        assert mirrored.next_run() == 0
        mirrored.next_run()
        assert mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 17


def test_many_deletions_are_explained_by_those_that_were_asked_for(tmp_path):
    """Twenty that are said to be deleted explain the rest, which is asked for a few a run: every run is current."""
    with MirroredService(tmp_path, conversations=90, over_http=False) as mirrored:
        mirrored.next_run()
        for key in mirrored.ids()[:70]:
            mirrored.person.delete(key)
        assert [mirrored.next_run(full=n == 0) for n in range(9)] == [0] * 9
        assert mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 70


def test_an_anonymous_answer_is_not_an_empty_account(tmp_path):
    """A service that forgot who asks lists nothing: a safety stop on a filled mirror, on an empty one a sign-in."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.behaviour.unseen_headers = lambda _: {"authorization"}
        assert mirrored.next_run() == 4
        mirrored.behaviour.unseen_headers = None
        assert mirrored.next_run() == 0
        mirrored.behaviour.unseen_headers = lambda _: {"authorization"}
        assert mirrored.next_run() in {4, 7}
        assert kept(mirrored) == 12


def test_a_list_of_starred_ones_that_comes_back_revives_nothing(tmp_path):
    """A starred chat is deleted while that list fails: it is neither back nor gone once more."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[4]
        mirrored.person.star(key)
        mirrored.next_run()
        mirrored.person.delete(key)
        mirrored.alter_answers(lambda request, data: (500, {}) if "is_starred" in request.query else data)
        for _ in range(2):
            mirrored.next_run(full=True)
        told = mirrored.rows("SELECT deleted_at, missing_since FROM conversations WHERE id = ?", key)
        assert None not in told[0]
        mirrored.alter_answers(None)
        for full in (False, True):
            assert mirrored.next_run(full=full) == 0
            assert mirrored.changes() == {}
            assert mirrored.rows("SELECT deleted_at, missing_since FROM conversations WHERE id = ?", key) == told


def test_a_star_that_goes_says_nothing_of_a_missing_chat(tmp_path):
    """It lost its star at the service, and the day on which it was first missing stays."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[4]
        mirrored.person.star(key)
        mirrored.next_run()
        mirrored.behaviour.omitted = frozenset({key})
        mirrored.alter_answers(lambda request, data: (500, {}) if "is_starred" in request.query else data)
        mirrored.next_run(full=True)
        missing_since = mirrored.value("SELECT missing_since FROM conversations WHERE id = ?", key)
        assert missing_since
        mirrored.alter_answers(None)
        mirrored.next_run(full=True)
        assert mirrored.changes() == {key: {"unstarred"}}
        assert mirrored.value("SELECT missing_since FROM conversations WHERE id = ?", key) == missing_since


def test_lists_that_forget_who_asks_are_not_an_empty_account(tmp_path):
    """All else answers, the lists come empty and nobody is signed in: exit 4, not success."""
    with MirroredService(tmp_path, over_http=False) as mirrored:

        def unseen(request):
            return {"authorization"} if request.path.endswith(("/conversations", "/me")) else set()

        mirrored.behaviour.unseen_headers = unseen
        assert mirrored.next_run() == 4
        mirrored.behaviour.unseen_headers = None
        assert mirrored.next_run() == 0
        assert kept(mirrored) == 12


def test_a_deletion_needs_proof_on_two_runs(tmp_path):
    """Gone from the lists: first missing, then, after the second 404 of its own, marked, and every text kept."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[3]
        texts = mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key)
        mirrored.person.delete(key)
        assert mirrored.next_run() == 0
        assert mirrored.rows("SELECT deleted_at, missing_since IS NOT NULL FROM conversations WHERE id = ?", key) == [
            (None, 1)
        ]
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT deleted_at FROM conversations WHERE id = ?", key) is not None
        assert mirrored.changes() == {key: {"gone"}}
        assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) == texts
        mirrored.person.undelete(key)
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT deleted_at FROM conversations WHERE id = ?", key) is None
        assert mirrored.changes()[key] == {"back"}


def test_absence_alone_never_marks(tmp_path):
    """A chat that lives and that no list shows is asked for by itself, and left alone."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[3]
        mirrored.behaviour.omitted = frozenset({key})
        for _ in range(3):
            assert mirrored.next_run(full=True) == 0
        assert mirrored.value("SELECT deleted_at FROM conversations WHERE id = ?", key) is None


def test_without_a_way_to_prove_it_nothing_is_marked(tmp_path):
    """Where no endpoint answers by id, a batch and a list that omit a chat prove nothing."""
    with MirroredService(
        tmp_path, behaviour=Behaviour(single="missing", plural="missing"), over_http=False
    ) as mirrored:
        mirrored.next_run()
        mirrored.person.delete(mirrored.ids()[3])
        for _ in range(4):
            mirrored.next_run(full=True)
        assert mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL") == 0


# -- reads


@pytest.mark.parametrize("how", ["tail", "head", "empty", "consistent"])
def test_a_truncated_batch_is_read_singly(tmp_path, how):
    """A tree cut short with status 200 is noticed in the first run, and the whole one is stored."""
    with MirroredService(tmp_path, conversations=25, over_http=False) as mirrored:
        for key in mirrored.ids()[:2]:
            for _ in range(40):
                mirrored.clock.advance(20)
                mirrored.person.new_message(key)
        mirrored.behaviour.truncated = dict.fromkeys(mirrored.ids()[:2], how)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert mirrored.value("SELECT count(*) FROM messages WHERE removed_at IS NOT NULL") == 0


@pytest.mark.parametrize("how", ["tail", "head", "empty", "consistent"])
def test_a_truncated_batch_never_shrinks_what_is_stored(tmp_path, how):
    """A cut tree of a known chat, with no other endpoint to ask: nothing is lost and the run does not say current."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[0]
        before = mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ? AND removed_at IS NULL", key)
        mirrored.person.rename(key, "Touched")
        mirrored.behaviour.truncated, mirrored.behaviour.single, mirrored.behaviour.plural = (
            {key: how},
            "broken",
            "broken",
        )
        assert mirrored.next_run() == 3
        count = mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ? AND removed_at IS NULL", key)
        assert count == before
        mirrored.behaviour.single = "normal"
        for _ in range(3):
            last = mirrored.next_run()
        assert last == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(batch="missing"),
        Behaviour(batch="wrapped"),
        Behaviour(batch="shuffled"),
        Behaviour(single="missing"),
        Behaviour(plural="missing"),
        Behaviour(batch="missing", plural="missing"),
        Behaviour(stale_batch_times=True),
    ],
    ids=["no batch", "wrapped batch", "shuffled batch", "no single", "no plural", "single only", "stale times"],
)
def test_whatever_endpoints_an_account_has(tmp_path, behaviour):
    """Every cohort is mirrored whole, and its second run reads no conversation."""
    with MirroredService(tmp_path, behaviour=behaviour, conversations=34, over_http=False) as mirrored:
        mirrored.person.regenerate(mirrored.ids()[0])
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert findings(mirrored) == []
        assert mirrored.next_run() == 0
        assert mirrored.reads() == 0


def test_the_plural_endpoint_alone_gives_every_visible_branch(tmp_path):
    """Business accounts have only the paged, flat endpoint; overlapping windows are joined."""
    behaviour = Behaviour(batch="missing", single="missing", plural_overlap=3)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=6, over_http=False) as mirrored:
        for _ in range(18):
            mirrored.person.new_message(mirrored.ids()[0])
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert len(mirrored.asked("/messages")) >= 2


def test_a_flat_read_discards_no_branch(tmp_path):
    """When only the plural endpoint is left, branches known from a tree stay."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[0]
        mirrored.person.regenerate(key)
        mirrored.next_run()
        mirrored.behaviour.batch = mirrored.behaviour.single = "missing"
        mirrored.person.new_message(key)
        for _ in range(2):
            last = mirrored.next_run()
        assert last == 0
        assert differences(mirrored) == []


def test_windows_that_go_round_in_circles_are_an_error_of_that_chat(tmp_path):
    """A repeated cursor ends, the chat is reported, others are not held up."""
    behaviour = Behaviour(batch="missing", single="missing", plural_repeats_cursor=True)
    with MirroredService(tmp_path, behaviour=behaviour, conversations=3, over_http=False) as mirrored:
        assert mirrored.next_run() in {3, 5}
        assert "cursor repeats" in mirrored.value("SELECT error FROM _listed")


@pytest.mark.parametrize("place", [0, 13, 24])
def test_a_poisoned_chat_blocks_no_other(tmp_path, place):
    """One id that answers 500 for ever: 24 others are current, it is named, and asked for ever more seldom."""
    with MirroredService(tmp_path, conversations=25, over_http=False) as mirrored:
        key = mirrored.ids()[place]
        mirrored.behaviour.poisoned = frozenset({key})
        assert mirrored.next_run() == 3
        assert key in mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert len(differences(mirrored)) == 1
        runs_asked = 0
        for _ in range(14):
            assert mirrored.next_run() == 3
            runs_asked += any(key in r.path or key in r.ids for r in mirrored.service.requests)
        assert 2 <= runs_asked <= 5
        mirrored.behaviour.poisoned = frozenset()
        for _ in range(8):
            last = mirrored.next_run()
        assert last == 0
        assert differences(mirrored) == []


def test_an_answer_without_shape_is_an_error_of_that_chat(tmp_path):
    """200 with neither tree nor messages stores nothing and is reported."""
    with MirroredService(tmp_path, behaviour=Behaviour(batch="missing"), over_http=False) as mirrored:
        key = mirrored.ids()[4]
        mirrored.behaviour.shapeless = frozenset({key})
        assert mirrored.next_run() == 3
        assert mirrored.value("SELECT count(*) FROM conversations WHERE id = ?", key) == 0
        assert len(differences(mirrored)) == 1


def test_a_listed_chat_that_is_deleted_is_settled_on_two_runs(tmp_path):
    """A stale list that goes on showing a deleted chat does not fail every run for ever."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[2]
        mirrored.account.deleted[key] = mirrored.account.tree(key)
        assert mirrored.next_run() == 0  # the batch still shows it, which proves nothing
        mirrored.behaviour.batch_omits = frozenset({key})
        mirrored.person.rename(key, "Ghost")
        codes = [mirrored.next_run() for _ in range(5)]
        assert codes[-1] == 0
        assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) > 0


def test_no_more_single_reads_do_not_stop_the_batches(tmp_path):
    """Incomplete trees use up the single reads: everything else is still stored in this run, the rest later."""
    with MirroredService(tmp_path, behaviour=Behaviour(bucket=3), conversations=60, over_http=False) as mirrored:
        mirrored.behaviour.truncated = dict.fromkeys(mirrored.ids()[:8], "tail")
        mirrored.behaviour.plural = "missing"
        assert mirrored.next_run() == 6
        assert mirrored.value("SELECT count(*) FROM conversations") >= 54
        assert "left" in mirrored.value("SELECT message FROM sync_runs")
        codes = [mirrored.next_run() for _ in range(4)]
        assert codes[-1] == 0
        assert differences(mirrored) == []


def test_half_a_new_conversation_is_not_shown(tmp_path):
    """A cut tree of a new chat is asked for again in some runs before its part is shown."""
    with MirroredService(
        tmp_path, behaviour=Behaviour(single="broken", plural="broken"), conversations=3, over_http=False
    ) as mirrored:
        key = mirrored.ids()[1]
        mirrored.behaviour.truncated = {key: "tail"}
        assert mirrored.next_run() == 5  # no read by id works at all, not only that of this conversation
        assert mirrored.value("SELECT count(*) FROM conversations WHERE id = ?", key) == 0
        for _ in range(20):
            mirrored.next_run()
        assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) > 0
        mirrored.behaviour.single = "normal"
        for _ in range(8):
            last = mirrored.next_run()
        assert last == 0
        assert differences(mirrored) == []


def test_a_deleted_project_takes_its_chats_along(tmp_path):
    """Deleting a project deletes its chats, and the list in which they would be missed is gone too."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        project = mirrored.person.new_project("Short-lived")
        key = mirrored.person.new_conversation("In it", project=project)
        assert mirrored.next_run() == 0
        mirrored.person.delete(key)
        del mirrored.account.projects[project]
        for _ in range(2):
            assert mirrored.next_run(full=True) == 0
        assert mirrored.value("SELECT deleted_at FROM conversations WHERE id = ?", key) is not None
        assert mirrored.value("SELECT count(*) FROM messages WHERE conversation_id = ?", key) > 0


def test_what_only_the_plural_endpoint_could_give_is_read_whole_later(tmp_path):
    """A bad run leaves only visible branches; when trees come again, the other branches arrive without a command."""
    with MirroredService(tmp_path, over_http=False) as mirrored:
        key = mirrored.ids()[0]
        mirrored.person.regenerate(key)
        mirrored.behaviour.batch = mirrored.behaviour.single = "missing"
        assert mirrored.next_run() == 0
        assert len(differences(mirrored)) == 1
        mirrored.behaviour.batch = mirrored.behaviour.single = "normal"
        mirrored.next_run(full=True)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert mirrored.next_run() == 0
        assert mirrored.reads() == 0


def test_a_list_that_broke_off_leaves_no_hole(tmp_path):
    """What changed below the place where the list broke off arrives when it is mended, though all above is stored."""
    with MirroredService(tmp_path, conversations=300, over_http=False) as mirrored:
        mirrored.next_run()
        for key in mirrored.ids()[:180]:
            mirrored.clock.advance(1)
            mirrored.person.new_message(key)
        mirrored.behaviour.deep_offset_error_from = 90
        assert mirrored.next_run() == 5
        assert len(differences(mirrored)) > 50
        mirrored.behaviour.deep_offset_error_from = None
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
