"""ChatGPT as a ``mirror.source.Source``: which lists to read in a run, what to ask beside them.

Asked in every run, whatever the size of the account: the session, the workspaces, and for each workspace the top of the
main list, the whole archived list (archiving moves no time, API notes §2.3), the starred ones and the projects' names.
Everything else is a periodic task: a run does the most overdue ones as long as requests are to spare, a full run does
them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.chatgpt.account_data import (
    gpt_item,
    has_instructions,
    has_memories,
    instructions_items,
    memory_items,
    project_files,
    project_item,
)
from mirror.chatgpt.api_paths import UnaskableError, api_path
from mirror.chatgpt.conversations import ConversationReader
from mirror.chatgpt.files import FileReader
from mirror.chatgpt.identity import identify
from mirror.chatgpt.lists import Lists
from mirror.chatgpt.long_pauses import LongPauses
from mirror.chatgpt.memory import ChatGPTMemory
from mirror.chatgpt.paging import ListError, read_by_cursor, read_by_offset
from mirror.chatgpt.periodic_tasks import PeriodicTasks
from mirror.chatgpt.projects import Projects, project_id_of
from mirror.chatgpt.session import WORKSPACE_REFUSED
from mirror.chatgpt.work import WORK, WORK_ARCHIVED, WorkLists
from mirror.errors import IncompleteError, RateLimitError, ServiceError
from mirror.source import AccountItem, NotRead, Scope
from mirror.values import as_count
from mirror.web.client import Refused, ServerError
from mirror.web.downloads import Downloads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mirror.chatgpt.session import Session
    from mirror.errors import ChatmirrorError
    from mirror.source import (
        Fetched,
        FetchedFile,
        FileSink,
        FileToFetch,
        Identity,
        Listed,
        ListResult,
        NoFile,
        NotFetched,
        ToFetch,
        Workspace,
    )

MAIN = Scope("main", "main")
ARCHIVED = Scope("archived", "archived", to_the_end=True)
STARRED = Scope("starred", "starred", to_the_end=True, is_selection=True)
SHARED = Scope("shared", "shared", to_the_end=True, is_selection=True)
PINS = Scope("pins", "pinned", to_the_end=True, is_selection=True)
# Requests of a run in which nothing has changed: our own budget. Smaller: periodic tasks wait for full runs.
QUIET_RUN_REQUESTS = 10
# Of these, for signing in and for the workspaces, and for each workspace's lists. See benchmarks/cost.py. Smaller: a
# quiet run takes more requests than its budget; larger: periodic tasks wait for full runs.
LOGIN_REQUESTS = 2
WORKSPACE_REQUESTS = 4
# Requests for what stands beside the conversations, where it fails. Larger: a run spends minutes on what can wait.
SIDE_TRIES = 2


# Refusals that tell whether somebody is signed in: the login's own, and that of a server without the address.
_SAY_WHO_ASKS = {401: False, 404: True}
_NAMES_OF_GPTS = "names of GPTs"
_BUDGET = "single_read_budget"  # in the login's memory: reads by id that a run may make, None where no limit was met
_LONG_PAUSES = "long_pauses"  # likewise, of the list of workspaces


def _gpt_task(gpt_id: str) -> str:
    """Return the periodic task of asking once more for the name of a GPT that was refused."""
    return f"name of {gpt_id}"


def _cause(error: ChatmirrorError) -> str:
    """Return why a list was not read: the answer that ended it, where there was one."""
    return error.cause if isinstance(error, ListError) else error.message


class ChatGPT:
    """A signed-in ChatGPT login, and the workspace that it has entered."""

    provider = "chatgpt"
    trusts_imports = True
    has_project_lists = True

    def __init__(self, session: Session, downloads: Downloads | None = None, storage_url: str | None = None) -> None:
        self.session, self._downloads, self._storage_url = session, downloads or Downloads(), storage_url
        self._workspace_count = 1
        self._knows_limits = False  # what was learned of the login's limits is known
        self._long_pauses = LongPauses()  # of what is asked for before any workspace
        self._use(ChatGPTMemory())

    def _use(self, memory: ChatGPTMemory) -> None:
        self._memory = memory
        memory.refusals.now = memory.long_pauses.now = self.session.client.pacing.timing.now()
        self.session.long_pauses = memory.long_pauses
        self._lists = Lists(self.session, memory)
        self._reader = ConversationReader(self.session, memory)
        self._files = FileReader(self.session, self._downloads, self._storage_url)
        self._projects = Projects(self.session, memory)
        self._work = WorkLists(memory, self.session.client.log, self._note_not_read)
        self._tasks = PeriodicTasks(memory.tasks_done, memory.refusals.now)
        self._is_refused = False  # the service refuses the workspace itself
        self._due: set[str] = set()  # periodic tasks and projects' lists for this run

    # -- who

    def identity(self) -> Identity:
        """See Source."""
        identity = identify(self.session)
        self._workspace_count = len(identity.workspaces)
        return identity

    def begin(self, memory: Mapping[str, Any]) -> None:
        """See Source. Who reads too much by id is locked out of all workspaces (API notes §8): the login is limited."""
        self._long_pauses = self.session.long_pauses = LongPauses.of_json(memory.get(_LONG_PAUSES))
        self._long_pauses.now = self.session.client.pacing.timing.now()
        self._knows_limits = _BUDGET in memory
        self.session.client.pacing.budget = as_count(memory.get(_BUDGET))

    def login_memory(self) -> dict[str, Any]:
        """See Source."""
        return {_BUDGET: self.session.client.pacing.next_budget(), _LONG_PAUSES: self._long_pauses.as_json()}

    def enter(self, workspace: Workspace, memory: Mapping[str, Any]) -> None:
        """See Source."""
        self.session.account_id = None if workspace.is_personal else workspace.id
        self._use(ChatGPTMemory.of_json(memory))
        pacing = self.session.client.pacing
        if pacing.budget is None and not self._knows_limits:  # older mirrors kept it with each workspace
            pacing.budget = self._memory.single_read_budget

    def refuses(self, workspace: Workspace) -> bool:
        """See Source. The personal one is asked for without a name, so nothing is said of it."""
        if workspace.is_personal:
            return False
        self.session.account_id = workspace.id
        try:
            self.session.get("/conversations", {"offset": 0, "limit": 1}, tries=SIDE_TRIES)
        except Refused as error:
            return error.code == WORKSPACE_REFUSED
        except RateLimitError as error:
            if error.is_final:
                raise
        return False

    def memory(self) -> dict[str, Any]:
        """See Source."""
        self._memory.single_read_budget = None
        return self._memory.as_json()

    # -- lists

    def scopes(
        self, *, full: bool, last_read: Mapping[str, str], unshown: Callable[[], Collection[str]]
    ) -> Iterator[Scope]:
        """See Source.

        The projects come after the main list: rows of other lists may name some that the sidebar leaves out.
        """
        if full:
            self._reader.begin_full_run()
        yield MAIN
        if self._is_refused:
            return  # this workspace takes no request: the others are read
        yield ARCHIVED
        yield STARRED
        self._projects.load(unshown(), full=full)
        project_lists = self._projects.scopes()
        changed = self._projects.changed(ever_read=last_read)
        unchanged = {scope.name for scope in project_lists} - changed
        tasks = ["memories", "instructions", *self._work.tasks, SHARED.name, PINS.name, *unchanged]
        self._due = self._due_tasks(tasks, full=full)
        self._due |= changed
        for scope in (*project_lists, SHARED, PINS):
            if scope.name in self._due:
                yield scope
        if self._is_refused:
            return
        yield from self._work.scopes(unshown(), full=full, is_due=WORK.name in self._due)
        if self._projects.error is not None:
            raise self._projects.error  # last, so that all other lists are read

    def _due_tasks(self, tasks: Sequence[str], *, full: bool) -> set[str]:
        if full:
            return set(tasks)
        spare = QUIET_RUN_REQUESTS - LOGIN_REQUESTS - WORKSPACE_REQUESTS * self._workspace_count - self._work.requests
        spare -= len(self._memory.refusals.met)  # each took a request more
        return self._tasks.due(tasks, most=max(0, spare))

    def read_list(self, scope: Scope, enough: Callable[[Sequence[Listed]], bool], expected: int | None) -> ListResult:
        """See Source."""
        project_id = project_id_of(scope)
        if project_id is not None:
            result = read_by_cursor(scope, lambda cursor: self._lists.project_page(project_id, cursor), enough)
        elif scope is PINS:
            result = read_by_cursor(scope, lambda _: self._lists.pinned_page(), enough)
        else:
            pages = {
                MAIN.name: self._lists.main_page,
                ARCHIVED.name: self._lists.archived_page,
                STARRED.name: self._lists.starred_page,
                SHARED.name: self._lists.shared_page,
                WORK.name: lambda offset: self._work.checked(scope, self._lists.work_page(offset)),
                WORK_ARCHIVED.name: lambda offset: self._work.checked(scope, self._lists.archived_work_page(offset)),
            }
            result = read_by_offset(scope, pages[scope.name], enough, expected)
        self._learn_from(result, project_id)
        return result

    def _learn_from(self, result: ListResult, project_id: str | None) -> None:
        scope, is_done = result.scope, True
        if not scope.is_selection:
            self._reader.note_listed(list(result.items))
        # Where the main list came, what another one says of the workspace is its own fault.
        if scope is MAIN and isinstance(result.error, ListError) and result.error.code == WORKSPACE_REFUSED:
            self._is_refused = True
        if scope.is_work:
            self._work.judge(result)
            is_done = result.reached_end or result.is_refused
        else:
            self._work.note_ordinary(result)
        if scope.is_selection:
            is_done = self._judge_selection(result)
        if project_id is not None:
            self._judge_project(result, project_id)
        if is_done and result.error is None and scope.name in self._due:
            self._tasks.mark_done(scope.name)
        self._projects.note_rows(result.items, is_main=scope is MAIN)

    def _judge_selection(self, result: ListResult) -> bool:
        """Take the error from a mere selection, which costs no conversation; return whether its task is done."""
        name, error = f"{result.scope.label} list", result.error
        if error is None:
            self._memory.note_read(name)
            return True
        if error.is_final:
            return False
        self._note_not_read(name, _cause(error))
        result.error = None
        return isinstance(error, ListError) and error.is_refusal

    def _judge_project(self, result: ListResult, project_id: str) -> None:
        """Learn whether a project's list was read, or is not given: it was left, deleted, or is no longer shared.

        Then there is nothing to say, unless its chats may be nowhere else.
        """
        if result.reached_end:
            self._projects.note_read(project_id, is_empty=not result.items)
        if not (isinstance(result.error, ListError) and result.error.is_refusal):
            return
        self.session.client.log(f"{result.scope.label} not read: {result.error.message}")
        result.error = IncompleteError(result.error.message) if self._projects.may_hold_unseen(project_id) else None
        result.is_refused = result.error is None
        self._projects.note_refused(project_id)

    # -- conversations

    def fetch(self, wanted: Sequence[ToFetch]) -> Iterator[Fetched | NotFetched]:
        """See Source."""
        return self._reader.fetch(wanted)

    def fetch_one(self, wanted: ToFetch) -> Fetched | NotFetched:
        """See Source."""
        return self._reader.fetch_one(wanted)

    def given_otherwise(self, ids: Sequence[str]) -> set[str]:
        """See Source."""
        return self._reader.given_otherwise(ids)

    def rereads_at_once(self) -> int:
        """See Source."""
        return self._reader.rereads_at_once

    def is_signed_in(self) -> bool:
        """See Source. A missing login looks like an empty account (API notes §0.10)."""
        try:
            data = self.session.get("/me").data
        except Refused as error:
            if error.status in _SAY_WHO_ASKS:
                return _SAY_WHO_ASKS[error.status]
            raise ServiceError(
                f"ChatGPT lists nothing and does not say who asks ({error}), so that its lists are not believed to be"
                " empty; nothing was changed. Run again later."
            ) from error
        return isinstance(data, dict) and isinstance(data.get("id"), str)

    # -- files

    def fetch_file(self, wanted: FileToFetch, sink: FileSink) -> FetchedFile | NoFile:
        """See FileSource."""
        return self._files.fetch(wanted, sink)

    # -- beside the conversations

    def account_items(self, *, unnamed_gpts: Collection[str]) -> Iterator[Sequence[AccountItem]]:
        """See Source."""
        yield [item for row in self._projects.by_id.values() for item in (project_item(row), *project_files(row))]
        for item in self._gpt_items(unnamed_gpts):
            yield [item]
        params = {"include_memory_entries": "true"}
        yield from self._account_data("memories", "/memories", params, has_memories, memory_items)
        path = "/user_system_messages"
        yield from self._account_data("instructions", path, None, has_instructions, instructions_items)

    def not_read(self) -> Sequence[NotRead]:
        """See Source."""
        return [NotRead(what, reason) for what, reason in self._memory.not_read.items()]

    def _note_not_read(self, what: str, reason: str) -> None:
        self.session.client.log(f"{what} not read: {reason}")
        self._memory.not_read[what] = reason

    def _gpt_items(self, gpt_ids: Collection[str]) -> Iterator[AccountItem]:
        """Yield the custom GPTs that were asked for; one that did not say its name is asked again a week later."""
        failures = 0
        due = self._tasks.due([_gpt_task(gpt_id) for gpt_id in gpt_ids], most=len(gpt_ids))
        if len(due) == len(gpt_ids):
            self._memory.note_read(_NAMES_OF_GPTS)
        for gpt_id in gpt_ids:
            if _gpt_task(gpt_id) not in due:
                continue
            if failures >= SIDE_TRIES:
                return  # it is not the one GPT; their names wait for the next run
            try:
                item = self._gpt_item(gpt_id)
            except RateLimitError as error:
                self._note_not_read(_NAMES_OF_GPTS, error.message)
                if error.is_final:
                    raise
                return
            failures += item is None
            if item is not None:
                self._memory.tasks_done.pop(_gpt_task(gpt_id), None)
                yield item

    def _gpt_item(self, gpt_id: str) -> AccountItem | None:
        """Return a GPT's row; None where a later run should ask again."""
        try:
            item = gpt_item(gpt_id, self.session.get(api_path("gizmos", gpt_id), tries=SIDE_TRIES).data)
        except ServerError as error:
            self._note_not_read(_NAMES_OF_GPTS, str(error))
            return None
        except Refused as error:
            if error.status == 404 or isinstance(error, UnaskableError):  # noqa: PLR2004 - other refusals pass
                return AccountItem("gpt", gpt_id, {"name": gpt_id})  # deleted or private: its id is its name
            reason = str(error)
        else:
            if item.row["name"] != gpt_id:
                return item
            reason = "an answer of an unknown form"
        self._note_not_read(_NAMES_OF_GPTS, reason)
        self._tasks.mark_done(_gpt_task(gpt_id))
        return None

    def _account_data(
        self,
        task: str,
        path: str,
        params: Mapping[str, Any] | None,
        is_understood: Callable[[Any], bool],
        items_of: Callable[[Any], Iterator[AccountItem]],
    ) -> Iterator[Sequence[AccountItem]]:
        """Yield what the service says, if that is due; where it fails, the task stays due.

        The task is done when more is asked for: then what came is stored.
        """
        if task not in self._due:
            return
        try:
            data = self.session.get(path, params, tries=SIDE_TRIES).data
        except ServerError as error:
            self._note_not_read(task, str(error))
            return
        except RateLimitError as error:
            self._note_not_read(task, error.message)
            if error.is_final:
                raise
            return
        except Refused as error:
            self._note_not_read(task, str(error))
            data = None
        else:
            self._memory.note_read(task)
            if not is_understood(data):
                self._note_not_read(task, "an answer of an unknown form")
        yield list(items_of(data))
        self._tasks.mark_done(task)
