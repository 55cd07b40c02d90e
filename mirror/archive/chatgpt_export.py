"""ChatGPT's conversations as files: the official export, and saved answers of chatgpt.com.

Nothing else in this package knows a key or a file name of ChatGPT.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from mirror.archive.recogniser import ExportFiles, Recogniser, with_id

if TYPE_CHECKING:
    from mirror.archive.items import Origin
    from mirror.archive.recogniser import Container, PayloadAndText, Recognised

_METADATA_KEYS = frozenset(
    {"title", "create_time", "update_time", "current_node", "mapping", "messages", "moderation_results"}
    | {"conversation_id", "default_model_slug", "is_archived"}
)
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
        any(map(is_message, messages)) or "conversation_id" in value or "page_info" in value
    ):
        return "yes"
    has_id = "id" in value or "conversation_id" in value or "mapping" in value
    return "hollow" if has_id and len(_METADATA_KEYS & value.keys()) >= _ENOUGH_KEYS else "no"


def is_message(value: object) -> bool:
    """Return whether it is a message, or a node that holds one."""
    if not isinstance(value, dict) or "mapping" in value:
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
    id_keys=("conversation_id", "id"),
    files=ExportFiles(  # API notes §9
        conversations=_CONVERSATIONS,
        without_conversations=frozenset(
            {"ads.json", "chat.html", "conversation_asset_file_names.json", "export_manifest.json", "group_chats.json"}
            | {"library_files.json", "message_feedback.json", "model_comparisons.json", "sectioned_conversations.json"}
            | {"shared_conversations.json", "shopping.json", "sora.json", "user.json", "user_settings.json"}
        ),
        assets=re.compile(r"file[-_][0-9A-Za-z]{16,}|.*\.dat$"),
        asset_folders=frozenset({"textdocs", "dalle-generations", "audio"}),
        uploads=re.compile(r"(?:^|/)(?:personal/files/|Files__[^/]*(?:\.zip$|/))", re.IGNORECASE),  # API notes §9
        manifest="export_manifest.json",
        shards=shards,
    ),
)
