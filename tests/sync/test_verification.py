"""What moved no time at the service arrives all the same: unchanged conversations are read again, in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrored_service import MirroredService, content, differences

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.simulator import ReceivedRequest


def test_a_quiet_run_costs_one_batch_more_and_changes_nothing(tmp_path: Path) -> None:
    with MirroredService(tmp_path, verify=True) as mirrored:
        mirrored.next_run()
        before = content(mirrored)
        assert mirrored.next_run() == 0
        assert mirrored.reads() == 1
        assert content(mirrored) == before


def test_every_conversation_gets_its_turn(tmp_path: Path) -> None:
    with MirroredService(tmp_path, verify=True, conversations=25) as mirrored:
        asked: set[str] = set()
        for _ in range(4):
            mirrored.next_run()
            asked = set() if not asked and mirrored.value("SELECT count(*) FROM sync_runs") == 1 else asked
            asked |= {key for request in mirrored.service.requests for key in request.ids}
        assert asked == set(mirrored.ids())
        assert mirrored.value("SELECT count(*) FROM _listed WHERE verified_at IS NULL") == 0


def test_a_branch_switch_that_no_list_shows_arrives(tmp_path: Path) -> None:
    with MirroredService(tmp_path, verify=True, conversations=8) as mirrored:
        key = mirrored.ids()[3]
        mirrored.person.regenerate(key)
        mirrored.next_run()
        tree = mirrored.account.tree(key)
        leaves = [name for name, node in tree["mapping"].items() if not node["children"]]
        tree["current_node"] = next(leaf for leaf in leaves if leaf != tree["current_node"])
        assert differences(mirrored) != []
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
        assert mirrored.changes()[key] == {"branch switched"}


def test_a_clock_that_was_ahead_once_ends_no_verification(tmp_path: Path) -> None:
    """What it says was read or verified in five years is read again in turn, as what never was."""
    years = 5 * 365 * 86_400.0
    with MirroredService(tmp_path, verify=True, conversations=25) as mirrored:
        assert mirrored.next_run() == 0
        mirrored.clock.seconds += years
        mirrored.person.new_message(mirrored.ids()[0])
        for _ in range(2):
            assert mirrored.next_run() == 0
        mirrored.clock.seconds -= years
        asked: set[str] = set()
        for _ in range(4):
            assert mirrored.next_run() == 0
            asked |= {key for request in mirrored.service.requests for key in request.ids}
        assert asked == set(mirrored.ids())


def test_what_fails_to_come_again_costs_nothing(tmp_path: Path) -> None:
    with MirroredService(tmp_path, verify=True, conversations=8) as mirrored:
        mirrored.next_run()
        mirrored.behaviour.batch_omits = frozenset(mirrored.ids())
        mirrored.behaviour.single = mirrored.behaviour.plural = "missing"
        assert mirrored.next_run() == 0


def test_what_no_list_shows_any_more_stays_current(tmp_path: Path) -> None:
    """A list forgets two conversations that are alive: news of them arrives within a run or two."""
    with MirroredService(tmp_path, verify=True, conversations=12) as mirrored:
        mirrored.next_run()
        hidden = set(mirrored.ids()[:2])

        def without_them(request: ReceivedRequest, data: Any) -> Any:
            if request.path == "/backend-api/conversations" and isinstance(data, dict):
                data["items"] = [row for row in data["items"] if row["id"] not in hidden]
            return data

        mirrored.alter_answers(without_them)
        mirrored.next_run()
        mirrored.next_run()
        for key in hidden:
            mirrored.person.new_message(key, "Still there?", f"Yes, {key}.")
        codes = [mirrored.next_run() for _ in range(2)]
        assert (codes, differences(mirrored)) == ([0, 0], [])
        assert mirrored.value("SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL") == 2
