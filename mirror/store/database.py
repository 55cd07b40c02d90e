"""Open the database file: private, locked, durable, of a schema we know.

One writer holds a kernel lock on ``<database>.lock`` for its whole life and writes in ``BEGIN IMMEDIATE`` transactions
with WAL and ``synchronous=FULL`` (https://www.sqlite.org/wal.html): a committed conversation survives a power cut, and
readers such as Datasette see whole conversations only. Readers open the file ``mode=ro`` and never lock anybody out.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from mirror.errors import BusyError, DamagedError, ForeignDatabaseError, StorageError, UsageError
from mirror.store import database_file, row_hashes
from mirror.store.schema import MIGRATIONS, applied_migrations, diagnosed, is_outdated, table_names
from mirror.store.storage_errors import (
    FREE_SPACE,
    damage_of_file,
    is_damage,
    primary_code,
    reason,
    storage_error,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

BUSY_TIMEOUT = 30.0  # seconds that a writer waits for another program's transaction
# Bytes a page of a new file. A sync writes some fifty pages for each conversation, most of them of indexes, whatever
# their size: with 16,384 it hands the system 1.7 times as much. SQLite's own choice, 4096, lets an import take 5 % more
# processor time and a check 6 %. The file has the same size with each, within 1 %.
PAGE_SIZE = 8192
PRAGMAS = (
    "synchronous=FULL",
    "fullfsync=ON",
    "foreign_keys=ON",
    "recursive_triggers=ON",
    # Some systems let SQLite write zeros over all that is deleted. Here that is what was stored anew just before,
    # and the zeros were a quarter of what a sync wrote.
    "secure_delete=FAST",
)
CHECKPOINT_WAIT = 0.5  # seconds that the end of a run waits for readers; what it cannot fold in now, a later one does
_ATTEMPTS = 100  # to change the kind of log while others read
MINIMUM_SQLITE = (3, 35)


class Writer:
    """The one writing connection. Use as a context manager; ``conn`` is open inside it.

    ``busy_timeout``: seconds to wait for another program's transaction. ``is_for_repair``: take also a file that does
    not fit the log beside it.
    """

    def __init__(self, path: Path, *, busy_timeout: float = BUSY_TIMEOUT, is_for_repair: bool = False) -> None:
        self.path, self._busy_timeout, self._is_for_repair = path, busy_timeout, is_for_repair
        self._real_path = database_file.real_path(path)
        self.conn: sqlite3.Connection = None  # type: ignore[assignment] # set by __enter__, before anything can use it
        self._held = ExitStack()
        self._file_id: tuple[int, int] | None = None
        self._is_writing = False

    def __enter__(self) -> Self:
        _check_sqlite()
        _check_place(self.path)
        self._held.enter_context(database_file.locked(self.path))
        try:
            database_file.refuse_second_name(self._real_path)
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, _: object = None, error: BaseException | None = None, *__: object) -> None:
        if self.conn is not None:
            self.conn.close()
        self._held.close()
        if isinstance(error, sqlite3.Error):
            raise storage_error(error, self.path) from error

    def _open(self) -> None:
        _create_private(self._real_path)
        with translated(self.path):
            if not self._is_for_repair:
                _refuse_foreign_log(self._real_path)
            self.conn = connect(self._real_path, self._busy_timeout)
            _refuse_unknown(self.conn, self.path)
            self.conn.execute(f"PRAGMA page_size={PAGE_SIZE}")  # of a file that is made now; others keep theirs
            _write_ahead(self.conn)
            for pragma in PRAGMAS:
                self.conn.execute(f"PRAGMA {pragma}")
            with diagnosed(self.conn, self.path):
                _migrate(self.conn)
                row_hashes.watch(self.conn)
        stat = self.path.stat()
        self._file_id = (stat.st_dev, stat.st_ino)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One all-or-nothing change, durable when it returns."""
        with diagnosed(self.conn, self.path), translated(self.path):
            try:
                if self.conn.in_transaction and not self._is_writing:
                    self.conn.execute("ROLLBACK")  # a savepoint of a look that Ctrl-C cut off; nothing in it is to stay
                self._is_writing = True
                self.conn.execute("BEGIN IMMEDIATE")  # in here, so that Ctrl-C right after it leaves none open
                yield self.conn
                self._same_file()
                row_hashes.update(self.conn)
                self.conn.execute("COMMIT")
            except BaseException:
                if self.conn.in_transaction:
                    self.conn.execute("ROLLBACK")
                raise
            finally:
                self._is_writing = False

    def _same_file(self) -> None:
        # A database that was moved or replaced under us would take writes that nobody ever finds again.
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            stat = None
        if stat is None or (stat.st_dev, stat.st_ino) != self._file_id:
            raise StorageError(f"{self.path} was moved or replaced during the run; nothing more is written. Run again.")

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, so that a plain copy at rest is whole.

        Where that cannot be done now, the log stays beside the file, and loses nothing.
        """
        with translated(self.path):
            # Not for as long as for a write: a reader can be open for hours, and each run would wait at its end.
            self.conn.execute(f"PRAGMA busy_timeout={CHECKPOINT_WAIT * 1000:.0f}")
            try:
                self.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError as error:
                # Locked: what was interrupted still reads.
                if primary_code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                    raise
            finally:
                self.conn.execute(f"PRAGMA busy_timeout={self._busy_timeout * 1000:.0f}")


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database for reading; never writes, never blocks a sync."""
    if not path.exists():
        raise UsageError(
            f"There is no {path} yet. Run `chatmirror sync` or `chatmirror import` first, or give -d PATH."
        )
    database_file.refuse_hidden_log(path)
    with translated(path):
        try:
            return _of_a_mirror(_connect(database_file.uri(path, "mode=ro")), path)
        except sqlite3.OperationalError as error:
            # An I/O error may be the file beside it, which a full disk does not let grow.
            if primary_code(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}:
                raise
        return _of_a_mirror(_connect_unwritable(path), path)


