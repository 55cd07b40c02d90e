"""What is remembered of one workspace from run to run: which endpoints answer, what was done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.long_pauses import LongPauses
from mirror.chatgpt.refusals import Refusals, times
from mirror.values import as_count, as_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names under which mirrors made before version 0.2 kept the same.
_OLD_NAMES = {
    "dead_endpoints": "dead_lanes",
    "tasks_done": "chores",
    "single_read_budget": "per_id_budget",
}
_WORK_LIST = ("unknown", "empty", "used", "refused")


@dataclass(slots=True)
class ChatGPTMemory:
    """One workspace's memory. The names of its fields are stored.

    ``dead_endpoints``: closed endpoint -> why. ``clean_audits``: batch trees in a row that a read by id confirmed.
    ``tasks_done``: periodic task -> epoch second at which it was last done. ``projects_seen``: a project's list ->
    digest of what the sidebar said when the list was last read to its end. ``refusals``: which parameters and lists the
    service refuses. ``work_list``: what is known of the lists of Work, a word of ``mirror.chatgpt.work``;
    ``work_failures``: runs in a row in which they failed.
    ``single_read_budget``: reads by id that a run may make, where an older mirror kept that with each workspace.
    ``sidebar_read``: the list of projects was read in some run. ``controls``: endpoint -> the conversation that it gave
    last. ``takes_widget_state``: a conversation came by a single read that asked for all that it has.
    ``projects_refused``: a project's list -> epoch second at which the service last refused it.
    ``not_read``: what stands beside the conversations and failed when it was asked for last -> why. ``long_pauses``:
    what the service asked to wait long for.
    """

    dead_endpoints: dict[str, str] = field(default_factory=dict)
    clean_audits: int = 0
    tasks_done: dict[str, float] = field(default_factory=dict)
    projects_seen: dict[str, str] = field(default_factory=dict)
    sidebar_read: bool = False
    refusals: Refusals = field(default_factory=Refusals)
    single_read_budget: int | None = None
    controls: dict[str, str] = field(default_factory=dict)
    takes_widget_state: bool = False
    work_list: str = "unknown"
    work_failures: int = 0
    projects_refused: dict[str, float] = field(default_factory=dict)
    not_read: dict[str, str] = field(default_factory=dict)
    long_pauses: LongPauses = field(default_factory=LongPauses)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> ChatGPTMemory:
        """Read what was remembered; what has an unknown form is as if it were not there."""
        stored = {name: value.get(name, value.get(_OLD_NAMES.get(name, ""))) for name in cls.__dataclass_fields__}
        return cls(
            dead_endpoints=_texts(stored["dead_endpoints"]),
            clean_audits=as_count(stored["clean_audits"]) or 0,
            tasks_done=times(as_dict(stored["tasks_done"])),
            projects_seen=_texts(stored["projects_seen"]),
            sidebar_read=stored["sidebar_read"] is True,
            refusals=Refusals.of_json(stored["refusals"]),
            single_read_budget=as_count(stored["single_read_budget"]),
            controls=_texts(stored["controls"]),
            takes_widget_state=stored["takes_widget_state"] is True,
            work_list=stored["work_list"] if stored["work_list"] in _WORK_LIST else "unknown",
            work_failures=as_count(stored["work_failures"]) or 0,
            projects_refused=times(as_dict(stored["projects_refused"])),
            not_read=_texts(stored["not_read"]),
            long_pauses=LongPauses.of_json(stored["long_pauses"]),
        )

    def note_read(self, what: str) -> None:
        """Remember that something beside the conversations came."""
        self.not_read.pop(what, None)

    def as_json(self) -> dict[str, Any]:
        """Return it as ``of_json`` reads it."""
        own = {"refusals": self.refusals.as_json(), "long_pauses": self.long_pauses.as_json()}
        return asdict(self) | own


def _texts(value: object) -> dict[str, str]:
    return {key: text for key, text in as_dict(value).items() if isinstance(text, str)}
