"""The endpoints for the person, memories, GPTs and settings (API notes §1.6, §5, §6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator import answer_shapes

if TYPE_CHECKING:
    from mirror.simulator.account import SimulatedAccount
    from mirror.simulator.behaviour import Behaviour
    from mirror.simulator.parameters import JsonAnswer

INSTRUCTIONS: dict[str, Any] = {
    "object": "user_system_message_detail",
    "enabled": True,
    "about_user_message": "",
    "about_model_message": "",
    "name_user_message": "",
    "role_user_message": "",
    "traits_model_message": "",
    "other_user_message": "",
    "personality_type_selection": "default",
    "traits_enabled": True,
    "disabled_tools": [],
}


def is_list(path: str) -> bool:
    """Whether an endpoint is a list, which without a login shows an empty account (§1.3)."""
    whole = path in {"/conversations", "/shared_conversations", "/gizmos/snorlax/sidebar"}
    return whole or (path.startswith("/gizmos/") and path.endswith("/conversations"))


def answer(account: SimulatedAccount, behaviour: Behaviour, path: str, query: dict[str, str]) -> JsonAnswer:
    """Answer every endpoint that is neither a list nor a read; 404 where there is none."""
    if path == "/accounts/check/v4-2023-04-27" and behaviour.has_workspaces_endpoint:
        return 200, answer_shapes.account_check(account.workspaces)
    if path == "/me":
        return 200, _me(account)
    if path == "/memories":
        return 200, _memories(account, query)
    if path == "/user_system_messages":
        return 200, {**INSTRUCTIONS, **account.instructions}
    if path == "/settings/user":
        return 200, {"object": "user_settings", "settings": {"training_allowed": False}}
    key = path.removeprefix("/gizmos/")
    gizmo = account.gpts.get(key) or account.projects.get(key)
    if gizmo is not None:
        files = gizmo.get("files", [])
        return 200, {"gizmo": gizmo, "tools": [], "files": files, "product_features": {"attachments": {}}}
    return 404, {"detail": "Not Found"}


def _me(account: SimulatedAccount) -> dict[str, Any]:
    return {
        "object": "user",
        "id": account.user_id,
        "email": account.user_email,
        "name": account.user_name,
        "picture": None,
        "created": 1_700_000_000,
        "phone_number": None,
        "mfa_flag_enabled": False,
        "country": "PT",
        "orgs": {
            "object": "list",
            "data": [{"object": "organization", "id": "org-Personal", "title": "Personal", "personal": True}],
        },
    }


def _memories(account: SimulatedAccount, query: dict[str, str]) -> dict[str, Any]:
    used = sum(len(str(memory.get("content", ""))) for memory in account.memories) // 4
    with_entries = query.get("include_memory_entries", "true") == "true"
    rows = account.memories if with_entries else []
    return {"memories": rows, "memory_max_tokens": 5000, "memory_num_tokens": used}
