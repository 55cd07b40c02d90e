"""What the account has beside conversations (API notes §1.6, §5, §6).

Workspaces, projects, custom GPTs, memories and instructions: pure readers of the service's JSON. None of its forms is
documented, so what has an unknown form is left out.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.chatgpt.file_addresses import is_file_id
from mirror.chatgpt.list_rows import PROJECT_PREFIX
from mirror.services import service_of
from mirror.source import AccountItem, Workspace
from mirror.values import as_count, as_dict, as_dicts, as_list, clean_or_none, clean_text, iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SERVICE = service_of("chatgpt")
# Levels of objects around a project or GPT; two were seen (API notes §5). Smaller: newer forms are not found.
MOST_WRAPPINGS = 4


class ProjectsPage(NamedTuple):
    """One page of the projects' sidebar: the projects as they came, and the cursor to the next page.

    ``odd``: rows that are neither a project nor a custom GPT.
    """

    projects: list[dict[str, Any]]
    cursor: str | None
    odd: int = 0


def workspaces(data: object) -> tuple[Workspace, ...]:
    """Read ``accounts/check``: every workspace that is not deactivated, the personal one first."""
    found: dict[str, Workspace] = {}
    for key, about in _accounts(data):
        if about is None or about.get("is_deactivated"):
            continue
        account_id = clean_or_none(about.get("account_id")) or clean_text(key)[0]
        structure = clean_or_none(about.get("structure"))
        found.setdefault(
            account_id,
            Workspace(
                account_id,
                name=clean_or_none(about.get("name")),
                plan=clean_or_none(about.get("plan_type")),
                structure=structure,
                is_personal=structure in {None, "personal"},
            ),
        )
    return tuple(sorted(found.values(), key=lambda workspace: (not workspace.is_personal, workspace.id)))


def odd_workspaces(data: object) -> int:
    """Return how many entries of ``accounts/check`` say of no workspace which one it is."""
    return sum(about is None for _, about in _accounts(data))


def _accounts(data: object) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield each entry's key and what it says of its workspace, None where that is not understood."""
    for key, entry in as_dict(as_dict(data).get("accounts")).items():
        about = as_dict(entry).get("account")
        is_understood = isinstance(about, dict) and isinstance(about.get("account_id"), str | None)
        yield key, about if is_understood else None


def projects_page(data: object) -> ProjectsPage | None:
    """Read one page of the sidebar; a custom GPT in it is no project.

    None for an answer of an unknown form: one without a list, or none of whose rows is understood.
    """
    record = as_dict(data)
    rows = as_list(record.get("items"))
    gizmos = [_with_files(gizmo, row) for row in rows if (gizmo := _unwrapped(row)) is not None]
    if not isinstance(record.get("items"), list) or (rows and not gizmos):
        return None
    found = [gizmo for gizmo in gizmos if str(gizmo["id"]).startswith(PROJECT_PREFIX)]
    cursor = record.get("cursor")
    return ProjectsPage(found, cursor if isinstance(cursor, str) and cursor else None, len(rows) - len(gizmos))


def _unwrapped(row: object) -> dict[str, Any] | None:
    """Return the project or GPT ("gizmo") in a row.

    It comes wrapped in at least three ways (API notes §5).
    """
    for _ in range(MOST_WRAPPINGS):
        if not isinstance(row, dict):
            return None
        gizmo_id = row.get("id")
        if isinstance(gizmo_id, str) and gizmo_id.startswith("g-") and gizmo_id == clean_or_none(gizmo_id):
            return row
        row = row.get("gizmo") or row.get("resource")
    return None


def _with_files(gizmo: dict[str, Any], row: object) -> dict[str, Any]:
    """Return a project with the files that what it is wrapped in says it has."""
    for _ in range(MOST_WRAPPINGS):
        record = as_dict(row)
        if isinstance(record.get("files"), list) and record is not gizmo:
            return {**gizmo, "files": record["files"]}
        row = record.get("gizmo") or record.get("resource")
    return gizmo


def project_files(gizmo: Mapping[str, Any]) -> Iterator[AccountItem]:
    """Yield the files that a person put into a project, which no message need name."""
    for file in as_list(gizmo.get("files")):
        record = as_dict(file)
        file_id = next((key for key in map(record.get, ("file_id", "id")) if is_file_id(key)), None)
        if file_id is not None:
            row = {
                "name": clean_or_none(record.get("name")),
                "mime_type": clean_or_none(record.get("type")) or clean_or_none(record.get("mime_type")),
                "size": as_count(record.get("size")),
                "created_at": iso_time(record.get("created_at")),
                "project_id": str(gizmo["id"]),
                "provider": _SERVICE.provider,
            }
            yield AccountItem("file", file_id, row)


def project_name(gizmo: Mapping[str, Any]) -> str:
    """Return what the person calls a project, else its id."""
    return clean_or_none(as_dict(gizmo.get("display")).get("name")) or str(gizmo.get("id"))


def project_item(gizmo: Mapping[str, Any]) -> AccountItem:
    """Return a project's row; one that is known by its id only has nothing but its address."""
    project_id = str(gizmo["id"])
    row: dict[str, Any] = {"url": _SERVICE.project_url(clean_or_none(gizmo.get("short_url")) or project_id)}
    display = gizmo.get("display")
    if isinstance(display, dict):
        row |= {
            "name": clean_or_none(display.get("name")),
            "description": clean_or_none(display.get("description")),
            "instructions": clean_or_none(gizmo.get("instructions")),
            "created_at": iso_time(gizmo.get("created_at")),
            "updated_at": iso_time(gizmo.get("updated_at")),
        }
    return AccountItem("project", project_id, row)


def gpt_item(gpt_id: str, data: object) -> AccountItem:
    """Return a custom GPT's row."""
    gizmo = _unwrapped(data) or {}
    display = as_dict(gizmo.get("display"))
    row = {
        "name": clean_or_none(display.get("name")) or gpt_id,
        "description": clean_or_none(display.get("description")),
        "url": _SERVICE.gpt_url(clean_or_none(gizmo.get("short_url")) or gpt_id),
    }
    return AccountItem("gpt", gpt_id, row)


def has_memories(data: object) -> bool:
    """Whether an answer is a list of memories, if an empty one."""
    return isinstance(as_dict(data).get("memories"), list)


def has_instructions(data: object) -> bool:
    """Whether an answer holds custom instructions, if none are set."""
    return isinstance(data, dict)


def memory_items(data: object) -> Iterator[AccountItem]:
    """Read the memories; one without an id is known by a hash of its text."""
    for row in as_dicts(as_dict(data).get("memories")):
        content = clean_or_none(row.get("content"))
        if content is None:
            continue
        memory_id = clean_or_none(row.get("id")) or hashlib.sha256(content.encode()).hexdigest()[:32]
        times = {
            "created_at": iso_time(row.get("created_timestamp") or row.get("created_at")),
            "updated_at": iso_time(row.get("updated_at")),
        }
        yield AccountItem("memory", memory_id, {"content": content, **times})


def instructions_items(data: object) -> Iterator[AccountItem]:
    """Read the custom instructions: readable text, one paragraph a field that has something."""
    if isinstance(data, dict):
        kept = {k: v for k, v in data.items() if k != "object" and v not in (None, "", [], {})}
        lines = [f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in kept.items()]
        yield AccountItem("instructions", "instructions", {"content": clean_text("\n\n".join(lines))[0]})
