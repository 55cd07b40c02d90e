"""What SQLite's errors, and the damage that it finds, mean for the person whose file it is.

Every error of SQLite (https://www.sqlite.org/rescode.html) becomes one of ours here, in one line that says what
happened, what is safe and what to do. Nothing here opens a file.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mirror.errors import FUNCTION_FAILED, BusyError, ChatmirrorError, DamagedError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FREE_SPACE = 64 * 1024 * 1024  # bytes below which a run does not start


def full_code(error: BaseException | None) -> int:
    """Return the code of an error of SQLite with its details; 0 where Python gives none."""
    return getattr(error, "sqlite_errorcode", None) or 0


def primary_code(error: BaseException | None) -> int:
    """Return the code of an error of SQLite without its details; 0 where Python gives none."""
    return full_code(error) & 0xFF


def storage_error(error: sqlite3.Error, path: Path) -> ChatmirrorError:
    """Say what an error of SQLite means for the person whose file it is (https://www.sqlite.org/rescode.html)."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return _full_error(path)
    if full_code(error) == sqlite3.SQLITE_IOERR_GETTEMPPATH:
        return StorageError(
            f"No folder for temporary files can be written; {path} is intact. Set TMPDIR to one, and run again."
        )
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return BusyError(f"Another program has held {path} for too long; nothing is lost. Run again later.")
    if full_code(error) == sqlite3.SQLITE_CORRUPT_VTAB:
        return DamagedError(f"A search index of {path} is damaged; no chat is lost. Run `chatmirror check --repair`.")
    if str(error).startswith("no such module"):
        return UsageError(
            f"This Python's SQLite cannot search ({error}); chatmirror needs one with FTS5. Nothing was changed; use"
            " another Python."
        )
    if is_damage(error):
        return _damage(error, path)
    if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
        return StorageError(
            f"Cannot write {path} ({error}); what was saved is safe. Check the disk and its permissions."
        )
    return StorageError(f"SQLite refused on {path}: {error}; what was saved is safe. Run `chatmirror check`.")


def _damage(error: sqlite3.Error, path: Path) -> DamagedError:
    if full_code(error) == sqlite3.SQLITE_NOTADB:
        return DamagedError(
            f"{path} is damaged, or never was a mirror: it does not begin as a database of SQLite; it was not changed."
            " Give another -d PATH, or restore a backup: `chatmirror restore BACKUP`."
        )
    return DamagedError(
        f"{path} is damaged ({reason(error)}); it was not changed. Run `chatmirror check`, which says whether it"
        " can be repaired, or needs a backup: `chatmirror restore BACKUP`."
    )


def _full_error(path: Path) -> StorageError:
    """Say which disk is full: SQLite's own words are the same for the database's and that of temporary files."""
    temporary = _temporary_folder()
    with suppress(OSError):
        free = shutil.disk_usage(path.absolute().parent).free
        if temporary is not None and shutil.disk_usage(temporary).free < min(free, FREE_SPACE):
            return StorageError(
                f"The disk of the folder for temporary files ({temporary}) is full; {path} is intact up to the last"
                " saved conversation. Free space there, or set TMPDIR to a folder with more, and run again."
            )
    return StorageError(f"The disk is full; {path} is intact up to the last saved conversation. Free space, run again.")


def _temporary_folder() -> str | None:
    """Return where SQLite puts temporary files (https://www.sqlite.org/tempfiles.html, section 5)."""
    named = [os.environ.get(name, "") for name in ("SQLITE_TMPDIR", "TMPDIR")]
    for folder in (*named, "/var/tmp", "/usr/tmp", "/tmp"):  # noqa: S108 - only read
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):  # noqa: PTH112 - as a text
            return folder
    return None


def reason(error: sqlite3.Error) -> str:
    """Return what SQLite says, without the stored text that Python quotes where it is damaged."""
    if str(error) == FUNCTION_FAILED:
        return "a text is no UTF-8"
    return str(error).partition(" with text")[0]


def damage_of_file(conn: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong with the file, a line each; not what it finds wrong with full-text indexes.

    From 3.44 on it asks FTS5, too. Those indexes are compared with their tables elsewhere, and can be made anew.
    """
    try:
        rows = [str(row[0]) for row in conn.execute("PRAGMA integrity_check")]
    except sqlite3.OperationalError as error:
        if not str(error).startswith("vtable constructor failed"):
            raise
        return []  # FTS5 cannot open one, of which ``schema.object_findings`` tells; until then nothing else is told
    return [_on_one_line(row) for row in rows if row != "ok" and not _is_of_full_text(row)]


def _is_of_full_text(row: str) -> bool:
    return row.startswith("fts5: ") or " for FTS5 table " in row


def _on_one_line(row: str) -> str:
    """Return a row of ``PRAGMA integrity_check`` on one line, without the heading that comes before some."""
    return " ".join(line for line in row.splitlines() if not line.startswith("***")) or row


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is damaged, not merely busy or unreadable."""
    if str(error).startswith("Could not decode"):  # a text that is none any more; Python gives it no code
        return True
    if str(error) == FUNCTION_FAILED:  # those of the search take any text, so it was given what is none any more
        return True
    return primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's storage errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise storage_error(error, path) from error
    except UnicodeDecodeError as error:  # of SQLite's own message, which quotes what is damaged
        raise storage_error(sqlite3.DatabaseError("Could not decode the schema"), path) from error
