"""A complete copy of the database while anything runs, and the way back.

Copies are made by SQLite's backup API (https://www.sqlite.org/backup.html): all pages in one step, within one read
transaction, so the copy is of one moment, and a sync goes on meanwhile. A copy takes another file's place only when
it has been proven whole and is on the disk. Only an older backup of the same mirror is ever replaced by a backup.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from mirror.errors import BusyError, ChatmirrorError, DamagedError, StorageError, UsageError
from mirror.files.byte_store import ByteStore
from mirror.store import database_file, file_rows
from mirror.store.database import connect, open_reader
from mirror.store.runs import KEEP_RUNS
from mirror.store.schema import is_chatmirror, is_empty, table_names
from mirror.store.storage_errors import is_damage, primary_code, reason, storage_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    # Says what is wrong with a copy; None: nothing is. Only the checks of the program's upper floors know.
    Proof = Callable[[sqlite3.Connection], ChatmirrorError | None]

# What Litestream keeps in a database that it copies, in versions 0.3 and 0.5 (https://litestream.io/how-it-works/).
_LITESTREAM = frozenset({"_litestream_seq", "_litestream_lock"})


def backup(source: Path, target: Path, proof: Proof) -> int:
    """Write a whole, proven copy, 0600; return its size in bytes. What is at ``target`` stays until it is finished.

    Raises UsageError where the target is anything else than an older backup of this mirror, DamagedError where the
    copy does not prove whole, StorageError when it cannot be written, BusyError while a run uses the target.
    """
    target = database_file.real_path(target)
    _refuse_place(source, target)
    with closing(open_reader(source)) as conn:
        if is_empty(conn):
            raise UsageError(f"{source} is empty; no backup was made, and {target} was not changed.")
        _refuse_one_folder_of_files(conn, source, target)
        with database_file.locked(target):
            if (problem := _why_not_older(conn, target)) is not None:
                raise UsageError(f"{target} {problem}; it was not changed. Give another PATH for the backup.")
            with _proven_copy(conn, source, target, proof) as copy, _system_errors(target):
                _fold_log(target)
                database_file.take_place(copy, target)
    return target.stat().st_size


def restore(path: Path, source: Path, proof: Proof) -> Path | None:
    """Put a proven copy of a backup in the place of a database; return where the old one is kept, None: there was none.

    Raises UsageError where the backup is another person's, DamagedError where it does not prove whole, BusyError while
    Litestream copies the database, and as ``backup`` does; the database is then as it was.
    """
    path = database_file.real_path(path)
    if not source.exists():
        raise UsageError(f"There is no {source}; {path} was not changed.")
    _refuse_place(source, path)
    with closing(open_reader(source)) as conn, database_file.locked(path):
        if is_empty(conn):
            raise UsageError(f"{source} is empty; {path} was not changed. Give another backup.")
        if _is_of_another_account(conn, path):
            raise UsageError(f"{source} is a backup of another account; {path} was not changed. Give another -d PATH.")
        _refuse_replicated(path)
        with _proven_copy(conn, source, path, proof) as copy, _system_errors(path):
            _refuse_replicated(path)  # it may have been started since, for a large copy takes minutes
            # What cannot be folded in is kept beside the old file.
            with suppress(sqlite3.Error, BusyError):
                _fold_log(path)
            kept = database_file.keep_aside(path)
            database_file.take_place(copy, path)
    return kept


def _refuse_place(source: Path, target: Path) -> None:
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the database itself; give another PATH for the backup.")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is no file; it was not changed. Give another PATH.")
    if not target.parent.is_dir():
        raise UsageError(f"The folder {target.parent} does not exist; make it first.")


def _refuse_one_folder_of_files(conn: sqlite3.Connection, source: Path, target: Path) -> None:
    """Raise UsageError where the copy would have its files in the mirror's own folder, and so no copy of them."""
    folder = ByteStore(target).folder
    if folder == ByteStore(source).folder and "files" in table_names(conn) and file_rows.hashes(conn):
        raise UsageError(
            f"{target} would have its files in {folder}, where those of {source} are, so they would be in no backup;"
            f" nothing was done. Give another name, such as {target.with_name('copy-of-' + source.name)}, or a path in"
            " another folder."
        )


@contextmanager
def _proven_copy(conn: sqlite3.Connection, source: Path, target: Path, proof: Proof) -> Iterator[Path]:
    """Yield a whole copy of ``source`` beside ``target``, which nothing has open."""
    _refuse_full_disk(source, target)
    with database_file.new_copy(target) as copy:
        try:
            with closing(connect(copy)) as written:
                conn.backup(written)
                written.execute("PRAGMA journal_mode=DELETE").fetchone()  # one file, nothing beside it
                problem = proof(written)
        except sqlite3.Error as error:
            raise _copy_error(error, source, target) from error
        if problem is not None:
            raise problem
        yield copy


