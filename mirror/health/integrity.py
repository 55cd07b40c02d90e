"""Is the mirror whole? Is every row what its payload says? Nothing is changed here; ``repairs`` mends.

``PRAGMA integrity_check`` alone sees few of the changes that matter: a flipped bit inside a text is valid SQLite. What
sees them is the hash of every stored payload, the rows derived again from it, and the index compared with its table.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.errors import DamagedError, IncompleteError, UnreadablePayloadError
from mirror.fold import fold, fold_listing
from mirror.normalize import NORMALIZERS
from mirror.store import conversations, derived_hashes, file_texts, payloads, row_hashes, tracking
from mirror.store.health import file_findings, index_findings
from mirror.store.mending import can_be_put_right
from mirror.store.schema import altered, is_outdated, object_findings, schema_findings, summary, value_findings
from mirror.store.settings import derived_by, remember
from mirror.store.storage_errors import is_damage, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mirror.errors import ChatmirrorError
    from mirror.store.conversations import Stored, Update
    from mirror.store.schema import DamagedObject, DamagedValue


@dataclass(frozen=True, slots=True)
class DamagedConversation:
    """A conversation with a stored payload that cannot be read. ``can_be_read_anew``: the service still lists it."""

    conversation_id: str
    provider: str
    what: str
    can_be_read_anew: bool

    def __str__(self) -> str:
        """Return the finding as a sentence."""
        return f"conversation {self.conversation_id}: {self.what}"


@dataclass(slots=True)
class Findings:
    """What is wrong.

    ``tables``: what another program took away, and ``values``: what cannot be read as what it is, ``is_lost`` where
    some of them can be put right by nothing that is stored; with either nothing else was looked at. ``objects``:
    indexes, triggers and views that are not as they were made. ``hashed``: rows that are not as they were written, and
    that nothing can be compared with.
    ``accepted``: rows that a repair took as they are, because nothing tells what they were.
    ``right``: conversations that were derived again, though nothing else is wrong, and are as they should be.
    ``is_outdated``: the rows were derived by another version, so they were not compared.
    """

    tables: list[str] = field(default_factory=list)
    values: list[DamagedValue] = field(default_factory=list)
    is_lost: bool = False
    file: list[str] = field(default_factory=list)
    objects: list[DamagedObject] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    payloads: list[DamagedConversation] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    hashed: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    is_outdated: bool = False

    @property
    def all(self) -> list[str]:
        """Every finding as a sentence."""
        found = [*self.file, *map(str, self.payloads), *map(str, self.values), *self.rows]
        return [*self.tables, *found, *map(str, self.objects), *self.indexes, *self.hashed]

    def error(self, path: Path, *, is_repaired: bool = False) -> ChatmirrorError | None:
        """Return the line that ends the command, None when all is well. ``is_repaired``: after all that could be."""
        if not self.all and self.unreadable:
            return not_readable(path, self.unreadable)
        if not self.all and self.is_outdated:
            return IncompleteError(f"{path} is whole, but another version derived its rows; run `chatmirror rebuild`.")
        if not self.all:
            return None
        if self.tables:
            return altered(path, self.tables)
        did = "What could be mended, was" if is_repaired else "Nothing was changed"
        todo = self._todo(is_repaired=is_repaired)
        return DamagedError(f"{path} is damaged: {summary(self.all)}. {did}; {todo}.")

    def error_of_copy(self, source: Path, target: Path) -> ChatmirrorError | None:
        """Return the line that ends a command which made a copy, None when the copy is whole."""
        if not self.all:
            return None
        if self.tables:
            return altered(source, self.tables)
        return DamagedError(
            f"{source} is damaged: {summary(self.all)}. {target} was not changed; run `chatmirror check -d {source}`."
        )

    def _todo(self, *, is_repaired: bool) -> str:
        anew = sum(damaged.can_be_read_anew for damaged in self.payloads)
        if self.file or anew < len(self.payloads) or self.is_lost:
            some = f" ({anew:,} of {len(self.payloads):,} can be read anew by a sync)" if anew and not self.file else ""
            backup = f"restore a backup: `chatmirror restore BACKUP`{some}"
            is_all_tried = is_repaired or self.is_lost
            return backup if is_all_tried else f"run `chatmirror check --repair`; if that is not enough, {backup}"
        if anew:
            first = "" if is_repaired else "`chatmirror check --repair`, then "
            which = "that conversation" if anew == 1 else f"those {anew:,} conversations"
            return f"run {first}`chatmirror sync`, which reads {which} anew"
        if self.hashed and not self.rows and not self.values and not self.indexes and not self.objects:
            return "restore a backup, or let `chatmirror check --repair` take what is there now"
        taken = ", which takes rows as they are now where nothing tells what they were" if self.hashed else ""
        return f"run `chatmirror check --repair`{taken}"


def check(conn: sqlite3.Connection, progress: Callable[[int, int], None], *, derives_all: bool = False) -> Findings:
    """Look at everything; writes nothing that stays. ``progress(done, total)`` in conversations.

    ``derives_all``: derive also the rows that nothing has touched, which finds mistakes of the program's own.
    """
    found = Findings()
    with _sqlite_findings(found):
        found.file += file_findings(conn)
        found.tables += schema_findings(conn)
        found.objects += [] if found.tables else object_findings(conn)
        found.values += [] if found.tables else value_findings(conn)
        if found.tables or found.values:
            if found.values and not found.objects:  # without triggers nothing can be tried
                found.is_lost = not can_be_put_right(conn, found.values)
            return found
        found.is_outdated = outdated_normalizers(conn) != []
        with _sqlite_findings(found):
            found.hashed += row_hashes.findings(conn)
        # Rows that are as they were written are what their payload gives: they were derived from it, by this version.
        may_trust = not (derives_all or found.is_outdated or found.hashed or found.file)
        ids = conversations.conversation_ids(conn)
        for done, conversation_id in enumerate(ids, 1):
            if not may_trust or not _is_as_derived(conn, conversation_id):
                is_right = _check_conversation(conn, conversation_id, found)
                found.right += [conversation_id] if is_right and may_trust else []
            progress(done, len(ids))
        found.indexes += index_findings(conn)
        found.indexes += [
            f"the text of the stored file {sha256[:12]} is damaged" for sha256 in file_texts.damaged(conn)
        ]
    return found


def check_copy(conn: sqlite3.Connection, progress: Callable[[int, int], None]) -> Findings:
    """Look at everything in a copy that was just made; of one with an older program's tables at what needs no row.

    ``conn`` can write to it.
    """
    if not is_outdated(conn):
        return check(conn, progress)
    found = Findings()
    with _sqlite_findings(found):
        found.file += [*file_findings(conn), *payloads.damaged(conn)]
        found.indexes += index_findings(conn)
    return found


@contextmanager
def _sqlite_findings(found: Findings) -> Iterator[None]:
    """Let damage that SQLite meets be a finding."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        found.file.append(reason(error))


