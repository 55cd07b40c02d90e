"""Putting right what ``integrity`` finds: by ``check --repair``, and by ``rebuild``."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from mirror.errors import DamagedError, UnreadablePayloadError
from mirror.health.healing import make_objects_again
from mirror.health.integrity import Findings, check, not_readable, remember_normalizers
from mirror.ingest import apply_listing, derive_again
from mirror.store import conversations, derived_hashes, row_hashes, tracking
from mirror.store.health import file_findings, rebuild_indexes
from mirror.store.mending import (
    empty_skeletons,
    make_readable,
    mend_references,
    put_right,
    read_lost_again,
    turn_payloads_back,
    turn_rows_back,
)
from mirror.store.schema import dangling_references, value_findings
from mirror.store.storage_errors import is_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mirror.errors import ChatmirrorError
    from mirror.store.database import Writer
    from mirror.timing import Timing

# Damaged payloads in which a flipped bit is looked for, up to 20 seconds each. Smaller: more of them need a backup;
# larger: a repair after a damage of everything takes hours in vain.
MOST_PAYLOADS_MENDED = 10
SPOILT = "the copy that is stored is damaged; it is read anew"
# Tables without a readable value of which no row can be derived again, and nothing else be mended.
_NEEDED = frozenset({"conversations", "messages", "links", "attachments", "_payloads", "_settings", "_listed"})


def make_writable(writer: Writer, found: Findings) -> list[str]:
    """Mend the file's indexes, make objects again, and put damaged values right or forget them.

    Before that no row can be written, or no index follows. Returns, as sentences, the rows that are gone and of which
    others need one by their id. Raises what is wrong where nothing more can be mended.
    """
    gone: list[str] = []
    if found.tables:
        raise _error_of(writer, found)
    if found.file:
        with writer.transaction() as conn:
            if not _mend_file(conn, gone):
                raise _error_of(writer, found)
    make_objects_again(writer, found.objects)
    with writer.transaction() as conn:
        turn_rows_back(conn)
        make_readable(conn)
    for _ in range(2):  # settings are looked at where nothing else is wrong
        with writer.transaction() as conn:
            left = put_right(conn, value_findings(conn))
        if any(value.table in _NEEDED for value in left):  # without which no row can be derived
            raise _error_of(writer, Findings(values=left), is_repaired=True)
    return gone


def _error_of(writer: Writer, found: Findings, *, is_repaired: bool = False) -> ChatmirrorError:
    found.is_lost = True
    return found.error(writer.path, is_repaired=is_repaired) or DamagedError(f"{writer.path} is damaged.")


def _mend_file(conn: sqlite3.Connection, gone: list[str]) -> bool:
    """Make SQLite's own indexes again, what is their own index, and references; return whether the file is whole.

    ``gone``: gets the rows that had to be made anew.
    """
    try:
        conn.execute("REINDEX")
        if dangling_references(conn):
            turn_rows_back(conn)
            gone += mend_references(conn)
        if file_findings(conn):
            empty_skeletons(conn)
        return not file_findings(conn)
    except sqlite3.DatabaseError as error:
        if not is_damage(error) and not isinstance(error, sqlite3.IntegrityError):
            raise
        return False


def repair(writer: Writer, found: Findings, run_id: int, timing: Timing) -> Findings:
    """Mend what can be, and return what is still wrong.

    Where one bit has flipped, it is turned back as the hash of its row or payload says. Otherwise rows and indexes are
    derived again, damaged payloads are noted to be read anew by a sync, and rows that nothing can be compared with are
    taken as they are now.
    """
    with writer.transaction() as conn:
        turn_rows_back(conn)  # what differed in a value that was put right meanwhile
        read_lost_again(conn)
    found = check(writer.conn, lambda *_: None)
    for n, damaged in enumerate(found.payloads):
        with writer.transaction() as conn:
            is_whole = n < MOST_PAYLOADS_MENDED and turn_payloads_back(conn, damaged.conversation_id)
            if not is_whole and damaged.can_be_read_anew:
                tracking.mark_failed(conn, damaged.conversation_id, SPOILT, 0, timing.iso())
                apply_listing(conn, damaged.provider, damaged.conversation_id, run_id, timing.iso())
    if found.rows or found.payloads or found.values:  # with values nothing else was looked at
        _derive_all(writer, timing, lambda *_: None)
    with writer.transaction() as conn:
        rebuild_indexes(conn)
    with writer.transaction() as conn:
        accepted = row_hashes.findings(conn)
        row_hashes.accept_all(conn)
    left = check(writer.conn, lambda *_: None)
    trust(writer, left.right)
    left.accepted = accepted
    return left


def trust(writer: Writer, conversation_ids: Sequence[str]) -> None:
    """Hash the messages of conversations that were found right: after an upgrade, or damage that a sync wrote over."""
    with writer.transaction() as conn:
        for conversation_id in conversation_ids:
            derived_hashes.take(conn, conversation_id)


def rebuild(writer: Writer, timing: Timing, progress: Callable[[int, int], None]) -> int:
    """Derive every row and every index again from what is stored; return how many conversations read differently now.

    ``make_objects_again`` comes first. Needs no network. Raises DamagedError where a payload is damaged, and
    IncompleteError where this version fails at one; its conversation's rows stay as they are.
    """
    changed, damaged, unreadable = _derive_all(writer, timing, progress)
    with writer.transaction() as conn:
        remember_normalizers(conn)
        rebuild_indexes(conn)
    if damaged:
        raise DamagedError(
            f"{damaged[0]}; its rows stay as they were, all others are rebuilt. `chatmirror check` says what to do."
        )
    if unreadable:
        raise not_readable(writer.path, unreadable)
    return changed


def _derive_all(
    writer: Writer, timing: Timing, progress: Callable[[int, int], None]
) -> tuple[int, list[str], list[str]]:
    """Derive all rows again; return how many conversations changed; as sentences, what is damaged and unreadable."""
    ids = conversations.conversation_ids(writer.conn)
    damaged: list[str] = []
    unreadable: list[str] = []
    changed = 0
    for done, conversation_id in enumerate(ids, 1):
        with writer.transaction() as conn:
            try:
                changed += derive_again(conn, conversation_id, timing.iso())
            except UnreadablePayloadError as error:
                derived_hashes.forget(conn, conversation_id)  # its rows are an older version's
                unreadable.append(f"conversation {conversation_id}: {error}")
            except ValueError as error:
                derived_hashes.forget(conn, conversation_id)
                damaged.append(f"conversation {conversation_id}: {error}")
        progress(done, len(ids))
    return changed, damaged, unreadable
