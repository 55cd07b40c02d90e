"""What must hold of every mirror, whatever happened to it: the invariants that its files alone can tell.

Everything that ``chatmirror check`` looks at, by its own code, and in addition what only a test has reason to doubt.
Each test that looks at a mirror asks here, and ``conftest.py`` asks after every test about each mirror that it left.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import zlib
from contextlib import closing, suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from mirror.errors import BusyError, DamagedError, ForeignDatabaseError, UsageError
from mirror.files.byte_store import ByteStore
from mirror.health import integrity
from mirror.health.stored_bytes import check_bytes
from mirror.store import tracking
from mirror.store.database import Writer, is_writable, open_reader
from mirror.store.database_file import beside
from mirror.store.schema import is_outdated, table_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_HEAD = b"SQLite format 3\0"
_INSIDE_AN_INDEX = ("_data", "_idx", "_docsize", "_config", "_content")  # endings of the tables that FTS5 keeps one in
MOST_MIRRORS = 6  # of one test
LARGE, ONE_OF = 50, 4
NOT_OURS = -1
IS_LONG = "CHATMIRROR_LONG" in os.environ
SEED = os.environ.get("CHATMIRROR_SEED", "1")
_WAIT = 2.0  # seconds for who writes: no test leaves anybody who does for longer
# Hashes of files that were found whole. Many tests leave the same one, such as an empty mirror.
_WHOLE: set[bytes] = set()


def broken(
    path: Path, saved: Collection[str] = (), secrets: Collection[bytes] = (), *, derives_all: bool = True
) -> list[str]:
    """Return which invariants of docs/reliability.md a mirror breaks, as sentences; of one that is not there, none.

    ``saved``: conversations that were reported as saved, and must be there. ``secrets``: parts of those that were given
    out, of which none may be in any value. ``derives_all``: as of ``integrity.check``. Raises BusyError where a living
    process writes to it.
    """
    if not path.exists():
        return [f"{path.name} is gone"] if saved else []
    try:
        if not is_writable(path):
            with closing(open_reader(path)) as conn:
                return broken_in(conn, path, saved, secrets, derives_all=derives_all)
        with Writer(path, busy_timeout=_WAIT) as writer:
            return broken_in(writer.conn, path, saved, secrets, derives_all=derives_all)
    except DamagedError as error:
        return [error.message]


def broken_below(folder: Path, secrets: Collection[bytes] = (), *, name: str = "") -> list[str]:
    """Return which invariants the mirrors below a folder break: each ``*.db`` of ours and of this version.

    Not of one that a living process writes to, of which a later look tells. Of many mirrors MOST_MIRRORS, and of those
    of more than LARGE conversations one in ONE_OF: these take half of the time, hold more of the same, and are left by
    tests about lists, whose smaller siblings are looked at. ``name``: of the test, which with ``CHATMIRROR_SEED``
    decides which. ``CHATMIRROR_LONG=1``: all of them.
    """
    paths = [path for path in sorted(folder.rglob("*.db")) if path.is_file() and not path.is_symlink()]
    if not IS_LONG:
        paths = random.Random(f"{SEED} {name}").sample(paths, min(MOST_MIRRORS, len(paths)))
    most = sys.maxsize if IS_LONG or random.Random(f"{name} {SEED}").randrange(ONE_OF) == 0 else LARGE
    found = []
    for path in paths:
        if not _was_whole(path):
            with suppress(BusyError):
                found += [f"{path.relative_to(folder)}: {line}" for line in _broken_once(path, secrets, most)]
    return found


def _broken_once(path: Path, secrets: Collection[bytes], most: int) -> list[str]:
    """Return as ``broken`` does, and remember a file that is whole; ``most``: conversations that one may have."""
    if not 0 <= _size(path) <= most:
        return []
    content = _hash(path)
    found = broken(path, secrets=secrets)
    if not found and not ByteStore(path).folder.exists():
        _WHOLE.add(content)
    return found


def _size(path: Path) -> int:
    """Return how many conversations a mirror of this version has, 0 where it is damaged, or NOT_OURS."""
    with path.open("rb") as file:
        if file.read(len(_HEAD)) != _HEAD:  # what a run has had open was a mirror once
            return 0 if path.stat().st_size > 0 and beside(path, ".lock").exists() else NOT_OURS
    try:
        with closing(open_reader(path)) as conn:
            if is_outdated(conn):
                return NOT_OURS
            return int(conn.execute("SELECT count(*) FROM conversations").fetchone()[0])
    except (DamagedError, sqlite3.Error):
        return 0
    except (ForeignDatabaseError, UsageError):
        return NOT_OURS


def _was_whole(path: Path) -> bool:
    """Whether the same file was found whole before; only of those that need no bytes of files beside them."""
    return _hash(path) in _WHOLE


def _hash(path: Path) -> bytes:
    log = beside(path, "-wal")
    return sha256(path.read_bytes() + (log.read_bytes() if log.exists() else b"")).digest()


def broken_in(
    conn: sqlite3.Connection,
    path: Path,
    saved: Collection[str] = (),
    secrets: Collection[bytes] = (),
    *,
    derives_all: bool = True,
) -> list[str]:
    """Return as ``broken`` does, of a mirror that is open."""
    checked = integrity.check(conn, lambda *_: None, derives_all=derives_all)
    if checked.tables or checked.file:
        return checked.all  # what follows reads tables that are not there, or not whole
    found = [*checked.all, *(f"the bytes {name} are not whole" for name in check_bytes(conn, path).lost)]
    found += _runs(conn)
    there = {row["id"] for row in conn.execute("SELECT id FROM conversations")}
    found += [f"{key} was saved and is gone" for key in sorted(set(saved) - there)]
    return [*found, *_secrets(conn, secrets)]


def _runs(conn: sqlite3.Connection) -> Iterator[str]:
    """Yield what contradicts the newest run's success: exit 0 says that all that was listed is stored as listed."""
    newest = conn.execute("SELECT * FROM sync_runs ORDER BY id DESC LIMIT 1").fetchone()
    if newest is None:
        return
    sql = "SELECT id FROM sync_runs WHERE finished_at IS NULL AND outcome IS NULL AND id < ?"
    yield from (f"run {row['id']} has no end, and later ones had" for row in conn.execute(sql, (newest["id"],)))
    if newest["command"] == "sync" and newest["exit_code"] == 0:
        waiting = tracking.pending(conn, newest["provider"])
        yield from (f"the last run ended with 0, and {one.conversation_id} is not current" for one in waiting)


def _secrets(conn: sqlite3.Connection, secrets: Collection[bytes]) -> Iterator[str]:
    """Yield the tables that a secret is in: in any value, in whole and not as pages cut it, and in packed payloads."""
    names = [name for name in sorted(table_names(conn)) if not name.endswith(_INSIDE_AN_INDEX)]
    for table in names if secrets else ():
        for row in conn.execute(f'SELECT * FROM "{table}"'):
            if any(secret in value for value in map(_bytes, row) for secret in secrets):
                yield f"a secret is in the table {table}"
                break


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode("utf-8", "surrogatepass")
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value