def _of_a_mirror(conn: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Return a connection to a mirror that this program knows; closes one that it refuses."""
    try:
        _refuse_unknown(conn, path)
        _refuse_empty(conn, path)
    except BaseException:
        conn.close()
        raise
    return conn


def _refuse_empty(conn: sqlite3.Connection, path: Path) -> None:
    if not table_names(conn):
        raise empty_file_error(path)


def empty_file_error(path: Path) -> UsageError:
    """Return the line about a file that is there and no mirror yet."""
    return UsageError(
        f"{path} is an empty file: nothing was mirrored into it yet. Run `chatmirror sync` or `chatmirror import`."
    )


def open_current_reader(path: Path) -> sqlite3.Connection:
    """Open an existing database for reading, brought to this program's tables first where that is possible.

    Raises ForeignDatabaseError for a file of an older program that cannot be written now.
    """
    conn = open_reader(path)
    if not is_outdated(conn):
        return conn
    conn.close()
    with suppress(BusyError, StorageError), Writer(path):
        pass  # opening it to write is what updates it
    conn = open_reader(path)
    if is_outdated(conn):
        conn.close()
        raise ForeignDatabaseError(
            f"{path} was made by an older chatmirror and cannot be updated now; it was not changed. Run"
            " `chatmirror check` where the file can be written, then run this again."
        )
    return conn


def upsert(conn: sqlite3.Connection, table: str, keys: Sequence[str], row: Mapping[str, Any]) -> int:
    """Insert or update one row, and only if a value differs; return how many rows were written (0 or 1).

    Never ``INSERT OR REPLACE``: it does not fire the delete triggers that keep the full-text index whole.
    """
    columns = list(row)
    others = [column for column in columns if column not in keys]
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    sql += f" ON CONFLICT ({', '.join(keys)}) DO "
    if others:
        sql += "UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in others)
        sql += " WHERE " + " OR ".join(f"{table}.{column} IS NOT excluded.{column}" for column in others)
    else:
        sql += "NOTHING"
    return conn.execute(sql, list(row.values())).rowcount


def _connect(uri: str, busy_timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    conn = sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None)
    conn.row_factory = sqlite3.Row
    return conn


def connect(path: Path, busy_timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Open an existing file to write to it, without any promise of a ``Writer``'s."""
    return _connect(database_file.uri(path, "mode=rw"), busy_timeout)


def _connect_unwritable(path: Path) -> sqlite3.Connection:
    """Open a file in a folder that we may not write, where SQLite cannot make what it shares with other programs.

    It makes that for as long as anybody has the file open, so nobody has.
    """
    wal = database_file.beside(database_file.real_path(path), "-wal")
    if not wal.exists() or wal.stat().st_size == 0:
        return _connect(database_file.uri(path, "mode=ro&immutable=1"))
    # ``immutable`` would leave the log unread, in which the newest conversations are.
    conn = _connect(database_file.uri(path, "mode=ro&vfs=unix-none"))
    conn.execute("PRAGMA locking_mode=EXCLUSIVE").fetchone()  # the log's index in our own memory
    return conn


def _check_sqlite() -> None:
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        needed = ".".join(map(str, MINIMUM_SQLITE))
        raise UsageError(f"This Python has SQLite {sqlite3.sqlite_version}; chatmirror needs {needed} or newer.")


def is_writable(path: Path) -> bool:
    """Tell whether a file, and what SQLite keeps beside it, can be written."""
    return os.access(path.absolute().parent, os.W_OK) and os.access(path, os.W_OK)


def _check_place(path: Path) -> None:
    folder = path.absolute().parent
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a database file.")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is a device or pipe, not a database file; nothing was done. Give another -d PATH.")
    if not folder.is_dir():
        raise UsageError(f"The folder {folder} does not exist; make it, or give another -d PATH.")
    if not os.access(folder, os.W_OK) or (path.exists() and not is_writable(path)):
        raise StorageError(f"Cannot write {path}; nothing was done. Check its permissions.")
    space = shutil.disk_usage(folder)
    if not space.total:  # as /proc and /sys
        raise UsageError(f"{folder} is a place of the system's own, where no files can be kept. Give another -d PATH.")
    if space.free < FREE_SPACE:
        raise StorageError(
            f"Less than {FREE_SPACE >> 20} MB are free in {folder}; nothing was done. Free space, run again."
        )