def _refuse_full_disk(source: Path, target: Path) -> None:
    wal = database_file.beside(database_file.real_path(source), "-wal")
    needed = source.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise StorageError(
            f"The disk of {target} has {free / 1e6:,.0f} MB free, and the copy needs {needed / 1e6:,.0f} MB; nothing"
            " was written. Free space there, or give another PATH."
        )


def _copy_error(error: sqlite3.Error, source: Path, target: Path) -> ChatmirrorError:
    """Name the file that an error of copying is about: what is not about the source is about the copy."""
    if is_damage(error):
        return DamagedError(f"{source} is damaged ({reason(error)}); {target} was not changed. Run `chatmirror check`.")
    named = storage_error(error, source)
    if isinstance(named, BusyError):
        return named
    return StorageError(
        f"Cannot write the copy beside {target} ({error}); {target} was not changed. Free space there, or check its"
        " permissions."
    )


@contextmanager
def _system_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"Cannot write {target} ({error.strerror}); run it again.") from error


def _fold_log(path: Path) -> None:
    """Bring what stands in a database's log into the file; raises BusyError where another program has it open."""
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with closing(connect(path, busy_timeout=0)) as conn:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            conn.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if isinstance(storage_error(error, path), BusyError):
            raise BusyError(f"Another program has {path} open; it was not changed. Close it, run again.") from error
        raise


def _refuse_replicated(path: Path) -> None:
    """Raise BusyError where Litestream may be copying a database: it would go on with the old file and say nothing.

    It keeps a transaction open all the time. A program that only reads finds the new file when it opens it again.
    """
    if not path.exists():
        return
    with suppress(sqlite3.DatabaseError):  # of a file that is damaged: what is restored is to take its place
        with closing(connect(path, busy_timeout=0)) as conn:
            if not table_names(conn) >= _LITESTREAM:
                return
        try:
            _fold_log(path)
        except BusyError as error:
            raise BusyError(
                f"Another program, maybe Litestream, has {path} open and would go on copying the old file; it was not"
                " changed. Stop that program, run this again."
            ) from error


def _why_not_older(conn: sqlite3.Connection, target: Path) -> str | None:
    """Return what a file is instead of an older backup of this mirror, in words; None: it is one, or nothing."""
    if not target.exists() or target.stat().st_size == 0:
        return None
    try:
        with _attached(conn, target):
            return _difference(conn)
    except sqlite3.Error as error:
        if primary_code(error) == sqlite3.SQLITE_NOTADB:
            return "is not a database"
        return f"cannot be read ({reason(error)}), so nobody knows whose backup it is"


def _is_of_another_account(conn: sqlite3.Connection, path: Path) -> bool:
    """Whether a database is known to hold another account's conversations; what cannot be read may be anybody's."""
    if not path.exists():
        return False
    with suppress(sqlite3.Error), _attached(conn, path):
        return is_chatmirror(conn, "other") and _has_other_owner(conn)
    return False


@contextmanager
def _attached(conn: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Let ``other`` be another database; it is only read, except that what a killed program left open is undone."""
    mode = "rw" if database_file.beside(path, "-journal").exists() else "ro"
    conn.execute("ATTACH ? AS other", (database_file.uri(path, f"mode={mode}"),))
    try:
        yield
    finally:
        conn.execute("DETACH other")


def _difference(conn: sqlite3.Connection) -> str | None:
    if not is_chatmirror(conn, "other"):
        return None if is_empty(conn, "other") else "was not made by chatmirror"
    if _has_other_owner(conn):
        return "is a mirror of another account"
    lacking = conn.execute(
        "SELECT count(*) AS found FROM other.conversations WHERE id NOT IN (SELECT id FROM main.conversations)"
    ).fetchone()["found"]
    if lacking:
        return f"holds {lacking:,} conversation{'s' if lacking > 1 else ''} that this mirror does not"
    return (
        "was written by other runs than this mirror (`chatmirror restore` is the way back)" if _is_later(conn) else None
    )


def _has_other_owner(conn: sqlite3.Connection) -> bool:
    query = (
        "SELECT 1 FROM other._settings o JOIN main._settings m ON m.key = o.key"
        " WHERE o.key LIKE 'owner:%' AND o.value IS NOT m.value"
    )
    return conn.execute(query).fetchone() is not None


def _is_later(conn: sqlite3.Connection) -> bool:
    """Whether the other mirror had runs that are not in this one's history, apart from those that it has forgotten."""
    query = (
        "SELECT 1 FROM other.sync_runs o LEFT JOIN main.sync_runs m ON m.id = o.id"
        " WHERE m.started_at IS NOT o.started_at AND (m.id IS NOT NULL"
        " OR o.id > (SELECT coalesce(max(id), 0) FROM main.sync_runs) - ?)"
    )
    return conn.execute(query, (KEEP_RUNS,)).fetchone() is not None
