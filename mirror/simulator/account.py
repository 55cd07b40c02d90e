"""The state of one login: its workspaces and everything in them. Nothing here speaks HTTP."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from mirror.simulator.trees import empty_conversation, generated_conversation, new_id

if TYPE_CHECKING:
    from collections.abc import Callable

PERSONAL = "00000000-aaaa-4000-8000-000000000001"


@dataclass
class Workspace:
    """One workspace of the login."""

    id: str
    name: str | None = None
    structure: str = "personal"
    plan: str = "plus"


@dataclass
class Account:
    """A login's data. Conversations are dicts in the single-read shape; ``deleted`` ones answer 404 for ever."""

    clock: Callable[[], float]
    chance: random.Random
    user_id: str = "user-SimulatedPerson"
    user_name: str = "Mira Sandoval"
    user_email: str = "mira@example.org"
    workspaces: list[Workspace] = field(default_factory=lambda: [Workspace(PERSONAL)])
    conversations: dict[str, dict[str, Any]] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)  # conversation -> workspace, where it is not the personal one
    deleted: dict[str, dict[str, Any]] = field(default_factory=dict)
    old_titles: dict[str, str] = field(default_factory=dict)  # what reads go on showing after a legacy rename
    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    gpts: dict[str, dict[str, Any]] = field(default_factory=dict)
    shares: list[dict[str, Any]] = field(default_factory=list)
    memories: list[dict[str, Any]] = field(default_factory=list)
    instructions: dict[str, Any] = field(default_factory=dict)
    maker: Callable[[str], dict[str, Any]] | None = None  # builds a tree when it is first asked for

    def tree(self, conversation_id: str) -> dict[str, Any]:
        """Return a living conversation with its tree, to look at or to change; KeyError if there is none."""
        found = self.conversations[conversation_id]
        found.update({key: value for key, value in self._made(found).items() if key not in found})
        return found

    def shown(self, conversation_id: str) -> dict[str, Any]:
        """Return a conversation, living or deleted, to be read only: a generated tree is not kept in memory."""
        found = self.deleted.get(conversation_id) or self.conversations[conversation_id]
        return {**self._made(found), **found}

    def _made(self, row: dict[str, Any]) -> dict[str, Any]:
        return {} if "mapping" in row or self.maker is None else self.maker(row["conversation_id"])

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
        key = new_id(self.chance)
        self.workspaces.append(Workspace(key, name, "workspace", plan))
        return key


def generated_account(
    clock: Callable[[], float], conversations: int, messages: int = 30, *, seed: int = 1, archived: int = 0
) -> Account:
    """Return an account of any size, whose trees are made only when they are read. Ten minutes apart, newest now."""
    # Two chances: out of one, the person's first new conversation would get the id of a generated one.
    account, chance = Account(clock, random.Random(f"person {seed}")), random.Random(seed)
    seeds: dict[str, tuple[float, int]] = {}
    for n in range(conversations + archived):
        key, at = new_id(chance), round(clock() - 600.0 * (n + 1) - chance.random(), 6)
        seeds[key] = (at, chance.getrandbits(32))
        made = generated_conversation(key, at, 0, seeds[key][1])
        row = {k: v for k, v in made.items() if k not in {"mapping", "current_node"}}
        row |= {"is_archived": n >= conversations, "create_time": at - messages * 60}
        account.conversations[key] = row
    account.maker = lambda key: generated_conversation(key, seeds[key][0], messages, seeds[key][1])
    return account


def account_of(data: dict[str, Any], clock: Callable[[], float], chance: random.Random) -> Account:
    """Return an account out of plain data.

    ``data``: ``conversations`` (single-read shape; what a conversation does not say is filled in), ``projects`` and
    ``gpts`` (gizmo objects), ``memories`` (rows), ``instructions`` (fields of ``user_system_messages``).
    """
    account = Account(clock, chance)
    for given in data["conversations"]:
        updated = given.get("update_time") or given.get("create_time") or clock()
        blank = empty_conversation(given["conversation_id"], None, given.get("create_time") or updated, "root")
        del blank["mapping"], blank["current_node"]  # a tree may well lack its current node
        account.add({**blank, **given, "create_time": blank["create_time"], "update_time": updated})
    account.projects = {gizmo["id"]: gizmo for gizmo in data.get("projects", ())}
    account.gpts = {gizmo["id"]: gizmo for gizmo in data.get("gpts", ())}
    account.memories = list(data.get("memories", ()))
    account.instructions = dict(data.get("instructions", {}))
    return account


def demo_account(clock: Callable[[], float], chance: random.Random) -> Account:
    """Return the account of the demo: three years of one person, with every kind of content."""
    from mirror.simulator.corpus import demo_account_data  # noqa: PLC0415 - it is told with the help of this module

    return account_of(demo_account_data(clock(), chance), clock, chance)
