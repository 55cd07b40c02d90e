"""The state of one login: its workspaces and everything in them. Nothing here speaks HTTP."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.simulator.trees import generated_conversation, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        """Return a living conversation with its tree; KeyError if there is none."""
        found = self.conversations[conversation_id]
        if "mapping" not in found and self.maker is not None:
            made = self.maker(conversation_id)
            found.update({key: value for key, value in made.items() if key not in found})
        return found

    def listed(
        self, workspace: str, *, archived: bool | None = None, starred: bool | None = None, project: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the conversations of a list, newest update first."""
        rows = [
            c
            for c in self._of(workspace)
            if (archived is None or bool(c["is_archived"]) == archived)
            and (starred is None or bool(c["is_starred"]) == starred)
            and (project is None or c["gizmo_id"] == project)
        ]
        return sorted(rows, key=lambda c: (-c["update_time"], c["conversation_id"]))

    def _of(self, workspace: str) -> Iterator[dict[str, Any]]:
        for key, conversation in self.conversations.items():
            if self.homes.get(key, self.workspaces[0].id) == workspace:
                yield conversation

    def add(self, conversation: dict[str, Any], workspace: str | None = None) -> str:
        """Put a conversation into the account; return its id."""
        key = conversation["conversation_id"]
        self.conversations[key] = conversation
        if workspace is not None and workspace != self.workspaces[0].id:
            self.homes[key] = workspace
        return str(key)


def generated_account(
    clock: Callable[[], float], conversations: int, messages: int = 30, *, seed: int = 1, archived: int = 0
) -> Account:
    """Return an account of any size, whose trees are made only when they are read. Ten minutes apart, newest now."""
    account = Account(clock, random.Random(seed))
    chance = random.Random(seed)
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
