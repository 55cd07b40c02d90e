"""What the program has itself seen outranks what a list says, in every run for as long as it lasts."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService, differences

from mirror.simulator import Behaviour

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.simulator import ReceivedRequest


def tombstones(mirrored: MirroredService) -> int:
    found = mirrored.value("SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL")
    assert isinstance(found, int)
    return found


def test_a_collapsed_list_is_said_in_every_run(tmp_path: Path) -> None:
    """Also once all that it leaves out were asked for and proven alive; and what they say is stored."""
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        mirrored.next_run()
        mirrored.behaviour.collapse_to = 0.1
        codes = [mirrored.next_run(full=True) for _ in range(5)]
        assert codes == [7] * 5
        assert tombstones(mirrored) == 0
        key = mirrored.ids()[-1]
        mirrored.person.new_message(key, "news of a hidden chat")
        for _ in range(8):
            assert mirrored.next_run(full=True) == 7
        assert mirrored.value("SELECT count(*) FROM messages WHERE text = 'news of a hidden chat'") == 1
        mirrored.behaviour.collapse_to = None
        assert mirrored.next_run(full=True) == 0
        assert differences(mirrored) == []


def lists_without(mirrored: MirroredService, name: str, hidden: set[str]) -> None:
    """Let one list leave conversations out: "main", "archived" or "project"."""

    def is_meant(request: ReceivedRequest) -> bool:
        if name == "project":
            return request.path.startswith("/backend-api/gizmos/g-p-") and request.path.endswith("/conversations")
        wanted = "true" if name == "archived" else "false"
        return request.path.endswith("/conversations") and request.query.get("is_archived") == wanted

    def alter(request: ReceivedRequest, data: Any) -> Any:
        if is_meant(request):
            return {**data, "items": [row for row in data["items"] if row["id"] not in hidden]}
        return data

    mirrored.alter_answers(alter)


@pytest.mark.parametrize("name", ["main", "archived", "project"])
@pytest.mark.parametrize("count", [2, 5])
def test_a_short_list_that_shows_none_of_its_own_is_wrong(tmp_path: Path, name: str, count: int) -> None:
    """They all come by id, so what else it has to show is not shown either: no run is current while that lasts."""
    behaviour = Behaviour(main_excludes_projects=True)
    with MirroredService(tmp_path, conversations=2 * count, behaviour=behaviour, over_http=False) as mirrored:
        project = mirrored.person.new_project("Garden")
        for n, key in enumerate(mirrored.ids()):
            if n < count:
                mirrored.person.move(key, project) if name == "project" else mirrored.person.archive(key)
        meant = mirrored.ids()[count:] if name == "main" else mirrored.ids()[:count]
        assert mirrored.next_run() == 0
        lists_without(mirrored, name, set(meant))
        assert [mirrored.next_run(full=n == 3) for n in range(5)] == [7] * 5
        text = mirrored.value("SELECT message FROM sync_runs ORDER BY id DESC")
        assert f"lists only 0 of {count} known conversations" in text
        assert mirrored.value("SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL") == 0
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


def test_a_list_without_a_single_one_of_its_own_is_believed(tmp_path: Path) -> None:
    """Lists leave out one or the other living conversation for good."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        mirrored.person.archive(mirrored.ids()[0])
        assert mirrored.next_run() == 0
        lists_without(mirrored, "archived", {mirrored.ids()[0]})
        assert [mirrored.next_run(full=n == 2) for n in range(4)] == [0] * 4


def test_twenty_living_ones_that_no_list_shows_are_said_in_every_run(tmp_path: Path) -> None:
    """Also where they are few of all: what is new among them is shown nowhere else."""
    with MirroredService(tmp_path, conversations=300, over_http=False) as mirrored:
        assert mirrored.next_run() == 0
        mirrored.behaviour.omitted = frozenset(mirrored.ids()[100:125])
        codes = [mirrored.next_run(full=n % 2 == 0) for n in range(6)]
        assert codes == [7] * 6
        mirrored.behaviour.omitted = frozenset()
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []


@pytest.mark.parametrize("home", ["archive", "project"])
def test_many_deletions_cost_no_more_reads_by_id_than_a_few(tmp_path: Path, home: str) -> None:
    """Of a list of its own, too; what was said to be deleted is proven by the same answer."""
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        project = mirrored.person.new_project("Garden")
        keys = mirrored.ids()[:40]
        for key in keys:
            mirrored.person.archive(key) if home == "archive" else mirrored.person.move(key, project)
        assert mirrored.next_run() == 0
        for key in keys:
            mirrored.person.delete(key)
        codes = []
        for n in range(5):
            codes.append(mirrored.next_run(full=n == 2))
            by_id = [r for r in mirrored.service.requests if r.path.rpartition("/")[2] in keys]
            assert len(by_id) <= 40
        assert codes == [0] * 5
        assert tombstones(mirrored) == 40


