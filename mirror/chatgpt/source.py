"""ChatGPT as a source: whose login, which workspaces, which lists tonight, how to read. Implements ``mirror.source``.

What is asked every night, whatever the size of the account: the session, the workspaces, and for each workspace the top
of the main list, the whole archived list (archiving moves no time, API notes §2.3), the starred ones and the projects'
names. Everything else is a *chore* with a period: a night does the most overdue ones as long as requests are to spare,
a full run does them all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.chatgpt import account_data
from mirror.chatgpt.conversations import BATCH, Reader
from mirror.chatgpt.lists import BrokenListError, Lists, pages, walk_cursors, walk_offsets
from mirror.chatgpt.memory import ChatGPTMemory
from mirror.errors import ServiceError
from mirror.source import (
    AccountItem,
    Fetched,
    Identity,
    Listed,
    ListResult,
    NotFetched,
    Scope,
    ToFetch,
    Workspace,
)
from mirror.values import iso_time
from mirror.web.client import Refused, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mirror.chatgpt.session import Session

MAIN = Scope("main", "main")
ARCHIVED = Scope("archived", "archived", to_the_end=True)
STARRED = Scope("starred", "starred", to_the_end=True, is_selection=True)
SHARED = Scope("shared", "shared", to_the_end=True, is_selection=True)
PINS = Scope("pins", "pinned", to_the_end=True, is_selection=True)
NIGHTLY_REQUESTS = 10  # an unchanged night's share: login 2, each workspace 4, the rest for chores
_DAY = 86_400.0
PERIODS = {"memories": _DAY, "instructions": _DAY}  # seconds; every other chore waits a week
_WEEK = 7 * _DAY


@dataclass(slots=True)
class _Chores:
    """What is due tonight. ``done``: chore -> epoch second at which it was last done, kept from run to run."""

    done: dict[str, float]
    now: float
    spare: int
    full: bool

    def due(self, names: Sequence[str]) -> set[str]:
        """Return the chores to do now, the most overdue first as far as requests are to spare."""
        if self.full:
            return set(names)

        def overdue(name: str) -> float:
            done = self.done.get(name, 0.0)
            return (self.now - (done if done <= self.now else 0.0)) / PERIODS.get(name, _WEEK)  # a clock may go wrong

        ranked = sorted((name for name in names if overdue(name) > 0.9), key=overdue, reverse=True)  # noqa: PLR2004 - cron drifts
        return set(ranked[: self.spare])


class ChatGPT:
    """A signed-in ChatGPT login."""

    provider = "chatgpt"
    trusts_imports = True
    has_project_lists = True

    def __init__(self, session: Session) -> None:
        self.session = session
        self._accounts = 1
        self._personal: Workspace | None = None
        self._use(ChatGPTMemory())

    def _use(self, memory: ChatGPTMemory) -> None:
        self._memory = memory
        self.lists = Lists(self.session, memory)
        self.reader = Reader(self.session, memory)
        self._projects: dict[str, dict[str, Any]] = {}
        self._chores: _Chores | None = None
        self._due: set[str] = set()
        self._project_rows: set[str] = set()
        self._main: set[str] | None = None

    # -- who

    def identity(self) -> Identity:
        """See Source."""
        self.session.sign_in()
        told = self._workspaces()
        accounts = told or (self._own_workspace(),)
        self._accounts = len(accounts)
        user = self.session.data.get("user")
        user = user if isinstance(user, dict) else {}
        return Identity(
            user_id=self.session.user_id,
            name=user.get("name") if isinstance(user.get("name"), str) else None,
            email=user.get("email") if isinstance(user.get("email"), str) else None,
            expires=iso_time(self.session.data.get("expires")),
            workspaces=accounts,
            lists_all_workspaces=bool(told),
        )

    def _own_workspace(self) -> Workspace:
        """Return the workspace that the login itself names, for a service that does not tell which ones there are."""
        plan, structure = account_data.session_plan(self.session.data)
        if (pasted := self.session.login.account_id) is not None:
            return Workspace(pasted, plan=plan, structure="workspace", is_personal=False)
        own = self.session.workspace_id or self.session.user_id
        return Workspace(own, plan=plan, structure=structure, is_personal=structure in {None, "personal"})

    def _workspaces(self) -> tuple[Workspace, ...]:
        """Return what ``accounts/check`` tells; empty where it tells nothing."""
        try:
            data = self.session.get("/accounts/check/v4-2023-04-27").data
        except ServerError:
            raise ServiceError("The service cannot tell the workspaces of this login; run again later.") from None
        except Refused:
            return ()
        return account_data.workspaces(data)

    def enter(self, workspace: Workspace, memory: Mapping[str, Any]) -> None:
        """See Source."""
        self.session.account_id = None if workspace.is_personal else workspace.id
        self._use(ChatGPTMemory.of_json(memory))
        self.session.client.pacing.budget = self._memory.single_read_budget

    def memory(self) -> dict[str, Any]:
        """See Source."""
        self._memory.single_read_budget = self.session.client.pacing.next_budget()
        return self._memory.as_json()

    # -- lists

    def scopes(self, *, full: bool, last_read: Mapping[str, str]) -> Iterator[Scope]:
        """See Source. The projects come last: rows of the other lists may name some that the sidebar leaves out."""
        if full:
            self.reader.doubt_again()
            self.session.client.pacing.try_more()
        yield MAIN
        yield ARCHIVED
        yield STARRED
        self._load_projects()
        now = self.session.client.pacing.timing.now()
        spare = NIGHTLY_REQUESTS - 2 - 4 * self._accounts
        self._chores = _Chores(self._memory.tasks_done, now, max(0, spare), full)
        scopes = {
            # To the end: a conversation moved in keeps its time, and can stand anywhere in the list.
            f"project:{key}": Scope(f"project:{key}", f"project “{account_data.project_name(row)}”", to_the_end=True)
            for key, row in self._projects.items()
        }
        changed = {name for name in scopes if self._project_changed(name) or name not in last_read}
        if self._memory.main_lacks_projects:
            changed = set(scopes)  # then their own lists are the only place that shows them
        self._due = self._chores.due(["memories", "instructions", "shared", "pins", *(set(scopes) - changed)]) | changed
        for scope in (*scopes.values(), SHARED, PINS):
            if scope.name in self._due:
                yield scope

    def read_list(self, scope: Scope, enough: Callable[[Sequence[Listed]], bool], expected: int | None) -> ListResult:
        """See Source."""
        if scope.name.startswith("project:"):
            project_id = scope.name.removeprefix("project:")
            walk = walk_cursors(scope, lambda cursor: self.lists.project(project_id, cursor), enough)
        elif scope is PINS:
            walk = walk_cursors(scope, lambda _: self.lists.pins(), enough)
        else:
            walk = walk_offsets(scope, self._offset_list(scope), enough, expected)
        self._project_rows |= {item.project_id for item in walk.items.values() if item.project_id}
        self._after(scope, walk)
        return walk

    def _offset_list(self, scope: Scope) -> Callable[[int], Any]:
        if scope is SHARED:
            return self.lists.shared
        filters = {"archived": {"is_archived": "true"}, "starred": {"is_starred": "true"}}.get(scope.name)
        return lambda offset: self.lists.main(offset, **(filters or {"is_archived": "false"}))

    def _after(self, scope: Scope, walk: ListResult) -> None:
        if scope.is_selection and isinstance(walk.error, BrokenListError) and walk.error.is_refusal:
            walk.error = None  # a selection that this account does not have costs no conversation
        if walk.error is None and self._chores is not None:
            self._chores.done[scope.name] = self._chores.now
        if scope is MAIN and walk.reached_end:
            self._main = set(walk.items)
            self._memory.main_lacks_projects = False
        if scope.name.startswith("project:") and walk.reached_end:
            self._memory.projects_seen[scope.name] = self._digest(scope.name)
            living = {key for key, item in walk.items.items() if not item.is_archived}
            if self._main is not None and not living <= self._main:
                self._memory.main_lacks_projects = True

    def _digest(self, name: str) -> str:
        row = self._projects[name.removeprefix("project:")]
        return json.dumps([row.get(key) for key in ("updated_at", "last_interacted_at", "num_interactions")])

    def _project_changed(self, name: str) -> bool:
        return bool(self._memory.projects_seen.get(name) != self._digest(name))

    def _load_projects(self) -> None:
        params = {"conversations_per_gizmo": 0, "owned_only": "true", "limit": 20}

        def fetch(cursor: str) -> account_data.GizmoPage:
            query = params if cursor == "0" else {**params, "cursor": cursor}
            return account_data.gizmo_page(self.session.get("/gizmos/snorlax/sidebar", query).data)

        try:
            for page in pages(fetch, "0"):
                new = {row["id"]: row for row in page.items if row["id"] not in self._projects}
                self._projects |= new
                if page.items and not new:
                    break
        except ServerError:
            raise ServiceError("The projects could not be listed; everything else goes on. Run again later.") from None
        except Refused:
            self.session.client.log("this account has no projects list")
        for project_id in self._project_rows - set(self._projects):
            self._projects[project_id] = {"id": project_id}

    # -- conversations

    def fetch(self, wanted: Sequence[ToFetch]) -> Iterator[Fetched | NotFetched]:
        """See Source."""
        return self.reader.fetch(wanted)

    def fetch_one(self, wanted: ToFetch) -> Fetched | NotFetched:
        """See Source."""
        return self.reader.fetch_one(wanted)

    def rereads_at_once(self) -> int:
        """See Source."""
        return BATCH if self.reader.lanes.alive("batch") else 0

    def is_signed_in(self) -> bool:
        """See Source. A missing login looks like an empty account (API notes §0.10)."""
        try:
            data = self.session.get("/me").data
        except ServerError:
            return False
        except Refused as error:
            return error.status == 404  # noqa: PLR2004 - a service without this road cannot be asked
        return isinstance(data, dict) and isinstance(data.get("id"), str)

    # -- beside the conversations

    def account_items(self, *, unnamed_gpts: Collection[str]) -> Iterator[AccountItem]:
        """See Source."""
        for row in self._projects.values():
            yield account_data.project_item(row)
        for gpt_id in unnamed_gpts:
            try:
                yield account_data.gpt_item(gpt_id, self.session.get(f"/gizmos/{gpt_id}").data)
            except Refused:
                yield AccountItem("gpt", gpt_id, {"name": gpt_id})  # deleted or private: the id stands for its name
        for name, path in (
            ("memories", "/memories?include_memory_entries=true"),
            ("instructions", "/user_system_messages"),
        ):
            if name in self._due:
                yield from self._account_items(name, path)

    def _account_items(self, name: str, path: str) -> Iterator[AccountItem]:
        path, _, query = path.partition("?")
        params = dict([query.split("=")]) if query else None
        if self._chores is not None:
            self._chores.done[name] = self._chores.now
        try:
            data = self.session.get(path, params).data
        except Refused as error:
            self.session.client.log(f"{name} not read: {error}")
            return
        yield from account_data.account_items(name, data)
