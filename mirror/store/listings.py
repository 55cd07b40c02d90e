"""What the service's lists said, and what of it is stored: the memory from which every run plans its work.

A row of ``_listed`` whose ``stored_us`` is not its ``update_us`` is work to do; it stays so until the conversation is
stored as listed, whatever happens in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.store.conversations import Facts, payloads
from mirror.store.database import upsert
from mirror.values import iso_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from mirror.source import Listed, Scope

_PENDING = "stored_us IS NOT update_us"
# An export's time may be a little later than the list's for the same state, never earlier (API notes §2.3).
_EXPORT_SKEW = 10_000_000
_ROUNDING = 1_000


@dataclass(frozen=True, slots=True)
class Known:
    """One conversation as remembered from the lists."""

    conversation_id: str
    account_id: str | None
    title: str | None
    is_archived: bool
    is_starred: bool
    gizmo_id: str | None
    update_us: int | None
    stored_us: int | None
    attempts: int
    retry_at: str | None
    missing_since: str | None
    gone_run_id: int | None
    checked_at: str | None
    is_deleted: bool
    is_generating: bool
    is_partial: bool

    @property
    def is_current(self) -> bool:
        """Whether what the list said last is stored."""
        return self.stored_us is not None and self.stored_us == self.update_us


_KNOWN = (
    "SELECT l.*, c.deleted_at IS NOT NULL AS is_deleted FROM _listed l"
    " LEFT JOIN conversations c ON c.id = l.conversation_id WHERE l.provider = ?"
)
# What part of an account a question is about: reading all of a large one every time would cost a night its cheapness.
_PARTS = {
    "all": "1",
    "to do": "(l.stored_us IS NOT l.update_us OR l.is_generating OR l.is_partial)",
    "starred": "l.is_starred = 1",
    "archived or doubted": "(l.is_archived = 1 OR l.gone_run_id IS NOT NULL)",
}


def known(conn: sqlite3.Connection, provider: str, account_id: str, part: str = "all") -> dict[str, Known]:
    """Return what is remembered of an account's conversations, or of a part of them."""
    rows = conn.execute(f"{_KNOWN} AND l.account_id = ? AND {_PARTS[part]}", (provider, account_id))
    return {row["conversation_id"]: _known(row) for row in rows}


def known_of(conn: sqlite3.Connection, provider: str, ids: Iterable[str]) -> dict[str, Known]:
    """Return what is remembered of these conversations, whosever they are."""
    found: dict[str, Known] = {}
    wanted = list(ids)
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        rows = conn.execute(f"{_KNOWN} AND l.conversation_id IN ({', '.join('?' * len(some))})", (provider, *some))
        found |= {row["conversation_id"]: _known(row) for row in rows}
    return found


def counts(conn: sqlite3.Connection, provider: str, account_id: str) -> dict[str, int]:
    """Return how many conversations are known to stand in a list: main (the living that are not archived), ..."""
    row = conn.execute(
        "SELECT coalesce(sum(coalesce(is_archived, 0) = 0), 0) AS main, coalesce(sum(is_archived), 0) AS archived,"
        " coalesce(sum(is_starred), 0) AS starred, count(*) AS everything,"
        " coalesce(sum(stored_us IS update_us), 0) AS current FROM _listed"
        " WHERE provider = ? AND account_id = ? AND missing_since IS NULL"
        " AND conversation_id NOT IN (SELECT id FROM conversations WHERE deleted_at IS NOT NULL)",
        (provider, account_id),
    ).fetchone()
    return dict(row)


def _known(row: sqlite3.Row) -> Known:
    return Known(
        conversation_id=row["conversation_id"],
        account_id=row["account_id"],
        title=row["title"],
        is_archived=bool(row["is_archived"]),
        is_starred=bool(row["is_starred"]),
        gizmo_id=row["gizmo_id"] or None,
        update_us=row["update_us"],
        stored_us=row["stored_us"],
        attempts=row["attempts"],
        retry_at=row["retry_at"],
        missing_since=row["missing_since"],
        gone_run_id=row["gone_run_id"],
        checked_at=row["checked_at"],
        is_deleted=bool(row["is_deleted"]),
        is_generating=bool(row["is_generating"]),
        is_partial=bool(row["is_partial"]),
    )