def not_readable(path: Path, found: Sequence[str]) -> IncompleteError:
    """Say that this version fails at some conversations, whose bytes are whole."""
    return IncompleteError(
        f"{path} is whole, but not all of it could be read: {summary(found)}. Nothing is lost; update chatmirror."
    )


def _is_as_derived(conn: sqlite3.Connection, conversation_id: str) -> bool:
    """Whether payloads are whole, messages as they were written from them, and the own row as the lists say."""
    stored = conversations.load_facts(conn, conversation_id)
    if not stored.payloads or stored.row is None:
        return False
    if fold_listing(stored, tracking.find(conn, stored.row.provider, conversation_id)).changed_columns:
        return False
    if not all(version.is_whole for version in payloads.load(conn, conversation_id)):
        return False
    try:
        return derived_hashes.is_untouched(conn, conversation_id)
    except sqlite3.OperationalError as error:
        if not is_damage(error):
            raise
        return False  # what cannot be read is named where it is compared


def _check_conversation(conn: sqlite3.Connection, conversation_id: str, found: Findings) -> bool:
    """Derive a conversation again and note what differs; return whether it was compared, and nothing does."""
    try:
        stored = conversations.load(conn, conversation_id)
    except sqlite3.OperationalError as error:
        if not is_damage(error):
            raise
        found.rows.append(f"the rows of conversation {conversation_id} cannot be read: {error}")
        return False
    try:
        update = _derived(conn, stored)
    except UnreadablePayloadError as error:
        found.unreadable.append(f"conversation {conversation_id}: {error}")
        return False
    except ValueError as error:
        found.payloads.append(_damaged(conn, stored, str(error)))
        return False
    if update.changes_rows and not found.is_outdated:
        what = ", ".join(update.changed_columns) or "messages"
        found.rows.append(f"the rows of conversation {conversation_id} differ from its payload ({what})")
    return not update.changes_rows


def _damaged(conn: sqlite3.Connection, stored: Stored, what: str) -> DamagedConversation:
    provider = stored.row.provider if stored.row else ""
    tracked = tracking.find(conn, provider, stored.conversation_id)
    is_listed = tracked is not None and tracked.missing_since is None and not tracked.is_deleted
    return DamagedConversation(stored.conversation_id, provider, what, can_be_read_anew=is_listed)


def _derived(conn: sqlite3.Connection, stored: Stored) -> Update:
    listed = tracking.find(conn, stored.row.provider, stored.conversation_id) if stored.row else None
    return fold(stored, None, listed)


def outdated_normalizers(conn: sqlite3.Connection) -> list[str]:
    """Return the providers whose rows were derived by another version of their normalizer."""
    return [
        provider
        for provider, normalizer in NORMALIZERS.items()
        if derived_by(conn, provider) not in {None, normalizer.version}
    ]


def _key(provider: str) -> str:
    return f"normalizer:{provider}"


def remember_normalizers(conn: sqlite3.Connection, *, only_missing: bool = False) -> None:
    """Remember that the rows were derived by the present versions; ``only_missing``: where nothing is remembered."""
    for provider, normalizer in NORMALIZERS.items():
        if not only_missing or derived_by(conn, provider) is None:
            remember(conn, _key(provider), normalizer.version)
