"""Which projects a workspace has, and whose lists have to be read (API notes §5).

The sidebar names the projects, and list rows name some that it leaves out. A project's own list is read when what the
sidebar says of it has changed. Where the main list leaves out conversations of projects, their own lists are the only
ones that show them, and are read in every run, whether the sidebar shows the project or not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.account_data import project_name, projects_page
from mirror.chatgpt.paging import FIRST_CURSOR, pages_by_cursor
from mirror.chatgpt.refusals import SHARED_PROJECTS
from mirror.errors import IncompleteError, RateLimitError
from mirror.source import Listed, Scope
from mirror.text import readable_name
from mirror.values import as_dict
from mirror.web.client import MOST_TRIES, NoAnswer, Refused, ServerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mirror.chatgpt.account_data import ProjectsPage
    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.session import Session

SIDEBAR_PATH = "/gizmos/snorlax/sidebar"
# Projects of a page; without it only 5 come, 100 are refused (API notes §5). Larger: the sidebar fails.
SIDEBAR_LIMIT = 20
# Seconds before a project that was refused, and that the sidebar does not show, is asked for again outside full runs.
# Smaller: requests in vain for projects that were left; larger: one that comes back is read later.
REFUSED_AGAIN = 7 * 86_400.0
# Projects whose list was empty that are asked again in a run, in turn, where the main list names no project's chats. 0:
# the first chat of a project can wait for the weekly full run; larger: requests for projects that stay empty.
EMPTY_A_RUN = 3
_EMPTY = "empty"  # in the place of a digest: its list showed nothing when it was read
_DAY = 86_400.0
_REFUSED_PARAMETER = {400, 403, 422}
_SERVER_ERROR = 500
NAMES = "names of projects"  # what is not read where the sidebar fails
_SCOPE_PREFIX = "project:"
_CHANGE_KEYS = ("updated_at", "last_interacted_at", "num_interactions")


class Projects:
    """The projects of one workspace in one run.

    ``by_id``: what the sidebar says of each, as it came. ``error``: why there may be projects that nobody has seen.
    """

    def __init__(self, session: Session, memory: ChatGPTMemory) -> None:
        self._session, self._memory = session, memory
        self._now = session.client.pacing.timing.now()  # epoch seconds
        self.by_id: dict[str, dict[str, Any]] = {}
        self._named_by_rows: set[str] = set()
        self._in_sidebar: set[str] = set()
        self.error: IncompleteError | None = None
        self._main_names_projects = False
        self._unshown: set[str] = set()  # lists of projects that alone show some of their conversations

    def load(self, unshown: Collection[str] = (), *, full: bool = False) -> None:
        """Ask the sidebar, and add what rows of lists named, and what was known before: it can be silent.

        ``unshown``: as for ``Source.scopes``. ``full``: also what was refused is asked for. ``error`` is set where the
        sidebar fails: there may be projects that nobody has seen.
        """
        self._unshown = {name for name in unshown if name.startswith(_SCOPE_PREFIX)}
        failure = self._read_sidebar()
        self._in_sidebar = set(self.by_id)
        for project_id in sorted(self._named_by_rows | self._known_before(full=full)):
            self.by_id.setdefault(project_id, {"id": project_id})
        self.error = self._may_have_missed(failure) if failure is not None else None

    def _may_have_missed(self, failure: Refused | RateLimitError) -> IncompleteError | None:
        """Say that projects may be missing where only the sidebar tells of a new one."""
        if self._memory.sidebar_read or self._memory.projects_seen:
            if self._main_names_projects:
                return None  # a new one is named by the rows of its chats
            what, whose = "could not be read", "the chats of a new project"
        elif isinstance(failure, Refused) and not isinstance(failure, ServerError):
            return None  # an account without projects
        else:
            what, whose = "could never be read", "their chats"
        return IncompleteError(
            f"The list of projects {what} ({failure}), so {whose} may be missing; all others are stored. Later runs"
            " try again."
        )

    def _read_sidebar(self) -> Refused | RateLimitError | None:
        """Read which projects there are; return why not, if it failed. A limit that is final is raised."""
        odd = 0
        try:
            for page in pages_by_cursor(self._sidebar_page):
                odd += page.odd
                new = {row["id"]: row for row in page.projects if row["id"] not in self.by_id}
                self.by_id |= new
                if page.projects and not new:
                    break
        except (Refused, RateLimitError) as error:
            if isinstance(error, RateLimitError) and error.is_final:
                raise
            self._session.client.log(f"the list of projects was not read: {error}")
            self._memory.not_read[NAMES] = str(error)
            return error
        self._memory.sidebar_read = True
        self._memory.note_read(NAMES)
        if odd:
            self._memory.not_read[NAMES] = f"{odd} row{'' if odd == 1 else 's'} of an unknown form"
        return None

    def may_hold_unseen(self, project_id: str) -> bool:
        """Whether the sidebar shows a project now whose chats may be nowhere else.

        That is so where its list was never read, or the main list leaves out the chats of projects, or some of its own.
        One that the person may not read, says the sidebar, holds nothing of the account.
        """
        name = _scope_name(project_id)
        may_read = as_dict(self.by_id.get(project_id, {}).get("current_user_permission")).get("can_read") is not False
        is_elsewhere = name in self._memory.projects_seen and name not in self._unshown and not self._are_hidden
        return may_read and project_id in self._in_sidebar and not is_elsewhere

    def _known_before(self, *, full: bool) -> set[str]:
        """Return projects of earlier runs to be asked for, also where the sidebar does not show them.

        Where the main list shows their conversations anyway, a project that is gone need not be asked for. One that
        was refused was left or deleted: it is asked for now and then.
        """
        names = self._unshown | (set(self._memory.projects_seen) if self._are_hidden else set())
        refused = self._memory.projects_refused
        again = {name for name in names if full or not 0 <= self._now - refused.get(name, 0.0) < REFUSED_AGAIN}
        return {name.removeprefix(_SCOPE_PREFIX) for name in again}

    @property
    def _are_hidden(self) -> bool:
        """Whether the main list leaves out the conversations of projects altogether."""
        return bool(self._unshown) and not self._main_names_projects

    def _sidebar_page(self, cursor: str) -> ProjectsPage:
        """Ask for a page, also of projects that others share, unless the server refuses to name them."""
        refusals = self._memory.refusals
        if not refusals.may_ask(SHARED_PROJECTS):
            return self._page(cursor, owned_only="true")
        try:
            page = self._page(cursor, owned_only="false")
        except Refused as error:
            if error.status == _SERVER_ERROR:  # the answer to some parameters; or the service is in trouble
                return self._page(cursor, owned_only="true", tries=1)
            if error.status not in _REFUSED_PARAMETER:
                raise
            page = self._page(cursor, owned_only="true")
            refusals.refused(SHARED_PROJECTS)
        else:
            refusals.answered(SHARED_PROJECTS)
        return page

    def _page(self, cursor: str, owned_only: str, tries: int = MOST_TRIES) -> ProjectsPage:
        params = {"conversations_per_gizmo": 0, "owned_only": owned_only, "limit": SIDEBAR_LIMIT}
        query = params if cursor == FIRST_CURSOR else {**params, "cursor": cursor}
        page = projects_page(self._session.get(SIDEBAR_PATH, query, tries=tries).data)
        if page is None:
            raise NoAnswer("an answer of an unknown form")
        return page

    def scopes(self) -> list[Scope]:
        """Return the projects' lists.

        They are read to the end: a conversation that is moved in keeps its time, and can stand anywhere.
        """
        return [
            Scope(_scope_name(key), f"project “{readable_name(project_name(row))}”", to_the_end=True)
            for key, row in self.by_id.items()
        ]

    def changed(self, ever_read: Collection[str]) -> set[str]:
        """Return the names of the lists that can have changed.

        ``ever_read``: the names of lists that were read to their end in some run.
        """
        names = {_scope_name(project_id): project_id for project_id in self.by_id}
        if self._are_hidden:
            return set(names)
        seen = self._memory.projects_seen
        empty = sorted(name for name in names if seen.get(name) == _EMPTY and name in ever_read)
        is_new = {name for name, key in names.items() if name not in ever_read or seen.get(name) != self._digest(key)}
        return (is_new - set(empty)) | self._in_turn(empty) | self._unshown.intersection(names)

    def _in_turn(self, empty: list[str]) -> set[str]:
        """Return which of the empty projects are asked in this run: the sidebar need not show that a chat came."""
        if self._main_names_projects:
            return set()
        start = int(self._now // _DAY) * EMPTY_A_RUN
        return {empty[(start + n) % len(empty)] for n in range(EMPTY_A_RUN) if empty}

    def note_rows(self, rows: Mapping[str, Listed], *, is_main: bool = False) -> None:
        """Learn from rows of any list which projects there are."""
        named = {row.project_id for row in rows.values() if row.project_id}
        self._named_by_rows |= named
        self._main_names_projects = self._main_names_projects or (is_main and bool(named))

    def note_read(self, project_id: str, *, is_empty: bool) -> None:
        """Remember that a project's list was read to its end."""
        name = _scope_name(project_id)
        self._memory.projects_seen[name] = _EMPTY if is_empty else self._digest(project_id)
        self._memory.projects_refused.pop(name, None)

    def note_refused(self, project_id: str) -> None:
        """Remember that the service does not give a project's list."""
        self._memory.projects_refused[_scope_name(project_id)] = self._now

    def _digest(self, project_id: str) -> str:
        return json.dumps([self.by_id[project_id].get(key) for key in _CHANGE_KEYS])


def project_id_of(scope: Scope) -> str | None:
    """Return the project whose list it is, None for any other list."""
    return scope.name.removeprefix(_SCOPE_PREFIX) if scope.name.startswith(_SCOPE_PREFIX) else None


def _scope_name(project_id: str) -> str:
    return _SCOPE_PREFIX + project_id
