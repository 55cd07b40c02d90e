"""ChatGPT's conversations as files: the official export, and saved answers of chatgpt.com.

Nothing else in this package knows a key or a file name of ChatGPT.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mirror.archive.recogniser import ExportFiles, LibraryFile, Recogniser, ReportFile, with_id
from mirror.json_bytes import parse_json
from mirror.values import iso_time, plain

if TYPE_CHECKING:
    from mirror.archive.items import Origin
    from mirror.archive.recogniser import Container, PayloadAndText, Recognised

_METADATA_KEYS = frozenset(
    {"title", "create_time", "update_time", "current_node", "mapping", "messages", "moderation_results"}
    | {"conversation_id", "default_model_slug", "is_archived"}
)
_NOT_IN_MESSAGES = frozenset({"mapping"})
_SHARED_FROM = "backing_conversation_id"  # in a shared copy: the conversation that it was made of (§2.4)
# Chosen: a row of a list has at least four of these keys beside an id, unrelated JSON has at most one or two. With a
# lower number, unrelated files would be reported as conversations without messages.
_ENOUGH_KEYS = 3


def recognises(value: object) -> Recognised:
    """Recognise a conversation by its tree or list of messages (API notes §3.1), and a list's row."""
    if not isinstance(value, dict):
        return "no"
    mapping, messages = value.get("mapping"), value.get("messages")
    if isinstance(mapping, dict) or (isinstance(mapping, list) and mapping):
        return "yes"
    if isinstance(messages, list) and (
        any(map(is_message, messages)) or _is_group_chat(value) or "conversation_id" in value or "page_info" in value
    ):
        return "yes"
    has_id = "id" in value or "conversation_id" in value or "mapping" in value
    return "hollow" if has_id and len(_METADATA_KEYS & value.keys()) >= _ENOUGH_KEYS else "no"


def _is_group_chat(value: dict[str, Any]) -> bool:
    """Return whether it is one of ``group_chats.json``: a name, and messages of a role and a text (§9)."""
    messages = value["messages"]
    is_named = isinstance(value.get("name"), str) and "created_at" in value
    return is_named and all(isinstance(one, dict) and {"role", "text"} <= one.keys() for one in messages)


def is_message(value: object) -> bool:
    """Return whether it is a message, or a node that holds one."""
    if not isinstance(value, dict) or not _NOT_IN_MESSAGES.isdisjoint(value):
        return False
    message = value["message"] if isinstance(value.get("message"), dict) else value
    return "content" in message and bool({"author", "role"} & message.keys())


def conversation_of(messages: list[Any], raw: bytes) -> PayloadAndText | None:
    """Make a conversation of a bare list of messages or nodes; None if it is evidently not one."""
    if not all(isinstance(item, dict) for item in messages) or not any(map(is_message, messages)):
        return None
    ids = {stated for item in messages if isinstance(stated := item.get("conversation_id"), str)}
    if len(ids) > 1:
        return None
    key = "mapping" if any("parent" in item or "children" in item for item in messages) else "messages"
    payload, text = {key: messages}, b'{"%s":%s}' % (key.encode(), raw)
    return with_id(payload, text, "conversation_id", ids.pop()) if ids else (payload, text)


def origin_of(payload: dict[str, Any], container: Container, *, is_export_file: bool) -> Origin:
    """Return whether it is from an export, which has both ids (API notes §9), or a saved answer.

    A batch answer is a list like an export, with ISO times and one id (§3.4).
    """
    if _SHARED_FROM in payload:
        return "capture"
    if "conversation_id" in payload and "id" in payload:
        return "export"
    if "mapping" not in payload or container not in ("list", "page"):
        return "capture"
    is_batch = any(isinstance(payload.get(key), str) for key in ("create_time", "update_time"))
    return "capture" if is_batch and "conversation_id" not in payload and not is_export_file else "export"


_CONVERSATIONS = re.compile(r"conversations(?:[-_ (]*\d+\)?)?\.json", re.IGNORECASE)


def shards(manifest: bytes) -> list[str]:
    """Return the conversation files that a manifest names; raises ValueError for other files."""
    try:
        stated = json.loads(manifest)
        named = stated["logical_files"]
        held = [entry["files"] for name, entry in named.items() if name.lower().startswith("conversations")]
        files = [_path(file) for files in held for file in files]
        exported = [_path(file) for file in stated.get("export_files") or ()]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("names no files") from error
    files += [path for path in exported if _CONVERSATIONS.fullmatch(path.rsplit("/", 1)[-1])]
    return list(dict.fromkeys(file for file in files if file))


