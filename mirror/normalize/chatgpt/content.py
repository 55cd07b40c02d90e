"""A message's content as a person reads it: a reader for each content type, a rule for the rest.

A reader only collects into a ``MessageDraft``. What follows from it, the final text with its citations and the names of
its files, is decided here in one place for all types (API notes §4). A new content type is one more entry in
``_READERS``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.normalize.chatgpt import tools, writing_blocks
from mirror.normalize.chatgpt.citations import CitedText, resolve_citations
from mirror.normalize.chatgpt.links import link, markdown, page, title_of, unique
from mirror.normalize.chatgpt.message_draft import MessageDraft, file_id_of
from mirror.normalize.chatgpt.parts import attach_pointers, read_parts
from mirror.normalize.chatgpt.readable_text import dicts_in, prose_strings, readable_strings, with_json_parsed
from mirror.values import as_dict, as_dicts, as_list, as_text, first_text, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.rows import Kind

_CANVAS = "canmore"
# Escape sequences by which a program colours its output in a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def read_content(
    content: dict[str, Any], metadata: dict[str, Any], role: str | None, recipient: str | None
) -> tuple[MessageDraft, CitedText]:
    """Return a message's draft, and its text and links with citations resolved; accepts any shape.

    ``content``: as ``content_of`` returns it.
    """
    draft = MessageDraft()
    if "attachments" in metadata:
        draft.file_names = _file_names(metadata)
    if "image_gen_title" in metadata:
        draft.image_title = title_of(metadata["image_gen_title"])
    stated = content_type(content)
    _read_typed(stated, content, draft)
    if role == "assistant" and recipient and recipient.startswith(_CANVAS):
        draft.kind, draft.pieces = "canvas", [tools.canvas_text("\n".join(draft.pieces))]
    if "aggregate_result" in metadata:
        tools.read_code_result(metadata, draft)
    if not draft.has_text() and (substitute := _text_in_metadata(stated, draft.kind, metadata)):
        draft.pieces = []
        draft.add_new_texts(substitute)
    report = _read_state(metadata, role, draft)
    text = _draft_text(draft)
    edited = metadata.get("writing_blocks")
    if role == "assistant" and (edited is not None or writing_blocks.may_be_in(text)):
        draft.drafts = writing_blocks.drafts_in(text, edited)
        text = writing_blocks.readable(text, edited)
    cited = resolve_citations(text, metadata, legacy=role == "assistant")
    if report is not None:
        cited = _with_report(cited, report, draft)
    if lines := [*_attachment_lines(metadata, draft), *_branch_lines(metadata)]:
        cited = cited._replace(text="\n".join([*([cited.text] if cited.text.strip() else []), *lines]))
    if draft.links or report is not None:
        cited = cited._replace(links=unique([*draft.links, *cited.links]))
    return draft, cited


def _read_state(metadata: dict[str, Any], role: str | None, draft: MessageDraft) -> dict[str, Any] | None:
    """Read what an app's widget shows: return a report, or add its words."""
    state = tools.widget_state(metadata)
    if role == "tool" and (said := tools.widget_state_in("\n".join(draft.pieces))) is not None:
        state, draft.pieces = said, []
    report = None if state is None else tools.research_report(state)
    if report is None and state is not None:
        draft.add_new_texts(prose_strings(state))
    return report


def _text_in_metadata(stated: str, kind: str | None, metadata: dict[str, Any]) -> list[str]:
    """Return the words that the metadata holds of a message whose content is empty."""
    if kind == "context":
        return readable_strings(metadata.get("user_context_message_data"))
    if stated == "code":
        return readable_strings(metadata.get("finished_text"))
    task = readable_strings([metadata.get("async_task_title"), metadata.get("async_task_prompt")])
    return task or prose_strings(with_json_parsed(metadata.get("connector_tool_payload")))


