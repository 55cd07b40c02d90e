"""The lists of the simulated service, and how they lie (API notes §2, §5)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from mirror.simulator import shapes
from mirror.simulator.clock import iso

if TYPE_CHECKING:
    from mirror.simulator.account import Account
    from mirror.simulator.knobs import Knobs

MOST = 100
Answer = tuple[int, Any]


def unprocessable(what: str, message: str) -> Answer:
    """Return the service's 422."""
    return 422, {"detail": [{"type": "value_error", "loc": ["query", what], "msg": message, "input": None}]}


class Lists:
    """Answers every list request."""

    def __init__(self, account: Account, knobs: Knobs) -> None:
        self.account, self.knobs = account, knobs

    def conversations(self, workspace: str, query: dict[str, str]) -> Answer:
        """``GET /conversations``."""
        offset, limit = int(query.get("offset", "0")), int(query.get("limit", "28"))
        if limit > MOST:
            return unprocessable("limit", "Input should be less than or equal to 100")
        if query.get("order", "updated") != "updated":
            return 500, {"detail": "Internal Server Error"}
        if "hide_snorlax" in query and self.knobs.hide_snorlax_rejected:
            return unprocessable("hide_snorlax", "Extra inputs are not permitted")
        deep = self.knobs.deep_offset_error_from
        if deep is not None and offset >= deep:
            return 500, {"detail": "Internal Server Error"}
        archived = query.get("is_archived") == "true"
        starred = None if "is_starred" not in query or self.knobs.ignores_filters else query["is_starred"] == "true"
        scope = "archived" if archived else ("starred" if starred else "main")
        self._before_page(scope, offset // max(1, limit))
        rows = self.account.listed(workspace, archived=None if starred else archived, starred=starred)
        if query.get("hide_snorlax") == "true" or (self.knobs.main_excludes_projects and scope == "main"):
            rows = [row for row in rows if not (row["gizmo_id"] or "").startswith("g-p-")]
        return 200, self._page(scope, rows, offset, limit)

    def _before_page(self, scope: str, number: int) -> None:
        if self.knobs.between_pages is not None:
            self.knobs.between_pages(scope, number)

    def _bent(self, scope: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [row for row in rows if row["conversation_id"] not in self.knobs.omitted]
        if self.knobs.collapse_to is not None and scope in self.knobs.collapse_scopes:
            rows = rows[: int(len(rows) * self.knobs.collapse_to)]
        return rows if self.knobs.end_early_at is None else rows[: self.knobs.end_early_at]

    def _page(self, scope: str, rows: list[dict[str, Any]], offset: int, limit: int) -> dict[str, Any]:
        rows = self._bent(scope, rows)
        size = min(limit, self.knobs.page_cap or limit)
        page = rows[offset : offset + size]
        if self.knobs.repeated_page_at is not None and offset // max(1, limit) == self.knobs.repeated_page_at:
            page = rows[:size]
        if self.knobs.endless and not page:
            page = rows[:size]
        if self.knobs.repeat_and_skip and offset and len(page) == size:
            page = rows[offset - 2 : offset] + page[: size // 2] + page[size // 2 + 2 :]
        answer: dict[str, Any] = {
            "items": [shapes.list_row(row, self.knobs, offset + n) for n, row in enumerate(page)],
            "limit": limit,
            "offset": offset,
        }
        totals = {"hint": offset + len(page) + 1, "true": len(rows), "null": None, "zero": 0, "wrong": 7}
        if self.knobs.total in totals:
            answer["total"] = totals[self.knobs.total]
        return answer

    def anonymous(self) -> Answer:
        """Return what a list shows to nobody in particular: an empty account (§1.3)."""
        return 200, {"items": [], "total": 0, "limit": 28, "offset": 0}

    def shared(self, workspace: str, query: dict[str, str]) -> Answer:
        """``GET /shared_conversations``: rows are shares."""
        offset, limit = int(query.get("offset", "0")), int(query.get("limit", "50"))
        home = self.account.workspaces[0].id
        shares = [s for s in self.account.shares if self.account.homes.get(s["conversation_id"], home) == workspace]
        page = shares[offset : offset + limit]
        if self.knobs.shared_repeats and not page:
            page = shares[:limit]
        known = {**self.account.deleted, **self.account.conversations}
        rows = [
            {
                "id": share["id"],
                "conversation_id": share["conversation_id"],
                "title": known[share["conversation_id"]]["title"],
                "create_time": iso(share["at"]),
                "update_time": iso(share["at"]),
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

    def pins(self, workspace: str) -> Answer:
        """``GET /pins``."""
        pinned = [c for c in self.account.listed(workspace) if c["pinned_time"] is not None]
        rows = [
            {
                "item_type": "conversation",
                "item": shapes.list_row(c, self.knobs, 0),
                "pinned_at": iso(c["pinned_time"]),
            }
            for c in pinned
        ]
        return 200, rows

    # -- projects

    def sidebar(self, workspace: str, query: dict[str, str]) -> Answer:
        """``GET /gizmos/snorlax/sidebar``: projects, five a page unless asked for more, with long opaque cursors."""
        limit = min(int(query.get("limit", str(self.knobs.project_limit_default))), 32)
        start = _position(query.get("cursor"), "sidebar")
        home = self.account.workspaces[0].id
        projects = [p for p in self.account.projects.values() if (p.get("workspace_id") or home) == workspace]
        page = projects[start : start + limit]
        more = start + limit < len(projects) or (self.knobs.cursors_never_end and projects)
        if self.knobs.cursors_never_end and not page:
            page, start = projects[:limit], start + 1
        return 200, {
            "items": [shapes.sidebar_item(row, self.knobs.sidebar_nesting) for row in page],
            "cursor": _cursor(start + limit, "sidebar") if more else None,
        }

    def project(self, workspace: str, project: str, query: dict[str, str]) -> Answer:
        """``GET /gizmos/{id}/conversations``: fifty rows at most; a cursor counted up by hand shows the first page."""
        limit = int(query.get("limit", "20"))
        if limit > 50:  # noqa: PLR2004 - the service's own bound
            return unprocessable("limit", "Input should be less than or equal to 50")
        if project not in self.account.projects:
            return 404, {"detail": "Gizmo not found"}
        start = _position(query.get("cursor"), project)
        self._before_page(f"project:{project}", start // max(1, limit))
        rows = self._bent("project", self.account.listed(workspace, project=project))
        page = rows[start : start + limit]
        more = start + limit < len(rows)
        if self.knobs.cursors_never_end and rows and not more:
            page, more = page or rows[:limit], True
        return 200, {
            "items": [shapes.list_row(row, self.knobs, start + n) for n, row in enumerate(page)],
            "cursor": _cursor(start + limit, project) if more else None,
        }


def _cursor(position: int, salt: str) -> str:
    raw = f"{position}:{salt}:" + "~" * 300
    return base64.b64encode(raw.encode()).decode() + "+/="


def _position(cursor: str | None, salt: str) -> int:
    if not cursor or cursor.isdigit():
        return 0
    try:
        position, found, _ = base64.b64decode(cursor.removesuffix("+/=")).decode().split(":", 2)
    except ValueError:
        return 0
    return int(position) if found == salt else 0
