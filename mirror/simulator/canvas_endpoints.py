"""Canvases: the newest version of each one in a conversation, and older ones (API notes §4.2).

Their texts are what the messages of the conversation wrote, then what the person wrote into them by hand.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirror.simulator.account import SimulatedAccount
    from mirror.simulator.exchange import ReceivedRequest
    from mirror.simulator.parameters import JsonAnswer

PAGE = 2  # older versions in one answer


def answer(account: SimulatedAccount, path: str, request: ReceivedRequest) -> JsonAnswer | None:
    """Answer a request about canvases; None where it is about something else."""
    match path.strip("/").split("/"):
        case ["conversation", key, "textdocs"]:
            if key not in account.conversations:
                return 404, {"detail": "Conversation not found"}
            return 200, [_row(textdoc, versions, max(versions)) for textdoc, versions in _of(account, key).items()]
        case ["textdoc", textdoc, "history"]:
            before = int(request.query.get("before_version") or 1_000_000)
            versions = next(
                (found[textdoc] for key in account.conversations if textdoc in (found := _of(account, key))), {}
            )
            older = sorted((version for version in versions if version < before), reverse=True)[:PAGE]
            return 200, {"previous_doc_states": [_row(textdoc, versions, version) for version in older]}
    return None


def _row(textdoc: str, versions: dict[int, str], version: int) -> dict[str, Any]:
    return {"id": textdoc, "title": "x", "version": version, "content": versions[version], "comments": []}


def _of(account: SimulatedAccount, key: str) -> dict[str, dict[int, str]]:
    """Return the versions of each canvas of a conversation."""
    found: dict[str, dict[int, str]] = {}
    said = ""
    for node in account.tree(key)["mapping"].values():
        message = node.get("message") or {}
        if str(message.get("recipient") or "").startswith("canmore."):
            said = _written(message.get("content") or {}, said)
        canvas = (message.get("metadata") or {}).get("canvas")
        if isinstance(canvas, dict) and canvas.get("textdoc_id") and isinstance(canvas.get("version"), int):
            found.setdefault(canvas["textdoc_id"], {})[canvas["version"]] = said or "empty"
    for textdoc, texts in found.items():
        for text in account.canvas_edits.get(textdoc, []):
            texts[max(texts) + 1] = text
    return found


def _written(content: dict[str, Any], before: str) -> str:
    """Return the document after a call of the assistant."""
    try:
        call = json.loads(content.get("text") or "".join(content.get("parts") or []))
    except (ValueError, TypeError):
        return before
    if not isinstance(call, dict):
        return before
    updates = call.get("updates") or [{}]
    return str(call.get("content") or updates[-1].get("replacement") or before)
