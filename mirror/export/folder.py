"""The folder that an export writes to: one export at a time, each file whole, and what was written remembered.

``.chatmirror-export.json`` in the folder is the record. It says of each file which conversation it holds and the hash
of what was written. A file of another hash was edited or is somebody else's, and is never written to. The record is
written before the files that it names, with the hashes of what they were and will be, so that a killed export leaves no
file that the next one does not know.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror.disk import sync_handle, sync_path
from mirror.errors import BusyError, StorageError, UsageError
from mirror.export.names import from_disk, key_of, on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = ".chatmirror-export.json"
_LOCK = ".chatmirror-export.lock"
_TEMPORARY = ".chatmirror-export-"
_FORM = 1  # of the record
_PIECE = 1 << 20
_NOT_SYNCED = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS}  # what a file system says that cannot


@dataclass(slots=True)
class Written:
    """A file that an export wrote. ``was``: the hash of what it held before, while it is being replaced.

    ``made_of``: the hash of everything that the content was made of.
    """

    conversation_id: str
    sha256: str
    made_of: str
    was: str | None = None


_FIELDS = tuple(one.name for one in fields(Written))


@dataclass(slots=True)
class ExportFolder:
    """An export's folder and its record. Make it with ``opened``."""

    path: Path
    record: dict[str, Written] = field(default_factory=dict)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _is_changed: bool = False

    def name_of(self, conversation_id: str, suffix: str) -> str | None:
        """Return the name under which a conversation was written, None if it was not."""
        return self._names.get((conversation_id, suffix))

    def is_free(self, name: str) -> bool:
        """Whether no file of this name is there or recorded, however a system compares names."""
        return key_of(name) not in self._taken

    def place_of(self, name: str) -> Path:
        """Return the path of a file of this name."""
        return self.path / on_disk(name)

    def hash_on_disk(self, name: str) -> str | None:
        """Return the hash of a file; None where there is none, or an empty one, which a power cut can leave."""
        path = self.place_of(name)
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # a named pipe would wait for whoever writes to it
                return "no file"
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:  # a folder of this name, or a file that may not be read: somebody else's
            return f"unreadable: {error.errno}"
        return hashlib.sha256(content).hexdigest() if content else None

    def state_of(self, name: str) -> str:
        """Return what tells whether a file was written to, or came or went: its hash and whether it is there."""
        return f"{self.place_of(name).exists()} {self.hash_on_disk(name)}"

    def note(self, name: str, written: Written) -> None:
        """Record what a file holds, or is about to hold."""
        self.record[name] = written
        self._names[written.conversation_id, Path(name).suffix] = name
        self._taken.add(key_of(name))
        self._is_changed = True

    def mark_changed(self) -> None:
        """Say that what was noted has been altered since."""
        self._is_changed = True

    def save(self) -> None:
        """Write the record, where it changed, so that it is on the disk: after the files before it, before those after.

        A file that a power cut left older or newer than the record says would pass for edited, and stay so for ever.
        """
        if self._is_changed:
            self._sync_names("")
            files = {name: {key: getattr(one, key) for key in _FIELDS} for name, one in self.record.items()}
            self.write(RECORD, json.dumps({"form": _FORM, "files": files}).encode())
            self._sync_names("")
            self._is_changed = False

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place at once; raises StorageError, and then what was there is as it was."""
        with self.failures(name), self._temporary() as (handle, temporary):
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                with _if_it_can():
                    sync_handle(file.fileno())  # of a part that a power cut left, the same is true
            temporary.replace(self.place_of(name))

    def copy(self, source: Path, name: str) -> None:
        """Copy a file's bytes into a name in a folder below, unless there is one already."""
        target = self.place_of(name)
        with suppress(FileNotFoundError), source.open("rb") as original, self.failures(name):
            if target.exists() and target.stat().st_size:  # its name says its content; what differs was edited
                return
            target.parent.mkdir(exist_ok=True)
            if target.parent.is_symlink():
                raise UsageError(f"{target.parent} is a link that leads elsewhere; nothing is copied there. Remove it.")
            with self._temporary() as (handle, temporary):
                with os.fdopen(handle, "wb") as file:
                    shutil.copyfileobj(original, file, _PIECE)
                    file.flush()
                    with _if_it_can():
                        sync_handle(file.fileno())
                temporary.replace(target)
            self._sync_names(str(Path(name).parent))

    def _sync_names(self, folder: str) -> None:
        with self.failures(folder), _if_it_can():
            sync_path(self.path / folder)

    @contextmanager
    def _temporary(self) -> Iterator[tuple[int, Path]]:
        handle, name = tempfile.mkstemp(dir=self.path, prefix=_TEMPORARY)
        try:
            yield handle, Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    @contextmanager
    def failures(self, name: str) -> Iterator[None]:
        """Turn the system's errors into StorageError."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"Cannot write {self.path / name} ({error.strerror or error}); the files that were written are whole."
                " Free space or check the folder's permissions, then run again."
            ) from error

    def load(self) -> None:
        """Read the record and which names are taken; remove what a killed export left unfinished."""
        self.record = _read_record(self.path / RECORD)
        self._names = {(one.conversation_id, Path(name).suffix): name for name, one in self.record.items()}
        self._taken = {key_of(name) for name in self.record}
        for found in list(self.path.iterdir()):
            if found.name.startswith(_TEMPORARY):
                with suppress(OSError):
                    found.unlink()
            self._taken.add(key_of(from_disk(found.name)))


@contextmanager
def opened(path: Path) -> Iterator[ExportFolder]:
    """Yield the folder, made if it is not there, for one export alone.

    Raises UsageError for what is no folder, StorageError where it cannot be written, BusyError during another export.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - takes a while

    _make(path)
    lock = FileLock(path / _LOCK, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(f"Another export is writing to {path}; nothing was done.") from None
    except OSError as error:
        raise StorageError(f"Cannot write to {path} ({error.strerror}); nothing was done.") from error
    try:
        folder = ExportFolder(path)
        with folder.failures(""):
            folder.load()
        yield folder
    finally:
        lock.release()


@contextmanager
def _if_it_can() -> Iterator[None]:
    """Pass over that a file system syncs nothing, or no folders, as some shares do; a failing disk is an error."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise


def _make(path: Path) -> None:
    if not path.absolute().parent.is_dir():
        raise UsageError(f"The folder {path.absolute().parent} does not exist; make it, or give another one.")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{path} is a file; give a folder to export to.") from None
    except OSError as error:
        raise StorageError(f"Cannot make the folder {path} ({error.strerror}); nothing was done.") from error


def _read_record(path: Path) -> dict[str, Written]:
    try:
        stored: Any = json.loads(path.read_bytes())
        if stored["form"] != _FORM:
            raise UsageError(f"{path} is a newer chatmirror's; nothing was written. Update chatmirror.")
        return {str(name): Written(**one) for name, one in stored["files"].items() if Path(name).name == name}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(
            f"{path} cannot be read, and without it no file can be told from yours; nothing was written. Delete it to"
            " begin anew: files that differ by then stay, and get a second one beside them."
        ) from None
