"""The simulated account: its workspaces and everything in them. Nothing here knows HTTP."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from mirror.simulator.trees import generated_conversation, new_id

if TYPE_CHECKING:
    from collections.abc import Callable

PERSONAL = "00000000-aaaa-4000-8000-000000000001"


@dataclass
class SimulatedWorkspace:
    """One workspace of the account."""

    id: str
    name: str | None = None
    structure: str = "personal"
    plan: str = "plus"


@dataclass
class SimulatedFile:
    """A file of the account, and how the service behaves at it (API notes §7).

    ``conversations``: those that show it, None for any. ``needs``: what a request must say: nothing (""), *gizmo*,
    *no gizmo*, *context* (the newer parameter), *post* (what its pointer says), *attachment* (only that endpoint gives
    it), *oldest* (only the oldest endpoint does), *nothing helps*. ``workspace``: the only one that has it, by its id.
    ``host``: of its bytes: *estuary* and *api* on the service's own host, *library* (with the cookie), *redirecting*,
    *storage* (another host). ``answers``: the next answers in place of an address, then ``always``; see
    ``file_endpoints.ANSWERS``. ``faults`` and ``fault``: likewise of the bytes, see ``BODY_FAULTS``.
    ``expired_addresses``: so many addresses turn out to have expired. ``sandbox``: conversation, message and path of a
    file in the code sandbox, which ends at ``pod_expires`` (epoch seconds); ``durable_id`` outlives it.
    """

    id: str
    content: bytes = field(repr=False)
    name: str | None = None
    mime_type: str | None = None
    conversations: set[str] | None = None
    needs: str = ""
    workspace: str | None = None
    host: str = "estuary"
    answers: list[str] = field(default_factory=list)
    always: str | None = None
    faults: list[str] = field(default_factory=list)
    fault: str | None = None
    expired_addresses: int = 0
    alter_address: Callable[[str], str] | None = None
    redirects_to: str | None = None
    said_name: str | None = None  # where the answer names it otherwise
    states_size: bool = True
    library_id: str | None = None
    sandbox: tuple[str, str, str] | None = None
    durable_id: str | None = None
    pod_expires: float | None = None


@dataclass
class SimulatedAccount:
    """An account's data. Conversations are dicts in the single-read shape (API notes §3.2).

    ``deleted``: conversations that answer 404; ``rng``: the random numbers that ids, texts and choices come from.
    """

    clock: Callable[[], float]
    rng: random.Random
    user_id: str = "user-SimulatedPerson"
    user_name: str = "Mira Sandoval"
    user_email: str = "mira@example.org"
    workspaces: list[SimulatedWorkspace] = field(default_factory=lambda: [SimulatedWorkspace(PERSONAL)])
    conversations: dict[str, dict[str, Any]] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)  # conversation -> workspace, where it is not the personal one
    deleted: dict[str, dict[str, Any]] = field(default_factory=dict)
    old_titles: dict[str, str] = field(default_factory=dict)  # what reads go on showing after a legacy rename
    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    projects_of_others: set[str] = field(default_factory=set)  # those that somebody else shares with the person
    gpts: dict[str, dict[str, Any]] = field(default_factory=dict)
    shares: list[dict[str, Any]] = field(default_factory=list)
    memories: list[dict[str, Any]] = field(default_factory=list)
    instructions: dict[str, Any] = field(default_factory=dict)
    canvas_edits: dict[str, list[str]] = field(default_factory=dict)  # by textdoc: what the person wrote by hand
    files: dict[str, SimulatedFile] = field(default_factory=dict)
    generate: Callable[[str], dict[str, Any]] | None = None  # generates a tree when it is needed

    def durable_file(self, file_id: str) -> SimulatedFile | None:
        """Return the file of the code sandbox that outlives it under this id."""
        return next((file for file in self.files.values() if file.durable_id == file_id), None)

    def tree(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation with its tree, to read or to change; KeyError if there is none."""
        found = self.conversations[conversation_id]
        found.update({key: value for key, value in self._generated(found).items() if key not in found})
        return found

    def shown(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation, deleted or not, to read only: a generated tree is not kept."""
        found = self.deleted.get(conversation_id) or self.conversations[conversation_id]
        return {**self._generated(found), **found}

    def _generated(self, row: dict[str, Any]) -> dict[str, Any]:
        return {} if "mapping" in row or self.generate is None else self.generate(row["conversation_id"])

    def home(self, conversation_id: str) -> str:
        """Return the id of the workspace that a conversation is in."""
        return self.homes.get(conversation_id, self.workspaces[0].id)

    def listed(
        self, workspace: str, *, archived: bool | None = None, starred: bool | None = None, project: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the conversations of a list, newest update first."""
        home, personal = self.homes.get, self.workspaces[0].id
        rows = [c for key, c in self.conversations.items() if home(key, personal) == workspace]
        if archived is not None:
            rows = [c for c in rows if bool(c["is_archived"]) == archived]
        if starred is not None:
            rows = [c for c in rows if bool(c["is_starred"]) == starred]
        if project is not None:
            rows = [c for c in rows if c["gizmo_id"] == project]
        return sorted(rows, key=itemgetter("update_time"), reverse=True)

    def add(self, conversation: dict[str, Any], workspace: str | None = None) -> str:
        """Put a conversation into the account; return its id."""
        key = conversation["conversation_id"]
        self.conversations[key] = conversation
        if workspace is not None and workspace != self.workspaces[0].id:
            self.homes[key] = workspace
        return str(key)

    def add_workspace(self, name: str, *, plan: str = "team") -> str:
        """Join a workspace of others; return its id."""
        key = new_id(self.rng)
        self.workspaces.append(SimulatedWorkspace(key, name, "workspace", plan))
        return key


def generated_account(
    clock: Callable[[], float], conversations: int, messages: int = 30, *, seed: int = 1, archived: int = 0
) -> SimulatedAccount:
    """Return an account of any size, its conversations ten minutes apart and the newest now.

    Their trees are generated when they are read, so that a large account is made in no time and needs little memory.
    """
    # Two generators: with one, the person's first new conversation would get the id of a generated one.
    account, rng = SimulatedAccount(clock, random.Random(f"person {seed}")), random.Random(seed)
    seeds: dict[str, tuple[float, int]] = {}
    for n in range(conversations + archived):
        key, at = new_id(rng), round(clock() - 600.0 * (n + 1) - rng.random(), 6)
        seeds[key] = (at, rng.getrandbits(32))
        made = generated_conversation(key, at, 0, seeds[key][1])
        row = {k: v for k, v in made.items() if k not in {"mapping", "current_node"}}
        row |= {"is_archived": n >= conversations, "create_time": at - messages * 60}
        account.conversations[key] = row
    account.generate = lambda key: generated_conversation(key, seeds[key][0], messages, seeds[key][1])
    return account
