"""What tools leave behind in a message: canvas documents, results of running code, deep research reports."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.links import one_line
from mirror.normalize.chatgpt.unknown import dicts, readable
from mirror.values import as_dict, as_dicts, as_list, as_text, first_text

if TYPE_CHECKING:
    from mirror.normalize.chatgpt.draft import Reading

_BACKTICKS = re.compile(r"`{3,}")
# A string (its closing quote in a group) or a bracket of JSON.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+("?)|[{}\[\]]', re.DOTALL)
_HALF_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,3}$")
_REPORTS = ("report_message", "report", "report_markdown", "final_report")


def parsed(text: str) -> Any:
    """Return JSON text as a value; None where it is none (a cut answer, say)."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def completed(text: str) -> Any:
    """Return the value of an object's JSON that was cut off, as far as it came; None where that makes no sense."""
    closers: list[str] = []
    opened: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "{[":
            closers.append("}" if sign == "{" else "]")
        elif sign in "}]":
            if not closers or closers.pop() != sign:
                return None
        elif not token[1]:
            opened = token
    if not text.lstrip().startswith("{") or not closers:
        return None
    head, quote = (_HALF_ESCAPE.sub("", opened[0]), '"') if opened else ("", "")
    begun = (text[: opened.start()] + head if opened else text.rstrip(" \t\r\n,")) + quote
    tail = "".join(reversed(closers))
    attempts = (parsed(begun + more + tail) for more in ("", ":null", "null"))
    return next((value for value in attempts if value is not None), None)


def canvas(text: str) -> str:
    """Return a canvas call as a person saw its effect (API notes §4.2); unreadable JSON stays as it is.

    A new document by name and content, code fenced; an update as its replacements; comments as comments. Of a call
    that was stopped in the middle, what had been written by then.
    """
    call = as_dict(parsed(text) or completed(text))
    pieces: list[str] = []
    if isinstance(call.get("content"), str):
        pieces += [_named(call), _document(call)]
    for update in as_dicts(call.get("updates")):
        pieces.append(_update(update))
    for comment in as_dicts(call.get("comments")):
        where, said = as_text(comment.get("pattern")), as_text(comment.get("comment"))
        pieces.append(f"On \u201c{where}\u201d: {said}" if where else said)
    shown = "\n\n".join(piece for piece in pieces if piece.strip())
    # Whatever else a call may have learned to say must not be lost.
    more = [said for said in readable(call) if said not in shown and said not in {call.get("type"), call.get("name")}]
    return "\n\n".join([shown, *more]) if shown else text


def _named(call: dict[str, Any]) -> str:
    return one_line(first_text(call.get("name"), call.get("title"))) or ""


def _document(call: dict[str, Any]) -> str:
    kind, content = as_text(call.get("type")), as_text(call.get("content"))
    return fenced(content, kind.partition("/")[2]) if kind.startswith("code") else content


def _update(update: dict[str, Any]) -> str:
    pattern, replacement = as_text(update.get("pattern")), as_text(update.get("replacement"))
    if pattern in {"", ".*", "(?s).*", "^.*$"}:
        return f"Rewritten:\n{replacement}"
    return f"Replaced:\n{pattern}\nby:\n{replacement}"


def fenced(code: str, language: str = "") -> str:
    """Return code in a Markdown fence that the code itself cannot close."""
    longest = max((len(run) for run in _BACKTICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def read_result(metadata: dict[str, Any], reading: Reading) -> None:
    """Read the aggregate result of a code run (API notes §3.6): its streams if the text is empty, its pictures."""
    result = as_dict(metadata.get("aggregate_result"))
    messages = as_dicts(result.get("messages"))
    final = as_text(result.get("final_expression_output"))
    if not reading.has_text():
        errors = readable(result.get("in_kernel_exception")) + readable(result.get("system_exception"))
        for text in [_printed(result, messages), final, *errors]:
            if text.strip():
                reading.say(text)
    elif final.strip() and not any(final.strip() in piece for piece in reading.pieces):
        reading.say(final)
    for message in messages:
        url = as_text(message.get("image_url"))
        if url.strip():
            reading.attach({"asset_pointer": url}, "image")
            reading.show("image")
            reading.traits |= {"image", "chart"}


def _printed(result: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    printed = "".join(as_text(message.get("text")) for message in messages)
    if printed.strip():
        return printed
    return "\n".join(
        _noted(as_dict(message.get("content"))) for message in as_dicts(result.get("jupyter_messages"))
    ).strip()


def _noted(content: dict[str, Any]) -> str:
    """Return what one message of the notebook says: a stream, a value, an error; "" for its state."""
    returned = as_dict(content.get("data")).get("text/plain")
    raised = "\n".join(as_text(line) for line in as_list(content.get("traceback")))
    return first_text(content.get("text"), returned, raised, content.get("evalue")).rstrip("\n")


def widget_state(metadata: dict[str, Any]) -> Any:
    """Return what an app's widget shows, from the JSON string that holds it (API notes §4.3); None if there is none."""
    state = as_dict(metadata.get("chatgpt_sdk")).get("widget_state")
    return parsed(state) if isinstance(state, str) else state


def report(metadata: dict[str, Any]) -> dict[str, Any] | None:
    """Return a deep research report as a message of its own, or None (API notes §4.3).

    It sits in a tool's widget state, a JSON string, as ``report_message``; a bare string counts as its text.
    """
    for _, record in dicts(widget_state(metadata)):
        for key in _REPORTS:
            found = record.get(key)
            if isinstance(found, str) and found.strip():
                return {"content": {"content_type": "text", "parts": [found]}, "metadata": record}
            if isinstance(found, dict) and found.get("content"):
                return found
    return None