def note(conn: sqlite3.Connection, item: Listed, provider: str, account_id: str, now: str) -> set[str]:
    """Remember one list row; return the names of what it says anew. What a list leaves out is not forgotten."""
    row: dict[str, Any] = {"conversation_id": item.conversation_id, "account_id": account_id, "provider": provider}
    stated = {
        "title": item.title or None,
        "created_at": item.created_at,
        "update_us": item.update_us,
        "is_archived": None if item.is_archived is None else int(item.is_archived),
        "is_starred": None if item.is_starred is None else int(item.is_starred),
    }
    row |= {name: value for name, value in stated.items() if value is not None}
    if item.states_gizmo:
        row["gizmo_id"] = item.gizmo_id or ""  # empty: the list says that it is in none
    row |= {"missing_since": None, "checked_at": None}
    old = conn.execute("SELECT * FROM _listed WHERE conversation_id = ?", (item.conversation_id,)).fetchone()
    if old is None:
        row.setdefault("update_us", 0)  # a list without times: it must be read once
    news = {name for name, value in row.items() if old is None or old[name] != value}
    if news:
        upsert(conn, "_listed", ("conversation_id",), row | {"listed_at": now})
    return news


def adopt_import(conn: sqlite3.Connection, item: Listed) -> bool:
    """Whether an imported copy already is what the list shows; it then counts as stored.

    Only for a conversation that no list has told of before: an export carries the conversation's own time, which is
    the list's up to rounding or a few seconds later (API notes §2.3), never minutes apart.
    """
    layers = [layer for layer in payloads(conn, item.conversation_id) if layer.lane in {"export", "capture"}]
    if not layers or item.update_us is None:
        return False
    own = layers[-1].ranked_us
    whole_second = 1_000_000 if own % 1_000_000 == 0 else 0
    return -(_ROUNDING + whole_second) <= own - item.update_us <= _EXPORT_SKEW


def mark_stored(
    conn: sqlite3.Connection, conversation_id: str, update_us: int | None, *, is_generating: bool = False
) -> None:
    """Remember that the conversation is stored as this list time showed it."""
    conn.execute(
        "UPDATE _listed SET stored_us = ?, is_generating = ?, is_partial = 0, attempts = 0, retry_at = NULL,"
        " error = NULL, gone_run_id = NULL WHERE conversation_id = ?",
        (update_us, int(is_generating), conversation_id),
    )


def mark_partial(conn: sqlite3.Connection, conversation_id: str, attempts: int, retry_at: str) -> None:
    """Remember that what is stored is its visible branch only, and when to ask for the whole tree again."""
    conn.execute(
        "UPDATE _listed SET is_partial = 1, attempts = ?, retry_at = ? WHERE conversation_id = ?",
        (attempts, retry_at, conversation_id),
    )


def mark_failed(conn: sqlite3.Connection, conversation_id: str, error: str, retry_at: str) -> None:
    """Remember that it could not be read or believed; it stays work to do, not before ``retry_at``."""
    conn.execute(
        "UPDATE _listed SET stored_us = NULL, attempts = attempts + 1, error = ?, retry_at = ?"
        " WHERE conversation_id = ?",
        (error, retry_at, conversation_id),
    )


def mark_unread(conn: sqlite3.Connection, conversation_id: str) -> None:
    """Remember that it is to be read, whatever is stored of it."""
    conn.execute(
        "UPDATE _listed SET stored_us = NULL, attempts = 0, retry_at = NULL WHERE conversation_id = ?",
        (conversation_id,),
    )


def accounts(conn: sqlite3.Connection, provider: str) -> dict[str, str]:
    """Return the workspaces that lists were walked of: id -> what a person calls it."""
    rows = conn.execute(
        "SELECT id, coalesce(name, structure, 'personal') FROM accounts WHERE provider = ?"
        " AND id IN (SELECT account_id FROM _scopes) ORDER BY id",
        (provider,),
    )
    return {row[0]: row[1] for row in rows}


def leave(conn: sqlite3.Connection, account_id: str, now: str) -> int:
    """Mark a workspace's living conversations missing, now that nobody lists them; return how many were not yet."""
    rows = conn.execute(
        "SELECT conversation_id FROM _listed WHERE account_id = ? AND missing_since IS NULL AND conversation_id NOT IN"
        " (SELECT id FROM conversations WHERE deleted_at IS NOT NULL)",
        (account_id,),
    ).fetchall()
    set_missing(conn, [row[0] for row in rows], now)
    return len(rows)


def pending(conn: sqlite3.Connection, provider: str) -> list[sqlite3.Row]:
    """Return what is still to fetch, newest first: conversation_id, title, error, attempts, retry_at, account_id."""
    return conn.execute(
        "SELECT conversation_id, title, error, attempts, retry_at, account_id FROM _listed"
        f" WHERE provider = ? AND {_PENDING} AND missing_since IS NULL ORDER BY update_us DESC",
        (provider,),
    ).fetchall()