@pytest.mark.parametrize("count", [40, 80])
def test_many_deletions_are_proven_within_two_weeks(tmp_path: Path, count: int) -> None:
    """The alarm ends as soon as what was asked for explains it; a few requests a run."""
    with MirroredService(tmp_path, conversations=80, over_http=False) as mirrored:
        mirrored.next_run()
        for key in mirrored.ids()[:count]:
            mirrored.person.delete(key)
        codes = []
        for _ in range(14):
            codes.append(mirrored.next_run(full=True))
            assert len(mirrored.service.requests) < 50
        assert codes[-1] == 0
        assert set(codes[3:]) == {0}
        assert tombstones(mirrored) == count


def test_the_person_can_confirm_deletions_at_once(tmp_path: Path) -> None:
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        mirrored.next_run()
        for key in mirrored.ids()[:50]:
            mirrored.person.delete(key)
        assert mirrored.next_run(full=True, accept_deletions=True) == 0
        assert tombstones(mirrored) == 50


def test_confirming_deletions_marks_nothing_that_is_alive(tmp_path: Path) -> None:
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        mirrored.next_run()
        mirrored.behaviour.collapse_to = 0.1
        assert mirrored.next_run(full=True) == 7
        assert mirrored.next_run(full=True, accept_deletions=True) == 7
        assert tombstones(mirrored) == 0


def test_what_was_listed_and_then_hidden_is_still_read(tmp_path: Path) -> None:
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[4]
        mirrored.person.new_message(key, "written before it was hidden")
        mirrored.behaviour.poisoned = frozenset({key})
        assert mirrored.next_run() == 3
        mirrored.behaviour.poisoned = frozenset()
        mirrored.alter_answers(
            lambda request, data: (
                {**data, "items": [row for row in data["items"] if row.get("id") != key]}
                if request.path.endswith("/conversations") and isinstance(data, dict) and "items" in data
                else data
            )
        )
        assert mirrored.next_run(full=True) == 0
        assert mirrored.value("SELECT count(*) FROM messages WHERE text = 'written before it was hidden'") == 1


