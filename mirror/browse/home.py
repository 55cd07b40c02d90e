"""The mirror's home page: is it current, how much is in it, what is new, what changed last."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror.browse import access, pages
from mirror.browse.counts import PERSON, MonthlyCounts, file_state, monthly_counts
from mirror.browse.databases import mirrors
from mirror.browse.plots import Plot, stacked_bars
from mirror.health import freshness
from mirror.services import speaker_of
from mirror.store import overview

if TYPE_CHECKING:
    import sqlite3

    from datasette import Response  # type: ignore[import-untyped] # it has no types

    from mirror.store.conversation_list import ListedConversation
    from mirror.store.status import IncompleteConversation, Status

SECONDS = 20.0  # by judgement: a reader waits no longer for a page
# Conversations listed; by judgement: the lists fit one screen, and each leads to the table with all of them.
NEWEST, CHANGES, INCOMPLETE = 12, 25, 10
TABLES = (*access.CHAT_TABLES, "sync_runs", "changes")


@dataclass(frozen=True, slots=True)
class HomePage:
    """All that the page shows.

    ``warning``: why the mirror is not current, empty where it is. ``is_calm``: because it was imported and never
    synced, which is no failure; ``is_import``: all of it is like that. ``service``: the name of the service, or the
    names of several. ``incomplete``: the first of the conversations that are stored only in part.
    """

    status: Status
    status_lines: list[str]
    warning: str
    is_calm: bool
    is_import: bool
    incomplete: list[IncompleteConversation]
    service: str
    totals: overview.OverviewTotals
    newest: list[ListedConversation]
    changes: overview.LastChanges | None
    by_speaker: Plot
    by_model: Plot


async def home_page(datasette: Any, request: Any) -> Response:
    """Answer with the page."""
    database = access.database_of(datasette, request)
    await access.ensure_allowed(datasette, request, database, TABLES)
    known, now = mirrors(datasette).counts, time.time()
    path = datasette.get_database(database).path
    state = file_state(path)

    def load(conn: sqlite3.Connection) -> HomePage:
        known[database] = monthly_counts(conn, state, known.get(database))
        return load_home_page(conn, Path(path), known[database], now)

    page = await access.read_in_time(datasette, database, load, SECONDS)
    return pages.render_page(datasette, database, "home", page=page, title=f"Chats in {database}")


def load_home_page(conn: sqlite3.Connection, path: Path, counts: MonthlyCounts, now: float) -> HomePage:
    """Read what the page shows."""
    current = freshness.read_status(conn, path)
    verdict = freshness.verdict(current, now)
    names = {provider: speaker_of(provider) for provider in overview.providers(conn)}
    return HomePage(
        status=current,
        status_lines=list(freshness.lines(current, now)),
        warning=verdict.message if verdict else "",
        is_calm=freshness.is_only_unsynced(current, now),
        is_import=current.lacking is None and freshness.is_import(current),
        incomplete=current.incomplete[:INCOMPLETE],
        service=" or ".join(names.values()),
        totals=overview.totals(conn),
        newest=overview.newest_conversations(conn, NEWEST),
        changes=overview.last_changes(conn, CHANGES),
        by_speaker=stacked_bars("Messages by month", counts.by_speaker, {PERSON: "You", **names}),
        by_model=stacked_bars("Answers by month and model", counts.by_model),
    )
