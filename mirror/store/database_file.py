"""The database as files: its one lock, what killed runs leave beside it, and how a copy takes its place."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mirror.disk import sync_path
from mirror.errors import BusyError, StorageError, UsageError
from mirror.files.byte_store import ByteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

# What SQLite keeps beside a database. Beside another file of that name they would be taken for its own and spoil it.
SIDE_FILES = ("-wal", "-journal", "-shm")
KEPT = ".before-restore"  # what a restored database had in its place
_A_LOOK = 0.2  # seconds for which a run waits for its lock, so that no look at it (``is_locked``) shuts the run out


def real_path(path: Path) -> Path:
    """Return the one name of a file, whatever symbolic links and relative paths lead to it."""
    return Path(os.path.realpath(path))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a database, by whichever name; and remove what killed runs left beside it.

    Raises BusyError where another run holds it, StorageError where it cannot be taken. The kernel frees the lock of a
    process that is killed. The lock's file stays: to remove it would let two runs hold two locks of one name.
    """
    from filelock import Timeout  # noqa: PLC0415 - takes a while, and who only reads does not need it

    lock = _lock_of(path)
    try:
        lock.acquire(timeout=_A_LOOK)
    except Timeout:
        raise BusyError(f"Another chatmirror run is using {path}; nothing was done.") from None
    except OSError as error:
        raise StorageError(f"Cannot lock {path} ({error.strerror}); nothing was done.") from error
    try:
        _remove_leftovers(real_path(path))
        ByteStore(path).remove_leftovers()
        yield
    finally:
        lock.release()


def is_locked(path: Path) -> bool | None:
    """Whether a run holds the lock of a database now; None where that cannot be told, as in a folder to read only.

    A free lock is taken for a moment.
    """
    from filelock import Timeout  # noqa: PLC0415 - as above

    lock = _lock_of(path)
    if not os.path.exists(lock.lock_file):  # noqa: PTH110 - made by nobody yet, and not by a look
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return None


def _lock_of(path: Path) -> BaseFileLock:
    from filelock import FileLock  # noqa: PLC0415 - as above

    return FileLock(f"{real_path(path)}.lock", mode=0o600)


def refuse_second_name(path: Path) -> None:
    """Raise UsageError for a file with several names (hard links): SQLite keeps a log beside each of them.

    See https://www.sqlite.org/howtocorrupt.html, section 2.5.
    """
    if path.exists() and path.stat().st_nlink > 1:
        raise UsageError(
            f"{path} has another name (a hard link), and writing to it by two names would spoil it; nothing was done."
            f" Make it a file of its own: `cp {path} {path}.own`, then `mv {path}.own {path}`."
        )


def refuse_hidden_log(path: Path) -> None:
    """Raise UsageError for a file whose newest rows are in the log of another of its names, in the same folder."""
    real = real_path(path)
    if not real.exists() or real.stat().st_nlink == 1:
        return
    with suppress(OSError):  # a folder that cannot be read, or a name that has just gone
        for other in real.parent.iterdir():
            if other != real and other.is_file() and other.samefile(real) and _has_log_of_its_own(other, real):
                raise UsageError(
                    f"{path} is also called {other.name} (a hard link), and its newest rows are in {other.name}-wal,"
                    f" where they are not seen by this name; nothing was done. Give -d {other}."
                )


def _has_log_of_its_own(path: Path, other: Path) -> bool:
    log, others = beside(path, "-wal"), beside(other, "-wal")
    return log.exists() and log.stat().st_size > 0 and not (others.exists() and log.samefile(others))


@contextmanager
def new_copy(target: Path) -> Iterator[Path]:
    """Yield an empty private file beside ``target``, for what is to take its place; nothing of it is left after.

    Call it while the target's lock is held: then what a killed run leaves is removed by the next one.
    """
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.copy-")
    except OSError as error:
        raise StorageError(f"Cannot write {target} ({error.strerror}); it was not changed.") from error
    os.close(handle)
    copy = Path(name)
    try:
        yield copy
    finally:
        for suffix in ("", *SIDE_FILES):
            beside(copy, suffix).unlink(missing_ok=True)


def take_place(copy: Path, target: Path) -> None:
    """Let a finished copy take the target's place, at once and for good. Nothing may use the copy any more."""
    sync_path(copy)
    for suffix in SIDE_FILES:
        beside(target, suffix).unlink(missing_ok=True)
    copy.replace(target)
    sync_path(target.parent)


def keep_aside(path: Path) -> Path | None:
    """Give a database, as it is on the disk, a second name; return it, None where there is nothing to keep.

    The file also keeps its own name, so that at no moment there is none. What must go with it, goes with it.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    kept = next(name for name in _kept_names(path) if not name.exists())
    for suffix in ("-wal", "-journal", ""):
        if beside(path, suffix).exists():
            _link_or_copy(beside(path, suffix), beside(kept, suffix))
    sync_path(path.parent)
    return kept


def _link_or_copy(path: Path, second: Path) -> None:
    try:
        second.hardlink_to(path)
    except OSError:  # a file system without links: exFAT, some shares
        shutil.copy2(path, second)
        sync_path(second)


def beside(path: Path, suffix: str) -> Path:
    """Return the file whose name is a path's name and a suffix."""
    return path.with_name(path.name + suffix)


def uri(path: Path, parameters: str) -> str:
    """Return a file as SQLite's address (https://www.sqlite.org/uri.html)."""
    return f"file:{str(path.absolute()).replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?{parameters}"


def _kept_names(path: Path) -> Iterator[Path]:
    yield beside(path, KEPT)
    number = 2
    while True:
        yield beside(path, f"{KEPT}-{number}")
        number += 1


def _remove_leftovers(path: Path) -> None:
    """Remove the unfinished copies of killed runs, which hold private content; undo a restore that was killed."""
    # The second form is that of version 0.1.
    unfinished = re.compile(rf"\.{re.escape(path.name)}(\.copy-[^.-]+|-[a-z0-9_]{{8}})({'|'.join(SIDE_FILES)})?")
    second_name = re.compile(rf"{re.escape(path.name + KEPT)}(-\d+)?")
    with suppress(OSError):  # a folder that cannot be read or written: the run itself says so
        for found in list(path.parent.iterdir()):
            if unfinished.fullmatch(found.name):
                found.unlink(missing_ok=True)
            elif second_name.fullmatch(found.name) and path.exists() and found.samefile(path):
                _undo_keeping(path, found)


def _undo_keeping(path: Path, kept: Path) -> None:
    """Take a database's second name away again, and give back the log that went with it."""
    for suffix in ("-wal", "-journal"):
        if beside(kept, suffix).exists() and not beside(path, suffix).exists():
            beside(kept, suffix).rename(beside(path, suffix))
        beside(kept, suffix).unlink(missing_ok=True)
    kept.unlink()