def test_a_purged_chat_is_not_asked_for_for_ever(tmp_path: Path) -> None:
    """An answer "unknown" proves less than "deleted"; four of them, each in another run, are enough."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[4]
        del mirrored.account.conversations[key]
        for _ in range(6):
            mirrored.next_run(full=True)
        assert tombstones(mirrored) == 1
        mirrored.next_run(full=True)
        assert not [request for request in mirrored.service.requests if key in request.path]


UNKNOWN = (404, {"detail": {"code": "conversation_not_found", "message": "Conversation not found"}})


def answers_unknown(request: ReceivedRequest, data: Any) -> Any:
    """Every read by id is answered as if no such conversation existed; batches come."""
    is_batch = request.path.endswith("/batch")
    is_read = request.path.startswith(("/backend-api/conversation/", "/backend-api/conversations/"))
    return UNKNOWN if is_read and not is_batch else data


def test_reads_by_id_that_know_nothing_explain_no_collapse(tmp_path: Path) -> None:
    """The address is switched off, which says the same of what lists show: the alarm goes on."""
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        mirrored.next_run()
        mirrored.behaviour.collapse_to = 0.1
        mirrored.alter_answers(answers_unknown)
        assert [mirrored.next_run(full=True) for _ in range(7)] == [7] * 7
        assert tombstones(mirrored) == 0
        mirrored.behaviour.collapse_to = None
        mirrored.alter_answers(None)
        assert mirrored.next_run(full=True) == 0
        assert mirrored.value("SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL") == 0


@pytest.mark.parametrize(("of", "batch"), [("all", "normal"), ("all", "missing"), ("what is left out", "normal")])
def test_what_reads_by_id_do_not_know_is_not_gone(tmp_path: Path, of: str, batch: str) -> None:
    """They say so of what the lists show as well; or of those alone, while batches go on giving them."""
    with MirroredService(tmp_path, conversations=30, over_http=False) as mirrored:
        mirrored.next_run()
        hidden = mirrored.ids()[5:8]
        mirrored.behaviour.omitted = frozenset(hidden)
        mirrored.behaviour.batch = batch

        def alter(request: ReceivedRequest, data: Any) -> Any:
            is_meant = of == "all" or any(key in request.path for key in hidden)
            return answers_unknown(request, data) if is_meant else data

        mirrored.alter_answers(alter)
        for _ in range(5):
            assert mirrored.next_run() == 0
            assert len(mirrored.service.requests) <= 35
        assert tombstones(mirrored) == 0
        mirrored.behaviour.omitted = frozenset()
        assert mirrored.next_run() == 0
        assert mirrored.value("SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL") == 0


def test_many_purged_chats_are_said_before_they_are_believed(tmp_path: Path) -> None:
    """One day's answers explain nothing; the same on later days do, and in the end all are marked."""
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        mirrored.next_run()
        for key in mirrored.ids()[:20]:
            del mirrored.account.conversations[key]
        assert [mirrored.next_run(full=True) for _ in range(3)] == [7, 0, 0]
        assert tombstones(mirrored) == 0
        mirrored.next_run(full=True)
        assert tombstones(mirrored) == 20


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("collapse_to", [None, 0.1])
def test_a_list_that_shows_a_chat_again_ends_what_spoke_for_its_deletion(
    tmp_path: Path, collapse_to: float | None, *, is_full: bool
) -> None:
    """Three runs in which the service knew nothing of it prove nothing months later, when a list lacks it once.

    Neither where a safety stop ended them.
    """
    with MirroredService(tmp_path, conversations=60, over_http=False) as mirrored:
        mirrored.next_run()
        key = mirrored.ids()[-1]
        tree = mirrored.account.conversations.pop(key)
        mirrored.behaviour.collapse_to = collapse_to
        while mirrored.value("SELECT gone_proofs FROM _listed WHERE conversation_id = ?", key) < 3:
            assert mirrored.next_run(full=True) == (7 if collapse_to else 0)
        mirrored.behaviour.collapse_to = None
        mirrored.account.conversations[key] = tree
        assert mirrored.next_run(full=is_full) == 0
        del mirrored.account.conversations[key]
        mirrored.next_run(full=True)
        assert tombstones(mirrored) == 0


class Lagging:
    """Answers with what it gave of each conversation when it first gave it, as long as ``is_behind``."""

    def __init__(self, mirrored: MirroredService) -> None:
        self.first: dict[tuple[str, str], Any] = {}
        self.is_behind = False
        mirrored.alter_answers(self.answer)

    def answer(self, request: ReceivedRequest, data: Any) -> Any:
        if request.path.endswith("/batch") and isinstance(data, list):
            return [self._older((f"/conversation/{tree['id']}", "None"), tree) for tree in data]
        if request.path.endswith("/batch"):
            return data
        if "/conversation/" in request.path or "/conversations/" in request.path:
            path = request.path.removeprefix("/backend-api")
            return self._older((path, str(request.query.get("before"))), data)
        return data

    def _older(self, key: tuple[str, str], data: Any) -> Any:
        first = self.first.setdefault(key, deepcopy(data))
        return first if self.is_behind else data


@pytest.mark.parametrize("given", ["batch", "single", "plural"])
def test_a_copy_that_lags_behind_the_list_is_read_again_in_the_next_run(tmp_path: Path, given: str) -> None:
    """Whichever endpoint gives it: the list showed news that nothing explains, and none came. Once, not for ever."""
    behaviour = Behaviour(
        batch="normal" if given == "batch" else "missing", single="missing" if given == "plural" else "normal"
    )
    with MirroredService(tmp_path, conversations=6, behaviour=behaviour, over_http=False) as mirrored:
        lagging = Lagging(mirrored)
        mirrored.next_run()
        key = mirrored.ids()[2]
        lagging.is_behind = True
        mirrored.person.new_message(key, "What is new?", "This.")
        mirrored.next_run()
        lagging.is_behind = False
        mirrored.next_run()
        assert differences(mirrored) == []
        mirrored.next_run()
        asked = sum(key in request.path or key in request.ids for request in mirrored.service.requests)
        assert asked <= (given == "plural")  # whether its tree can be had now


