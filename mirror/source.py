"""What a sync needs from a service, and nothing of how the service is spoken to.

``mirror.chatgpt`` implements it; a second service is one more folder that does, plus its normalizer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mirror.errors import ChatmirrorError

Presence = Literal["gone", "alive", "unknown"]


@dataclass(frozen=True, slots=True)
class Account:
    """One workspace of the login. ``is_personal``: asked for without naming it."""

    id: str
    name: str | None = None
    plan: str | None = None
    structure: str | None = None
    is_personal: bool = True


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose login it is. ``expires``: ISO time at which the session ends, if the service says.

    ``names_all``: the service told which workspaces there are, so that one that is not among them is no more.
    """

    user_id: str
    name: str | None
    email: str | None
    expires: str | None
    accounts: tuple[Account, ...]
    names_all: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a list. ``update_us``: its update time, microseconds since 1970, None where the list has none."""

    conversation_id: str
    update_us: int | None
    title: str | None = None
    created_at: str | None = None
    is_archived: bool | None = None
    is_starred: bool | None = None
    gizmo_id: str | None = None
    states_gizmo: bool = False
    is_generating: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """One list of an account: its name as stored and what a person calls it.

    ``to_the_end``: walked whole every time, because what changes in it does not come to its top.
    ``is_partial``: a mere selection (starred, shared, pins): says nothing about which conversations exist.
    """

    name: str
    label: str
    to_the_end: bool = False
    is_partial: bool = False


@dataclass(slots=True)
class Walk:
    """What one walk of one scope saw. ``trouble``: why it stopped before the end, if it failed."""

    scope: Scope
    items: dict[str, Listed] = field(default_factory=dict)
    reached_end: bool = False
    trouble: ChatmirrorError | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A conversation to read: what the list said of it, and how many messages of it are stored already.

    ``explained``: the list's new time has a reason that adds no message (a new title, another project); ``attempts``:
    how many nights have failed at it; ``is_known_flat``: its visible branch is stored as listed, only a tree is wanted.
    """

    listed: Listed
    known_messages: int = 0
    explained: bool = False
    attempts: int = 0
    is_known_flat: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One conversation as it came.

    ``proves_absence``: what it lacks is really gone (a whole tree, believed); ``is_partial``: only its visible branch;
    ``doubt``: why it is not believed to be whole.
    """

    conversation_id: str
    payload: Any
    body: bytes
    lane: str
    source: str
    proves_absence: bool
    is_partial: bool = False
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A conversation that no lane could give. ``gone``: the service says it is deleted; ``later``: it was not tried."""

    conversation_id: str
    reason: str
    gone: bool = False
    later: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether no other lane need be asked: it is gone, or its turn comes another night."""
        return self.gone or self.later


@dataclass(frozen=True, slots=True)
class AccountItem:
    """Something of the account beside its conversations: a project, a custom GPT, a memory, the instructions."""

    kind: Literal["project", "gpt", "memory", "instructions"]
    id: str
    row: Mapping[str, Any]


class Source(Protocol):
    """A signed-in service."""

    provider: str

    def identity(self) -> Identity:
        """Sign in; raises SignInError when the service does not take the login."""

    def enter(self, account: Account, memory: dict[str, Any]) -> None:
        """Ask for this workspace from now on. ``memory``: JSON that the source keeps about it from run to run."""

    def conversation_url(self, conversation_id: str) -> str:
        """Return the address at which a person opens it."""

    def scopes(self, *, full: bool, last_walked: Mapping[str, str]) -> Iterator[Scope]:
        """Return the lists to walk this time: a full run walks them all, a nightly one what can have changed.

        ``last_walked``: scope name -> ISO time of its last walk to the end.
        """

    def walk(self, scope: Scope, enough: Callable[[Sequence[Listed]], bool], expected: int | None) -> Walk:
        """Walk one list from its newest row until ``enough(page)`` or its end; a failing page becomes its trouble.

        ``expected``: how many conversations are known to stand in it, None to believe no short page.
        """

    def read(self, wanted: Sequence[Wanted]) -> Iterator[Reading | Unread]:
        """Read whole conversations, cheapest lane first; raises RateLimitError when there is no more to be had."""

    def presence(self, conversation_id: str) -> Presence:
        """Ask for one conversation by itself: proof of life or of deletion, or neither."""

    def account_items(self, *, unnamed_gpts: Sequence[str]) -> Iterator[AccountItem]:
        """Projects, the names of these custom GPTs, and what is due of memories and instructions."""

    def next_budget(self) -> int | None:
        """Return how many single reads a later run may make, None where no limit was met."""

    def is_signed_in(self) -> bool:
        """Ask whether the service still knows who asks, before an empty answer is believed."""
