"""What the home page shows of a mirror: newest conversations, last changes, totals, months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.store.conversation_list import listed
from mirror.store.search.request import Filters, conversation_conditions

if TYPE_CHECKING:
    import sqlite3

    from mirror.store.conversation_list import ListedConversation

MOST_GROUPED = 2_000  # changes of a run that are grouped by conversation; by judgement: a page shows a few dozen
# Answered from the index on (created_at, role, model) alone; the plus sign keeps SQLite from the one on the role.
_BY_MONTH = (
    "SELECT substr(created_at, 1, 7) AS month, role, model, count(*) AS messages FROM messages"
    " WHERE created_at IS NOT NULL AND +role IN ('user', 'assistant') GROUP BY 1, 2, 3"
)
_BY_MONTH_AND_PROVIDER = (
    "SELECT substr(m.created_at, 1, 7) AS month, m.role, m.model, c.provider, count(*) AS messages"
    " FROM messages m JOIN conversations c ON c.id = m.conversation_id"
    " WHERE m.created_at IS NOT NULL AND +m.role IN ('user', 'assistant') GROUP BY 1, 2, 3, 4"
)


@dataclass(frozen=True, slots=True)
class ChangedConversation:
    """A conversation that a run saw change; ``what``: the kinds of change, ``renamed, archived``."""

    id: str
    title: str | None
    what: str


@dataclass(frozen=True, slots=True)
class LastChanges:
    """The newest run that saw changes, and the first few conversations that changed."""

    run_id: int
    command: str
    started_at: str
    conversations: list[ChangedConversation]
    has_more: bool


@dataclass(frozen=True, slots=True)
class OverviewTotals:
    """How many projects have conversations, and how many conversations are archived."""

    projects: int
    archived: int


@dataclass(frozen=True, slots=True)
class MonthCount:
    """How many messages of a role and model were written in a month, ``2025-03``."""

    month: str
    provider: str
    role: str
    model: str | None
    messages: int


def newest_conversations(
    conn: sqlite3.Connection, limit: int, filters: Filters | None = None, skip: int = 0
) -> list[ListedConversation]:
    """Return the conversations that changed last, of those that the filters on conversations and time leave."""
    conditions = conversation_conditions(conn, filters or Filters())
    conditions.add_period(filters or Filters(), "c.updated_at")
    return listed(conn, conditions, "c.updated_at", limit, skip)


def last_changes(conn: sqlite3.Connection, limit: int) -> LastChanges | None:
    """Return what the newest run that saw changes saw; None where there has been none."""
    run = conn.execute(
        "SELECT id, command, started_at FROM sync_runs WHERE id = (SELECT max(run_id) FROM changes)"
    ).fetchone()
    if run is None:
        return None
    rows = conn.execute(
        "SELECT ch.conversation_id AS id, c.title, group_concat(ch.kind, ', ') AS what"
        " FROM (SELECT * FROM changes WHERE run_id = ? ORDER BY id DESC LIMIT ?) ch"
        " JOIN conversations c ON c.id = ch.conversation_id GROUP BY 1 ORDER BY c.updated_at DESC LIMIT ?",
        (run["id"], MOST_GROUPED, limit + 1),
    )
    changed = [ChangedConversation(**row) for row in rows]
    return LastChanges(run["id"], run["command"], run["started_at"], changed[:limit], has_more=len(changed) > limit)


def totals(conn: sqlite3.Connection) -> OverviewTotals:
    """Count projects and archived conversations."""
    row = conn.execute(
        "SELECT count(DISTINCT project_id) AS projects, coalesce(sum(is_archived), 0) AS archived FROM conversations"
    ).fetchone()
    return OverviewTotals(**row)


def providers(conn: sqlite3.Connection) -> list[str]:
    """Return the services that the conversations are from, the one with the most first."""
    rows = conn.execute("SELECT provider FROM conversations GROUP BY provider ORDER BY count(*) DESC, provider")
    return [row["provider"] for row in rows]


def messages_by_month(conn: sqlite3.Connection) -> list[MonthCount]:
    """Count the messages of people and assistants by month, service, role and model."""
    known = providers(conn)
    if len(known) > 1:  # only then is the provider looked up for every message
        return [MonthCount(**row) for row in conn.execute(_BY_MONTH_AND_PROVIDER)]
    return [MonthCount(**row, provider=provider) for provider in known for row in conn.execute(_BY_MONTH)]
