"""What is remembered between runs: old and new names are read, nonsense is not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mirror.chatgpt.long_pauses import LongPauses
from mirror.chatgpt.memory import ChatGPTMemory
from mirror.chatgpt.refusals import Refusals

FULL = ChatGPTMemory(
    dead_endpoints={"batch": "HTTP 404"},
    clean_audits=5,
    tasks_done={"memories": 1_790_000_000.5},
    projects_seen={"project:g-p-1": "[1, 2, 3]"},
    sidebar_read=True,
    refusals=Refusals({"hide_snorlax": 2}, {"hide_snorlax": 1_790_000_000.5}),
    single_read_budget=190,
    controls={"batch": "c1"},
    work_list="used",
    work_failures=2,
    projects_refused={"project:g-p-2": 1_790_000_000.5},
    not_read={"memories": "HTTP 500"},
    long_pauses=LongPauses({"your memories": 2}, {"your memories": 1_790_000_000.5}),
)


def test_it_is_read_as_it_was_written() -> None:
    """Through the database's JSON and back; the names of the keys are a part of every mirror."""
    stored = json.loads(json.dumps(FULL.as_json()))
    assert ChatGPTMemory.of_json(stored) == FULL
    assert set(stored) == {
        "dead_endpoints",
        "clean_audits",
        "tasks_done",
        "projects_seen",
        "sidebar_read",
        "refusals",
        "single_read_budget",
        "controls",
        "takes_widget_state",
        "work_list",
        "work_failures",
        "projects_refused",
        "not_read",
        "long_pauses",
    }


def test_an_old_mirrors_memory_is_read() -> None:
    """Under the names of before version 0.2, beside what the sync kept there."""
    stored = {
        "dead_lanes": {"batch": "HTTP 404"},
        "clean_audits": 5,
        "chores": {"memories": 1_790_000_000.5},
        "projects_seen": {"project:g-p-1": "[1, 2, 3]"},
        "per_id_budget": 190,
        "full_at": 1_790_000_000.0,
        "lists_limited": False,
    }
    assert ChatGPTMemory.of_json(stored) == replace(
        FULL,
        refusals=Refusals(),
        controls={},
        sidebar_read=False,
        work_list="unknown",
        work_failures=0,
        projects_refused={},
        not_read={},
        long_pauses=LongPauses(),
    )


def test_a_new_name_wins_over_an_old_one() -> None:
    """A memory that holds both was written by the newer program last."""
    assert ChatGPTMemory.of_json({"per_id_budget": 3, "single_read_budget": None}).single_read_budget is None


@pytest.mark.parametrize("name", list(FULL.as_json()))
@pytest.mark.parametrize("value", [None, -1, 1.5, "x", [], [1], {"a": []}, {"a": None}, float("nan"), 10**400])
def test_nonsense_is_as_if_it_were_not_there(name: str, value: Any) -> None:
    """Of one field: the others are read, and the one has its usual value."""
    expected = FULL.as_json() | {name: ChatGPTMemory().as_json()[name]}
    assert ChatGPTMemory.of_json({**FULL.as_json(), name: value}).as_json() == expected


def test_what_is_right_beside_nonsense_is_kept() -> None:
    """An entry with an unknown form costs itself."""
    stored = {"tasks_done": {"pins": 5, "shared": "x", "memories": True, "a": 10**400, "b": float("nan"), "c": -1}}
    assert ChatGPTMemory.of_json(stored).tasks_done == {"pins": 5.0}
    assert ChatGPTMemory.of_json({"dead_endpoints": {"batch": "x", "single": 5}}).dead_endpoints == {"batch": "x"}
    assert ChatGPTMemory.of_json({}) == ChatGPTMemory()