def content_of(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message's content as a dict; a string or list becomes its parts, without a type."""
    content = message.get("content")
    if isinstance(content, dict):
        return content
    if isinstance(content, str | list):
        return {"parts": content}
    return {key: message[key] for key in ("text", "parts") if key in message}


def content_type(content: dict[str, Any]) -> str:
    """Return the content's type in lower case; where it states none, the one that its keys suggest."""
    stated = as_text(content.get("content_type")).strip().lower()
    if stated:
        return stated
    suggested = (("parts", "text"), ("text", "text"), ("thoughts", "thoughts"), ("result", "execution_output"))
    return next((name for key, name in suggested if key in content), "")


def _read_typed(type_name: str, content: dict[str, Any], draft: MessageDraft) -> None:
    if type_name in _READERS:
        reader = _READERS[type_name]
        draft.kind = reader.kind
        reader.read(content, draft)
        # A known type may have gained a key since: words under it must be found all the same.
        if not content.keys() <= reader.keys:
            rest = {key: value for key, value in content.items() if key not in reader.keys}
            draft.add_new_texts(prose_strings(rest))
    elif content:
        _read_unknown(type_name, content, draft)


def _read_unknown(type_name: str, content: dict[str, Any], draft: MessageDraft) -> None:
    draft.kind = "other"
    draft.not_understood.append(f"content_type:{type_name or 'untyped'}")
    for key, raw in content.items():
        value = raw if key == "parts" else with_json_parsed(raw)
        if key == "parts":
            read_parts(value, draft)
        elif key != "content_type":
            draft.add_new_texts(readable_strings(value, key))
            attach_pointers(value, draft)
    draft.links += unique(page(record, "widget") for _, record in dicts_in(content))
    if type_name and not draft.pieces:
        draft.add_placeholder(type_name)


def _read_plain(content: dict[str, Any], draft: MessageDraft) -> None:
    """Read the text under ``parts``, and under the keys that some types use in their place."""
    if "parts" in content:
        read_parts(content["parts"], draft)
    for key in ("text", "content", "result", "output_str"):
        if key in content:
            draft.add_new_texts(readable_strings(content[key], key))


def _read_quote(content: dict[str, Any], draft: MessageDraft) -> None:
    body = MessageDraft(file_names=draft.file_names)
    _read_plain(content, body)
    text = "\n".join(body.pieces)
    title = first_text(content.get("title"), content.get("domain"))
    if title and not text.lstrip().startswith(title.strip()):
        draft.add_text(title)
    draft.add_text(text if text.strip() else content.get("snippet"))
    if found := link(content.get("url"), title, "quote"):
        draft.links.append(found)


def _read_browsing(content: dict[str, Any], draft: MessageDraft) -> None:
    _read_plain(content, draft)
    draft.add_new_texts(readable_strings([content.get("summary"), content.get("assets")], "summary"))


def _read_error(content: dict[str, Any], draft: MessageDraft) -> None:
    name, body = as_text(content.get("name")).strip(), MessageDraft(file_names=draft.file_names)
    _read_plain(content, body)
    text = "\n".join(body.pieces)
    draft.add_text(f"{name}: {text}" if name and text.strip() else name or text)


def _read_all(content: dict[str, Any], draft: MessageDraft) -> None:
    # Context is written for the model; whatever is readable in it can be searched for.
    draft.add_new_texts(readable_strings({key: value for key, value in content.items() if key != "content_type"}))


def _read_thoughts(content: dict[str, Any], draft: MessageDraft) -> None:
    thoughts = content.get("thoughts")
    for thought in thoughts if isinstance(thoughts, list) else [thoughts]:
        record = thought if isinstance(thought, dict) else {"content": thought}
        texts = [text for key in ("summary", "content") for text in readable_strings(record.get(key), key)]
        # Chunks are the same thought as it was streamed, in pieces; they count where they say anything else.
        chunks = "".join(as_text(chunk) for chunk in as_list(record.get("chunks")))
        if _without_blanks(chunks) not in _without_blanks("".join(texts)):
            texts.append(chunks)
        more = {key: value for key, value in record.items() if key not in {"summary", "content", "chunks"}}
        thought_text = "\n".join(text for text in [*texts, *readable_strings(more)] if text.strip())
        draft.add_new_texts([thought_text] if thought_text else [])
    _read_plain(content, draft)


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def _read_screen(content: dict[str, Any], draft: MessageDraft) -> None:
    state = as_dict(content.get("state"))
    for text in (state.get("title"), state.get("url")):
        if first_text(text):
            draft.add_text(text)
    attach_pointers(content, draft)
    if draft.attachments:
        draft.add_placeholder("image")
    draft.add_new_texts(prose_strings({key: value for key, value in state.items() if key not in {"title", "url"}}))
    _read_plain(content, draft)


def _read_widgets(content: dict[str, Any], draft: MessageDraft) -> None:
    """Read cards of links: each card's title as a link, then its other words."""
    titles: set[object] = set()
    for _, record in dicts_in(content):
        found = page(record, "widget")
        if found:
            draft.links.append(found)
            draft.add_text(markdown(found))
            titles |= {found.title, as_text(record.get("title"))}
    texts = readable_strings({key: value for key, value in content.items() if key != "content_type"})
    draft.add_new_texts(text for text in texts if text not in titles)


_COMMON_KEYS = frozenset(
    {"content_type", "parts", "text", "content", "result", "output_str", "language", "response_format_name"}
)
_QUOTE_KEYS = _COMMON_KEYS | {"title", "domain", "url", "snippet"}


class _Reader(NamedTuple):
    """How a content type is read: its kind, a function, the keys that it reads.

    Without a kind, the kind follows from what the parts are.
    """

    kind: Kind | None
    read: Callable[[dict[str, Any], MessageDraft], None]
    keys: frozenset[str] = _COMMON_KEYS


_READERS: dict[str, _Reader] = {
    "text": _Reader(None, _read_plain),
    "multimodal_text": _Reader(None, _read_plain),
    "code": _Reader("code", _read_plain),
    "tether_browsing_code": _Reader("code", _read_plain),
    "execution_output": _Reader("output", _read_plain),
    "citable_code_output": _Reader("output", _read_plain),
    "computer_output": _Reader("output", _read_screen, _COMMON_KEYS | {"screenshot", "state"}),
    "tether_quote": _Reader("quote", _read_quote, _QUOTE_KEYS),
    "sonic_webpage": _Reader("quote", _read_quote, _QUOTE_KEYS),
    "tether_browsing_display": _Reader("output", _read_browsing, _COMMON_KEYS | {"summary", "assets"}),
    "system_error": _Reader("error", _read_error, _COMMON_KEYS | {"name"}),
    "thoughts": _Reader("reasoning", _read_thoughts, _COMMON_KEYS | {"thoughts"}),
    "reasoning_recap": _Reader("reasoning", _read_plain),
    "super_widget": _Reader("other", _read_widgets, _COMMON_KEYS | {"widgets"}),
    "user_editable_context": _Reader("context", _read_all),
    "model_editable_context": _Reader("context", _read_all),
    "system_message": _Reader("context", _read_all),
    "system_content": _Reader("context", _read_all),
    "app_pairing_content": _Reader("context", _read_all),
}


def _file_names(metadata: dict[str, Any]) -> dict[str, str]:
    names = {}
    for record in as_dicts(metadata.get("attachments")):
        file_id, name = file_id_of(first_text(record.get("id"), record.get("file_id"))), plain(record.get("name"))
        if file_id and name:
            names[file_id] = name
    return names


def _draft_text(draft: MessageDraft) -> str:
    if "voice" not in draft.traits:
        for transcript in dict.fromkeys(draft.transcripts):
            draft.add_text(transcript, "voice")
    pieces = draft.pieces
    if "voice" in draft.traits:
        # The transcript says what the recording's placeholder stands for.
        pieces = [piece for piece in pieces if piece not in {"[audio]", "[video]"}]
    text = "\n".join(pieces)
    return _COLOURS.sub("", text) if draft.kind == "output" else text


def _with_report(cited: CitedText, report: dict[str, Any], draft: MessageDraft) -> CitedText:
    report_draft = MessageDraft()
    content = content_of(report)
    _read_typed(content_type(content), content, report_draft)
    own = resolve_citations("\n".join(report_draft.pieces), as_dict(report.get("metadata")), legacy=True)
    if not own.text.strip():
        return cited
    draft.kind = "text"
    draft.traits.add("report")
    draft.not_understood += report_draft.not_understood
    more = [cited.text] if cited.text.strip() and cited.text not in own.text else []
    return CitedText("\n\n".join([own.text, *more]), [*own.links, *cited.links])


def _attachment_lines(metadata: dict[str, Any], draft: MessageDraft) -> list[str]:
    """Add the files that the metadata lists; return placeholders for those not shown in the content."""
    lines: list[str] = []
    for listed in as_list(metadata.get("attachments")):
        record = as_dict(listed) or {"name": plain(listed)}
        if not any(record.values()):
            continue
        is_shown = file_id_of(first_text(record.get("id"), record.get("file_id"))) in draft.attachments
        is_image = as_text(record.get("mime_type")).startswith("image/")
        name = draft.add_attachment(record, "image" if is_image else "file")
        if not is_shown:
            draft.traits.add("image" if is_image else "file")
            lines.append(f"[file: {name}]" if name else "[file]")
    return lines


def _branch_lines(metadata: dict[str, Any]) -> list[str]:
    title = plain(metadata.get("branching_from_conversation_title"))
    source = title or plain(metadata.get("branching_from_conversation_id"))
    return [f"[branched from: {source}]"] if source else []
