"""What a sync needs from a service, and nothing of how the service is spoken to.

``mirror.chatgpt`` implements it; a second service is one more folder that does, plus its normalizer.

Words: a *workspace* is one of the accounts that a login can enter. A *scope* is one list of conversations in it (main,
archived, starred, shared, pins, ``project:<id>``). A list row carries the *list time* (``list_us``), the service's own
update time of the conversation, microseconds since 1970. A conversation is *fetched* whole, or as its visible branch
only, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from mirror.text import readable_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mirror.body import Body
    from mirror.errors import ChatmirrorError

# Why a conversation is incomplete of which only the visible branch came; stored, so that a change needs a migration.
BRANCH_ONLY = "only its visible branch could be read"


class Workspace(NamedTuple):
    """One workspace of the login, a row of ``accounts``. ``is_personal``: asked for without naming it."""

    id: str
    name: str | None = None
    plan: str | None = None
    structure: str | None = None
    is_personal: bool = True

    @property
    def label(self) -> str:
        """What a person calls it."""
        return readable_name(self.name or self.structure or "personal")


class Identity(NamedTuple):
    """Whose login it is. ``expires``: ISO time at which the session ends, if the service says.

    ``lists_all_workspaces``: the service told which workspaces there are, so that one that is not among them may have
    ended.
    ``workspaces_failure``: why it did not, or not of all, where that failed.
    """

    user_id: str
    name: str | None
    email: str | None
    expires: str | None
    workspaces: tuple[Workspace, ...]
    lists_all_workspaces: bool = True
    workspaces_failure: str | None = None


class Listed(NamedTuple):
    """What a list says of one conversation; None where it does not say.

    ``states_home``: the row says where the conversation belongs, so that no ``project_id`` means that it is in none.
    ``mark``: an opaque word that differs when the conversation does, of a service whose times do not tell. ``is_work``:
    the row says that it is one of those that may stand in a list of their own (see ``Scope``). ``owner_id``: whose it
    is, where a row of a shared project says so.
    """

    conversation_id: str
    list_us: int | None
    title: str | None = None
    created_at: str | None = None
    is_archived: bool | None = None
    is_starred: bool | None = None
    project_id: str | None = None
    gpt_id: str | None = None
    states_home: bool = False
    mark: str | None = None
    is_work: bool | None = None
    owner_id: str | None = None


class Scope(NamedTuple):
    """One list of a workspace: its name as stored and what a person calls it.

    ``to_the_end``: read whole every time, because what changes in it does not come to its top.
    ``is_selection``: starred, shared, pins: says nothing about which conversations exist. ``is_work``: of
    conversations that the main and archived lists may leave out; read last, after the conversations of all other lists.
    """

    name: str
    label: str
    to_the_end: bool = False
    is_selection: bool = False
    is_work: bool = False


@dataclass(slots=True)
class ListResult:
    """What reading one list brought: id -> row. ``error``: why it stopped before its end, if it failed.

    ``is_refused``: the service does not offer this list, so that nothing is expected to stand in it. ``odd_rows``: how
    many rows were not understood.
    """

    scope: Scope
    items: dict[str, Listed] = field(default_factory=dict)
    reached_end: bool = False
    error: ChatmirrorError | None = None
    is_refused: bool = False
    odd_rows: int = 0


class ToFetch(NamedTuple):
    """A conversation to fetch: what the lists say of it, and how many of its messages are stored already.

    ``explained``: the new list time has a reason that adds no message (a new title, another project). ``tries``: how
    many runs have failed at it. ``wants_tree_only``: its visible branch is stored as listed, only a whole tree is news.
    ``stored_part``: returns the JSON that the service gave of it last, from which a reading may go on; None where all
    of it is to be read.
    """

    listed: Listed
    known_messages: int = 0
    explained: bool = False
    tries: int = 0
    wants_tree_only: bool = False
    stored_part: Callable[[], Any] = lambda: None


class Fetched(NamedTuple):
    """One conversation as it came.

    ``origin``: the endpoint, a word of the service's own. ``proves_absence``: what it lacks is really gone (a whole
    tree, believed). ``is_branch_only``: only its visible branch. ``incomplete_reason``: why it is not believed whole.
    ``has_more``: this run's requests ended before its pages did; from this part, the next run goes on.
    """

    conversation_id: str
    payload: Any
    body: Body
    origin: str
    path: str
    proves_absence: bool
    is_branch_only: bool = False
    incomplete_reason: str | None = None
    has_more: bool = False


class NotFetched(NamedTuple):
    """A conversation that did not come.

    ``is_gone``: the service says it is deleted; ``is_unknown``: it says that it knows no such conversation, which a
    wrong workspace or a closed endpoint says, too; ``later``: it was not tried; ``is_denied``: the service refuses it,
    and nothing failed.
    """

    conversation_id: str
    reason: str
    is_gone: bool = False
    is_unknown: bool = False
    later: bool = False
    is_denied: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether no other endpoint need be asked: it is gone, or its turn comes another run."""
        return self.is_gone or self.later


class AccountItem(NamedTuple):
    """Something of a workspace beside its conversations: a project, its file, a custom GPT, a memory, instructions."""

    kind: Literal["project", "file", "gpt", "memory", "instructions"]
    id: str
    row: Mapping[str, Any]


class NotRead(NamedTuple):
    """Something beside the conversations that the service did not give: what a person calls it, and why."""

    what: str
    reason: str


