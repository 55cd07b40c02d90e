"""The mirror's home: is it fresh, how much is there, what came last, and what changed last night."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.browse import access, counts, pages
from mirror.browse.databases import mirrors
from mirror.browse.plots import Plot, stacked
from mirror.health import freshness
from mirror.store import status as store

if TYPE_CHECKING:
    import sqlite3

    from datasette import Response  # type: ignore[import-untyped] # it has no types

SECONDS = 20.0
NEWEST, CHANGES = 12, 25
TABLES = (*access.CHATS, "sync_runs", "changes")
_NEWEST = (
    "SELECT c.id, c.title, c.updated_at, c.message_count, c.is_archived, c.is_starred, c.deleted_at, p.name AS project"
    " FROM conversations c LEFT JOIN projects p ON p.id = c.project_id ORDER BY c.updated_at DESC LIMIT ?"
)
_CHANGED = (
    "SELECT ch.conversation_id AS id, c.title, group_concat(ch.kind, ', ') AS what"
    " FROM (SELECT * FROM changes WHERE run_id = ? ORDER BY id DESC LIMIT 2000) ch"
    " JOIN conversations c ON c.id = ch.conversation_id GROUP BY 1 ORDER BY c.updated_at DESC LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Home:
    """All that the page shows. ``banner``: what is wrong, empty when all is well."""

    state: store.Status
    lines: list[str]
    banner: str
    projects: int
    archived: int
    newest: list[Any]
    run: Any
    changed: list[Any]
    has_more: bool
    by_role: Plot
    by_model: Plot


async def show(datasette: Any, request: Any) -> Response:
    """Answer with the page."""
    database = access.database_of(datasette, request)
    await access.ensure(datasette, request, database, TABLES)
    state = counts.state_of(datasette.get_database(database).path)
    known = mirrors(datasette).counts.get(database)
    now = time.time()
    home, fresh = await access.read(datasette, database, lambda conn: read(conn, known, state, now), SECONDS)
    mirrors(datasette).counts[database] = fresh
    return pages.page(datasette, database, "home", h=home, title=f"Chats in {database}")


def read(
    conn: sqlite3.Connection, known: counts.Counts | None, state: tuple[int, ...], now: float
) -> tuple[Home, counts.Counts]:
    """Read what the page shows, and the counts to keep for the next time."""
    fresh = known if known and known.state == state else counts.count(conn, state)
    current = store.read(conn)
    verdict = freshness.verdict(current, now)
    run = conn.execute("SELECT * FROM sync_runs WHERE id = (SELECT max(run_id) FROM changes)").fetchone()
    changed = conn.execute(_CHANGED, (run["id"], CHANGES + 1)).fetchall() if run else []
    totals = conn.execute(
        "SELECT count(DISTINCT project_id), coalesce(sum(is_archived), 0) FROM conversations"
    ).fetchone()
    home = Home(
        state=current,
        lines=list(freshness.lines(current, now)),
        banner=verdict.message if verdict else "",
        projects=totals[0],
        archived=totals[1],
        newest=conn.execute(_NEWEST, (NEWEST,)).fetchall(),
        run=run,
        changed=changed[:CHANGES],
        has_more=len(changed) > CHANGES,
        by_role=stacked("Messages by month", fresh.by_role, {"user": "You", "assistant": "ChatGPT"}),
        by_model=stacked("Answers by month and model", fresh.by_model),
    )
    return home, fresh
