"""A message's content as a person reads it: one reader for each content type, and a general rule for the rest.

Readers only gather (``reading.Reading``); what the gathered text is in the end, its citations, the names of its files
and its kind are decided here, in one place for all types (API notes §4).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt import tools
from mirror.normalize.chatgpt.citations import Resolved, resolve
from mirror.normalize.chatgpt.draft import Reading, file_id_of
from mirror.normalize.chatgpt.links import link, markdown, one_line, page, unique
from mirror.normalize.chatgpt.parts import attach_pointers, read_parts
from mirror.normalize.chatgpt.unknown import dicts, prose, readable, unpacked
from mirror.values import as_dict, as_dicts, as_list, as_text, first_text, plain

if TYPE_CHECKING:
    from collections.abc import Callable

_CANVAS = "canmore"
# What a program says to a terminal only.
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def read(message: dict[str, Any], role: str | None, recipient: str | None) -> tuple[Reading, Resolved]:
    """Return what a message holds, and its text with citations resolved, both total over any shape."""
    metadata = as_dict(message.get("metadata"))
    content = content_of(message)
    reading = Reading(names=_file_names(metadata), title=one_line(metadata.get("image_gen_title")))
    named = content_type(content)
    _read_typed(named, content, reading)
    if role == "assistant" and recipient and recipient.startswith(_CANVAS):
        reading.kind, reading.pieces = "canvas", [tools.canvas("\n".join(reading.pieces))]
    tools.read_result(metadata, reading)
    if not reading.has_text() and (instead := _stand_in(named, reading.kind, metadata)):
        reading.pieces = []
        reading.say_new(instead)
    report = tools.report(metadata)
    if report is None:
        reading.say_new(prose(tools.widget_state(metadata)))
    text = _joined(reading)
    resolved = resolve(text, metadata, legacy=role == "assistant")
    resolved = _with_report(resolved, report, reading)
    lines = [*_attachment_lines(metadata, reading), *_branch_lines(metadata)]
    shown = "\n".join([*([resolved.text] if resolved.text.strip() or not lines else []), *lines])
    return reading, Resolved(shown, unique([*reading.links, *resolved.links]))


def _stand_in(named: str, kind: str | None, metadata: dict[str, Any]) -> list[str]:
    """Return what the metadata holds of a text that is empty itself."""
    if kind == "context":
        return readable(metadata.get("user_context_message_data"))
    if named == "code":
        return readable(metadata.get("finished_text"))
    task = readable([metadata.get("async_task_title"), metadata.get("async_task_prompt")])
    return task or prose(unpacked(metadata.get("connector_tool_payload")))


def content_of(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message's content as a dict; a bare string or list becomes the parts of one without a type."""
    content = message.get("content")
    if isinstance(content, dict):
        return content
    if isinstance(content, str | list):
        return {"parts": content}
    return {key: message[key] for key in ("text", "parts") if key in message}


def content_type(content: dict[str, Any]) -> str:
    """Return the content's type in lower case; where it states none, the one its keys speak for."""
    stated = as_text(content.get("content_type")).strip().lower()
    if stated:
        return stated
    for key, named in (("parts", "text"), ("text", "text"), ("thoughts", "thoughts"), ("result", "execution_output")):
        if key in content:
            return named
    return ""


def _read_typed(named: str, content: dict[str, Any], reading: Reading) -> None:
    if named in _READERS:
        kind, reader, keys = _READERS[named]
        reading.kind = kind
        reader(content, reading)
        rest = {key: value for key, value in content.items() if key not in keys and key not in _COMMON_KEYS}
        reading.say_new(prose(rest))
    elif content:
        _read_unknown(named, content, reading)


def _read_unknown(named: str, content: dict[str, Any], reading: Reading) -> None:
    reading.kind = "other"
    reading.unknown.append(f"content_type:{named or 'untyped'}")
    for key, packed in content.items():
        value = packed if key == "parts" else unpacked(packed)
        if key == "parts":
            read_parts(value, reading)
        elif key != "content_type":
            reading.say_new(readable(value, key))
            attach_pointers(value, reading)
    reading.links += unique(page(record, "widget") for _, record in dicts(content))
    if named and not reading.pieces:
        reading.show(named)


def _read_plain(content: dict[str, Any], reading: Reading) -> None:
    """Text under ``parts``, and under the keys that stand in for them in one type or another."""
    if "parts" in content:
        read_parts(content["parts"], reading)
    for key in ("text", "content", "result", "output_str"):
        reading.say_new(readable(content.get(key), key))


def _read_quote(content: dict[str, Any], reading: Reading) -> None:
    body = Reading(names=reading.names)
    _read_plain(content, body)
    text = "\n".join(body.pieces)
    title = first_text(content.get("title"), content.get("domain"))
    if title and not text.lstrip().startswith(title.strip()):
        reading.say(title)
    reading.say(text if text.strip() else content.get("snippet"))
    if found := link(content.get("url"), title, "quote"):
        reading.links.append(found)


def _read_browsing(content: dict[str, Any], reading: Reading) -> None:
    _read_plain(content, reading)
    reading.say_new(readable([content.get("summary"), content.get("assets")], "summary"))


def _read_error(content: dict[str, Any], reading: Reading) -> None:
    name, body = as_text(content.get("name")).strip(), Reading(names=reading.names)
    _read_plain(content, body)
    text = "\n".join(body.pieces)
    reading.say(f"{name}: {text}" if name and text.strip() else name or text)


def _read_all(content: dict[str, Any], reading: Reading) -> None:
    # Context is read by machines; for a person's search everything readable in it counts.
    reading.say_new(readable({key: value for key, value in content.items() if key != "content_type"}))