class Source(Protocol):
    """A signed-in service."""

    provider: str
    trusts_imports: bool  # an imported copy of the time that a list shows is as good as what the service would give
    has_project_lists: bool  # a project's conversations stand in a list of its own, ``project:<id>``

    def identity(self) -> Identity:
        """Sign in; raises SignInError when the service does not take the login."""

    def begin(self, memory: Mapping[str, Any]) -> None:
        """Begin a run. ``memory``: what ``login_memory`` returned at the end of an earlier one."""

    def login_memory(self) -> dict[str, Any]:
        """Return what the source wants to know in the next run of this login, whatever the workspace, as JSON."""

    def enter(self, workspace: Workspace, memory: Mapping[str, Any]) -> None:
        """Ask for this workspace from now on. ``memory``: what ``memory`` returned at the end of an earlier run."""

    def refuses(self, workspace: Workspace) -> bool:
        """Ask whether this login is refused the workspace itself; False where that is not said."""

    def memory(self) -> dict[str, Any]:
        """Return what the source wants to know in the next run of this workspace, as JSON."""

    def scopes(
        self, *, full: bool, last_read: Mapping[str, str], unshown: Callable[[], Collection[str]]
    ) -> Iterator[Scope]:
        """Return the lists to read this time: a full run reads them all, others what can have changed.

        ``last_read``: scope name -> ISO time at which it was last read to its end. ``unshown``: returns the names of
        the lists in which conversations are known to stand that the main and archived lists do not show, as far as
        those were read. Raises IncompleteError, after the last one, where there may be lists that it could not learn
        of.
        """

    def read_list(self, scope: Scope, enough: Callable[[Sequence[Listed]], bool], expected: int | None) -> ListResult:
        """Read one list from its newest row until ``enough(page)`` or its end; a failing page becomes its error.

        ``expected``: how many conversations are known to stand in it, None to believe no short page.
        """

    def fetch(self, wanted: Sequence[ToFetch]) -> Iterator[Fetched | NotFetched]:
        """Fetch whole conversations, cheapest endpoint first; raises RateLimitError when no more are to be had."""

    def fetch_one(self, wanted: ToFetch) -> Fetched | NotFetched:
        """Ask for one conversation that no list shows, by its id: it comes, or is gone, or neither is known."""

    def given_otherwise(self, ids: Sequence[str]) -> set[str]:
        """Return which of these conversations, unknown by id, another cheap request gives; that proves no life."""

    def account_items(self, *, unnamed_gpts: Collection[str]) -> Iterator[Sequence[AccountItem]]:
        """Projects, the names of these custom GPTs, and what is due of memories and instructions, answer by answer.

        What came with one is to be stored before the next is asked for: then it counts as read.
        """

    def not_read(self) -> Sequence[NotRead]:
        """Return what stands beside the conversations, was asked for in some run, failed, and was not read since."""

    def rereads_at_once(self) -> int:
        """Return how many stored conversations one cheap request reads again; 0 where there is no such request."""

    def is_signed_in(self) -> bool:
        """Ask whether the service still knows who asks, before an empty answer is believed.

        Raises ServiceError or RateLimitError where it does not say.
        """


class FilePlace(NamedTuple):
    """A message that shows a file, for a service that gives files only to those who see the conversation.

    ``parameters``: what the message says beside the file's id, for the request for it.
    """

    conversation_id: str
    message_id: str
    project_id: str | None = None
    parameters: str | None = None


class FileToFetch(NamedTuple):
    """A file to fetch. ``places``: where it is shown; ``durable_id``: under which an earlier run learned to ask for it.

    ``name``, ``mime_type`` and ``size`` (bytes) as messages say, None where they do not.
    """

    file_id: str
    name: str | None = None
    mime_type: str | None = None
    size: int | None = None
    places: tuple[FilePlace, ...] = ()
    project_id: str | None = None
    durable_id: str | None = None


class NamedFile(NamedTuple):
    """A file that no message may name: its id and its name."""

    file_id: str
    name: str | None


class FetchedFile(NamedTuple):
    """A file whose bytes have been written to the sink.

    ``name``, ``mime_type`` and ``size`` (bytes) as the service said when it was asked for the bytes. ``also``: further
    files that the service turned out to have, of the same source.
    """

    name: str | None = None
    mime_type: str | None = None
    size: int | None = None
    created_at: str | None = None
    also: tuple[NamedFile, ...] = ()


WhyNoFile = Literal["gone", "missing", "refused", "unready", "broken", "failed", "limited", "checked"]


class NoFile(NamedTuple):
    """A file that did not come, and the reason in plain words.

    ``why``: *gone* (the service has it no more), *missing* (what it shows lacks it, as does a copy that lags behind),
    *refused* (it does not give it to this login, now), *unready* (it is still being made), *broken* (the service fails
    at this file), *failed* (the transfer did), *limited* (the service asks for fewer requests, perhaps for this file
    alone), *checked* (a browser check came, likewise). ``durable_id``: under which to ask for it the next time.
    """

    why: WhyNoFile
    reason: str
    durable_id: str | None = None


class FileSink(Protocol):
    """Where the bytes of a file go."""

    def restart(self) -> None:
        """Forget what was written: another answer begins."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; what it raises ends the transfer and goes through."""


@runtime_checkable
class FileSource(Protocol):
    """A signed-in service that gives the files that conversations name."""

    def fetch_file(self, wanted: FileToFetch, sink: FileSink) -> FetchedFile | NoFile:
        """Fetch one file of the workspace that was entered last.

        Raises RateLimitError where files are to be had no more in this run, and what any request raises.
        """
