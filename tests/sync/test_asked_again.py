"""What was learned not to work is asked for again by one request a run, and used as soon as it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mirrored_service import MirroredService, differences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirror.simulator import ReceivedRequest

    Asks = Callable[[ReceivedRequest], bool]

ASKS: dict[str, Asks] = {
    "the lists of Work": lambda request: "conversation_origin" in request.query,
    "the main list with the chats of projects": lambda request: request.query.get("hide_snorlax") == "false",
    "the projects of others": lambda request: request.query.get("owned_only") == "false",
    "the batch endpoint": lambda request: request.path.endswith("/conversations/batch"),
}
EVERY_RUN = {"the batch endpoint"}  # as long as there is something to read


def refusing(asks: Asks, status: int) -> Callable[[ReceivedRequest, Any], Any]:
    return lambda request, data: (status, {"detail": "Refused"}) if asks(request) else data


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("what", ASKS)
def test_what_is_refused_is_asked_for_by_one_request_a_run(tmp_path: Path, what: str, status: int) -> None:
    """For days every run, then every other run; from the first answer on it is used. Nothing else suffers from it."""
    if (what, status) == ("the main list with the chats of projects", 400):
        pytest.skip("a list that answers 400 to any parameter has failed")
    with MirroredService(tmp_path, conversations=6) as mirrored:
        mirrored.alter_answers(refusing(ASKS[what], status))
        mirrored.person.new_conversation("Work", "What is left?", "Much.", origin="tpp")
        asked = []
        for _ in range(6):
            mirrored.person.new_message(mirrored.ids()[-1])
            assert mirrored.next_run() == 0
            asked.append(sum(map(ASKS[what], mirrored.service.requests)))
        assert asked[1:] == ([1] * 5 if what in EVERY_RUN else [1, 1, 0, 1, 0])
        mirrored.alter_answers(None)
        mirrored.person.new_message(mirrored.ids()[-1])
        assert mirrored.next_run() == 0
        assert sum(map(ASKS[what], mirrored.service.requests)) >= 1
        assert differences(mirrored) == []


@pytest.mark.parametrize("what", ASKS)
def test_one_refusal_in_the_first_run_costs_one_run(tmp_path: Path, what: str) -> None:
    """The next one has everything."""
    with MirroredService(tmp_path, conversations=6) as mirrored:
        mirrored.alter_answers(refusing(ASKS[what], 422))
        mirrored.person.new_conversation("Work", "What is left?", "Much.", origin="tpp")
        assert mirrored.next_run() == 0
        mirrored.alter_answers(None)
        assert mirrored.next_run() == 0
        assert differences(mirrored) == []