def reports(library: bytes) -> list[ReportFile]:
    """Return the Deep Research reports that a library lists, each with its conversation (API notes §9)."""
    rows = parse_json(library)
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [
        ReportFile(f"{row['file_id']}.dat", row["origination_thread_id"], plain(row.get("origination_message_id")))
        for row in found
        if row.get("library_artifact_type") == "deep_research_report"
        and isinstance(row.get("file_id"), str)
        and isinstance(row.get("origination_thread_id"), str)
    ]


def report_of(file: ReportFile, raw: bytes) -> PayloadAndText | None:
    """Make a conversation of a report's file: the message that it belongs to, with the report as its widget's state."""
    held = parse_json(raw)
    if not isinstance(held, dict) or not isinstance(held.get("widget_state"), dict | str):
        return None
    key = file.message_id or file.path.removesuffix(".dat")
    metadata = {"chatgpt_sdk": {"widget_state": held["widget_state"]}}
    message = {"id": key, "author": {"role": "assistant"}, "content": {"content_type": "text", "parts": []}}
    node = {"id": key, "parent": None, "message": {**message, "metadata": metadata}}
    payload = {"conversation_id": file.conversation_id, "title": held.get("title"), "mapping": {key: node}}
    return payload, json.dumps(payload).encode()


# A file's id at the beginning of its name (API notes §9), then its own name or the end of it.
_ASSET = re.compile(r"(file-[0-9A-Za-z]{22,24}|file_[0-9a-f]{32,64}|CalpicoFile_[0-9A-Za-z]+)(?:[-.](.*))?", re.DOTALL)


def asset_id(path: str) -> tuple[str | None, str | None]:
    """Return a file's id and name by its path in an export; a name of ``.dat`` says neither."""
    name = path.replace("\\", "/").rpartition("/")[2]
    found = _ASSET.fullmatch(name)
    if found is None:
        return None, plain(name)
    rest = found[2] or ""
    return found[1], None if rest in {"", "dat"} or _is_uuid(rest) else plain(rest)


def _is_uuid(name: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.\w+)?", name) is not None


def names_of(listed: bytes) -> dict[str, str]:
    """Return the real names of files by their names in the export; folders before them are left out (API notes §9)."""
    try:
        stated = parse_json(listed)
    except ValueError:
        return {}
    pairs = stated.items() if isinstance(stated, dict) else ()
    names = {key: name.rpartition("/")[2] for key, name in pairs if isinstance(name, str)}
    return {key: name for key, name in names.items() if name and not _is_uuid(name)}


def library_rows(library: bytes) -> list[LibraryFile]:
    """Return the rows of a library that name a file."""
    try:
        rows = parse_json(library)
    except ValueError:
        return []
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [_library_file(row) for row in found if isinstance(row.get("file_id"), str)]


def _library_file(row: dict[str, Any]) -> LibraryFile:
    key = row.get("id")
    return LibraryFile(
        file_id=row["file_id"],
        library_id=plain(key.get("id") if isinstance(key, dict) else key),
        name=plain(row.get("file_name")),
        message_id=plain(row.get("origination_message_id")),
        conversation_id=plain(row.get("origination_thread_id")),
        created_at=iso_time(row.get("created_at")),
    )


def _path(file: Any) -> str:
    path = file.get("path") if isinstance(file, dict) else file
    return path if isinstance(path, str) else ""


RECOGNISER = Recogniser(
    provider="chatgpt",
    recognises=recognises,
    is_message=is_message,
    conversation_of=conversation_of,
    origin_of=origin_of,
    lists={"conversations": "list", "items": "page"},  # the batch endpoint's answer, and a page of the list
    message_keys=("mapping", "messages"),
    not_in_messages=_NOT_IN_MESSAGES,
    id_keys=("conversation_id", "id", _SHARED_FROM),
    files=ExportFiles(  # API notes §9
        conversations=_CONVERSATIONS,
        without_conversations=frozenset(
            {"ads.json", "chat.html", "codex.json", "conversation_asset_file_names.json", "export_manifest.json"}
            | {"library_files.json", "message_feedback.json", "model_comparisons.json", "sectioned_conversations.json"}
            | {"shared_conversations.json", "shopping.json", "sora.json", "user.json", "user_settings.json"}
        ),
        assets=re.compile(r"file[-_][0-9A-Za-z]{16,}|.*\.dat$"),
        asset_folders=frozenset({"textdocs", "dalle-generations", "audio"}),
        uploads=re.compile(r"(?:^|/)(?:personal/files/|Files__[^/]*(?:\.zip$|/))", re.IGNORECASE),  # §9
        not_imported={"codex.json": "holds Codex tasks, which are not mirrored"},
        group_chats="group_chats.json",
        library="library_files.json",
        reports=reports,
        report_of=report_of,
        asset_id=asset_id,
        asset_names="conversation_asset_file_names.json",
        names_of=names_of,
        library_rows=library_rows,
        manifest="export_manifest.json",
        shards=shards,
    ),
)
