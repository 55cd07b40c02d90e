"""What the account has beside conversations: workspaces, projects, GPTs, memories, instructions (notes §1.6, §5, §6).

Pure readers of the service's JSON; every one is lenient, because none of these shapes is documented.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.source import AccountItem, Workspace
from mirror.values import clean_text, iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class GizmoPage:
    """One page of the projects' sidebar: gizmo objects, and the next cursor."""

    items: list[dict[str, Any]]
    cursor: str | None


def workspaces(data: Any) -> tuple[Workspace, ...]:
    """Read ``accounts/check``: every living workspace, the personal one first; empty where it cannot be read."""
    holder = data.get("accounts") if isinstance(data, dict) else None
    found: dict[str, Workspace] = {}
    for key, entry in (holder if isinstance(holder, dict) else {}).items():
        about = entry.get("account") if isinstance(entry, dict) else None
        if not isinstance(about, dict) or about.get("is_deactivated"):
            continue
        account_id = _text(about.get("account_id")) or clean_text(key)[0]
        structure = _text(about.get("structure"))
        is_personal = structure in {None, "personal"}
        found.setdefault(
            account_id,
            Workspace(account_id, _text(about.get("name")), _text(about.get("plan_type")), structure, is_personal),
        )
    return tuple(sorted(found.values(), key=lambda account: (not account.is_personal, account.id)))


def session_plan(data: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the plan and the structure of the workspace that the session itself names."""
    account = data.get("account")
    about = account if isinstance(account, dict) else {}
    return _text(about.get("planType")), _text(about.get("structure"))


def gizmo_page(data: Any) -> GizmoPage:
    """Read one sidebar page; gizmos nest in at least three ways."""
    rows = data.get("items") if isinstance(data, dict) else None
    cursor = data.get("cursor") if isinstance(data, dict) else None
    found = [gizmo for row in rows or () if (gizmo := _gizmo(row)) is not None] if isinstance(rows, list) else []
    return GizmoPage(found, cursor if isinstance(cursor, str) and cursor else None)


def _gizmo(row: Any) -> dict[str, Any] | None:
    for _ in range(4):
        if not isinstance(row, dict):
            return None
        if (key := row.get("id")) and key == _text(key) and key.startswith("g-"):
            return row
        row = row.get("gizmo") or row.get("resource")
    return None


def project_name(gizmo: Mapping[str, Any]) -> str:
    """Return what the person calls a project, else its id."""
    display = gizmo.get("display")
    return (_text(display.get("name")) if isinstance(display, dict) else None) or str(gizmo.get("id"))


def project_item(gizmo: Mapping[str, Any]) -> AccountItem:
    """Return a project's row; one that is known by its id only says nothing else."""
    project_id = str(gizmo["id"])
    row: dict[str, Any] = {"url": f"https://chatgpt.com/g/{_text(gizmo.get('short_url')) or project_id}/project"}
    display = gizmo.get("display")
    if isinstance(display, dict):
        row |= {"name": _text(display.get("name")), "description": _text(display.get("description"))}
        row |= {"instructions": _text(gizmo.get("instructions"))}
        row |= {"created_at": iso_time(gizmo.get("created_at")), "updated_at": iso_time(gizmo.get("updated_at"))}
    return AccountItem("project", project_id, row)


def gpt_item(gpt_id: str, data: Any) -> AccountItem:
    """Return a custom GPT's row."""
    gizmo = _gizmo(data) or {}
    display = gizmo.get("display")
    display = display if isinstance(display, dict) else {}
    return AccountItem(
        "gpt",
        gpt_id,
        {
            "name": _text(display.get("name")) or gpt_id,
            "description": _text(display.get("description")),
            "url": f"https://chatgpt.com/g/{_text(gizmo.get('short_url')) or gpt_id}",
        },
    )


def account_items(name: str, data: Any) -> Iterator[AccountItem]:
    """Read memories or custom instructions."""
    if name == "instructions":
        if isinstance(data, dict):
            yield AccountItem("instructions", "instructions", {"content": _instructions(data)})
        return
    rows = data.get("memories") if isinstance(data, dict) else None
    for row in rows if isinstance(rows, list) else ():
        content = _text(row.get("content")) if isinstance(row, dict) else None
        if content is None:
            continue
        memory_id = _text(row.get("id")) or hashlib.sha256(content.encode()).hexdigest()[:32]
        times = {
            "created_at": iso_time(row.get("created_timestamp") or row.get("created_at")),
            "updated_at": iso_time(row.get("updated_at")),
        }
        yield AccountItem("memory", memory_id, {"content": content, **times})


def _instructions(data: Mapping[str, Any]) -> str:
    """Return the instructions as readable text: one paragraph a field that has something."""
    kept = {k: v for k, v in data.items() if k != "object" and v not in (None, "", [], {})}
    lines = [f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in kept.items()]
    return clean_text("\n\n".join(lines))[0]


def _text(value: Any) -> str | None:
    return clean_text(value)[0] if isinstance(value, str) and value else None
