"""One message as a piece of a page: its text as safe HTML, folded or open, with what hangs on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from mirror import render
from mirror.browse import markdown

if TYPE_CHECKING:
    from mirror.browse.pagination import Shown
    from mirror.store.branches import Fork, Node
    from mirror.store.threads import MessageView

FOLDED = frozenset({"code", "output", "quote", "canvas", "reasoning", "context"})
_NAMES = {"output": "Tool output", "quote": "Quoted page", "reasoning": "Reasoning", "context": "Behind the scenes"}
_LISTED = frozenset({"code", "output"})
_SUMMARY = 90  # characters of the first line that stand beside a fold
_LANGUAGES = {"python": "python", "container.exec": "bash", "canmore.create_textdoc": "markdown"}


@dataclass(frozen=True, slots=True)
class Block:
    """A message on the page. ``summary`` is None where it is not folded; ``notes`` say what is special about it."""

    message: MessageView
    html: Markup
    summary: str | None
    is_open: bool
    notes: list[str]
    files: list[str]
    sources: list[tuple[str, str]]
    fork: Fork | None
    anchors: tuple[Node, ...]


def block(message: MessageView, one: Shown, *, is_open: bool) -> Block:
    """Return a message as a piece of the page; ``is_open``: thoughts are not folded."""
    return Block(
        message=message,
        html=_html(message),
        summary=_summary(message) if message.kind in FOLDED else None,
        is_open=is_open and message.kind == "reasoning",
        notes=list(_notes(message)),
        files=[render.file_line(attachment) for attachment in message.attachments],
        sources=[(url, title or url) for url, title in render.sources(message)],
        fork=one.fork,
        anchors=one.anchors,
    )


def _html(message: MessageView) -> Markup:
    text = render.said(message)
    if not text.strip():
        return Markup("")
    if message.kind in _LISTED and not text.startswith("```"):
        return markdown.code(text, _language(message, text))
    if message.kind == "context" or (message.kind == "canvas" and message.recipient != "canmore.create_textdoc"):
        return markdown.plain(text)
    if message.role == "user" and message.kind == "text":
        return markdown.prompted(text)
    return markdown.rendered(text)


def _language(message: MessageView, text: str) -> str:
    if message.kind != "code":
        return ""
    stated = _LANGUAGES.get(message.recipient or "") or _LANGUAGES.get(message.author or "")
    return "json" if not stated and text[:1] in "{[" else stated or ""


def _summary(message: MessageView) -> str:
    tool = message.author if message.role == "tool" else message.recipient
    name = _NAMES.get(message.kind, message.kind.capitalize())
    first = next((line.strip("`#*> ") for line in message.text.split("\n") if line.strip("`#*> ")), "")
    is_telling = tool and tool != "all" and message.kind in _LISTED
    parts = (name, tool if is_telling else "", render.one_line(first)[:_SUMMARY])
    return " · ".join(part for part in parts if part)


def _notes(message: MessageView) -> list[str]:
    notes = []
    if message.removed_at:
        notes.append("removed at the service, kept here")
    if message.is_hidden and message.kind not in FOLDED:
        notes.append("hidden at the service")
    if message.kind in {"voice", "error", "other"}:
        notes.append({"voice": "spoken", "error": "an error", "other": message.content_type or "other"}[message.kind])
    return notes
