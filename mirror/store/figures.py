"""Figures of a mirror: how many, how often, how long; no text, title, id or name of anything in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

TABLES = (
    "accounts",
    "attachments",
    "changes",
    "conversations",
    "files",
    "file_texts",
    "gpts",
    "instructions",
    "links",
    "memories",
    "messages",
    "projects",
    "sync_runs",
    "_drift",
    "_file_fetches",
    "_listed",
    "_payloads",
    "_row_hashes",
    "_scopes",
    "_settings",
    "_skeletons",
)
# How conversations are divided: what a state is called -> its condition on a row.
_STATES = {
    "complete": "is_complete = 1",
    "incomplete": "is_complete = 0",
    "archived": "is_archived = 1",
    "starred": "is_starred = 1",
    "in a project": "project_id IS NOT NULL",
    "with a GPT": "gpt_id IS NOT NULL",
    "missing": "missing_since IS NOT NULL AND deleted_at IS NULL",
    "deleted": "deleted_at IS NOT NULL",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """How many listed conversations could not be read for a reason, and how often that was tried at most."""

    reason: str
    count: int
    tries: int


def table_counts(conn: sqlite3.Connection) -> dict[str, int]:
    """Count the rows of every table of the program, no other's."""
    return {table: _count(conn, f"SELECT count(*) AS found FROM {table}") for table in TABLES}


def conversation_states(conn: sqlite3.Connection) -> dict[str, int]:
    """Count the conversations in each state."""
    sql = "SELECT count(*) AS found FROM conversations WHERE"
    return {state: _count(conn, f"{sql} {condition}") for state, condition in _STATES.items()}


def incomplete_reasons(conn: sqlite3.Connection) -> dict[str, int]:
    """Count the incomplete conversations by reason; the reasons can hold the service's own sentences."""
    rows = conn.execute(
        "SELECT coalesce(incomplete_reason, '') AS reason, count(*) AS found FROM conversations"
        " WHERE is_complete = 0 GROUP BY 1"
    )
    return {row["reason"]: row["found"] for row in rows}


def failures(conn: sqlite3.Connection) -> list[Failure]:
    """Count the conversations that are put off; the reasons can hold the service's own sentences."""
    rows = conn.execute(
        "SELECT coalesce(error, '') AS reason, count(*) AS count, max(tries) AS tries FROM _listed"
        " WHERE error IS NOT NULL OR retry_at IS NOT NULL GROUP BY 1"
    )
    return [Failure(**dict(row)) for row in rows]


def payload_counts(conn: sqlite3.Connection) -> dict[str, int]:
    """Count the payload versions by where they came from."""
    rows = conn.execute("SELECT origin, count(*) AS found FROM _payloads GROUP BY 1 ORDER BY 1")
    return {row["origin"]: row["found"] for row in rows}


def file_reasons(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    """Count the files by state and reason, with their bytes; the reasons can hold the service's own sentences."""
    rows = conn.execute(
        "SELECT state, coalesce(reason, '') AS reason, count(*) AS files, coalesce(sum(size), 0) AS bytes"
        " FROM files GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return [dict(row) for row in rows]


def list_counts(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return each list's kind and how many conversations it showed when it was last read to its end."""
    rows = conn.execute(
        "SELECT substr(scope || ':', 1, instr(scope || ':', ':') - 1) AS kind, count(*) AS lists,"
        " sum(listed) AS listed, sum(read_to_end_at IS NULL) AS never_to_the_end FROM _scopes GROUP BY 1 ORDER BY 1"
    )
    return [dict(row) for row in rows]


def last_runs(conn: sqlite3.Connection, most: int) -> list[dict[str, Any]]:
    """Return the newest runs, the newest first, without their messages; ``seconds``: how long each took."""
    rows = conn.execute(
        "SELECT date(started_at) AS day, command, provider, version, outcome, exit_code, is_full, listed, new, changed,"
        " unchanged, failed, pending, requests, waits, files, files_pending,"
        " round((julianday(finished_at) - julianday(started_at)) * 86400.0, 1) AS seconds"
        " FROM sync_runs ORDER BY id DESC LIMIT ?",
        (most,),
    )
    return [dict(row) for row in rows]


def page_figures(conn: sqlite3.Connection) -> dict[str, int]:
    """Return the size of the file as SQLite sees it, in pages and bytes."""
    return {
        name: int(conn.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    }


def _count(conn: sqlite3.Connection, sql: str) -> int:
    return int(conn.execute(sql).fetchone()["found"])
