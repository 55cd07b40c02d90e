"""List rows: every known form gives its conversation, and nothing else gives one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scripted_wire import session_of

from mirror.chatgpt.list_rows import PAGE_SIZE, parse_list_page, parse_list_row, rows_in
from mirror.chatgpt.lists import Lists
from mirror.chatgpt.memory import ChatGPTMemory
from mirror.errors import ServiceError
from mirror.source import Listed

LISTS: dict[str, Any] = {
    "main": lambda lists: lists.main_page(0),
    "archived": lambda lists: lists.archived_page(0),
    "starred": lambda lists: lists.starred_page(0),
    "work": lambda lists: lists.work_page(0),
    "archived work": lambda lists: lists.archived_work_page(0),
    "shared": lambda lists: lists.shared_page(0),
    "project": lambda lists: lists.project_page("g-p-1", "0"),
    "pinned": lambda lists: lists.pinned_page(),
}
MICROSECONDS = 1_752_220_800_123_456


@pytest.mark.parametrize("name", list(LISTS))
def test_every_page_counts_its_bytes(name: str) -> None:
    """By them a list that never ends is ended, before its rows fill the memory."""
    answer = {"items": [{"id": "c", "update_time": 1_752_220_800}]}
    session, _ = session_of(lambda request: answer)
    assert LISTS[name](Lists(session, ChatGPTMemory())).size == len(json.dumps(answer))


def row_of(**fields: Any) -> Listed:
    found = parse_list_row({"id": "c", **fields})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"update_time": "2025-07-11T08:00:00.123456Z"}, {"list_us": MICROSECONDS}),
        ({"update_time": "2025-07-11T08:00:00.123456+00:00"}, {"list_us": MICROSECONDS}),
        ({"update_time": "2025-07-11T08:00:00.123456"}, {"list_us": MICROSECONDS}),
        ({"update_time": 1_752_220_800.0}, {"list_us": 1_752_220_800_000_000}),
        ({"create_time": "2023-03-01T10:00:00"}, {"list_us": 1_677_664_800_000_000}),
        ({"update_time": None, "create_time": None}, {"list_us": None, "created_at": None}),
        ({"update_time": "yesterday"}, {"list_us": None}),
        ({"update_time": 0, "create_time": 0}, {"list_us": None}),
        ({"update_time": None, "create_time": "2025-07-11T08:00:00Z"}, {"list_us": None}),
        ({"create_time": "2025-07-11T08:00:00Z"}, {"list_us": None}),
        ({"update_time": "yesterday", "create_time": "2023-03-01T10:00:00"}, {"list_us": None}),
        ({"update_time": None, "create_time": "2023-03-01T10:00:00"}, {"list_us": 1_677_664_800_000_000}),
        ({"create_time": "2023-03-01T10:00:00"}, {"created_at": "2023-03-01T10:00:00.000Z"}),
        ({"id": "share", "conversation_id": "c"}, {}),
        ({"conversation_id": None}, {}),
        ({"title": "T"}, {"title": "T"}),
        ({"title": ""}, {"title": None}),
        ({"title": None}, {"title": None}),
        ({"title": 5}, {"title": None}),
        ({"title": "cut \ud83d"}, {"title": "cut \ufffd"}),
        ({"is_archived": True}, {"is_archived": True}),
        ({"is_archived": None}, {"is_archived": None}),
        ({"is_archived": 1}, {"is_archived": None}),
        ({"is_starred": True}, {"is_starred": True}),
        ({"is_starred": None}, {"is_starred": False}),
        ({"is_starred": "yes"}, {"is_starred": False}),
        ({}, {"is_starred": None, "states_home": False, "project_id": None, "gpt_id": None}),
        ({"gizmo_id": None}, {"states_home": True, "project_id": None, "gpt_id": None}),
        ({"gizmo_id": "g-p-1"}, {"states_home": True, "project_id": "g-p-1", "gpt_id": None}),
        ({"gizmo_id": "g-1"}, {"states_home": True, "project_id": None, "gpt_id": "g-1"}),
        ({"gizmo_id": None, "conversation_template_id": "g-p-1"}, {"project_id": "g-p-1"}),
        ({"conversation_template_id": "g-1"}, {"states_home": True, "gpt_id": "g-1"}),
        ({"gizmo_id": 7}, {"states_home": True, "project_id": None, "gpt_id": None}),
        ({"gizmo_id": ["g-p-1"]}, {"project_id": None, "gpt_id": None}),
    ],
)
def test_every_known_form_of_a_row(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each field in each of its forms, and what it means."""
    found = row_of(**fields)
    assert found.conversation_id == "c"
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    "row",
    [None, 3, "x", {}, [], {"id": None}, {"id": 5}, {"id": ""}, {"id": ["c"]}, {"id": "c\0"}, {"id": "c\ud83d"}],
)
def test_what_is_no_conversation(row: object) -> None:
    """No id, or one that no database holds, is no row."""
    assert parse_list_row(row) is None


def test_what_the_list_itself_says() -> None:
    """The list's own filter counts where a row does not say otherwise; a share's time is not the conversation's."""
    assert parse_list_row({"id": "c"}, is_archived=True) == Listed("c", None, is_archived=True)
    assert parse_list_row({"id": "c", "is_archived": False}, is_archived=True) == Listed("c", None, is_archived=False)
    assert parse_list_row({"id": "c", "update_time": 1_752_220_800}, has_list_time=False) == Listed("c", None)


@pytest.mark.parametrize(
    ("data", "ids", "row_count", "page_size", "cursor"),
    [
        ({"items": [{"id": "a"}, None, {"id": "b"}]}, ["a", "b"], 3, PAGE_SIZE, None),
        ([{"id": "a"}], ["a"], 1, PAGE_SIZE, None),
        ({"items": []}, [], 0, PAGE_SIZE, None),
        ({"items": [], "limit": 28}, [], 0, 28, None),
        ({"items": [], "limit": 0}, [], 0, PAGE_SIZE, None),
        ({"items": [], "limit": 500}, [], 0, PAGE_SIZE, None),
        ({"items": [], "limit": "28"}, [], 0, PAGE_SIZE, None),
        ({"items": [], "cursor": "x+/="}, [], 0, PAGE_SIZE, "x+/="),
        ({"items": [], "cursor": ""}, [], 0, PAGE_SIZE, None),
        ({"items": [], "cursor": 5}, [], 0, PAGE_SIZE, None),
        ({"items": [], "total": "nonsense"}, [], 0, PAGE_SIZE, None),
    ],
)
def test_every_known_form_of_a_page(
    data: object, ids: list[str], row_count: int, page_size: int, cursor: str | None
) -> None:
    """Rows that are none count as rows, so that the next page's offset is right."""
    page = parse_list_page(data, "main")
    assert (page.ids, page.row_count, page.page_size, page.cursor) == (ids, row_count, page_size, cursor)


@pytest.mark.parametrize("data", [None, 5, "x", {}, [], {"items": None}, {"items": {"id": "a"}}])
def test_what_is_no_list_is_an_error(data: object) -> None:
    """An answer without rows is never taken for an empty list."""
    with pytest.raises(ServiceError, match="starred list has an unknown form"):
        rows_in(data, "starred")
    with pytest.raises(ServiceError, match="starred list has an unknown form"):
        parse_list_page(data, "starred")
