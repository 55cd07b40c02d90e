"""Write down a conversation in the service's shape, message after message, as it happened."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from mirror.simulator import trees

if TYPE_CHECKING:
    import random

DAY = 86400.0
_SPREAD = 0.4 * DAY
_NEW_ROOTS = 100
# A line of prose this long was wrapped only to fit into this source; the next line belongs to its paragraph.
_WRAPPED = 85
_BLOCK = re.compile(r"\d+\. |[-*] |[#|`$]|>$")


@dataclass
class Drafts:
    """Begins conversations. ``now``: epoch seconds; ``rng``: for ids and pauses between messages."""

    now: float
    rng: random.Random

    def begin(self, title: str | None, days_ago: float, model: str = "gpt-5-2", **fields: Any) -> Draft:
        """Begin a conversation that many days before now; ``fields`` are fields of the conversation."""
        at = round(self.now - days_ago * DAY - self.rng.uniform(0, _SPREAD), 6)
        key, root = trees.new_id(self.rng), trees.new_id(self.rng)
        # All newer conversations have the same root id.
        root = "client-created-root" if days_ago < _NEW_ROOTS else root
        conversation = trees.empty_conversation(key, title, at, root)
        unset = {"context_truncation_continuation": None, "atlas_mode_enabled": None, "workspace_id": None}
        return Draft(conversation | unset | {"default_model_slug": model} | fields, at, self.rng)

    def file_id(self) -> str:
        """Return a new id of a file."""
        return f"file_{self.rng.getrandbits(128):032x}"


class Draft:
    """A conversation being written. Each message follows the one before, some seconds later."""

    def __init__(self, conversation: dict[str, Any], at: float, rng: random.Random) -> None:
        self.conversation = conversation
        self.at = at
        self.rng = rng
        self.tip: str = conversation["current_node"]
        self.marks: dict[str, str] = {}

    def put(
        self, role: str, content: str | dict[str, Any], *, name: str | None = None, to: str = "all", **metadata: Any
    ) -> Self:
        """Add a message after the last one; a text loses the indentation that it has in the source."""
        self.at = round(self.at + self.rng.uniform(4, 70), 6)
        message = trees.message(trees.new_id(self.rng), role, "", self.at, **metadata)
        if isinstance(content, str):
            message["content"]["parts"] = [flowing(inspect.cleandoc(content))]
        else:
            message["content"] = content
        message["author"]["name"] = name
        message["recipient"] = to
        self.tip = trees.add(self.conversation, self.tip, message)
        self.conversation["update_time"] = self.at
        return self

    def user(self, content: str | dict[str, Any], **metadata: Any) -> Self:
        """The person says something."""
        usual: dict[str, Any] = {"message_source": None, "serialization_metadata": {"custom_symbol_offsets": []}}
        return self.put("user", content, **(usual | metadata))

    def assistant(self, content: str | dict[str, Any], *, to: str = "all", **metadata: Any) -> Self:
        """The assistant answers, or calls the tool named by ``to``."""
        self.put("assistant", content, to=to, **(self._turn() | metadata))
        return self if to == "all" else self.amend(channel="commentary", end_turn=False)

    def _turn(self) -> dict[str, Any]:
        """Return the metadata that every message of the assistant carries."""
        model = self.conversation["default_model_slug"]
        return {
            "model_slug": model,
            "default_model_slug": model,
            "resolved_model_slug": model,
            "parent_id": self.tip,
            "request_id": trees.new_id(self.rng),
            "turn_exchange_id": trees.new_id(self.rng),
            "message_type": "next",
            "timestamp_": "absolute",
            "is_complete": True,
            "finish_details": {"type": "stop", "stop_tokens": [200_002]},
        }

    def call(self, tool: str, text: str, language: str = "unknown") -> Self:
        """The assistant calls a tool with code."""
        return self.assistant(code(inspect.cleandoc(text), language), to=tool)

    def tool(self, name: str, content: str | dict[str, Any], **metadata: Any) -> Self:
        """A tool answers."""
        return self.put("tool", content, name=name, **metadata)

    def system(self, content: str | dict[str, Any] = "", role: str = "system", **metadata: Any) -> Self:
        """The service adds a node that its pages hide and that has no time."""
        self.put(role, content, is_visually_hidden_from_conversation=True, **metadata)
        return self.amend(create_time=None, weight=0.0)

    def thinking(self, seconds: int, *thoughts: tuple[str, str]) -> Self:
        """The assistant thinks: pairs of a summary and its text, then the recap."""
        listed = [{"summary": s, "content": c, "chunks": [c], "finished": True} for s, c in thoughts]
        content = {"content_type": "thoughts", "thoughts": listed, "source_analysis_msg_id": trees.new_id(self.rng)}
        about: dict[str, Any] = {
            "reasoning_start_time": self.at,
            "reasoning_end_time": self.at + seconds,
            "reasoning_title": thoughts[0][0],
            "reasoning_titles": [thoughts[0][0]],
            "reasoning_status": "is_reasoning",
            "cot_version": "v3",
            "thinking_effort": "extended",
            "summary_type": "detailed",
            "working_turn_id": trees.new_id(self.rng),
        }
        self.assistant(content, **about)
        self.amend(channel="analysis", end_turn=False)
        recap = {"content_type": "reasoning_recap", "content": f"Thought for {seconds}s"}
        self.assistant(recap, reasoning_status="reasoning_ended", finished_duration_sec=seconds)
        return self.amend(channel=None, end_turn=False)

    def amend(self, **fields: Any) -> Self:
        """Change fields of the last message."""
        self.conversation["mapping"][self.tip]["message"].update(fields)
        return self

    def mark(self, name: str) -> Self:
        """Remember the last node by a name."""
        self.marks[name] = self.tip
        return self

    def branch_at(self, name: str) -> Self:
        """Go on after a remembered node: what follows is another branch."""
        self.tip = self.marks[name]
        return self

    def show(self, name: str) -> dict[str, Any]:
        """Return the conversation with a remembered leaf as the current one."""
        self.conversation["current_node"] = self.marks[name]
        return self.conversation


def flowing(text: str) -> str:
    """Join the lines of each paragraph, as the service does; code and tables stay as they are."""
    lines: list[str] = []
    in_fence, goes_on = False, False
    for line in text.split("\n"):
        fence = line.startswith("```")
        in_fence ^= fence
        if goes_on and line.strip() and not _BLOCK.match(line):
            lines[-1] += f" {line.removeprefix('> ').lstrip()}"
        else:
            lines.append(line)
        goes_on = len(line) >= _WRAPPED and not (in_fence or fence or line.startswith("|"))
    return "\n".join(lines)


def code(text: str, language: str = "unknown") -> dict[str, Any]:
    """Return the content of a tool call."""
    return {"content_type": "code", "language": language, "response_format_name": None, "text": text}


def multimodal(*parts: str | dict[str, Any]) -> dict[str, Any]:
    """Return a content of several parts."""
    return {"content_type": "multimodal_text", "parts": list(parts)}


def image(file_id: str, width: int = 1024, height: int = 768, **metadata: Any) -> dict[str, Any]:
    """Return a part that is a picture."""
    return {
        "content_type": "image_asset_pointer",
        "asset_pointer": f"sediment://{file_id}",
        "size_bytes": width * height // 5,
        "width": width,
        "height": height,
        "fovea": None,
        "metadata": {"dalle": None, "gizmo": None, "generation": None, "sanitized": True, **metadata},
    }


def attachment(file_id: str, name: str, mime_type: str | None, size: int, **fields: Any) -> dict[str, Any]:
    """Return an attachment of a message, size in bytes."""
    return {"id": file_id, "name": name, "size": size, "mime_type": mime_type, "source": "local", **fields}


def json_text(value: Any) -> str:
    """Return JSON as a model writes it into a tool call."""
    return json.dumps(value, ensure_ascii=False)


def cite(*refs: str, kind: str = "cite") -> str:
    """Return a citation mark (API notes §4.1)."""
    return "\ue200" + "\ue202".join([kind, *refs]) + "\ue201"
