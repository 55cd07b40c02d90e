"""The lists of the simulated service, and what they can get wrong (API notes §2, §5)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from mirror.simulator import answer_shapes
from mirror.simulator.clock import iso_microseconds
from mirror.simulator.parameters import RefusedParameterError, number, unprocessable

if TYPE_CHECKING:
    from mirror.simulator.account import SimulatedAccount
    from mirror.simulator.behaviour import Behaviour
    from mirror.simulator.parameters import JsonAnswer

MOST, MOST_IN_PROJECT, MOST_PROJECTS = 100, 50, 32
WORK_ORIGINS = {"tpp", "flora", "codex"}
_ORIGIN_PARAMETERS = ("conversation_origin", "exclude_conversation_origin")


class ListEndpoints:
    """Answers every list request."""

    def __init__(self, account: SimulatedAccount, behaviour: Behaviour) -> None:
        self.account, self.behaviour = account, behaviour
        self._offsets: dict[str, list[int]] = {}  # scope -> the offsets asked for since its last first page

    def conversations(self, workspace: str, query: dict[str, str]) -> JsonAnswer:
        """``GET /conversations``."""
        offset, limit = number(query, "offset", 0), number(query, "limit", 28, MOST)
        if query.get("order", "updated") != "updated":
            return 500, {"detail": "Internal Server Error"}
        if "hide_snorlax" in query and self.behaviour.hide_snorlax_rejected:
            return unprocessable("hide_snorlax", "Extra inputs are not permitted")
        deep = self.behaviour.deep_offset_error_from
        if deep is not None and offset >= deep:
            return 500, {"detail": "Internal Server Error"}
        if any(name in query for name in _ORIGIN_PARAMETERS) and self.behaviour.work == "refused":
            return unprocessable("conversation_origin", "Extra inputs are not permitted")
        archived = query.get("is_archived") == "true"
        starred = None if "is_starred" not in query or self.behaviour.ignores_filters else query["is_starred"] == "true"
        of_work = query.get("conversation_origin") == "tpp" and self.behaviour.work != "ignored"
        scope = "archived" if archived else ("starred" if starred else "main")
        scope = {"main": "work", "archived": "work_archived"}.get(scope, scope) if of_work else scope
        page = self._before_page(scope, offset)
        rows = self.account.listed(workspace, archived=None if starred else archived, starred=starred)
        rows = [row for row in rows if self._is_in_list(row, query, of_work=of_work)]
        if query.get("hide_snorlax") == "true" or (self.behaviour.main_excludes_projects and scope == "main"):
            rows = [row for row in rows if not (row["gizmo_id"] or "").startswith("g-p-")]
        if self.behaviour.shuffled_rows and scope == "main":
            rows = sorted(rows, key=lambda row: str(row["conversation_id"]))
        return 200, self._page(scope, rows, offset, limit, page)

    def _is_in_list(self, row: dict[str, Any], query: dict[str, str], *, of_work: bool) -> bool:
        """Whether a conversation stands in the ordinary lists or in those of Work, as they were asked for."""
        is_work = row.get("conversation_origin") in WORK_ORIGINS
        if of_work or self.behaviour.work == "ignored":
            return is_work or not of_work
        is_hidden = self.behaviour.work == "apart" or query.get("exclude_conversation_origin") == "tpp"
        return not (is_work and is_hidden)

    def _before_page(self, scope: str, offset: int) -> int:
        """Let happen what happens before this page; return its number, from 0."""
        offsets = self._offsets.setdefault(scope, [])
        if offset == 0:
            offsets.clear()
        if offset not in offsets:
            offsets.append(offset)
        if self.behaviour.between_pages is not None:
            self.behaviour.between_pages(scope, offsets.index(offset))
        return offsets.index(offset)

    def _shown(self, scope: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [row for row in rows if row["conversation_id"] not in self.behaviour.omitted]
        if self.behaviour.collapse_to is not None and scope in self.behaviour.collapse_scopes:
            rows = rows[: int(len(rows) * self.behaviour.collapse_to)]
        return rows if self.behaviour.end_early_at is None else rows[: self.behaviour.end_early_at]

    def _page(
        self, scope: str, rows: list[dict[str, Any]], offset: int, limit: int, page_number: int = 0
    ) -> dict[str, Any]:
        rows = self._shown(scope, rows)
        size = min(limit, self.behaviour.page_cap or limit)
        page = rows[offset : offset + size]
        if page_number and page_number == self.behaviour.repeated_page_at:
            page = rows[:size]
        if self.behaviour.endless and not page:
            page = rows[:size]
        if self.behaviour.repeat_and_skip and offset and len(page) == size:
            page = rows[offset - 2 : offset] + page[: size // 2] + page[size // 2 + 2 :]
        if page_number and page_number == self.behaviour.empty_page_at:
            page = []
        found = [answer_shapes.list_row(row, self.behaviour, offset + n) for n, row in enumerate(page)]
        answer: dict[str, Any] = {
            "items": found + ([] if offset else self.behaviour.odd_rows.get(scope, [])),
            "limit": len(page) if page and self.behaviour.full_last_page else limit,
            "offset": offset,
        }
        totals = {"hint": offset + len(page) + 1, "true": len(rows), "null": None, "zero": 0, "wrong": 7}
        if self.behaviour.total in totals:
            answer["total"] = totals[self.behaviour.total]
        return answer

    def anonymous(self) -> JsonAnswer:
        """Return what a list shows without a login: an empty account (§1.3)."""
        return 200, {"items": [], "total": 0, "limit": 28, "offset": 0, "cursor": None}

    def shared(self, workspace: str, query: dict[str, str]) -> JsonAnswer:
        """``GET /shared_conversations``: rows are shares."""
        offset, limit = number(query, "offset", 0), number(query, "limit", 50, MOST)
        home = self.account.workspaces[0].id
        shares = [s for s in self.account.shares if self.account.homes.get(s["conversation_id"], home) == workspace]
        page = shares[offset : offset + limit]
        if self.behaviour.shared_repeats and not page:
            page = shares[:limit]
        known = {**self.account.deleted, **self.account.conversations}
        rows = [
            {
                "id": share["id"],
                "conversation_id": share["conversation_id"],
                "title": known[share["conversation_id"]]["title"],
                "create_time": iso_microseconds(share["at"]),
                "update_time": iso_microseconds(share["at"]),
                "mapping": None,
            }
            for share in page
        ]
        return 200, {
            "items": rows,
            "total": offset + len(rows) + 1,
            "limit": limit,
            "offset": offset,
            "has_missing_conversations": False,
        }

    def pins(self, workspace: str) -> JsonAnswer:
        """``GET /pins``."""
        pinned = [c for c in self.account.listed(workspace) if c["pinned_time"] is not None]
        rows = [
            {
                "item_type": "conversation",
                "item": answer_shapes.list_row(c, self.behaviour, 0),
                "pinned_at": iso_microseconds(c["pinned_time"]),
            }
            for c in pinned
        ]
        return 200, rows

    # -- projects

    def sidebar(self, workspace: str, query: dict[str, str]) -> JsonAnswer:
        """``GET /gizmos/snorlax/sidebar``: projects, usually five a page, with long opaque cursors."""
        limit = min(number(query, "limit", self.behaviour.project_limit_default), MOST_PROJECTS)
        inside = number(query, "conversations_per_gizmo", 5, MOST)
        start = _position(query.get("cursor"), "sidebar")
        home = self.account.workspaces[0].id
        of_others = query.get("owned_only", "true") == "false"
        if of_others and self.behaviour.owned_only_rejected:
            return unprocessable("owned_only", "Input should be true")
        projects = [p for p in self.account.projects.values() if (p.get("workspace_id") or home) == workspace]
        projects = [p for p in projects if of_others or p["id"] not in self.account.projects_of_others]
        page = projects[start : start + limit]
        more = start + limit < len(projects) or (self.behaviour.cursors_never_end and projects)
        if self.behaviour.cursors_never_end and not page:
            page, start = projects[:limit], start + 1
        if self.behaviour.sidebar_duplicates and start:
            page = projects[start - 1 : start] + page
        return 200, {
            "items": [
                answer_shapes.sidebar_item(
                    row, self.behaviour.sidebar_nesting, self._inside(workspace, row["id"], inside)
                )
                for row in page
            ],
            "cursor": _list_cursor(start + limit, "sidebar") if more else None,
        }

    def _inside(self, workspace: str, project: str, count: int) -> dict[str, Any]:
        rows = self._shown("project", self.account.listed(workspace, project=project)) if count else []
        items = [answer_shapes.list_row(row, self.behaviour, n) for n, row in enumerate(rows[:count])]
        return {"items": items, "cursor": _list_cursor(count, project) if len(rows) > count else None}

    def project(self, workspace: str, project: str, query: dict[str, str]) -> JsonAnswer:
        """``GET /gizmos/{id}/conversations``: fifty rows at most.

        A cursor that is a plain number shows the first page.
        """
        limit = number(query, "limit", 20, MOST_IN_PROJECT)
        if project not in self.account.projects:
            return 404, {"detail": "Gizmo not found"}
        start = _position(query.get("cursor"), project)
        self._before_page(f"project:{project}", start)
        rows = self._shown("project", self.account.listed(workspace, project=project))
        page = rows[start : start + limit]
        more = start + limit < len(rows)
        if self.behaviour.cursors_never_end and rows and not more:
            page, more = page or rows[:limit], True
        return 200, {
            "items": [answer_shapes.list_row(row, self.behaviour, start + n) for n, row in enumerate(page)],
            "cursor": _list_cursor(start + limit, project) if more else None,
        }


def _list_cursor(position: int, salt: str) -> str:
    # 548 characters, some of which must be encoded to travel: as the longest that was seen.
    raw = f"{position}:{salt}:".encode()
    raw = raw.ljust(-(-len(raw) // 3) * 3)
    return base64.b64encode(raw + b"\xfb\xff\xbf" * ((409 - len(raw)) // 3 + 1))[:546].decode() + "=="


def _position(cursor: str | None, salt: str) -> int:
    if not cursor or cursor.isdigit():
        return 0
    try:
        raw = base64.b64decode(cursor[:544], validate=True)
    except ValueError:
        raise RefusedParameterError(unprocessable("cursor", "Invalid cursor", cursor)) from None
    position, found, _ = raw.split(b":", 2) if raw.count(b":") > 1 else (b"0", b"", b"")
    return int(position) if found.decode(errors="replace") == salt else 0
