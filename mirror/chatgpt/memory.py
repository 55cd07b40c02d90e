"""What is remembered of one workspace's service from run to run: which endpoints answer, what was done when."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names under which mirrors made before version 0.2 kept the same.
_OLD_NAMES = {
    "dead_endpoints": "dead_lanes",
    "tasks_done": "chores",
    "rejects_hide_snorlax": "hide_snorlax_rejected",
    "single_read_budget": "per_id_budget",
}


@dataclass(slots=True)
class ChatGPTMemory:
    """One workspace's memory.

    ``dead_endpoints``: endpoint -> why it is not asked. ``clean_audits``: batch trees in a row that a single read
    confirmed. ``tasks_done``: periodic task -> epoch second at which it was last done. ``projects_seen``: list name ->
    digest of what the sidebar said when it was last read whole. ``main_lacks_projects``: the main list does not show
    project conversations. ``rejects_hide_snorlax``: the lists refuse that parameter. ``single_read_budget``: single
    reads that a run may make, None where no limit was met.
    """

    dead_endpoints: dict[str, str] = field(default_factory=dict)
    clean_audits: int = 0
    tasks_done: dict[str, float] = field(default_factory=dict)
    projects_seen: dict[str, str] = field(default_factory=dict)
    main_lacks_projects: bool = False
    rejects_hide_snorlax: bool = False
    single_read_budget: int | None = None

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> ChatGPTMemory:
        """Read what was remembered; what has an unknown form is as if it were not there."""
        told = {name: value.get(name, value.get(_OLD_NAMES.get(name, ""))) for name in cls.__dataclass_fields__}
        budget = told["single_read_budget"]
        return cls(
            dead_endpoints=_dict_of(told["dead_endpoints"], str),
            clean_audits=told["clean_audits"] if _is_count(told["clean_audits"]) else 0,
            tasks_done={k: float(v) for k, v in _dict_of(told["tasks_done"], (int, float)).items()},
            projects_seen=_dict_of(told["projects_seen"], str),
            main_lacks_projects=told["main_lacks_projects"] is True,
            rejects_hide_snorlax=told["rejects_hide_snorlax"] is True,
            single_read_budget=budget if _is_count(budget) else None,
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as ``of_json`` reads it."""
        return asdict(self)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _dict_of(value: Any, kind: type | tuple[type, ...]) -> dict[str, Any]:
    items = value.items() if isinstance(value, dict) else ()
    return {key: found for key, found in items if isinstance(found, kind) and not isinstance(found, bool)}
