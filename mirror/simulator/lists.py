"""The lists of the simulated service, and how they lie (API notes §2, §5)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from mirror.simulator import shapes
from mirror.simulator.asking import BadQueryError, number, unprocessable
from mirror.simulator.clock import iso

if TYPE_CHECKING:
    from mirror.simulator.account import Account
    from mirror.simulator.asking import Answer
    from mirror.simulator.knobs import Knobs

MOST, MOST_IN_PROJECT, MOST_PROJECTS = 100, 50, 32


class Lists:
    """Answers every list request."""

    def __init__(self, account: Account, knobs: Knobs) -> None:
        self.account, self.knobs = account, knobs
        self._walks: dict[str, list[int]] = {}  # of every list, the offsets asked for since its last first page

    def conversations(self, workspace: str, query: dict[str, str]) -> Answer:
        """``GET /conversations``."""
        offset, limit = number(query, "offset", 0), number(query, "limit", 28, MOST)
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
        page = self._before_page(scope, offset)
        rows = self.account.listed(workspace, archived=None if starred else archived, starred=starred)
        if query.get("hide_snorlax") == "true" or (self.knobs.main_excludes_projects and scope == "main"):
            rows = [row for row in rows if not (row["gizmo_id"] or "").startswith("g-p-")]
        return 200, self._page(scope, rows, offset, limit, page)

    def _before_page(self, scope: str, offset: int) -> int:
        """Let happen what happens before this page; return its number in the walk, from 0."""
        walk = self._walks.setdefault(scope, [])
        if offset == 0:
            walk.clear()
        if offset not in walk:
            walk.append(offset)
        if self.knobs.between_pages is not None:
            self.knobs.between_pages(scope, walk.index(offset))
        return walk.index(offset)

    def _bent(self, scope: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [row for row in rows if row["conversation_id"] not in self.knobs.omitted]
        if self.knobs.collapse_to is not None and scope in self.knobs.collapse_scopes:
            rows = rows[: int(len(rows) * self.knobs.collapse_to)]
        return rows if self.knobs.end_early_at is None else rows[: self.knobs.end_early_at]

    def _page(self, scope: str, rows: list[dict[str, Any]], offset: int, limit: int, walked: int = 0) -> dict[str, Any]:
        rows = self._bent(scope, rows)
        size = min(limit, self.knobs.page_cap or limit)
        page = rows[offset : offset + size]
        if walked and walked == self.knobs.repeated_page_at:
            page = rows[:size]
        if self.knobs.endless and not page:
            page = rows[:size]
        if self.knobs.repeat_and_skip and offset and len(page) == size:
            page = rows[offset - 2 : offset] + page[: size // 2] + page[size // 2 + 2 :]
        if walked and walked == self.knobs.empty_page_at:
            page = []
        answer: dict[str, Any] = {
            "items": [shapes.list_row(row, self.knobs, offset + n) for n, row in enumerate(page)],
            "limit": len(page) if page and self.knobs.full_last_page else limit,
            "offset": offset,
        }
        totals = {"hint": offset + len(page) + 1, "true": len(rows), "null": None, "zero": 0, "wrong": 7}
        if self.knobs.total in totals:
            answer["total"] = totals[self.knobs.total]
        return answer

    def anonymous(self) -> Answer:
        """Return what a list shows to nobody in particular: an empty account (§1.3)."""
        return 200, {"items": [], "total": 0, "limit": 28, "offset": 0, "cursor": None}

    def shared(self, workspace: str, query: dict[str, str]) -> Answer:
        """``GET /shared_conversations``: rows are shares."""
        offset, limit = number(query, "offset", 0), number(query, "limit", 50, MOST)
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
        limit = min(number(query, "limit", self.knobs.project_limit_default), MOST_PROJECTS)
        inside = number(query, "conversations_per_gizmo", 5, MOST)
        start = _position(query.get("cursor"), "sidebar")
        home = self.account.workspaces[0].id
        projects = [p for p in self.account.projects.values() if (p.get("workspace_id") or home) == workspace]
        page = projects[start : start + limit]
        more = start + limit < len(projects) or (self.knobs.cursors_never_end and projects)
        if self.knobs.cursors_never_end and not page:
            page, start = projects[:limit], start + 1
        if self.knobs.sidebar_duplicates and start:
            page = projects[start - 1 : start] + page
        return 200, {
            "items": [
                shapes.sidebar_item(row, self.knobs.sidebar_nesting, self._inside(workspace, row["id"], inside))
                for row in page
            ],
            "cursor": _cursor(start + limit, "sidebar") if more else None,
        }

    def _inside(self, workspace: str, project: str, count: int) -> dict[str, Any]:
        rows = self._bent("project", self.account.listed(workspace, project=project)) if count else []
        items = [shapes.list_row(row, self.knobs, n) for n, row in enumerate(rows[:count])]
        return {"items": items, "cursor": _cursor(count, project) if len(rows) > count else None}

    def project(self, workspace: str, project: str, query: dict[str, str]) -> Answer:
        """``GET /gizmos/{id}/conversations``: fifty rows at most; a cursor counted up by hand shows the first page."""
        limit = number(query, "limit", 20, MOST_IN_PROJECT)
        if project not in self.account.projects:
            return 404, {"detail": "Gizmo not found"}
        start = _position(query.get("cursor"), project)
        self._before_page(f"project:{project}", start)
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
    # 548 characters, some of which must be encoded to travel: as the longest that was seen.
    raw = f"{position}:{salt}:".encode()
    raw = raw.ljust(-(-len(raw) // 3) * 3)
    return base64.b64encode(raw + b"\xfb\xff\xbf" * ((409 - len(raw)) // 3 + 1))[:546].decode() + "=="


def _position(cursor: str | None, salt: str) -> int:
    if not cursor or cursor.isdigit():
        return 0  # a cursor counted up by hand shows the first page for ever
    try:
        raw = base64.b64decode(cursor[:544], validate=True)
    except ValueError:
        raise BadQueryError(unprocessable("cursor", "Invalid cursor", cursor)) from None
    position, found, _ = raw.split(b":", 2) if raw.count(b":") > 1 else (b"0", b"", b"")
    return int(position) if found.decode(errors="replace") == salt else 0
