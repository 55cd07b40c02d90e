"""Whose mirror a database is, and how much it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.store.settings import setting

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True, slots=True)
class MirrorSize:
    """How much a mirror holds.

    ``on_other_branches``: messages; ``missing``: conversations that no list shows any more.
    """

    conversations: int
    messages: int
    on_other_branches: int
    missing: int


def account_owner(conn: sqlite3.Connection, provider: str) -> str | None:
    """Return the service's id of the person whose conversations these are; None before a first sync."""
    owner: str | None = setting(conn, f"owner:{provider}")
    return owner


def mirror_size(conn: sqlite3.Connection) -> MirrorSize:
    """Count what a mirror holds."""
    row = conn.execute(
        "SELECT (SELECT count(*) FROM conversations) AS conversations,"
        " (SELECT count(*) FROM conversations WHERE missing_since IS NOT NULL) AS missing,"
        " count(*) AS messages, coalesce(sum(position IS NULL), 0) AS on_other_branches FROM messages"
    ).fetchone()
    return MirrorSize(**dict(row))
