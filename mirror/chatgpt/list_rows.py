"""Rows of lists in the service's JSON (API notes §2.2, §2.4): every form that was seen is read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mirror.chatgpt.api_paths import fits_path
from mirror.chatgpt.paging import ListPage
from mirror.errors import ServiceError
from mirror.source import Listed
from mirror.values import as_count, as_dict, as_dicts, clean_or_none, clean_text, epoch_us, iso_time

UNKNOWN_OWNER = "unknown"  # of a conversation that has an owner in a form that is not understood
PROJECT_PREFIX = "g-p-"  # how the id of a project begins; custom GPTs begin with "g-" alone (API notes §5)
# Rows of a page: the most that the service grants; 101 are refused (API notes §2.1). Larger: every list fails.
PAGE_SIZE = 100
# Microseconds since 1970, 2024-01-01: only conversations of 2023 were seen without an update time (API notes §2.2).
# Later: a list that loses its times is not noticed; earlier: old accounts are taken for such a list.
LEGACY_UNTIL_US = 1_704_067_200_000_000
_WORK_ORIGINS = ("tpp", "flora", "codex")  # what rows of Work conversations say (API notes §2.6)


def parse_list_row(row: Any, *, is_archived: bool | None = None, has_list_time: bool = True) -> Listed | None:
    """Read one row; None for what is no conversation.

    ``is_archived``: what the list says of all its rows, for a row that does not say it. ``has_list_time``: whether the
    row's time is the conversation's; in the shared list it is the share's.
    """
    record = as_dict(row)
    conversation_id = record.get("conversation_id") or record.get("id")
    if not isinstance(conversation_id, str) or not conversation_id or clean_text(conversation_id)[1]:
        return None  # an id with a NUL or a lone surrogate is none
    if not fits_path(conversation_id):
        return None
    archived, starred = record.get("is_archived"), record.get("is_starred")
    gizmo_id = clean_or_none(record.get("gizmo_id") or record.get("conversation_template_id"))
    is_project = gizmo_id is not None and gizmo_id.startswith(PROJECT_PREFIX)
    return Listed(
        conversation_id=conversation_id,
        list_us=_list_time(record) if has_list_time else None,
        title=clean_or_none(record.get("title")),
        created_at=iso_time(record.get("create_time")),
        is_archived=archived if isinstance(archived, bool) else is_archived,
        is_starred=starred if isinstance(starred, bool) else (False if "is_starred" in record else None),
        project_id=gizmo_id if is_project else None,
        gpt_id=None if is_project else gizmo_id,
        states_home="gizmo_id" in record or "conversation_template_id" in record,
        owner_id=_owner_id(record.get("owner")),
        is_work=True if record.get("conversation_origin") in _WORK_ORIGINS else None,
    )


def _list_time(record: dict[str, Any]) -> int | None:
    """Return a row's list time; None where it has none that can be read: when it was made says nothing of its news."""
    stated = record.get("update_time")
    listed_us = epoch_us(stated) or None  # 0, too, is no time
    if listed_us is not None or stated:
        return listed_us
    made_us = epoch_us(record.get("create_time"))
    # Rows of 2023 carry a create_time only (API notes §2.2).
    return made_us if made_us is not None and made_us <= LEGACY_UNTIL_US else None


def _owner_id(owner: object) -> str | None:
    """Return whose conversation it is, None where the row does not say; the form of an owner is not known."""
    about = as_dict(owner)
    found = clean_or_none(about.get("user_id") or about.get("id") or owner)
    return found or (UNKNOWN_OWNER if owner else None)


def parse_list_page(data: Any, label: str, *, is_archived: bool | None = None) -> ListPage:
    """Read the answer of a list; raises ServiceError when it is not a list at all.

    ``label``: the list's name, for that error. ``is_archived``: as for ``parse_list_row``.
    """
    record, rows = as_dict(data), rows_in(data, label)
    found = [parse_list_row(row, is_archived=is_archived) for row in rows]
    if rows and not any(found):
        raise ServiceError(f"The {label} list has rows of an unknown form; what is saved stays. Update chatmirror.")
    granted, cursor = as_count(record.get("limit")) or PAGE_SIZE, record.get("cursor")
    return ListPage(
        row_count=len(rows),
        items=[item for item in found if item is not None],
        page_size=min(granted, PAGE_SIZE),
        cursor=cursor if isinstance(cursor, str) and cursor else None,
        flaw=_flaw(record, rows),
        odd=Counter(repr(row) for row, item in zip(rows, found, strict=True) if item is None),
    )


def _flaw(record: dict[str, Any], rows: list[Any]) -> str | None:
    """Return what a page says or shows against its list, None where nothing is wrong."""
    if record.get("has_missing_conversations") is True:
        return "says itself that conversations are missing from it"
    first_made = [epoch_us(row.get("create_time")) or 0 for row in as_dicts(rows)]
    has_times = any(row.get("update_time") for row in as_dicts(rows))
    if not has_times and first_made and max(first_made) > LEGACY_UNTIL_US:
        return "no longer says when conversations changed"
    return None


def rows_in(data: Any, label: str) -> list[Any]:
    """Return the rows of an answer, bare or wrapped; raises ServiceError when it holds no list.

    A bare list without rows is none: an empty account's is wrapped, and nothing shows what this is a list of.
    """
    rows = data.get("items") if isinstance(data, dict) else data
    if not isinstance(rows, list) or (not rows and rows is data):
        raise ServiceError(f"The {label} list has an unknown form; what is saved stays. Update chatmirror.")
    return rows
