"""One raw message becomes one row."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.content import content_of, read_content
from mirror.normalize.chatgpt.file_references import with_references
from mirror.normalize.chatgpt.links import title_of
from mirror.normalize.chatgpt.writing_blocks import FoundDraft, place_of
from mirror.rows import Draft, Message
from mirror.values import as_dict, as_id, clean_text, first_text, iso_time, plain, without_private

if TYPE_CHECKING:
    from mirror.normalize.chatgpt.message_draft import MessageDraft
    from mirror.rows import Kind

_ROLES = {role: role for role in ("user", "assistant", "system", "developer", "tool", "critic")}
# What the service's own pages leave out.
_HIDDEN_ROLES = frozenset({"system", "developer"})
_HIDDEN_KINDS = frozenset({"reasoning", "context"})
_EVERYONE = frozenset({None, "all"})
# Characters of a role, status or model; "finished_partial_completion" has 27. Larger: memory for what is no word;
# smaller: memory for each message.
LONGEST_WORD = 40
WORDS = 1000  # that are held; some dozen are known. Larger: memory for what somebody made up.
_plain_word = functools.lru_cache(WORDS)(plain)


def message_row(
    node_id: str,
    parent_id: str | None,
    raw: dict[str, Any],
    conversation_id: str = "",
    default_model: str | None = None,
) -> tuple[Message, list[str]]:
    """Return a message's row without position, and the names of what was not understood in it.

    ``conversation_id``: for the ids of files in the code sandbox, which only have a path. ``default_model``: of an
    answer that names none.
    """
    metadata, content = as_dict(raw.get("metadata")), content_of(raw)
    role, author = _author(raw)
    recipient = _word(raw.get("recipient"))
    draft, cited = read_content(content, metadata, role, recipient)
    text, is_lossy = clean_text(cited.text)
    text = without_private(text)
    kind = kind_of(draft, role, recipient)
    if raw.get("channel") == "analysis" and role == "assistant" and recipient in _EVERYONE and kind in {"text", "code"}:
        kind = "reasoning"  # the model's thoughts in the form of a message
    message_id = as_id(raw.get("id"))
    row = Message(
        id=node_id,
        parent_id=parent_id,
        role=role,
        kind=kind,
        content_type=_word(content.get("content_type")),
        text=text,
        author=author,
        recipient=recipient,
        channel=_word(raw.get("channel")),
        model=_model(metadata, role) or (default_model if role == "assistant" else None),
        created_at=iso_time(raw.get("create_time")) or iso_time(raw.get("created_at")),
        updated_at=iso_time(raw.get("update_time")) or iso_time(raw.get("updated_at")),
        status=_word(raw.get("status")),
        message_id=message_id if message_id != node_id else None,
        is_hidden=not text or text.isspace() or _is_hidden(raw, content, metadata, role, recipient, kind, draft),
        is_lossy=is_lossy,
        drafts=_drafts(draft, text),
        links=tuple(cited.links),
        attachments=with_references(raw, role, draft.attachments.values(), conversation_id),
    )
    return row, [plain(name) or "untyped" for name in draft.not_understood] if draft.not_understood else []


def _word(value: object) -> str | None:
    """Return a string as ``plain`` does, and equal ones as one text: nearly all messages have the same few."""
    return _plain_word(value) if isinstance(value, str) and len(value) <= LONGEST_WORD else plain(value)


def _drafts(draft: MessageDraft, text: str) -> str | None:
    """Return the drafts that stand in a text word for word, as the column holds them."""
    if not draft.drafts:
        return None
    stored, end = [], 0
    for one in draft.drafts:
        kind, title, words = (
            without_private(clean_text(v)[0]) for v in (one.draft.kind, one.draft.title, one.draft.text)
        )
        if not words or words not in text:
            continue
        place = place_of(FoundDraft(Draft(kind, title, words), one.repeats), text, end)
        end = end if place is None else place + len(words)
        stored.append({"kind": kind, "title": title, "text": words} | ({} if place is None else {"at": place}))
    return json.dumps(stored, ensure_ascii=False) if stored else None


def _author(raw: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return role and name; the author may be a plain string, the role a key of the message."""
    author = raw.get("author")
    record = as_dict(author)
    stated = first_text(record.get("role"), raw.get("role"), author)
    name = title_of(first_text(record.get("name"), record.get("tool_name")))
    lower = stated.strip().lower()
    if lower in _ROLES:
        return _ROLES[lower], name
    return (None, name or title_of(author)) if stated is author else (plain(stated), name)


def _model(metadata: dict[str, Any], role: str | None) -> str | None:
    if role == "user":
        return _word(metadata.get("model_slug"))
    return _word(first_text(metadata.get("model_slug"), metadata.get("resolved_model_slug")))


def kind_of(draft: MessageDraft, role: str | None, recipient: str | None) -> Kind:
    """Return the row's kind: the content type's, else what the traits mean for this role."""
    traits = draft.traits
    if _is_picture(draft, role):
        return "image"
    if draft.kind:
        return draft.kind
    if "voice" in traits:
        return "voice"
    if "text" in traits:
        calls_a_tool = role == "assistant" and recipient not in _EVERYONE
        return "output" if role == "tool" else "code" if calls_a_tool else "text"
    by_trait: tuple[tuple[str, Kind], ...] = (("image", "image"), ("media", "voice"), ("file", "file"))
    rest: Kind = "other" if "other" in traits else "output" if role == "tool" else "text"
    return next((kind for trait, kind in by_trait if trait in traits), rest)


def _is_picture(draft: MessageDraft, role: str | None) -> bool:
    """Return whether a tool's message is a picture made for the person, not a page that it read."""
    traits = draft.traits
    return (
        role == "tool"
        and "image" in traits
        and "report" not in traits
        and ("generated" in traits or "text" not in traits)
    )


def _is_hidden(
    raw: dict[str, Any],
    content: dict[str, Any],
    metadata: dict[str, Any],
    role: str | None,
    recipient: str | None,
    kind: str,
    draft: MessageDraft,
) -> bool:
    """Return whether the service's own pages leave a message out (API notes §4, "Default hidden")."""
    weight = raw.get("weight")
    if role == "tool" and "report" in draft.traits:
        return False  # the page shows it in a widget, whose message can be marked as hidden
    if metadata.get("is_visually_hidden_from_conversation") is True or kind in _HIDDEN_KINDS:
        return True
    if isinstance(weight, int | float) and weight == 0:
        return True
    if content.get("content_type") == "tether_browsing_display":
        return True
    if role in _HIDDEN_ROLES:
        return metadata.get("is_user_system_message") is not True
    if role == "assistant":
        return kind != "canvas" and recipient not in _EVERYONE
    if role == "tool":
        return kind != "image" and "chart" not in draft.traits
    return False
