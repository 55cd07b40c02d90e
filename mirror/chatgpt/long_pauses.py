"""What the service asked to wait long for, and what that is called: later runs do without it for some days.

A long ``Retry-After`` ends the run, whatever was asked for. Where one address alone always answers so, nothing that is
asked for after it would ever be read; so a run does not ask for it again before its pause is over, and treats it as
something that failed alone. A list without which no run is current is asked for again in the next run, for all of an
account may have been limited for an hour; the main list after that in every other one, for nothing shows more of what
is new.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.refusals import times
from mirror.values import as_count, as_dict
from mirror.web.client import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = 86_400.0
# Seconds without it after the first run that it ended, then twice as long after each: one night. Shorter: what waits
# behind it never comes; longer: what is limited for an hour arrives later.
FIRST_PAUSE = 1.5 * _DAY
# Seconds without it at most. Longer: what is offered again arrives later; shorter: more runs end at it.
LONGEST_PAUSE_OF_ONE = 7 * _DAY

MAIN_LIST, ARCHIVED_LIST = "the main list", "the archived list"
_OF_SEVERAL = "the list of "  # projects, workspaces, one project's conversations
_FILE, _CONVERSATION = "a file", "the conversation "
_ALWAYS_ASKED = frozenset({"who is signed in", _FILE})  # files are put off where they are kept
_NAMES = {
    "/conversations/batch": "several conversations at once",
    "/gizmos/snorlax/sidebar": _OF_SEVERAL + "projects",
    "/memories": "your memories",
    "/user_system_messages": "your custom instructions",
    "/pins": "the pinned list",
    "/shared_conversations": "the shared list",
    "/me": "who is signed in",
}
_NAMES_OF_KINDS = (
    (re.compile(r"/conversations?/([^/]+)(?:/messages)?"), _CONVERSATION + "{}"),
    (re.compile(r"/gizmos/([^/]+)/conversations"), _OF_SEVERAL + "the project {}"),
    (re.compile(r"/gizmos/([^/]+)"), "the name of the GPT {}"),
    (re.compile(r"/accounts/check/([^/]+)"), _OF_SEVERAL + "your workspaces"),
)


def name_of(path: str, params: Mapping[str, Any] | None) -> str:
    """Return what is asked for, in words for a person; all addresses of one conversation have one name."""
    if path == "/conversations":
        return _list_name(params or {})
    if (name := _NAMES.get(path)) is not None:
        return name
    found = ((kind.fullmatch(path), name) for kind, name in _NAMES_OF_KINDS)
    return next((name.format(match[1]) for match, name in found if match is not None), _FILE)


def _list_name(params: Mapping[str, Any]) -> str:
    archived = "archived " if params.get("is_archived") == "true" else ""
    if "conversation_origin" in params:
        return f"the {archived}Work list"
    if params.get("is_starred") == "true":
        return "the starred list"
    return ARCHIVED_LIST if archived else MAIN_LIST


def _is_needed(name: str) -> bool:
    """Whether no run is current without it."""
    return name in {MAIN_LIST, ARCHIVED_LIST} or name.startswith(_OF_SEVERAL)


@dataclass(slots=True)
class LongPauses:
    """What ended runs of one workspace, by its name.

    ``runs``: how many in a row; ``until``: the epoch second before which it is not asked for; ``now``: the run's time.
    """

    runs: dict[str, int] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)
    now: float = 0.0

    def refuse_early(self, name: str) -> None:
        """Raise NoAnswer where the pause is not over; one that ends too late is of a wrong clock."""
        if 0 < self.until.get(name, 0.0) - self.now <= LONGEST_PAUSE_OF_ONE:
            raise NoAnswer("the service asked for a long pause in an earlier run")

    def note(self, name: str) -> None:
        """It ended the run."""
        if name in _ALWAYS_ASKED:
            return
        runs = self.runs[name] = self.runs.get(name, 0) + 1
        # A conversation ends runs by batches, too: where both are left out in one run, all others come.
        doubled = runs if name.startswith(_CONVERSATION) else runs - 1 - _is_needed(name)
        doubled = min(doubled, 0 if name == MAIN_LIST else 10)
        pause = 0.0 if doubled < 0 else FIRST_PAUSE * 2**doubled
        self.until[name] = self.now + min(pause, LONGEST_PAUSE_OF_ONE)

    def answered(self, name: str) -> None:
        """It was answered, so nothing of it is remembered."""
        self.runs.pop(name, None)
        self.until.pop(name, None)

    def as_json(self) -> dict[str, Any]:
        """Return what later runs are to know: what was never asked for again is forgotten after some time."""
        kept = {name for name, until in self.until.items() if until > self.now - LONGEST_PAUSE_OF_ONE}
        stored = asdict(self)
        return {part: {name: stored[part][name] for name in sorted(kept)} for part in ("runs", "until")}

    @classmethod
    def of_json(cls, value: object) -> LongPauses:
        """Read what was remembered; what has an unknown form is as if it were not there."""
        stored = as_dict(value)
        until = times(as_dict(stored.get("until")))
        runs = {name: as_count(as_dict(stored.get("runs")).get(name)) or 1 for name in until}
        return cls(runs, until)
