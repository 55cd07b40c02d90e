"""The lists of Work conversations, live and archived (API notes §2.6).

They are lists of their own: the main and archived lists may leave out what stands in them. Not every server knows them:
one refuses the parameter, another ignores it and shows the ordinary list. An account that has such conversations is
asked for both lists in every run, one that has none every other day for the live one, and so is one that was refused
them on several days (``mirror.chatgpt.refusals``); a first Work chat that is archived meanwhile waits for a full run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.chatgpt.paging import ListError
from mirror.chatgpt.refusals import WORK_LIST
from mirror.errors import IncompleteError, RateLimitError
from mirror.source import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.paging import ListPage
    from mirror.errors import ChatmirrorError
    from mirror.source import ListResult

WORK = Scope("work", "Work", is_work=True)
WORK_ARCHIVED = Scope("work_archived", "archived Work", to_the_end=True, is_work=True)
# Runs in a row in which the Work list fails, and the main list does not; in the next such run that counts as a refusal:
# the service answers some parameters with 500 (API notes §2.1). Smaller: a bad day hides Work conversations; larger: an
# account that has no such list is not current for longer.
MOST_FAILURES = 3
_REFUSED_PARAMETER = {400, 422}
# What the memory holds of the lists: whether they are offered, and whether anything stands in them.
UNKNOWN, EMPTY, USED, REFUSED = "unknown", "empty", "used", "refused"


class WorkLists:
    """The Work lists of one workspace in one run.

    ``log``: where it is said what the service does not offer. ``note_not_read``: takes what failed, and why.
    """

    def __init__(
        self, memory: ChatGPTMemory, log: Callable[[str], None], note_not_read: Callable[[str, str], None]
    ) -> None:
        self._memory, self._log, self._note_not_read = memory, log, note_not_read
        self._shown: dict[str, Collection[str]] = {}  # ordinary list -> the ids that it showed in this run
        self._has_main_failed = False
        self._is_needed = False  # conversations are known that no other list shows
        self._limited: set[str] = set()  # lists that take no more requests in this run
        self._is_in_use = False  # rows of other lists say that they are of Work

    @property
    def requests(self) -> int:
        """How many requests they take in a run without changes."""
        is_again = self._memory.refusals.may_ask(WORK_LIST)
        return {USED: 2, UNKNOWN: 1, REFUSED: int(is_again)}.get(self._memory.work_list, 0)

    @property
    def tasks(self) -> list[str]:
        """The periodic task of looking again where nothing stood in them."""
        return [WORK.name] if self._memory.work_list == EMPTY else []

    def note_ordinary(self, result: ListResult) -> None:
        """Learn what another list shows: a server that ignores the parameter shows the main list's rows for Work."""
        self._is_in_use = self._is_in_use or any(item.is_work for item in result.items.values())
        self._shown[result.scope.name] = set(result.items)
        self._note_limit(result)
        self._has_main_failed = self._has_main_failed or (result.scope.name == "main" and result.error is not None)

    def scopes(self, unshown: Collection[str], *, full: bool, is_due: bool) -> Iterator[Scope]:
        """Yield the lists to read. ``is_due``: where nothing stood in them, it is time to look again."""
        self._is_needed = bool({WORK.name, WORK_ARCHIVED.name}.intersection(unshown))
        state = self._memory.work_list
        is_wanted = full or is_due or self._is_needed or (self._is_in_use and state == EMPTY)
        is_again = state == REFUSED and self._memory.refusals.may_ask(WORK_LIST)
        if not (is_wanted or is_again or state in {UNKNOWN, USED}):
            return
        if not self._limited & {"main", WORK.name}:
            yield WORK
        is_offered = self._memory.work_list == USED or (full and self._memory.work_list != REFUSED)
        if is_offered and not self._limited & {"archived", WORK.name}:
            yield WORK_ARCHIVED

    def _note_limit(self, result: ListResult) -> None:
        """Note a refusal of more requests: a request meanwhile would prolong it (API notes §8)."""
        if isinstance(result.error, RateLimitError):
            self._limited.add(result.scope.name)

    def checked(self, scope: Scope, page: ListPage) -> ListPage:
        """Return a page of a Work list; raise ListError where the server ignored the parameter."""
        ordinary = self._shown.get("archived" if scope is WORK_ARCHIVED else "main", ())
        of_work = sum(item.is_work is True for item in page.items)
        known = sum(item.conversation_id in ordinary for item in page.items)
        if 2 * of_work < len(page.items) <= 2 * known:  # most are the ordinary list's, and do not say otherwise
            raise ListError("the service shows the ordinary list for it", is_refusal=True, status=422)
        return page

    def judge(self, result: ListResult) -> None:
        """Learn from a list that was read; what failed becomes an error only where conversations may be missing."""
        self._note_limit(result)
        if result.error is not None and result.error.is_final:
            return
        if result.error is not None:
            self._judge_failure(result, result.error)
            return
        self._memory.note_read(_named(result.scope))
        self._memory.refusals.answered(WORK_LIST)
        self._memory.work_failures = 0
        if result.items:
            self._memory.work_list = USED
        elif result.scope is WORK and self._memory.work_list != USED:
            self._memory.work_list = EMPTY

    def _judge_failure(self, result: ListResult, error: ChatmirrorError) -> None:
        why = error.cause if isinstance(error, ListError) else error.message
        if result.scope is WORK and not (self._has_main_failed or isinstance(error, RateLimitError)):
            self._memory.work_failures += 1
        is_refused = isinstance(error, ListError) and error.status in _REFUSED_PARAMETER
        is_refused = is_refused or self._memory.work_failures > MOST_FAILURES
        if self._is_needed or (self._memory.work_list == UNKNOWN and not is_refused):
            result.error = IncompleteError(
                f"The {_named(result.scope)} could not be read ({why.rstrip('.')}), so what is new in Work chats may be"
                " missing. What is saved stays; later runs try again."
            )
            return
        result.error, result.is_refused = None, is_refused
        if is_refused:
            self._log(f"{_named(result.scope)} not read: {why}")
            self._memory.note_read(_named(result.scope))  # it is not offered: nothing failed
        else:
            self._note_not_read(_named(result.scope), why)
        if is_refused and result.scope is WORK:
            self._memory.work_list = REFUSED
            self._memory.refusals.refused(WORK_LIST)


def _named(scope: Scope) -> str:
    return f"{scope.label} list"
