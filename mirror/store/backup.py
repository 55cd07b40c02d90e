"""A complete copy of the database while anything runs.

Made by SQLite's backup API (https://www.sqlite.org/backup.html). All pages are copied in one step, within one read
transaction: the copy is of one moment, and a sync goes on meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path

from mirror.errors import StorageError, UsageError
from mirror.store.database import open_reader, translated


def backup(source: Path, target: Path) -> int:
    """Write a whole copy, 0600, renamed into place when it is complete; return its size in bytes.

    Raises UsageError when the target is the database itself or a folder, StorageError when it cannot be written.
    """
    if target.is_dir():
        target = target / source.name
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target} is the database itself; give another PATH for the backup.")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"The folder {target.absolute().parent} does not exist; make it first.")
    conn = open_reader(source)
    try:
        handle, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}-")
    except OSError as error:
        conn.close()
        raise StorageError(f"Cannot write {target} ({error.strerror}); no backup was made.") from error
    os.close(handle)
    temporary = Path(name)
    try:
        with translated(source):
            _copy(conn, temporary)
        temporary.replace(target)
    finally:
        conn.close()
        temporary.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(conn: sqlite3.Connection, temporary: Path) -> None:
    copy = sqlite3.connect(temporary)
    try:
        conn.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
        found = copy.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise StorageError(f"The copy is damaged ({found}); no backup was made. Run `chatmirror check`.")
    finally:
        copy.close()
