"""One message as a piece of a page: its text as safe HTML, with notes, files and sources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from mirror import render
from mirror.browse import safe_html
from mirror.browse.containers import with_drafts
from mirror.services import speaker_of, tool_language
from mirror.text import one_line

if TYPE_CHECKING:
    from mirror.browse.files import FileOnPage
    from mirror.browse.pagination import ShownMessage
    from mirror.store.branches import Fork, TreeNode
    from mirror.store.threads import MessageView

FOLDED = frozenset({"code", "output", "quote", "canvas", "reasoning", "context"})
_NAMES = {"output": "Tool output", "quote": "Quoted page", "reasoning": "Reasoning", "context": "Context"}
_COPIED = frozenset({"text", "canvas", "voice"})  # prose; code has a button of its own
_LISTINGS = frozenset({"code", "output"})
# A line of the text that stands for what is shown below it.
_PLACEHOLDER = re.compile(r"\[(?:image|audio|video)(?:: .*)?\]")
_SUMMARY = 90  # characters of the first line beside a fold; by judgement: what fits one line of a desktop page


@dataclass(frozen=True, slots=True)
class Block:
    """A message on the page.

    ``summary`` is None where it is not folded; ``notes`` say what is special about it; ``source``: its text as
    Markdown, for the button that copies it, None where it has none. ``is_wanted``: the address asks for it.
    """

    message: MessageView
    html: Markup
    summary: str | None
    is_open: bool
    is_wanted: bool
    source: str | None
    notes: list[str]
    files: list[FileOnPage]
    sources: list[tuple[str, str]]
    fork: Fork | None
    anchors: tuple[TreeNode, ...]


def block_of(
    message: MessageView,
    shown: ShownMessage,
    provider: str,
    files: list[FileOnPage],
    *,
    has_open_reasoning: bool = False,
    wanted: str | None = None,
) -> Block:
    """Return a message as a piece of the page; ``wanted``: the node that its address asks for."""
    text = _text(message, files)
    return Block(
        message=message,
        html=_html(message, text, provider),
        summary=_summary(message) if message.kind in FOLDED else None,
        is_open=(has_open_reasoning and message.kind == "reasoning") or message.id == wanted,
        is_wanted=message.id == wanted,
        source=text.strip("\n") if message.kind in _COPIED and text.strip() else None,
        notes=list(_notes(message, speaker_of(provider))),
        files=files,
        sources=[(url, title or url) for url, title in render.unlinked_sources(message)],
        fork=shown.fork,
        anchors=shown.anchors,
    )


def _text(message: MessageView, files: list[FileOnPage]) -> str:
    """Return a message's text without the lines that only stand for its files."""
    text = render.text_without_file_names(message)
    if any(file.shows for file in files):
        text = "\n".join(line for line in text.split("\n") if not _PLACEHOLDER.fullmatch(line)).strip("\n")
    return text


def _html(message: MessageView, text: str, provider: str) -> Markup:
    if not text.strip():
        return Markup("")
    if message.kind in _LISTINGS and not text.startswith("```"):
        return safe_html.code_html(text, _language(message, text, provider))
    if message.kind == "context":
        return safe_html.verbatim_html(text)
    if message.kind == "canvas" and tool_language(provider, message.recipient) != "markdown":
        return safe_html.verbatim_html(text)
    if message.role == "user" and message.kind == "text":
        return safe_html.prompt_html(text)
    return safe_html.answer_html(with_drafts(text, message.drafts))


def _language(message: MessageView, text: str, provider: str) -> str:
    if message.kind != "code":
        return ""
    stated = tool_language(provider, message.recipient, message.author)
    return "json" if not stated and text[:1] in "{[" else stated


def _summary(message: MessageView) -> str:
    tool = message.author if message.role == "tool" else message.recipient
    name = _NAMES.get(message.kind, message.kind.capitalize())
    first = next((line.strip("`#*> ") for line in message.text.split("\n") if line.strip("`#*> ")), "")
    has_tool = tool and tool != "all" and message.kind in _LISTINGS
    parts = (name, tool if has_tool else "", one_line(first)[:_SUMMARY])
    return " · ".join(part for part in parts if part)


def _notes(message: MessageView, service: str) -> list[str]:
    notes = []
    if message.removed_at:
        notes.append(f"removed on {service}, kept in this mirror")
    if message.is_hidden and message.kind not in FOLDED:
        notes.append(f"hidden on {service}")
    if message.kind in {"voice", "error", "other"}:
        notes.append({"voice": "spoken", "error": "an error", "other": message.content_type or "other"}[message.kind])
    return notes
