"""What the service refuses for an account, and when it is asked for again: one rule for parameters and lists.

Not every server takes each parameter and offers each list, and one that does refuses them on a bad day. So what was
refused is asked for once in each later run, and used as soon as it is answered. Only what was refused on several days
is asked for every other day, for it costs a request in every quiet run. A full run asks for everything. (An endpoint
that gives conversations costs nothing where none is to be read, so ``mirror.chatgpt.endpoints`` asks it in every run.)
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.periodic_tasks import DUE_SHARE
from mirror.values import as_count, as_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

# Days with a refusal after which it is asked for more rarely. Smaller: a bad day hides for longer what is offered;
# larger: more requests in vain.
REFUSED_DAYS = 3
# Seconds before it is asked for again then. Shorter: requests in vain; longer: what is offered again arrives later.
ASKED_AGAIN = 2 * 86_400.0
_DAY = 86_400.0

# What can be refused.
PROJECT_CHATS = "hide_snorlax"  # the main and archived lists with the conversations of projects
SHARED_PROJECTS = "owned_only"  # the projects that others share
EVERYTHING_OF_ONE = "include_widget_state"  # a conversation with all that it has
WORK_LIST = "conversation_origin"  # the lists of Work


@dataclass(slots=True)
class Refusals:
    """What one workspace was refused.

    ``days``: what -> days with a refusal in a row; ``last``: what -> the latest one, epoch seconds; ``now``: the run's
    time, epoch seconds; ``met``: what was refused in this run.
    """

    days: dict[str, int] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    now: float = 0.0
    met: set[str] = field(default_factory=set)
    _asks_all: bool = False
    _refused_for: set[tuple[str, str]] = field(default_factory=set)  # what, and for which conversation in this run
    _answered: set[str] = field(default_factory=set)  # in this run

    def begin_full_run(self) -> None:
        """Ask for everything, once."""
        self._asks_all = True
        self.met.clear()
        self._refused_for.clear()

    def may_ask(self, what: str, conversation_id: str = "") -> bool:
        """Whether to ask for it in this run, or to do without it."""
        if what in self.met or (what, conversation_id) in self._refused_for:
            return False
        if self._asks_all or self.days.get(what, 0) < REFUSED_DAYS:
            return True
        return not self._is_within(what, ASKED_AGAIN)

    def refused(self, what: str) -> None:
        """It was refused; several times on one day count as one."""
        self.met.add(what)
        if not self._is_within(what, _DAY):
            self.days[what] = self.days.get(what, 0) + 1
            self.last[what] = self.now

    def refused_for(self, what: str, conversation_id: str) -> None:
        """It was refused for one conversation, which may be that one's: a second one in this run speaks for all.

        So does the first where it was refused in earlier runs, and no other where one was answered in this run.
        """
        has_another = any(of == what and key != conversation_id for of, key in self._refused_for)
        self._refused_for.add((what, conversation_id))
        if what not in self._answered and (has_another or what in self.days):
            self.refused(what)

    def answered(self, what: str) -> None:
        """It was answered, so nothing of it is remembered."""
        self._answered.add(what)
        self.days.pop(what, None)
        self.last.pop(what, None)

    def _is_within(self, what: str, seconds: float) -> bool:
        """Whether the latest refusal is not that long ago; a time in the future is of a wrong clock."""
        return what in self.last and 0 <= self.now - self.last[what] < DUE_SHARE * seconds

    def as_json(self) -> dict[str, Any]:
        """Return what later runs are to know."""
        return {"days": self.days, "last": self.last}

    @classmethod
    def of_json(cls, value: object) -> Refusals:
        """Read what was remembered; what has an unknown form is as if it were not there."""
        stored = as_dict(value)
        days = {what: n for what, count in as_dict(stored.get("days")).items() if (n := as_count(count))}
        return cls(days=days, last=times(as_dict(stored.get("last"))))


def times(value: Mapping[str, Any]) -> dict[str, float]:
    """Return the epoch seconds among what is stored under names."""
    return {key: float(seconds) for key, seconds in value.items() if _is_time(seconds)}


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max  # no NaN, and no whole number beyond any float
