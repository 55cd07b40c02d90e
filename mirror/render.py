"""A conversation as Markdown for a pager, an editor or a notes program, or as JSON.

Prompts and answers are Markdown already and stay as they are. Code, output and canvas documents are fenced, thoughts
are quoted and shortened, and hidden messages are left out unless asked for.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from mirror.services import speaker_of
from mirror.terminal import local_day, local_time, safe, to_json
from mirror.text import fenced, one_line, readable_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mirror.rows import Attachment
    from mirror.store.threads import ConversationView, MessageView

_FENCED = frozenset({"code", "output", "canvas"})
_QUOTED = frozenset({"reasoning", "quote", "context"})
_SPEAKERS = {"user": "You", "tool": "Tool", "system": "System", "developer": "Developer"}
_LONGEST_THOUGHT = 200  # characters unless hidden messages are asked for; by judgement: enough to see what it is about
_KILO = 1024
# An address in a text: up to a blank, a quote or a bracket that was not opened in it.
_ADDRESS = re.compile(
    r"""https?://(?:[^\s<>"`|\\()\[\]]|\([^\s<>"`|\\()\[\]]*\)|\[[^\s<>"`|\\()\[\]]*\])+""", re.IGNORECASE
)
_ENDS_A_SENTENCE = ".,;:!?*_~'\u2019\u201d\u3001\u3002\uff0c\uff01\uff1a\uff1b\uff1f"


def conversation_markdown(
    view: ConversationView,
    messages: Iterable[MessageView],
    *,
    all_branches: bool = False,
    hidden: bool = False,
    files: Mapping[str, str] | None = None,
) -> str:
    """Return a conversation as Markdown, safe for a terminal, ending in a newline.

    ``messages`` as ``threads.messages`` returns them. ``all_branches`` adds a heading where a branch begins; ``hidden``
    adds what the service's pages leave out, and whole thoughts. ``files``: where the bytes of stored files are, by
    their ids.
    """
    service = speaker_of(view.provider)
    blocks = [f"# {one_line(view.title or 'Untitled')}", _description(view, service)]
    previous = ""
    heading = ""
    for message in messages:
        if all_branches and message.branch:
            heading = _branch_heading(message, service)
        if not is_shown(message, hidden=hidden):
            continue
        if heading:
            blocks.append(heading)
            previous = heading = ""
        speaker = speaker_name(message, view.provider)
        if speaker != previous:
            blocks.append(_turn_heading(speaker, message))
            previous = speaker
        blocks += _body(message, service, files or {}, hidden=hidden)
    return safe("\n\n".join(block for block in blocks if block), newlines=True) + "\n"


def conversation_json(view: ConversationView, messages: Iterable[MessageView]) -> str:
    """Return a conversation and its messages as one JSON object, safe for a terminal."""
    return to_json({**asdict(view), "messages": [asdict(message) for message in messages]}, indent=2)


def _description(view: ConversationView, service: str) -> str:
    began, ended = local_day(view.created_at), local_day(view.updated_at)
    parts = [
        began if began == ended or not ended else f"{began} to {ended}",
        view.model,
        f"project {view.project}" if view.project else None,
        view.gpt,
        "archived" if view.is_archived else None,
        "starred" if view.is_starred else None,
        f"deleted on {service} {local_day(view.deleted_at)}, kept in this mirror" if view.deleted_at else None,
        f"missing from {service}'s lists since {local_day(view.missing_since)}" if view.missing_since else None,
        None if view.is_complete else f"stored only in part: {view.incomplete_reason or 'for an unknown reason'}",
        f"<{view.url}>" if view.url else None,
    ]
    return " · ".join(one_line(part) for part in parts if part)


def is_shown(message: MessageView, *, hidden: bool = False) -> bool:
    """Whether a message is to be read: not empty, and not hidden but for thoughts, or all with ``hidden``."""
    if hidden:
        return True
    has_something = bool(message.text.strip() or message.attachments or message.links)
    return has_something and (not message.is_hidden or message.kind == "reasoning")


def speaker_name(message: MessageView, provider: str) -> str:
    """Return who speaks; all that an assistant thinks, runs and says has one name."""
    if message.role == "assistant":
        return speaker_of(provider)
    if message.role == "tool":
        return one_line(message.author or "") or _SPEAKERS["tool"]
    return _SPEAKERS.get(message.role or "", one_line(message.author or message.role or "") or "Unknown")