@pytest.mark.parametrize(
    ("how", "count", "bad"),
    [("429", 12, 1), ("429", 12, 6), ("challenge", 12, 1), ("challenge", 12, 2), ("reset", 60, 21)],
)
def test_what_cannot_be_asked_for_keeps_no_other_from_being_proven_gone(
    tmp_path: Path, how: str, count: int, bad: int
) -> None:
    """No list shows some that never answer; those that were deleted get their tombstones all the same."""
    with MirroredService(tmp_path, conversations=count, over_http=False) as mirrored:
        mirrored.next_run()
        hidden = frozenset(mirrored.ids()[2 : 2 + bad])
        for key in mirrored.ids()[2 + bad : 5 + bad]:
            mirrored.person.delete(key)
        mirrored.behaviour.omitted = hidden
        mirrored.behaviour.break_request = lambda r: how if any(key in r.path for key in hidden) else None
        for _ in range(5):
            mirrored.next_run(full=True)
            assert sum(any(key in r.path for key in hidden) for r in mirrored.service.requests) <= 4 * 2 * bad
        assert tombstones(mirrored) == 3
        assert mirrored.value("SELECT count(*) FROM _listed WHERE gone_proofs > 0") == 3
        budget = mirrored.value(
            "SELECT json_extract(value, '$.single_read_budget') FROM _settings WHERE key LIKE 'login:%'"
        )
        assert budget is None


@pytest.mark.parametrize("given", ["batch", "single", "plural"])
def test_a_copy_older_than_what_is_stored_takes_nothing_away(tmp_path: Path, given: str) -> None:
    """It holds less than what is stored, and dates itself before what the list shows: for days, it is not believed."""
    behaviour = Behaviour(
        batch="normal" if given == "batch" else "missing", single="missing" if given == "plural" else "normal"
    )
    with MirroredService(tmp_path, conversations=6, behaviour=behaviour, over_http=False) as mirrored:
        lagging = Lagging(mirrored)
        mirrored.next_run()
        key = mirrored.ids()[2]
        mirrored.person.new_message(key, "What is new?", "This.")
        mirrored.next_run()
        shown = (
            "SELECT count(*) FROM messages WHERE conversation_id = ? AND position IS NOT NULL AND removed_at IS NULL"
        )
        before = mirrored.value(shown, key)
        lagging.is_behind = True
        mirrored.person.new_message(key, "And now?", "Now that.")
        assert mirrored.next_run() == 3
        assert [mirrored.next_run() for _ in range(4)][-1] == 3
        assert mirrored.value(shown, key) == before
        lagging.is_behind = False
        assert [mirrored.next_run(full=True) for _ in range(2)][-1] == 0
        assert differences(mirrored) == []


def test_what_is_put_off_for_another_reason_was_not_asked_for(tmp_path: Path) -> None:
    """Of conversations that come page by page only, and that no list shows, twenty are asked for in a run."""
    behaviour = Behaviour(batch="missing", single="missing")
    with MirroredService(tmp_path, conversations=270, behaviour=behaviour, over_http=False) as mirrored:
        mirrored.next_run()
        keys = mirrored.ids()
        for key in keys[2:12]:
            mirrored.person.delete(key)
        mirrored.behaviour.omitted = frozenset(keys[12:27])
        assert mirrored.next_run(full=True) == 3
        assert mirrored.next_run(full=True) == 0


def test_what_a_limit_cut_off_was_not_asked_for(tmp_path: Path) -> None:
    """The limit may have come before the request went out."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        mirrored.next_run()
        mirrored.behaviour.omitted = frozenset({mirrored.ids()[3]})
        keys = set(mirrored.ids())
        mirrored.behaviour.break_request = lambda r: "429" if r.path.rpartition("/")[2] in keys else None
        assert mirrored.next_run(full=True) == 3
        mirrored.behaviour.break_request = None
        assert mirrored.next_run(full=True) == 0


def test_an_older_smaller_copy_by_id_answers_no_news(tmp_path: Path) -> None:
    """Of a conversation whose news no run could read, and that no list shows any more."""
    with MirroredService(tmp_path, conversations=12, over_http=False) as mirrored:
        lagging = Lagging(mirrored)
        mirrored.next_run()
        key = mirrored.ids()[4]
        for text in ("stored", "never read"):
            mirrored.behaviour.poisoned = frozenset({key}) if text == "never read" else frozenset()
            mirrored.person.new_message(key, text)
            mirrored.next_run()
        mirrored.behaviour.poisoned = frozenset()
        mirrored.behaviour.omitted = frozenset({key})
        lagging.is_behind = True
        assert mirrored.next_run(full=True) == 3
        assert mirrored.value("SELECT is_complete FROM conversations WHERE id = ?", key) == 0
        assert mirrored.value("SELECT removed_at FROM messages WHERE text = 'stored'") is None
