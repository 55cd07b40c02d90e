"""The JSON of answers: conversations, list rows, projects, workspaces (API notes §2.2, §3, §5)."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mirror.simulator.clock import iso_microseconds
from mirror.simulator.trees import branch

if TYPE_CHECKING:
    from mirror.simulator.account import SimulatedWorkspace
    from mirror.simulator.behaviour import Behaviour


def list_row(conversation: dict[str, Any], behaviour: Behaviour, position: int) -> dict[str, Any]:
    """Return a row of a list: ``id``, ISO times, no tree."""
    row = {
        "id": conversation["conversation_id"],
        "title": conversation["title"],
        "create_time": iso_microseconds(conversation["create_time"]),
        "update_time": iso_microseconds(conversation["update_time"]),
        "mapping": None,
        "current_node": None,
        "conversation_template_id": conversation["conversation_template_id"],
        "gizmo_id": conversation["gizmo_id"],
        "is_archived": conversation["is_archived"],
        "is_starred": conversation["is_starred"],
        "is_temporary_chat": False,
        "is_do_not_remember": False,
        "memory_scope": "project_v2" if conversation["gizmo_type"] == "snorlax" else "global_enabled",
        "context_scopes": None,
        "context_scopes_v2": {"context_scopes": []},
        "workspace_id": None,
        "async_status": conversation["async_status"],
        "safe_urls": [],
        "blocked_urls": [],
        "conversation_origin": conversation.get("conversation_origin"),
        "snippet": None,
        "sugar_item_id": None,
        "sugar_item_visible": False,
        "is_automation_conversation": conversation.get("is_automation_conversation", False),
        "latest_assistant_turn_created_at": None,
        **({"owner": conversation["owner"]} if conversation.get("owner") else {}),
        "pinned_time": None if conversation["pinned_time"] is None else iso_microseconds(conversation["pinned_time"]),
    }
    if behaviour.null_titles:
        row["title"] = (None, "", row["title"])[zlib.crc32(row["id"].encode()) % 3]
    return _with_mixed_times(row, position) if behaviour.mixed_times else row


def _with_mixed_times(row: dict[str, Any], position: int) -> dict[str, Any]:
    if row["update_time"] < "2024":
        # What rows of 2023 looked like.
        row["create_time"] = row["create_time"].removesuffix("Z")
        del row["update_time"]
        return row
    form = position % 3
    if form == 1:
        row["update_time"] = row["update_time"].replace("Z", "+00:00")
    elif form == 2:  # noqa: PLR2004 - the third of three forms
        row["update_time"] = row["update_time"].removesuffix("Z")
    return row


def single(conversation: dict[str, Any], old_title: str | None, behaviour: Behaviour) -> dict[str, Any]:
    """Return the single read: ``conversation_id`` and no ``id``, float times."""
    if "conversation_id" not in conversation:
        return conversation
    updated = conversation["update_time"] + behaviour.detail_later
    return {**conversation, "title": old_title or conversation["title"], "update_time": updated}


def batched(conversation: dict[str, Any], old_title: str | None, behaviour: Behaviour) -> dict[str, Any]:
    """Return a tree of a batch: ``id``, ISO times, no default model; may be cut."""
    found = {**conversation, "id": conversation["conversation_id"], "title": old_title or conversation["title"]}
    del found["conversation_id"]
    found.pop("default_model_slug", None)
    updated = float(int(found["update_time"])) - 3600 if behaviour.stale_batch_times else found["update_time"]
    found |= {"create_time": iso_microseconds(found["create_time"]), "update_time": iso_microseconds(updated)}
    if behaviour.batch_iso_messages:
        found["mapping"] = {key: _with_iso_times(node) for key, node in found["mapping"].items()}
    form = behaviour.truncated.get(found["id"])
    return _truncated(found, form) if form else found


def _with_iso_times(node: dict[str, Any]) -> dict[str, Any]:
    content = node.get("message")
    if not content:
        return node
    times = {name: content.get(name) for name in ("create_time", "update_time")}
    return {**node, "message": {**content, **{k: None if v is None else iso_microseconds(v) for k, v in times.items()}}}


def _truncated(found: dict[str, Any], form: str) -> dict[str, Any]:
    """Cut a tree in one of the forms in which batches were seen cut (§3.4)."""
    mapping, visible = found["mapping"], branch(found)
    if form == "empty":
        return {**found, "mapping": {visible[0]: {**mapping[visible[0]], "children": []}}, "current_node": None}
    count = max(2, len(visible) // 3)
    kept = set(visible[-count:] if form == "head" else visible[:count])
    cut = {
        key: {**node, "children": [c for c in node["children"] if c in kept]}
        for key, node in mapping.items()
        if key in kept
    }
    current = visible[count - 1] if form == "consistent" else found["current_node"]
    return {**found, "mapping": cut, "current_node": current}


def flat_messages(conversation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the visible branch as the plural read shows it, oldest first."""
    mapping = conversation["mapping"]
    found = []
    for key in branch(conversation):
        node = mapping[key]
        if node["message"] is None:
            continue
        siblings = len(mapping[node["parent"]]["children"]) if node["parent"] in mapping else 1
        metadata = {**node["message"]["metadata"], "parent_id": node["parent"], "has_versions": siblings > 1}
        found.append({**node["message"], "metadata": metadata})
    return found


def plural(conversation: dict[str, Any], old_title: str | None, behaviour: Behaviour) -> dict[str, Any]:
    """Return the top-level fields of a plural read."""
    found = {**single(conversation, old_title, behaviour), "sectioned_conversation": None}
    del found["mapping"]
    return found


def sidebar_item(gizmo: dict[str, Any], nesting: int, inside: dict[str, Any]) -> dict[str, Any]:
    """Return a project's row of the sidebar in one of the forms seen. ``inside``: its newest chats."""
    if nesting == 1:
        return {"gizmo": gizmo, "conversations": inside}
    if nesting == 2:  # noqa: PLR2004 - the third of three nestings
        return {"resource": {"gizmo": gizmo}, "conversations": inside}
    return {"gizmo": {"gizmo": gizmo, "files": gizmo.get("files", []), "tools": []}, "conversations": inside}


def account_check(workspaces: list[SimulatedWorkspace]) -> dict[str, Any]:
    """Return ``accounts/check``."""
    found = {
        workspace.id: {
            "account": {
                "account_id": workspace.id,
                "account_user_role": "account-owner",
                "name": workspace.name,
                "plan_type": workspace.plan,
                "structure": workspace.structure,
                "is_deactivated": False,
                "organization_id": None,
            },
            "features": [],
            "entitlement": {"subscription_plan": workspace.plan, "has_active_subscription": True},
        }
        for workspace in workspaces
    }
    default = found[workspaces[0].id]
    return {"accounts": {**found, "default": default}, "account_ordering": list(found)}


def http_date(seconds: float) -> str:
    """Return a time as HTTP headers carry it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
