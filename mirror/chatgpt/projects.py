"""Which projects a workspace has, and whose lists have to be read (API notes §5).

The sidebar names the projects, and list rows name some that it leaves out. A project's own list is read when what the
sidebar says of it has changed. Where the main list leaves out the conversations of projects, their own lists are the
only ones that show them, and are read in every run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirror.chatgpt.account_data import project_name, projects_page
from mirror.chatgpt.paging import FIRST_CURSOR, pages_by_cursor
from mirror.errors import IncompleteError, RateLimitError
from mirror.source import Listed, Scope
from mirror.web.client import Refused, ServerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mirror.chatgpt.account_data import ProjectsPage
    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.session import Session

SIDEBAR_PATH = "/gizmos/snorlax/sidebar"
# Projects of a page; without it only 5 come, 100 are refused (API notes §5). Larger: the sidebar fails.
SIDEBAR_LIMIT = 20
NAMES = "names of projects"  # what is not read where the sidebar fails
_SCOPE_PREFIX = "project:"
_CHANGE_KEYS = ("updated_at", "last_interacted_at", "num_interactions")


class Projects:
    """The projects of one workspace in one run.

    ``by_id``: what the sidebar says of each, as it came. ``error``: why there may be projects that nobody has seen.
    """

    def __init__(self, session: Session, memory: ChatGPTMemory) -> None:
        self._session, self._memory = session, memory
        self.by_id: dict[str, dict[str, Any]] = {}
        self._named_by_rows: set[str] = set()
        self._in_sidebar: set[str] = set()
        self.error: IncompleteError | None = None
        self._main_ids: set[str] | None = None  # of the main list, where it was read to its end

    def load(self) -> None:
        """Ask the sidebar, and add what rows of lists named, and what was known before: it can be silent.

        ``error`` is set where it fails and was never read: there may be projects that nobody has seen.
        """
        failure: Refused | RateLimitError | None = None
        try:
            for page in pages_by_cursor(self._sidebar_page):
                new = {row["id"]: row for row in page.projects if row["id"] not in self.by_id}
                self.by_id |= new
                if page.projects and not new:
                    break
        except (Refused, RateLimitError) as error:
            if isinstance(error, RateLimitError) and error.is_final:
                raise
            self._session.client.log(f"the list of projects was not read: {error}")
            failure = error
            self._memory.not_read[NAMES] = str(error)
        else:
            self._memory.sidebar_read = True
            self._memory.note_read(NAMES)
        self._in_sidebar = set(self.by_id)
        known = self._named_by_rows | self._projects_before()
        for project_id in sorted(known - set(self.by_id)):
            self.by_id[project_id] = {"id": project_id}
        if isinstance(failure, ServerError) and not (self._memory.sidebar_read or self._memory.projects_seen):
            self.error = IncompleteError(
                f"The list of projects could never be read ({failure}), so their chats may be missing; all others are"
                " stored. Later runs try again."
            )

    def is_unread(self, project_id: str) -> bool:
        """Whether the sidebar shows a project now whose list was never read: its chats may be nowhere else."""
        return project_id in self._in_sidebar and _scope_name(project_id) not in self._memory.projects_seen

    def _projects_before(self) -> set[str]:
        """Return the projects whose lists were read in earlier runs, where the sidebar does not show them.

        Where the main list shows their conversations anyway, a project that is gone need not be asked for.
        """
        if not self._memory.main_lacks_projects:
            return set()
        return {name.removeprefix(_SCOPE_PREFIX) for name in self._memory.projects_seen}

    def _sidebar_page(self, cursor: str) -> ProjectsPage:
        params = {"conversations_per_gizmo": 0, "owned_only": "true", "limit": SIDEBAR_LIMIT}
        query = params if cursor == FIRST_CURSOR else {**params, "cursor": cursor}
        return projects_page(self._session.get(SIDEBAR_PATH, query).data)

    def scopes(self) -> list[Scope]:
        """Return the projects' lists.

        They are read to the end: a conversation that is moved in keeps its time, and can stand anywhere.
        """
        return [
            Scope(_scope_name(key), f"project “{project_name(row)}”", to_the_end=True)
            for key, row in self.by_id.items()
        ]

    def changed(self, ever_read: Collection[str]) -> set[str]:
        """Return the names of the lists that can have changed.

        ``ever_read``: the names of lists that were read to their end in some run.
        """
        names = {_scope_name(project_id): project_id for project_id in self.by_id}
        if self._memory.main_lacks_projects:
            return set(names)
        seen = self._memory.projects_seen
        return {name for name, key in names.items() if name not in ever_read or seen.get(name) != self._digest(key)}

    def note_rows(self, rows: Mapping[str, Listed]) -> None:
        """Learn from rows of any list which projects there are."""
        self._named_by_rows |= {row.project_id for row in rows.values() if row.project_id}

    def note_whole_main(self, rows: Mapping[str, Listed]) -> None:
        """Learn what the main list shows, after it was read to its end."""
        self._main_ids = set(rows)
        self._memory.main_lacks_projects = False

    def note_whole_project(self, project_id: str, rows: Mapping[str, Listed]) -> None:
        """Learn from a project's whole list whether the main list shows the same."""
        self._memory.projects_seen[_scope_name(project_id)] = self._digest(project_id)
        active = {key for key, row in rows.items() if not row.is_archived}
        if self._main_ids is not None and not active <= self._main_ids:
            self._memory.main_lacks_projects = True

    def _digest(self, project_id: str) -> str:
        return json.dumps([self.by_id[project_id].get(key) for key in _CHANGE_KEYS])


def project_id_of(scope: Scope) -> str | None:
    """Return the project whose list it is, None for any other list."""
    return scope.name.removeprefix(_SCOPE_PREFIX) if scope.name.startswith(_SCOPE_PREFIX) else None


def _scope_name(project_id: str) -> str:
    return _SCOPE_PREFIX + project_id