def facts(conn: sqlite3.Connection, conversation_id: str) -> Facts | None:
    """Return what the lists say of a stored conversation; None if no list ever showed it."""
    row = conn.execute(
        "SELECT l.*, c.url FROM _listed l JOIN conversations c ON c.id = l.conversation_id WHERE conversation_id = ?",
        (conversation_id,),
    ).fetchone()
    return facts_from(row, row["url"]) if row else None


def facts_to_be(conn: sqlite3.Connection, conversation_id: str, url: str) -> Facts:
    """Return what the lists say of a conversation that may not be stored yet."""
    return facts_from(listed_row(conn, conversation_id), url)


def facts_from(row: sqlite3.Row, url: str) -> Facts:
    """Return the facts that a row of ``_listed`` states."""
    gizmo = row["gizmo_id"]
    is_project = bool(gizmo and gizmo.startswith("g-p-"))
    return Facts(
        provider=row["provider"],
        url=url,
        account_id=row["account_id"],
        title=row["title"],
        created_at=row["created_at"],
        updated_at=iso_time(row["update_us"]) if row["update_us"] else None,
        is_archived=None if row["is_archived"] is None else bool(row["is_archived"]),
        is_starred=None if row["is_starred"] is None else bool(row["is_starred"]),
        project_id=gizmo if is_project else None,
        gpt_id=gizmo if gizmo and not is_project else None,
        states_gizmo=gizmo is not None,
    )


def listed_row(conn: sqlite3.Connection, conversation_id: str) -> sqlite3.Row:
    """Return the remembered list row; raises KeyError where no list ever showed the conversation."""
    row: sqlite3.Row | None = conn.execute(
        "SELECT * FROM _listed WHERE conversation_id = ?", (conversation_id,)
    ).fetchone()
    if row is None:
        raise KeyError(conversation_id)
    return row


def watermark(conn: sqlite3.Connection, account_id: str, scope: Scope) -> int | None:
    """Return the newest list time of this scope at the last complete run."""
    row = conn.execute(
        "SELECT watermark_us FROM _scopes WHERE account_id = ? AND scope = ?", (account_id, scope.name)
    ).fetchone()
    return row[0] if row else None


def last_walked(conn: sqlite3.Connection, account_id: str) -> dict[str, str]:
    """Return scope name -> ISO time of its last walk to the end."""
    rows = conn.execute("SELECT scope, walked_at FROM _scopes WHERE account_id = ?", (account_id,))
    return {row[0]: row[1] for row in rows if row[1]}


def save_scope(conn: sqlite3.Connection, account_id: str, scope: Scope, **columns: Any) -> None:
    """Remember a scope's watermark_us, listed or walked_at."""
    upsert(conn, "_scopes", ("account_id", "scope"), {"account_id": account_id, "scope": scope.name, **columns})


def set_missing(conn: sqlite3.Connection, ids: Iterable[str], now: str | None) -> None:
    """Mark conversations absent from every list since ``now``, or (None) present again."""
    for conversation_id in ids:
        upsert_missing = "UPDATE {} SET missing_since = ? WHERE {} = ? AND (missing_since IS NULL) IS NOT (? IS NULL)"
        for table, key in (("_listed", "conversation_id"), ("conversations", "id")):
            conn.execute(upsert_missing.format(table, key), (now, conversation_id, now))


def save_check(conn: sqlite3.Connection, conversation_id: str, now: str, gone_run_id: int | None) -> None:
    """Remember when an absent conversation was asked for by itself, and the run that first saw it proven deleted."""
    conn.execute(
        "UPDATE _listed SET checked_at = ?, gone_run_id = ? WHERE conversation_id = ?",
        (now, gone_run_id, conversation_id),
    )


def set_deleted(conn: sqlite3.Connection, conversation_id: str, at: str | None) -> bool:
    """Set or lift the tombstone; return whether that changed anything."""
    return (
        conn.execute(
            "UPDATE conversations SET deleted_at = ? WHERE id = ? AND (deleted_at IS NULL) IS NOT (? IS NULL)",
            (at, conversation_id, at),
        ).rowcount
        > 0
    )


def unlisted_imports(conn: sqlite3.Connection, provider: str) -> set[str]:
    """Return the stored conversations that no list has shown yet."""
    sql = "SELECT id FROM conversations WHERE provider = ? AND id NOT IN (SELECT conversation_id FROM _listed)"
    return {row[0] for row in conn.execute(sql, (provider,))}
