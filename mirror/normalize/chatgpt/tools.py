"""What tools leave in a message: canvas documents, results of code, deep research reports."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.links import title_of
from mirror.normalize.chatgpt.readable_text import dicts_in, readable_strings, texts_not_in
from mirror.text import fenced
from mirror.values import as_dict, as_dicts, as_list, as_text, first_text

if TYPE_CHECKING:
    from mirror.normalize.chatgpt.message_draft import MessageDraft

# A string (its closing quote in a group) or a bracket of JSON.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+("?)|[{}\[\]]', re.DOTALL)
# A \u escape of which not all four digits were written.
_HALF_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,3}$")
_STATE_TOLD = "The latest state of the widget is:"
_REPORTS = ("report_message", "report", "report_markdown", "final_report")


def parsed_or_none(text: str) -> Any:
    """Return JSON text as a value; None where it is not valid, as in an interrupted answer."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def parsed_if_closed(text: str) -> Any:
    """Return an object whose JSON was interrupted, by closing what is open; None where that fails.

    An answer that a person stopped while a tool's arguments were written is such a text.
    """
    closers: list[str] = []
    opened: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        bracket = token[0]
        if bracket in "{[":
            closers.append("}" if bracket == "{" else "]")
        elif bracket in "}]":
            if not closers or closers.pop() != bracket:
                return None
        elif not token[1]:
            opened = token
    if not text.lstrip().startswith("{") or not closers:
        return None
    head, quote = (_HALF_ESCAPE.sub("", opened[0]), '"') if opened else ("", "")
    begun = (text[: opened.start()] + head if opened else text.rstrip(" \t\r\n,")) + quote
    tail = "".join(reversed(closers))
    attempts = (parsed_or_none(begun + more + tail) for more in ("", ":null", "null"))
    return next((value for value in attempts if value is not None), None)


def canvas_text(text: str) -> str:
    """Return a canvas call as a person saw its effect (API notes §4.2); invalid JSON as it is.

    A new document is its name and content, code in a fence; an update its replacements; comments are comments. Of a
    call that was interrupted, what had been written by then.
    """
    call = as_dict(parsed_or_none(text) or parsed_if_closed(text))
    pieces: list[str] = []
    if isinstance(call.get("content"), str):
        pieces += [_document_name(call), _document_text(call)]
    for update in as_dicts(call.get("updates")):
        pieces.append(_update_text(update))
    for comment in as_dicts(call.get("comments")):
        quoted, body = as_text(comment.get("pattern")), as_text(comment.get("comment"))
        pieces.append(f"On \u201c{quoted}\u201d: {body}" if quoted else body)
    shown = "\n\n".join(piece for piece in pieces if piece.strip())
    # A call may have gained other keys since: words under them must be found all the same.
    names = {call.get("type"), call.get("name")}
    more = texts_not_in(shown, (text for text in readable_strings(call) if text not in names))
    return "\n\n".join([shown, *more]) if shown else text


def _document_name(call: dict[str, Any]) -> str:
    return title_of(first_text(call.get("name"), call.get("title"))) or ""


def _document_text(call: dict[str, Any]) -> str:
    kind, content = as_text(call.get("type")), as_text(call.get("content"))
    return fenced(content, kind.partition("/")[2]) if kind.startswith("code") else content


def _update_text(update: dict[str, Any]) -> str:
    pattern, replacement = as_text(update.get("pattern")), as_text(update.get("replacement"))
    if pattern in {"", ".*", "(?s).*", "^.*$"}:
        return f"Rewritten:\n{replacement}"
    return f"Replaced:\n{pattern}\nby:\n{replacement}"


def read_code_result(metadata: dict[str, Any], draft: MessageDraft) -> None:
    """Add the result of code (API notes §3.6): pictures, and the output where the text lacks it."""
    result = as_dict(metadata.get("aggregate_result"))
    if not result:
        return
    messages = as_dicts(result.get("messages"))
    final = as_text(result.get("final_expression_output"))
    if not draft.has_text():
        errors = readable_strings(result.get("in_kernel_exception")) + readable_strings(result.get("system_exception"))
        for text in [_printed(result, messages), final, *errors]:
            if text.strip():
                draft.add_text(text)
    elif final.strip() and not any(final.strip() in piece for piece in draft.pieces):
        draft.add_text(final)
    for message in messages:
        url = as_text(message.get("image_url"))
        if url.strip():
            draft.add_attachment({"asset_pointer": url}, "image")
            draft.add_placeholder("image")
            draft.traits |= {"image", "chart"}


def _printed(result: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    printed = "".join(as_text(message.get("text")) for message in messages)
    if printed.strip():
        return printed
    return "\n".join(
        _notebook_text(as_dict(message.get("content"))) for message in as_dicts(result.get("jupyter_messages"))
    ).strip()


def _notebook_text(content: dict[str, Any]) -> str:
    """Return the text of one notebook message: a stream, a value or an error; "" for a mere state."""
    returned = as_dict(content.get("data")).get("text/plain")
    raised = "\n".join(as_text(line) for line in as_list(content.get("traceback")))
    return first_text(content.get("text"), returned, raised, content.get("evalue")).rstrip("\n")


def widget_state(metadata: dict[str, Any]) -> Any:
    """Return the state of an app's widget, a JSON string (API notes §4.3), parsed; None without one."""
    state = as_dict(metadata.get("chatgpt_sdk")).get("widget_state")
    return parsed_or_none(state) if isinstance(state, str) else state


def widget_state_in(text: str) -> Any:
    """Return the state of a widget that a tool wrote as its text (API notes §4.3); None where it did not."""
    before, told, state = text.partition(_STATE_TOLD)
    return parsed_or_none(state.strip()) if told and not before.strip() else None


def research_report(state: Any) -> dict[str, Any] | None:
    """Return a deep research report as a message of its own, or None (API notes §4.3).

    It is part of a widget's state as ``report_message``; a plain string counts as its text.
    """
    for _, record in dicts_in(state):
        for key in _REPORTS:
            found = record.get(key)
            if isinstance(found, str) and found.strip():
                return {"content": {"content_type": "text", "parts": [found]}, "metadata": record}
            if isinstance(found, dict) and found.get("content"):
                return found
    return None
