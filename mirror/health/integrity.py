"""Is the mirror whole? Is every row what its payload says? And deriving all of it again.

``PRAGMA integrity_check`` alone sees few of the changes that matter: a flipped bit inside a text is valid SQLite. What
sees them is the hash of every stored payload, the rows derived again from it, and the index compared with its table.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.errors import DamagedError, IncompleteError
from mirror.ingest import derive, facts_of, refresh
from mirror.normalize import VERSION
from mirror.store import conversations as store
from mirror.store import runs
from mirror.store.database import is_damage, reason
from mirror.store.search import cjk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirror.errors import ChatmirrorError
    from mirror.store.database import Writer
    from mirror.timing import Timing

NORMALIZER = "normalizer"  # the setting that says which version derived the rows
INDEXES = ("messages_fts", "conversations_fts")


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
    found = Findings(is_outdated=runs.setting(conn, NORMALIZER, VERSION) != VERSION)
    try:
        found.file += [row[0] for row in conn.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found.file += [f"{row[0]} row {row[1]} points to nothing" for row in conn.execute("PRAGMA foreign_key_check")]
        ids = list(store.conversation_ids(conn))
        for done, conversation_id in enumerate(ids, 1):
            _check_conversation(conn, conversation_id, found)
            progress(done, len(ids))
        found.indexes += [
            f"the search index {index} is out of step" for index in INDEXES if not _index_is_whole(conn, index)
        ]
        if cjk.is_filled(conn) and not (_index_is_whole(conn, cjk.TABLE) and cjk.is_whole(conn)):
            found.indexes.append(f"the search index {cjk.TABLE} is out of step")
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        found.file.append(reason(error))
    return found


def _check_conversation(conn: sqlite3.Connection, conversation_id: str, found: Findings) -> None:
    row = store.conversation_row(conn, conversation_id) or {}
    try:
        merged = derive(conn, conversation_id, row["provider"])
    except (ValueError, IndexError) as error:
        found.payloads.append(str(error))
        return
    if found.is_outdated:
        return
    facts = facts_of(conn, conversation_id, row["provider"], row["url"])
    differs = [name for name, value in store.derived_row(merged, facts).items() if row[name] != value]
    wanted = {m.id: store.message_values(conversation_id, m) for m in merged.messages}
    stored = {node: values[1:] for node, values in store.message_rows(conn, conversation_id).items()}
    if differs or wanted != stored or not store.extras_match(conn, merged):
        what = ", ".join(differs) or "messages"
        found.rows.append(f"the rows of conversation {conversation_id} differ from its payload ({what})")


def _index_is_whole(conn: sqlite3.Connection, index: str) -> bool:
    # Only rank = 1 compares the index with its table; the plain check passes on one that is out of step.
    try:
        conn.execute(f"INSERT INTO {index}({index}, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return False
    return True


def repair(writer: Writer, found: Findings, timing: Timing) -> None:
    """Mend what can be derived again: rows and indexes. Raises DamagedError for what cannot."""
    if found.file or found.payloads:
        raise found.error(writer.path) or DamagedError(f"{writer.path} is damaged.")
    if found.rows:
        rebuild(writer, timing, lambda *_: None)
    with writer.transaction() as conn:
        for index in INDEXES:
            conn.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
        cjk.fill(conn)


def rebuild(writer: Writer, timing: Timing, progress: Callable[[int, int], None]) -> int:
    """Derive every row again from the stored payloads; return how many conversations read differently now.

    Needs no network. Raises DamagedError when a payload cannot be read; its conversation's rows stay as they are.
    """
    ids = list(store.conversation_ids(writer.conn))
    damaged, changed = [], 0
    for done, conversation_id in enumerate(ids, 1):
        with writer.transaction() as conn:
            row = store.conversation_row(conn, conversation_id) or {}
            facts = facts_of(conn, conversation_id, row["provider"], row["url"])
            try:
                changed += refresh(conn, conversation_id, facts, None, timing.iso()) != []
            except (ValueError, IndexError) as error:
                damaged.append(str(error))
        progress(done, len(ids))
    with writer.transaction() as conn:
        runs.remember(conn, NORMALIZER, VERSION)
        if not cjk.is_filled(conn):
            cjk.fill(conn)
    if damaged:
        raise DamagedError(f"{damaged[0]}; its rows stay as they were, all others are rebuilt. Restore a backup.")
    return changed