def _turn_heading(speaker: str, message: MessageView) -> str:
    model = one_line(message.model or "") if message.role == "assistant" else ""
    return "## " + " · ".join(part for part in (speaker, model, local_time(message.created_at)) if part)


def _branch_heading(message: MessageView, service: str) -> str:
    branch = message.branch
    if branch is None:
        return ""
    what = f"the branch shown on {service}" if branch.is_visible else f"not shown on {service}"
    return f"---\n\n**{branch.number} of {branch.of}** · {what}"


def _body(message: MessageView, service: str, files: Mapping[str, str], *, hidden: bool) -> Iterator[str]:
    notes = []
    if message.removed_at:
        notes.append(f"removed on {service}, noticed {local_day(message.removed_at)}, kept in this mirror")
    if hidden and message.is_hidden:
        notes.append(f"hidden on {service} ({message.kind})")
    if notes:
        yield f"*[{'; '.join(notes)}]*"
    text = text_without_file_names(message)
    if text.strip():
        yield _formatted(message.kind, text, whole=hidden)
    yield "\n".join(f"- {_linked_file(attachment, files)}" for attachment in message.attachments)
    yield "\n".join(f"- {_source_link(url, title)}" for url, title in unlinked_sources(message))


def _formatted(kind: str, text: str, *, whole: bool) -> str:
    if kind in _FENCED:
        return fenced(text.rstrip())
    if kind in _QUOTED:
        is_long = kind == "reasoning" and not whole and len(text) > _LONGEST_THOUGHT
        quoted = one_line(text)[:_LONGEST_THOUGHT].rstrip() + "…" if is_long else text
        return "\n".join(f"> {line}".rstrip() for line in quoted.split("\n"))
    return text


def text_without_file_names(message: MessageView) -> str:
    """Return a message's text without the lines that only name an attachment, listed after it."""
    # A picture that a person uploaded is a file in the text, unless it is shown in it.
    names = {
        f"[{kind}: {one.name}]" if one.name else f"[{kind}]"
        for one in message.attachments
        for kind in (one.kind, "file")
    }
    lines = message.text.split("\n") if names else [message.text]
    return "\n".join(line for line in lines if line not in names).strip("\n")


def _linked_file(attachment: Attachment, files: Mapping[str, str]) -> str:
    """Return an attachment's line, as a link to its bytes where they are stored; a picture as a picture."""
    line, place = file_line(attachment), files.get(attachment.file_id or "")
    if place is None:
        return line
    label = re.sub(r"([\[\]\\])", r"\\\1", line)
    return f"{'!' if attachment.kind == 'image' else ''}[{label}](<{place}>)"


def file_line(attachment: Attachment) -> str:
    """Return an attachment's kind and name, and its type and size where they are known."""
    size = "" if attachment.size is None else _size(attachment.size)
    known = ", ".join(part for part in (one_line(attachment.mime_type or ""), size) if part)
    name = readable_name(attachment.name or attachment.id or "unnamed")
    return f"{attachment.kind}: {name}" + (f" ({known})" if known else "")


def _size(size: int) -> str:
    if size < _KILO:
        return f"{size} bytes"
    return f"{size / _KILO:,.0f} kB" if size < _KILO * _KILO else f"{size / _KILO / _KILO:,.1f} MB"


def unlinked_sources(message: MessageView) -> Iterator[tuple[str, str]]:
    """Yield address and title of the pages that the text itself does not link, each once."""
    seen = _addresses_in(message.text) if message.links else set()
    for link in message.links:
        if link.url not in seen:
            seen.add(link.url)
            yield link.url, link.title or ""


def _addresses_in(text: str) -> set[str]:
    """Return the addresses in a text, those that punctuation or a bracket may end in each of their readings."""
    found = set(_ADDRESS.findall(text))
    found |= {address.partition("[")[0] for address in found}
    return found | {address.rstrip(_ENDS_A_SENTENCE) for address in found}


def _source_link(url: str, title: str) -> str:
    address = re.sub(r"[\s<>]", lambda match: f"%{ord(match[0]):02X}", url)
    label = re.sub(r"([\[\]\\])", r"\\\1", one_line(title))
    return f"[{label}](<{address}>)" if label else f"<{address}>"