def _create_private(path: Path) -> None:
    # Made 0600 before SQLite sees it: the -wal and -shm files inherit the mode.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StorageError(f"Cannot create {path} ({error}); nothing was done.") from error


def _refuse_foreign_log(path: Path) -> None:
    """Raise DamagedError where a file and the log beside it do not fit together, before SQLite folds the log in.

    It would do so when the file is closed, and spoil a copy that was put beside the log of a killed run. A connection
    that can only read folds nothing in.
    """
    log = database_file.beside(path, "-wal")
    if not log.exists() or log.stat().st_size == 0:
        return
    with closing(_connect(database_file.uri(path, "mode=ro"))) as conn:
        try:
            found = next(iter(damage_of_file(conn)), "")
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            found = reason(error)
    if found:
        raise DamagedError(
            f"{path} with its log {log.name} is damaged ({found}); neither was changed. If the file was put there by"
            f" another program than `chatmirror restore`, the log is not its own: move {log.name} away, and run"
            " `chatmirror check`. Else run `chatmirror check --repair`."
        )


def _refuse_unknown(conn: sqlite3.Connection, path: Path) -> None:
    tables = table_names(conn)
    if not tables:
        return
    applied = applied_migrations(conn, tables)
    if not applied:
        raise ForeignDatabaseError(f"{path} was not made by chatmirror; it was not changed. Give another -d PATH.")
    if unknown := applied.difference(MIGRATIONS):
        newest = max(unknown)
        raise ForeignDatabaseError(f"{path} was made by a newer chatmirror (schema {newest}); update chatmirror.")


def _write_ahead(conn: sqlite3.Connection) -> None:
    """Keep a write-ahead log from now on (https://www.sqlite.org/pragma.html#pragma_journal_mode).

    SQLite refuses the change at once where anybody reads the file; it waits for a transaction. So wait for that first,
    and take the change up again where a reader came in between.
    """
    for attempt in range(_ATTEMPTS):
        if conn.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        conn.execute("BEGIN EXCLUSIVE")
        conn.execute("COMMIT")
        try:
            conn.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or attempt + 1 == _ATTEMPTS:
                raise
        else:
            return


def _migrate(conn: sqlite3.Connection) -> None:
    """Apply what is missing, all or nothing: a file with some tables of ours would pass for another program's."""
    if table_names(conn) and not is_outdated(conn) and not row_hashes.is_empty(conn):
        return  # so that an ordinary run need not import what migrations need
    from sqlite_utils import Database  # noqa: PLC0415 - takes a while, and who only reads does not need it

    from mirror.migrations import migrations  # noqa: PLC0415 - see above

    conn.execute("BEGIN IMMEDIATE")  # waits for who writes, as a transaction that began by reading does not
    try:
        is_outdated_now = is_outdated(conn)
        migrations.apply(Database(conn, execute_plugins=False))
        if is_outdated_now or row_hashes.is_empty(conn):
            row_hashes.accept_all(conn)
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
