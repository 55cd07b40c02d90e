"""One raw message becomes one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.content import content_of, read
from mirror.normalize.chatgpt.links import one_line
from mirror.normalize.rows import Message
from mirror.values import as_dict, as_id, clean_text, first_text, iso_time, plain, without_private

if TYPE_CHECKING:
    from mirror.normalize.chatgpt.draft import Reading

_ROLES = frozenset({"user", "assistant", "system", "developer", "tool", "critic"})
_UNSEEN_ROLES = frozenset({"system", "developer"})
_UNSEEN_KINDS = frozenset({"reasoning", "context"})
_EVERYONE = frozenset({None, "all"})


def to_row(node_id: str, parent_id: str | None, raw: dict[str, Any]) -> tuple[Message, list[str]]:
    """Return a message's row, without its position, and the names of what only the general rule could read."""
    metadata = as_dict(raw.get("metadata"))
    role, author = _author(raw)
    recipient = plain(raw.get("recipient"))
    reading, resolved = read(raw, role, recipient)
    text, is_lossy = clean_text(resolved.text)
    text = without_private(text)
    kind = kind_of(reading, role, recipient)
    if raw.get("channel") == "analysis" and role == "assistant" and recipient in _EVERYONE and kind in {"text", "code"}:
        kind = "reasoning"  # what a model says to itself
    message_id = as_id(raw.get("id"))
    row = Message(
        id=node_id,
        parent_id=parent_id,
        role=role,
        kind=kind,
        content_type=plain(content_of(raw).get("content_type")),
        text=text,
        author=author,
        recipient=recipient,
        channel=plain(raw.get("channel")),
        model=_model(metadata, role),
        created_at=iso_time(raw.get("create_time")) or iso_time(raw.get("created_at")),
        updated_at=iso_time(raw.get("update_time")) or iso_time(raw.get("updated_at")),
        status=plain(raw.get("status")),
        message_id=message_id if message_id != node_id else None,
        is_hidden=not text.strip() or _is_hidden(raw, role, recipient, kind, reading),
        is_lossy=is_lossy,
        links=tuple(resolved.links),
        attachments=tuple(reading.attachments.values()),
    )
    return row, [plain(name) or "untyped" for name in reading.unknown]


def _author(raw: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return role and name; an author may be a mere string, and the role may stand on the message itself."""
    author = raw.get("author")
    record = as_dict(author)
    stated = first_text(record.get("role"), raw.get("role"), author)
    name = one_line(first_text(record.get("name"), record.get("tool_name")))
    lower = stated.strip().lower()
    if lower in _ROLES:
        return lower, name
    return (None, name or one_line(author)) if stated is author else (plain(stated), name)


def _model(metadata: dict[str, Any], role: str | None) -> str | None:
    if role == "user":
        return plain(metadata.get("model_slug"))
    return plain(first_text(metadata.get("model_slug"), metadata.get("resolved_model_slug")))


def kind_of(reading: Reading, role: str | None, recipient: str | None) -> str:
    """Return the row's kind: what the content type fixes, else what the content amounts to for this role."""
    met = reading.traits
    if _is_picture(reading, role):
        return "image"
    if reading.kind:
        return reading.kind
    if "voice" in met:
        return "voice"
    if "text" in met:
        calls_a_tool = role == "assistant" and recipient not in _EVERYONE
        return "output" if role == "tool" else "code" if calls_a_tool else "text"
    held = (("image", "image"), ("media", "voice"), ("file", "file"), ("other", "other"))
    return next((kind for trait, kind in held if trait in met), "output" if role == "tool" else "text")


def _is_picture(reading: Reading, role: str | None) -> bool:
    """Tell whether a tool's message is a picture made for the person, not a page that it looked at."""
    met = reading.traits
    return role == "tool" and "image" in met and "report" not in met and ("generated" in met or "text" not in met)


def _is_hidden(raw: dict[str, Any], role: str | None, recipient: str | None, kind: str, reading: Reading) -> bool:
    """Tell whether the service's own pages leave a message out (API notes §4, "Default hidden")."""
    metadata = as_dict(raw.get("metadata"))
    weight = raw.get("weight")
    if metadata.get("is_visually_hidden_from_conversation") is True or kind in _UNSEEN_KINDS:
        return True
    if isinstance(weight, int | float) and weight == 0:
        return True
    if content_of(raw).get("content_type") == "tether_browsing_display":
        return True
    if role in _UNSEEN_ROLES:
        return metadata.get("is_user_system_message") is not True
    if role == "assistant":
        return kind != "canvas" and recipient not in _EVERYONE
    if role == "tool":
        return kind != "image" and not {"report", "chart"} & reading.traits
    return False