def _read_thoughts(content: dict[str, Any], reading: Reading) -> None:
    thoughts = content.get("thoughts")
    for thought in thoughts if isinstance(thoughts, list) else [thoughts]:
        record = thought if isinstance(thought, dict) else {"content": thought}
        said = [text for key in ("summary", "content") for text in readable(record.get(key), key)]
        chunks = "".join(as_text(chunk) for chunk in as_list(record.get("chunks")))
        if _squeezed(chunks) not in _squeezed("".join(said)):
            said.append(chunks)
        more = {key: value for key, value in record.items() if key not in {"summary", "content", "chunks"}}
        shown = "\n".join(text for text in [*said, *readable(more)] if text.strip())
        reading.say_new([shown] if shown else [])
    _read_plain(content, reading)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _read_screen(content: dict[str, Any], reading: Reading) -> None:
    state = as_dict(content.get("state"))
    for text in (state.get("title"), state.get("url")):
        if first_text(text):
            reading.say(text)
    attach_pointers(content, reading)
    if reading.attachments:
        reading.show("image")
    reading.say_new(prose({key: value for key, value in state.items() if key not in {"title", "url"}}))
    _read_plain(content, reading)


def _read_widgets(content: dict[str, Any], reading: Reading) -> None:
    """Cards of links: each by title as a link, then what else its card says."""
    titles: set[object] = set()
    for _, record in dicts(content):
        found = page(record, "widget")
        if found:
            reading.links.append(found)
            reading.say(markdown(found))
            titles |= {found.title, as_text(record.get("title"))}
    words = readable({key: value for key, value in content.items() if key != "content_type"})
    reading.say_new(text for text in words if text not in titles)


_COMMON_KEYS = frozenset(
    {"content_type", "parts", "text", "content", "result", "output_str", "language", "response_format_name"}
)
# Content type -> kind (None: what the parts amount to), reader, the keys that it reads beside the common ones.
_READERS: dict[str, tuple[str | None, Callable[[dict[str, Any], Reading], None], frozenset[str]]] = {
    "text": (None, _read_plain, frozenset()),
    "multimodal_text": (None, _read_plain, frozenset()),
    "code": ("code", _read_plain, frozenset()),
    "tether_browsing_code": ("code", _read_plain, frozenset()),
    "execution_output": ("output", _read_plain, frozenset()),
    "citable_code_output": ("output", _read_plain, frozenset()),
    "computer_output": ("output", _read_screen, frozenset({"screenshot", "state"})),
    "tether_quote": ("quote", _read_quote, frozenset({"title", "domain", "url", "snippet"})),
    "sonic_webpage": ("quote", _read_quote, frozenset({"title", "domain", "url", "snippet"})),
    "tether_browsing_display": ("output", _read_browsing, frozenset({"summary", "assets"})),
    "system_error": ("error", _read_error, frozenset({"name"})),
    "thoughts": ("reasoning", _read_thoughts, frozenset({"thoughts"})),
    "reasoning_recap": ("reasoning", _read_plain, frozenset()),
    "super_widget": ("other", _read_widgets, frozenset({"widgets"})),
} | {
    named: ("context", _read_all, frozenset())
    for named in (
        *("user_editable_context", "model_editable_context", "system_message", "system_content"),
        "app_pairing_content",
    )
}


def _file_names(metadata: dict[str, Any]) -> dict[str, str]:
    names = {}
    for record in as_dicts(metadata.get("attachments")):
        file_id, name = file_id_of(first_text(record.get("id"), record.get("file_id"))), plain(record.get("name"))
        if file_id and name:
            names[file_id] = name
    return names


def _joined(reading: Reading) -> str:
    if "voice" not in reading.traits:
        for words in dict.fromkeys(reading.heard):
            reading.say(words, "voice")
    pieces = reading.pieces
    if "voice" in reading.traits:
        # The words stand for the recording that they were taken from.
        pieces = [piece for piece in pieces if piece not in {"[audio]", "[video]"}]
    text = "\n".join(pieces)
    return _COLOURS.sub("", text) if reading.kind == "output" else text


def _with_report(resolved: Resolved, found: dict[str, Any] | None, reading: Reading) -> Resolved:
    if found is None:
        return resolved
    body = Reading()
    content = content_of(found)
    _read_typed(content_type(content), content, body)
    own = resolve("\n".join(body.pieces), as_dict(found.get("metadata")), legacy=True)
    if not own.text.strip():
        return resolved
    reading.kind = "text"
    reading.traits.add("report")
    reading.unknown += body.unknown
    more = [resolved.text] if resolved.text.strip() and resolved.text not in own.text else []
    return Resolved("\n\n".join([own.text, *more]), [*own.links, *resolved.links])


def _attachment_lines(metadata: dict[str, Any], reading: Reading) -> list[str]:
    """Take in the files that the metadata lists; return a line for each that the content does not show itself."""
    lines = []
    for record in as_list(metadata.get("attachments")):
        known = as_dict(record) or {"name": plain(record)}
        if not any(known.values()):
            continue
        shown = file_id_of(first_text(known.get("id"), known.get("file_id"))) in reading.attachments
        is_image = as_text(known.get("mime_type")).startswith("image/")
        name = reading.attach(known, "image" if is_image else "file")
        if not shown:
            reading.traits.add("image" if is_image else "file")
            lines.append(f"[file: {name}]" if name else "[file]")
    return lines


def _branch_lines(metadata: dict[str, Any]) -> list[str]:
    title = plain(metadata.get("branching_from_conversation_title"))
    source = title or plain(metadata.get("branching_from_conversation_id"))
    return [f"[branched from: {source}]"] if source else []
