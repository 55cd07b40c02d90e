"""A conversation as Markdown that reads well, in a pager, an editor or a notes program; or as JSON.

What the person said and what the service answered stand as they are, being Markdown already. Code, output and canvas
documents are fenced, thoughts quoted and shortened, and what happened behind the scenes is left out unless asked for.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from mirror.terminal import local_day, local_time, safe
from mirror.terminal import to_json as safe_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mirror.normalize.rows import Attachment
    from mirror.store.threads import ConversationView, MessageView

_FENCED = frozenset({"code", "output", "canvas"})
_QUOTED = frozenset({"reasoning", "quote", "context"})
_SPEAKERS = {"user": "You", "assistant": "ChatGPT", "tool": "Tool", "system": "System", "developer": "Developer"}
_LONGEST_THOUGHT = 200  # characters of a thought unless hidden messages were asked for
_KILO = 1024


def markdown(
    view: ConversationView, messages: Iterable[MessageView], *, all_branches: bool = False, hidden: bool = False
) -> str:
    """Return a conversation as Markdown, safe for a terminal, ending in a newline.

    ``messages`` as ``threads.messages`` gives them. ``all_branches`` adds a heading where a branch begins; ``hidden``
    adds what the service's pages leave out, and whole thoughts.
    """
    blocks = [f"# {one_line(view.title or 'Untitled')}", _facts(view)]
    speaker = ""
    heading = ""
    for message in messages:
        if all_branches and message.branch:
            heading = _branch_heading(message)
        if not _is_shown(message, hidden=hidden):
            continue
        if heading:
            blocks.append(heading)
            speaker = heading = ""
        speaking = turn(message)
        if speaking != speaker:
            blocks.append(_turn_heading(speaking, message))
            speaker = speaking
        blocks += _body(message, hidden=hidden)
    return safe("\n\n".join(block for block in blocks if block), newlines=True) + "\n"


def to_json(view: ConversationView, messages: Iterable[MessageView]) -> str:
    """Return a conversation and its messages as one JSON object, safe for a terminal."""
    return safe_json({**asdict(view), "messages": [asdict(message) for message in messages]}, indent=2)


def fenced(text: str) -> str:
    """Return text in a fence that nothing in it can close."""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _facts(view: ConversationView) -> str:
    began, ended = local_day(view.created_at), local_day(view.updated_at)
    facts = [
        began if began == ended or not ended else f"{began} to {ended}",
        view.model,
        f"project {view.project}" if view.project else None,
        view.gpt,
        "archived" if view.is_archived else None,
        "starred" if view.is_starred else None,
        f"deleted at the service {local_day(view.deleted_at)}, kept here" if view.deleted_at else None,
        f"missing from the lists since {local_day(view.missing_since)}" if view.missing_since else None,
        f"<{view.url}>",
    ]
    return " · ".join(one_line(fact) for fact in facts if fact)


def one_line(text: str) -> str:
    """Return text in one line."""
    return " ".join(text.split())


def _is_shown(message: MessageView, *, hidden: bool) -> bool:
    if hidden:
        return True
    has_something = bool(message.text.strip() or message.attachments or message.links)
    return has_something and (not message.is_hidden or message.kind == "reasoning")


def turn(message: MessageView) -> str:
    """Return who speaks: what an assistant thinks, runs and says in a row is one turn."""
    if message.role == "tool":
        return one_line(message.author or "") or "Tool"
    return _SPEAKERS.get(message.role or "", one_line(message.author or message.role or "") or "Unknown")


def _turn_heading(speaker: str, message: MessageView) -> str:
    model = one_line(message.model or "") if message.role == "assistant" else ""
    return "## " + " · ".join(part for part in (speaker, model, local_time(message.created_at)) if part)


def _branch_heading(message: MessageView) -> str:
    branch = message.branch
    if branch is None:
        return ""
    what = "the branch shown at the service" if branch.is_visible else "left behind"
    return f"---\n\n**{branch.number} of {branch.of}** · {what}"


def _body(message: MessageView, *, hidden: bool) -> Iterator[str]:
    notes = []
    if message.removed_at:
        notes.append(f"removed at the service, seen {local_day(message.removed_at)}; kept here")
    if hidden and message.is_hidden:
        notes.append(f"hidden at the service ({message.kind})")
    if notes:
        yield f"*[{'; '.join(notes)}]*"
    text = said(message)
    if text.strip():
        yield _text(message.kind, text, whole=hidden)
    yield "\n".join(f"- {file_line(attachment)}" for attachment in message.attachments)
    yield "\n".join(f"- {_link(url, title)}" for url, title in sources(message))


def _text(kind: str, text: str, *, whole: bool) -> str:
    if kind in _FENCED:
        return fenced(text)
    if kind in _QUOTED:
        shown = text
        if kind == "reasoning" and not whole and len(text) > _LONGEST_THOUGHT:
            shown = one_line(text)[:_LONGEST_THOUGHT].rstrip() + "…"
        return "\n".join(f"> {line}".rstrip() for line in shown.split("\n"))
    return text


def said(message: MessageView) -> str:
    """Return a message's text without the lines that only name an attachment: these are listed after it."""
    listed = {f"[{attachment.kind}: {attachment.name}]" for attachment in message.attachments}
    lines = message.text.split("\n") if listed else [message.text]
    return "\n".join(line for line in lines if line not in listed).strip("\n")


def file_line(attachment: Attachment) -> str:
    """Return what is known of an attachment."""
    size = "" if attachment.size is None else _size(attachment.size)
    facts = ", ".join(part for part in (one_line(attachment.mime_type or ""), size) if part)
    return f"{attachment.kind}: {one_line(attachment.name or attachment.id or 'unnamed')}" + (
        f" ({facts})" if facts else ""
    )


def _size(size: int) -> str:
    if size < _KILO:
        return f"{size} bytes"
    return f"{size / _KILO:,.0f} kB" if size < _KILO * _KILO else f"{size / _KILO / _KILO:,.1f} MB"


def sources(message: MessageView) -> Iterator[tuple[str, str]]:
    """Yield the pages that the text itself does not link, each once."""
    told: set[str] = set()
    for link in message.links:
        if link.url not in told and link.url not in message.text:
            told.add(link.url)
            yield link.url, link.title or ""


def _link(url: str, title: str) -> str:
    address = re.sub(r"[\s<>]", lambda match: f"%{ord(match[0]):02X}", url)
    label = re.sub(r"([\[\]\\])", r"\\\1", one_line(title))
    return f"[{label}](<{address}>)" if label else f"<{address}>"
