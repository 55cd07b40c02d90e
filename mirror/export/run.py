"""An export from its first conversation to its last: what is written, what is left alone, and why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.export.conversation import SUFFIXES, content_of, made_of, places_of, read_conversation
from mirror.export.folder import Written, opened
from mirror.export.names import stems

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from mirror.export.conversation import ExportFormat, FilePlace, FilesChoice, ReadConversation
    from mirror.export.folder import ExportFolder
    from mirror.files.byte_store import ByteStore

# Of files whose hashes are recorded before they are written, whichever comes first. By judgement: more memory, or the
# record is written more often, which is slow for thousands of conversations.
MOST_PLANNED, MOST_PLANNED_BYTES = 500, 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How conversations become files."""

    form: ExportFormat = "markdown"
    files: FilesChoice = "link"
    all_branches: bool = False


@dataclass(slots=True)
class ExportResult:
    """How many files were written, and how many were as they should be; ``edited``: names of those left alone."""

    written: int = 0
    unchanged: int = 0
    edited: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many conversations the export was asked for."""
        return self.written + self.unchanged + len(self.edited)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A file that is to be written. ``there``: what was in its place, see ``ExportFolder.state_of``."""

    name: str
    content: bytes
    there: str
    written: Written
    copies: tuple[FilePlace, ...]


def export(
    conn: sqlite3.Connection,
    ids: Sequence[str],
    path: Path,
    store: ByteStore,
    options: ExportOptions,
    progress: Callable[[int, int], None],
) -> ExportResult:
    """Write these conversations into a folder, each to a file of its own, and only what changed.

    Nothing is removed, and no file is touched that an export did not write or that somebody edited since.
    """
    with opened(path) as folder:
        running = _Export(conn, store, options, folder)
        for done, conversation_id in enumerate(ids):
            progress(done, len(ids))
            running.take(conversation_id)
        running.write_planned()
        folder.save()
        progress(len(ids), len(ids))
    return running.result


class _Export:
    """An export under way; files are planned first and written some hundreds at a time."""

    def __init__(
        self, conn: sqlite3.Connection, store: ByteStore, options: ExportOptions, folder: ExportFolder
    ) -> None:
        self._conn, self._store, self._options, self._folder = conn, store, options, folder
        self._planned: list[_Planned] = []
        self._bytes = 0
        self.result = ExportResult()

    def take(self, conversation_id: str) -> None:
        """Look at one conversation, and plan its file if that is to be written."""
        found = read_conversation(self._conn, conversation_id, all_branches=self._options.all_branches)
        places = places_of(found, self._store, self._options.files)
        source = made_of(found, places, self._options.form)
        name = self._folder.name_of(conversation_id, SUFFIXES[self._options.form])
        if name is not None and self._is_current(name, source, places.values()):
            self.result.unchanged += 1
            return
        content = content_of(found, places, self._options.form)
        new = Written(conversation_id, hashlib.sha256(content).hexdigest(), source)
        self._plan(name or self._new_name(found, new.sha256), content, new, places.values())
        if len(self._planned) >= MOST_PLANNED or self._bytes >= MOST_PLANNED_BYTES:
            self.write_planned()

    def _is_current(self, name: str, source: str, places: Iterable[FilePlace]) -> bool:
        written = self._folder.record[name]
        if written.made_of != source or written.was is not None:
            return False
        copies_are_there = all(one.copy_as is None or self._folder.place_of(one.copy_as).exists() for one in places)
        return copies_are_there and self._folder.hash_on_disk(name) == written.sha256

    def _plan(self, name: str, content: bytes, new: Written, places: Iterable[FilePlace]) -> None:
        there, known = self._folder.hash_on_disk(name), self._folder.record.get(name)
        ours = {None, new.sha256} | ({known.sha256, known.was} if known else set())
        if there not in ours:
            self.result.edited.append(name)
            return
        if there != new.sha256:
            new.was = there
            self._bytes += len(content)
        self._folder.note(name, new)
        self._planned.append(
            _Planned(name, content if there != new.sha256 else b"", self._folder.state_of(name), new, tuple(places))
        )

    def _new_name(self, found: ReadConversation, sha256: str) -> str:
        """Return a name that nothing has, or one that has exactly what would be written (its record was lost)."""
        suffix = SUFFIXES[self._options.form]
        for name in (stem + suffix for stem in stems(found.view)):
            if self._folder.is_free(name):
                return name
            if name not in self._folder.record and self._folder.hash_on_disk(name) == sha256:
                return name
        raise AssertionError

    def write_planned(self) -> None:
        """Write what is planned: first the record, then the files; the next record says that they are written."""
        if not self._planned:
            return
        self._folder.save()
        for one in self._planned:
            for place in one.copies:
                if place.copy_as is not None:
                    self._folder.copy(self._store.path_of(place.sha256), place.copy_as)
            if one.content and self._folder.state_of(one.name) != one.there:
                self.result.edited.append(one.name)  # while this export ran; the next one looks again
                continue
            if one.content:
                self._folder.write(one.name, one.content)
                self.result.written += 1
            else:
                self.result.unchanged += 1
            one.written.was = None
        self._planned, self._bytes = [], 0
        self._folder.mark_changed()
