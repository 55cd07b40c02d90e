"""The folder beside the database that holds the bytes of files, each content once.

For ``chats.db`` it is ``chats.files``; a content is at ``chats.files/ab/ab12…``, the name being its SHA-256. Bytes
are hashed while they are written to a temporary file, which is synced and renamed only when all of them came. What is
there under a content's name is whole, whatever interrupts. Nothing is ever named by what a service or an archive says.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mirror.disk import sync_handle, sync_path
from mirror.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Bytes free below which no file is fetched: the database itself must never run out of room. Smaller: it does.
FREE_FOR_FILES = 512 * 1024 * 1024
_TEMPORARY = ".incoming-"  # and the database's name: two databases can have one folder, as chats.db and chats.sqlite
_DAMAGED = ".damaged"
_HASH = re.compile("[0-9a-f]{64}")
_OLD_TEMPORARY = re.compile(r"\.incoming-[a-z0-9_]+")  # of versions that named no database
HEAD = 64 * 1024  # bytes kept in memory to tell what a content is; an error in disguise is shorter
_CHUNK = 1 << 20


class TooLargeFile(Exception):  # noqa: N818 - the caller decides what follows
    """More bytes came than the person wants of one file."""


def folder_of(database: Path) -> Path:
    """Return the folder of a database's files: the database's path with another suffix."""
    return database.with_name(f"{database.stem if database.suffix else database.name}.files")


class ByteStore:
    """The stored contents of one database."""

    def __init__(self, database: Path) -> None:
        real = Path(os.path.realpath(database))
        self.folder = folder_of(real)
        self._temporary = f"{_TEMPORARY}{real.name}-"

    def path_of(self, sha256: str) -> Path:
        """Return the place of a content; where no content is, for what is no hash (a damaged value in a row)."""
        if _HASH.fullmatch(sha256) is None:
            return self.folder / "no hash"
        return self.folder / sha256[:2] / sha256

    def holds(self, sha256: str, size: int | None = None) -> bool:
        """Whether a content is there, and has as many bytes as it should."""
        try:
            found = self.path_of(sha256).stat().st_size
        except OSError:
            return False
        return size is None or found == size

    def is_whole(self, sha256: str) -> bool:
        """Whether a content is there and is what its name says; reads all of it."""
        digest = hashlib.sha256()
        try:
            with self.path_of(sha256).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError:
            return False
        return digest.hexdigest() == sha256

    def set_aside(self, sha256: str) -> None:
        """Rename a damaged content, so that nothing takes it for whole and nothing of it is lost."""
        place = self.path_of(sha256)
        with suppress(OSError):
            place.replace(place.with_name(f"{sha256}{_DAMAGED}"))

    def stored(self) -> Iterator[str]:
        """Yield the name of everything that is where contents are."""
        with suppress(OSError):
            for place in sorted(self.folder.glob("??/*")):
                if place.suffix != _DAMAGED:
                    yield place.name

    def free_bytes(self) -> int:
        """Return how much room is left on the disk."""
        return shutil.disk_usage(self.folder if self.folder.exists() else self.folder.parent).free

    def incoming(self, most: int | None = None, came: Callable[[int], None] | None = None) -> Incoming:
        """Return a new content to write, of at most so many bytes; ``came`` is told how many have come."""
        return Incoming(self, self._temporary, most, came)

    def remove_leftovers(self) -> None:
        """Delete what killed runs of this database, whose lock is held, left of contents which never came whole."""
        with suppress(OSError):
            for found in list(self.folder.iterdir()):
                if found.name.startswith(self._temporary) or _OLD_TEMPORARY.fullmatch(found.name):
                    found.unlink(missing_ok=True)

    def made(self) -> Path:
        """Return the folder, which exists and is private."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _storage_error(error, self.folder) from error
        return self.folder


class Incoming:
    """A content on its way in. Use as a context manager; what is not kept is deleted when the context ends.

    ``size`` and ``head`` (its first bytes) tell what has come so far.
    """

    def __init__(self, store: ByteStore, prefix: str, most: int | None, came: Callable[[int], None] | None) -> None:
        self._store, self._prefix, self._most, self._came = store, prefix, most, came
        self.size = 0
        self.head = b""
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        try:
            handle, name = tempfile.mkstemp(dir=self._store.made(), prefix=self._prefix)  # made 0600
        except OSError as error:
            raise _storage_error(error, self._store.folder) from error
        self._file, self._path = os.fdopen(handle, "wb"), Path(name)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def restart(self) -> None:
        """Forget what came: another answer begins."""
        self.size, self.head, self._digest = 0, b"", hashlib.sha256()
        try:
            self._file.seek(0)
            self._file.truncate()
        except OSError as error:
            raise _storage_error(error, self._store.folder) from error

    def write(self, chunk: bytes) -> None:
        """Take the next bytes; raises TooLargeFile beyond the limit, StorageError where the disk takes no more."""
        self.size += len(chunk)
        if self._most is not None and self.size > self._most:
            raise TooLargeFile
        if self._came is not None:
            self._came(self.size)
        self.head += chunk[: HEAD - len(self.head)]
        self._digest.update(chunk)
        try:
            self._file.write(chunk)
        except OSError as error:
            raise _storage_error(error, self._store.folder) from error

    def last(self, count: int) -> bytes:
        """Return the last bytes of what has come so far, at most so many."""
        try:
            self._file.flush()
            with self._path.open("rb") as file:
                file.seek(max(0, self.size - count))
                return file.read()
        except OSError as error:
            raise _storage_error(error, self._store.folder) from error

    @property
    def sha256(self) -> str:
        """The hash of what has come so far."""
        return self._digest.hexdigest()

    def keep(self) -> str:
        """Store the content under its hash, durable when it returns; return the hash."""
        sha256 = self.sha256
        place = self._store.path_of(sha256)
        try:
            self._file.flush()
            sync_handle(self._file.fileno())
            self._file.close()
            # Also where it is there already: what is there may be damaged.
            place.parent.mkdir(mode=0o700, exist_ok=True)
            self._path.replace(place)
            for folder in (place.parent, self._store.folder, self._store.folder.parent):
                sync_path(folder)
        except OSError as error:
            raise _storage_error(error, self._store.folder) from error
        return sha256


def _storage_error(error: OSError, folder: Path) -> StorageError:
    return StorageError(
        f"Cannot write a file into {folder} ({error.strerror or error}); chats and files that are saved are safe. Free"
        " space or check its permissions, then run again."
    )
