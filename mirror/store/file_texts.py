"""What stored files say: which contents have not been looked into yet, and the text of those that were."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirror.store import row_hashes
from mirror.store.database import upsert
from mirror.store.search import cjk

if TYPE_CHECKING:
    import sqlite3


class StoredContent(NamedTuple):
    """A stored content, as one of its files calls it."""

    sha256: str
    name: str | None
    mime_type: str | None


def contents(conn: sqlite3.Connection, *, only_unread: bool) -> list[StoredContent]:
    """Return the stored contents; ``only_unread``: those without a row."""
    rows = conn.execute(
        "SELECT sha256, name, mime_type FROM files WHERE state = 'stored' AND sha256 IS NOT NULL"
        " AND (NOT :only_unread OR sha256 NOT IN (SELECT sha256 FROM file_texts)) GROUP BY sha256 ORDER BY sha256",
        {"only_unread": only_unread},
    )
    return [StoredContent(**row) for row in rows]


def save(conn: sqlite3.Connection, sha256: str, text: str, *, is_whole: bool) -> None:
    """Store what a content says."""
    sql = "SELECT rowid, text FROM file_texts WHERE sha256 = ?"
    known = conn.execute(sql, (sha256,)).fetchone()
    upsert(conn, "file_texts", ("sha256",), {"sha256": sha256, "text": text, "is_whole": int(is_whole)})
    row = conn.execute(sql, (sha256,)).fetchone()
    cjk.update(conn, [(row["rowid"], known["text"] if known else "", text)], cjk.FILE_TABLE)


def damaged(conn: sqlite3.Connection) -> list[str]:
    """Return the hashes of contents whose text is not as it was written, or is gone."""
    return row_hashes.differing(conn, "file_texts")
