"""Is the mirror whole? Is every row what its payload says? And deriving all of it again.

``PRAGMA integrity_check`` alone sees few of the changes that matter: a flipped bit inside a text is valid SQLite. What
sees them is the hash of every stored payload, the rows derived again from it, and the index compared with its table.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.errors import DamagedError, IncompleteError
from mirror.fold import fold
from mirror.ingest import derive_again
from mirror.normalize import NORMALIZERS
from mirror.store import conversations, tracking
from mirror.store.database import is_damage, reason
from mirror.store.health import file_findings, index_findings, rebuild_indexes
from mirror.store.search import cjk
from mirror.store.settings import remember, setting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirror.errors import ChatmirrorError
    from mirror.store.conversations import Stored, Update
    from mirror.store.database import Writer
    from mirror.timing import Timing


@dataclass(slots=True)
class Findings:
    """What is wrong. ``is_outdated``: the rows were derived by another version, so they were not compared."""

    file: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    payloads: list[str] = field(default_factory=list)
    is_outdated: bool = False

    @property
    def all(self) -> list[str]:
        """Every finding as a sentence."""
        return [*self.file, *self.payloads, *self.rows, *self.indexes]

    def error(self, path: Path) -> ChatmirrorError | None:
        """Return the line that ends the command, None when all is well."""
        if not self.all and self.is_outdated:
            return IncompleteError(f"{path} is whole, but another version derived its rows; run `chatmirror rebuild`.")
        if not self.all:
            return None
        todo = "restore a backup" if self.file or self.payloads else "run `chatmirror check --repair`"
        more = f" and {len(self.all) - 1:,} more" if len(self.all) > 1 else ""
        return DamagedError(f"{path} is damaged: {self.all[0]}{more}. Nothing was changed; {todo}.")


def check(conn: sqlite3.Connection, progress: Callable[[int, int], None]) -> Findings:
    """Look at everything; writes nothing that stays. ``progress(done, total)`` in conversations."""
    found = Findings(is_outdated=outdated_normalizers(conn) != [])
    try:
        found.file += file_findings(conn)
        ids = conversations.conversation_ids(conn)
        for done, conversation_id in enumerate(ids, 1):
            _check_conversation(conn, conversation_id, found)
            progress(done, len(ids))
        found.indexes += index_findings(conn)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        found.file.append(reason(error))
    return found


def _check_conversation(conn: sqlite3.Connection, conversation_id: str, found: Findings) -> None:
    stored = conversations.load(conn, conversation_id)
    try:
        update = _derived(conn, stored)
    except ValueError as error:
        found.payloads.append(f"conversation {conversation_id}: {error}")
        return
    if update.changes_rows and not found.is_outdated:
        what = ", ".join(update.changed_columns) or "messages"
        found.rows.append(f"the rows of conversation {conversation_id} differ from its payload ({what})")


def _derived(conn: sqlite3.Connection, stored: Stored) -> Update:
    listed = tracking.find(conn, stored.row.provider, stored.conversation_id) if stored.row else None
    return fold(stored, None, listed)


def outdated_normalizers(conn: sqlite3.Connection) -> list[str]:
    """Return the providers whose rows were derived by another version of their normalizer."""
    return [
        provider
        for provider, normalizer in NORMALIZERS.items()
        if _derived_by(conn, provider) not in {None, normalizer.version}
    ]


def _derived_by(conn: sqlite3.Connection, provider: str) -> int | None:
    # Before there were several, one setting without a provider's name held ChatGPT's version.
    old: int | None = setting(conn, "normalizer") if provider == "chatgpt" else None
    found: int | None = setting(conn, _key(provider), old)
    return found


def _key(provider: str) -> str:
    return f"normalizer:{provider}"


def remember_normalizers(conn: sqlite3.Connection, *, only_missing: bool = False) -> None:
    """Remember that the rows were derived by the present versions; ``only_missing``: where nothing is remembered."""
    for provider, normalizer in NORMALIZERS.items():
        if not only_missing or _derived_by(conn, provider) is None:
            remember(conn, _key(provider), normalizer.version)


def repair(writer: Writer, found: Findings, timing: Timing) -> None:
    """Mend what can be derived again: rows and indexes. Raises DamagedError for what cannot."""
    if found.file or found.payloads:
        raise found.error(writer.path) or DamagedError(f"{writer.path} is damaged.")
    if found.rows:
        rebuild(writer, timing, lambda *_: None)
    with writer.transaction() as conn:
        rebuild_indexes(conn)


def rebuild(writer: Writer, timing: Timing, progress: Callable[[int, int], None]) -> int:
    """Derive every row again from the stored payloads; return how many conversations read differently now.

    Needs no network. Raises DamagedError when a payload cannot be read; its conversation's rows stay as they are.
    """
    ids = conversations.conversation_ids(writer.conn)
    damaged, changed = [], 0
    for done, conversation_id in enumerate(ids, 1):
        with writer.transaction() as conn:
            try:
                changed += derive_again(conn, conversation_id, timing.iso())
            except ValueError as error:
                damaged.append(f"conversation {conversation_id}: {error}")
        progress(done, len(ids))
    with writer.transaction() as conn:
        remember_normalizers(conn)
        if not cjk.is_filled(conn):
            cjk.fill(conn)
    if damaged:
        raise DamagedError(f"{damaged[0]}; its rows stay as they were, all others are rebuilt. Restore a backup.")
    return changed
