"""The person whose account it is: what somebody does at chatgpt.com between two runs.

Each act moves ``update_time`` as the service does (API notes §2.3): messages and renames do, archiving and starring do
not, moves usually do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator import trees
from mirror.simulator.clock import iso_microseconds

if TYPE_CHECKING:
    from mirror.simulator.account import SimulatedAccount


class Person:
    """Acts on an account, at the account's own clock."""

    def __init__(self, account: SimulatedAccount) -> None:
        self.account = account

    def _id(self) -> str:
        return trees.new_id(self.account.rng)

    def _touch(self, conversation: dict[str, Any]) -> float:
        # No two acts have the same time, so that the order of the lists is certain.
        at: float = round(max(self.account.clock(), conversation["update_time"] + 1e-6), 6)
        conversation["update_time"] = at
        return at

    def new_conversation(
        self,
        title: str | None = None,
        *texts: str,
        project: str | None = None,
        workspace: str | None = None,
        origin: str | None = None,
    ) -> str:
        """Begin a conversation; texts alternate between person and assistant. Return its id.

        ``origin``: "tpp", "flora" or "codex" for one of Work.
        """
        at = round(self.account.clock(), 6)
        conversation = trees.empty_conversation(self._id(), title, at, self._id())
        conversation["conversation_origin"] = origin
        key = self.account.add(conversation, workspace)
        for n, text in enumerate(texts or ("Hello there.", "Hello! What shall we do?")):
            self._say(conversation, conversation["current_node"], "assistant" if n % 2 else "user", text)
        if project:
            self._place(conversation, project)
        return key

    def _say(self, conversation: dict[str, Any], parent: str, role: str, text: str) -> str:
        at = self._touch(conversation)
        metadata = {"model_slug": "gpt-5-2"} if role == "assistant" else {}
        return trees.add(conversation, parent, trees.message(self._id(), role, text, at, **metadata))

    def new_message(self, key: str, text: str | None = None, answer: str | None = None) -> str:
        """Ask something more and get an answer; return the answer's node id."""
        conversation = self.account.tree(key)
        question = text or trees.sentence(self.account.rng)
        asked = self._say(conversation, conversation["current_node"], "user", question)
        reply = answer or f"About that: {trees.sentence(self.account.rng)}"
        return self._say(conversation, asked, "assistant", reply)

    def edit_prompt(self, key: str, text: str, answer: str | None = None) -> str:
        """Edit the newest prompt: a new branch beside the old one. Return the new answer's node id."""
        conversation = self.account.tree(key)
        prompt = next(n for n in reversed(trees.branch(conversation)) if self._role(conversation, n) == "user")
        asked = self._say(conversation, conversation["mapping"][prompt]["parent"], "user", text)
        return self._say(conversation, asked, "assistant", answer or f"Then: {trees.sentence(self.account.rng)}")

    def regenerate(self, key: str) -> str:
        """Ask for another answer; return its node id."""
        conversation = self.account.tree(key)
        answer = next(n for n in reversed(trees.branch(conversation)) if self._role(conversation, n) == "assistant")
        parent = conversation["mapping"][answer]["parent"]
        return self._say(conversation, parent, "assistant", f"Otherwise: {trees.sentence(self.account.rng)}")

    def switch_branch(self, key: str) -> str:
        """Choose another branch; return its last node."""
        conversation = self.account.tree(key)
        leaves = [n for n, node in conversation["mapping"].items() if not node["children"]]
        other = [leaf for leaf in leaves if leaf != conversation["current_node"]]
        if other:
            conversation["current_node"] = self.account.rng.choice(other)
            self._touch(conversation)
        return str(conversation["current_node"])

    def _role(self, conversation: dict[str, Any], node: str) -> str | None:
        content = conversation["mapping"][node]["message"]
        return content["author"]["role"] if content else None

    def rename(self, key: str, title: str, *, legacy: bool = False) -> None:
        """Give another title. ``legacy``: an old chat, of which only the lists show it."""
        conversation = self.account.tree(key)
        if legacy:
            self.account.old_titles.setdefault(key, conversation["title"])
        else:
            self.account.old_titles.pop(key, None)
        conversation["title"] = title
        self._touch(conversation)

    def archive(self, key: str, *, on: bool = True) -> None:
        """Put a conversation into the archive, or take it out."""
        self.account.conversations[key]["is_archived"] = on

    def unarchive(self, key: str) -> None:
        """Take a conversation out of the archive."""
        self.archive(key, on=False)

    def star(self, key: str, *, on: bool = True) -> None:
        """Star a conversation, or take the star away."""
        self.account.conversations[key]["is_starred"] = on

    def unstar(self, key: str) -> None:
        """Take the star away."""
        self.star(key, on=False)

    def pin(self, key: str, *, on: bool = True) -> None:
        """Pin a conversation to the sidebar, or unpin it."""
        self.account.conversations[key]["pinned_time"] = self.account.clock() if on else None

    def new_project(self, name: str, **fields: Any) -> str:
        """Make a project; return its id."""
        key = f"g-p-{self.account.rng.getrandbits(128):032x}"
        at = iso_microseconds(self.account.clock())
        self.account.projects[key] = {
            "id": key,
            "short_url": f"{key}-{name.lower().replace(' ', '-')}",
            "gizmo_type": "snorlax",
            "workspace_id": None,
            "display": {"name": name, "description": "", "emoji": "folder", "theme": "#7f7f7f"},
            "instructions": "",
            "memory_scope": "unset",
            "created_at": at,
            "updated_at": at,
            "last_interacted_at": at,
            "num_interactions": 0,
            "files": [],
            **fields,
        }
        return key

    def move(self, key: str, project: str | None, *, bump: bool = True) -> None:
        """Move a conversation into a project, or out of any."""
        conversation = self.account.tree(key)
        self._place(conversation, project)
        if bump:
            self._touch(conversation)

    def _place(self, conversation: dict[str, Any], project: str | None) -> None:
        conversation["gizmo_id"] = conversation["conversation_template_id"] = project
        conversation["gizmo_type"] = "snorlax" if project else None
        if project in self.account.projects:
            row = self.account.projects[project]
            row["last_interacted_at"] = iso_microseconds(self.account.clock())
            row["num_interactions"] += 1

    def delete(self, key: str) -> None:
        """Delete a conversation; a second time changes nothing."""
        if key not in self.account.deleted:
            self.account.deleted[key] = self.account.conversations.pop(key)

    def undelete(self, key: str) -> None:
        """Support brings a conversation back."""
        self.account.conversations[key] = self.account.deleted.pop(key)

    def start_reply(self, key: str) -> str:
        """The service begins to write an answer; return its node id."""
        conversation = self.account.tree(key)
        asked = self._say(conversation, conversation["current_node"], "user", "Tell me slowly.")
        answer = self._say(conversation, asked, "assistant", "It begins")
        conversation["mapping"][answer]["message"]["status"] = "in_progress"
        conversation["async_status"] = 3
        return answer

    def grow_reply(self, key: str, text: str = " and goes on") -> None:
        """The answer that is being written becomes longer."""
        conversation = self.account.tree(key)
        parts = conversation["mapping"][conversation["current_node"]]["message"]["content"]["parts"]
        parts[0] += text
        self._touch(conversation)

    def finish_reply(self, key: str, *, bump: bool = True) -> None:
        """The answer that is being written is finished."""
        conversation = self.account.tree(key)
        for node in conversation["mapping"].values():
            if node["message"] and node["message"]["status"] == "in_progress":
                node["message"]["content"]["parts"] = ["It begins, and here it ends."]
                node["message"]["status"] = "finished_successfully"
        conversation["async_status"] = None
        if bump:
            self._touch(conversation)

    def share(self, key: str) -> str:
        """Share a conversation; return the share's id, which is not the conversation's."""
        share = self._id()
        self.account.shares.insert(0, {"id": share, "conversation_id": key, "at": self.account.clock()})
        return share

    def remember(self, text: str) -> str:
        """The service stores a memory; return its id."""
        key, now = self._id(), self.account.clock()
        self.account.memories.append(
            {
                "id": key,
                "content": text,
                "updated_at": iso_microseconds(now),
                "created_timestamp": iso_microseconds(now),
                "gizmo_id": None,
                "status": "warm",
                "conversation_id": None,
                "labels": [],
            }
        )
        return key

    def change_memory(self, key: str, text: str) -> None:
        """A memory gets another text."""
        for memory in self.account.memories:
            if memory["id"] == key:
                memory |= {"content": text, "updated_at": iso_microseconds(self.account.clock())}

    def forget(self, key: str) -> None:
        """A memory is deleted."""
        self.account.memories[:] = [memory for memory in self.account.memories if memory["id"] != key]

    def set_instructions(self, **fields: Any) -> None:
        """Write the custom instructions, by the names of ``user_system_messages`` (API notes §6)."""
        self.account.instructions.update(fields)
