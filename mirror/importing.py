"""Fill the database from archives: the official export, or captured answers of the service.

Several conversations, each whole, in one transaction, and none is counted before that is committed; one unusable
conversation never costs the others. An export's copy takes its place by its own update time among the copies that are
stored already, so that older never replaces newer.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.archive import Known, Problem, Skipped, StoredText, StoredTexts, open_archive, open_assets
from mirror.archive.items import NoConversations, Unusable
from mirror.errors import IncompleteError, StorageError, UnreadablePayloadError, UsageError
from mirror.file_reading import read_texts
from mirror.importing_files import FileImport, holds_file
from mirror.ingest import damaged, ingest
from mirror.normalize import NORMALIZERS
from mirror.payload_versions import Arrival
from mirror.reader import Reading, read_after_all, readings, readings_of
from mirror.store import payloads
from mirror.store.message_writes import MessageWriter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mirror.errors import ChatmirrorError
    from mirror.store.database import Writer
    from mirror.timing import Timing

WORST_SHOWN = 5
# Bytes of archives that are looked through for a conversation before a mirror is made. Larger: a first import of one
# very long conversation reads it twice; smaller: more files that are none of its kind leave an empty mirror.
LOOKED_THROUGH = 4 * 1024 * 1024
BYTES_A_TRANSACTION = 8 * 1024 * 1024  # of conversations' JSON: about a second's work, the most that a kill can cost


@dataclass(slots=True)
class Imported:
    """What an import did.

    ``problems``: sentences, each naming its file. ``damages``: of what was stored before. ``ended_by``: what ended it
    before all was read.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    not_understood: dict[str, int] = field(default_factory=dict)
    files: int = 0
    files_unchanged: int = 0
    damages: list[ChatmirrorError] = field(default_factory=list)
    ended_by: StorageError | None = None

    def note(self, item: object) -> bool:
        """Count in what is no conversation that can be stored; return whether it is none."""
        if isinstance(item, Problem):
            self.problems.append(f"{item.source}: {item.reason}")
        elif isinstance(item, Skipped):
            self.skipped.append(f"{item.source}: {item.reason}")
        return isinstance(item, Problem | Skipped)

    def add(self, more: Imported) -> None:
        """Count in what another transaction did."""
        self.new += more.new
        self.changed += more.changed
        self.unchanged += more.unchanged
        self.problems += more.problems
        self.skipped += more.skipped
        self.damages += more.damages
        for name, count in more.not_understood.items():
            self.not_understood[name] = self.not_understood.get(name, 0) + count

    @property
    def total(self) -> int:
        """How many conversations and other files the archives held that could be used."""
        return self.new + self.changed + self.unchanged + self.files + self.files_unchanged

    @property
    def error(self) -> ChatmirrorError | None:
        """What the exit code says: some of it could not be used, or there was nothing to use."""
        if self.ended_by or self.damages:
            return self.ended_by or self.damages[0]
        if not self.problems:
            return None if self.total else _nothing_found(self.skipped)
        if not self.total:
            return _nothing_imported(_few(self.problems))
        return IncompleteError(f"Some of it could not be imported, all the rest is stored: {_few(self.problems)}")


def _few(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - WORST_SHOWN:,} more" if len(reasons) > WORST_SHOWN else ""
    return "; ".join(reasons[:WORST_SHOWN]) + more


def _nothing_found(skipped: Sequence[str]) -> UsageError:
    return _nothing_imported("there are no conversations in it" + (f" ({_few(skipped)})" if skipped else ""))


def _nothing_imported(why: str) -> UsageError:
    return UsageError(
        f"Nothing was imported: {why}. What was stored before is unchanged; give the export's ZIP, its unpacked folder"
        " or its conversations.json."
    )


def refuse_unusable(paths: Sequence[Path]) -> None:
    """Raise what an import would end with where nothing in the archives can be stored; reads to the first that can.

    Of archives of megabytes, which are no mistake, it reads only where they begin: reading there twice takes long.
    """
    found = Imported()
    usable = [path for path, _ in _usable(paths, found)]
    if sum(path.stat().st_size for path in usable if path.is_file()) > LOOKED_THROUGH:
        return
    is_some = any(_holds_conversation(path, found) for path in usable) or any(
        holds_file(path, found.problems) for path in paths
    )
    if not is_some and found.error is not None:
        raise found.error


def _holds_conversation(path: Path, found: Imported) -> bool:
    """Whether an archive holds one that can be read; tell ``found`` of what comes before it."""
    with open_archive(path) as archive, closing(readings(archive, StoredTexts())) as items:
        return any(not found.note(item) for item in items)


def run_import(
    writer: Writer, paths: Sequence[Path], run_id: int, timing: Timing, progress: Callable[[int, int], None]
) -> Imported:
    """Import archives in the order given; ``progress(done, total)`` in bytes.

    One that cannot be opened keeps no other from being imported; raises UsageError where none can. Where the disk is
    full, what was imported until then is counted.
    """
    result = Imported()
    try:
        archives = dict(_usable(paths, result))
        _import_all(writer, archives, paths, result, run_id, timing, progress)
    except StorageError as error:
        result.ended_by = error
    return result


def _import_all(
    writer: Writer,
    archives: Mapping[Path, int],
    paths: Sequence[Path],
    result: Imported,
    run_id: int,
    timing: Timing,
    progress: Callable[[int, int], None],
) -> None:
    done, total = 0, sum(archives.values())
    for path, size in archives.items():
        try:
            archive = open_archive(path)
        except UsageError as error:  # it has changed since it was looked at
            result.problems.append(error.message)
            continue
        with archive, closing(readings_of(path, archive, _stored_texts(writer.conn))) as items:
            while (some := _take_some(writer, items, run_id, timing)) is not None:
                result.add(some)
                progress(done + archive.position, total)
        done += size
    files = FileImport(writer, timing, lambda some, of: progress(done + some, total + of))
    _take_files(writer, paths, files, result)


def _stored_texts(conn: sqlite3.Connection) -> list[StoredText]:
    return [
        StoredText(sha256, size, "capture" if origin == "capture" else "export", provider)
        for sha256, size, origin, provider in payloads.imported(conn)
        if provider in NORMALIZERS  # else it is damaged
    ]


def _take_files(writer: Writer, paths: Sequence[Path], files: FileImport, result: Imported) -> None:
    """Store the files of all archives, after their conversations, which name them."""
    try:
        for path in paths:
            files.take(path)
    finally:
        result.files += files.stored
        result.files_unchanged += files.unchanged
        result.problems += files.problems
    read_texts(writer)


def _usable(paths: Sequence[Path], result: Imported) -> Iterator[tuple[Path, int]]:
    """Yield those of the archives that can be opened, each with its size in bytes; tell ``result`` of the others.

    None is left open, for there may be more of them than a program may open. Raises UsageError where none can be.
    """
    hopeless = 0
    for path in paths:
        try:
            with open_archive(path) as archive:
                size = archive.total_bytes
            yield path, size
        except UsageError as error:
            if isinstance(error.__cause__, NoConversations) and _may_hold_files(path):
                continue  # files alone, or a ZIP of files, of which their reading says what is wrong
            hopeless += 1
            result.problems.append(error.message)
    if hopeless and hopeless == len(paths):
        raise _nothing_imported(_few(result.problems))


def _may_hold_files(path: Path) -> bool:
    try:
        with open_assets(path) as assets:
            return any(True for _ in assets)
    except Unusable:
        return True


def _take_some(
    writer: Writer, items: Iterator[Reading | Known | Problem | Skipped], run_id: int, timing: Timing
) -> Imported | None:
    """Store what comes next in one transaction; return what that did once it is committed, None at the end."""
    size, item = 0, None
    with writer.transaction() as conn:
        batch = _Batch(conn, writer.path, run_id, timing)
        for item in items:
            batch.take(item)
            size += item.body.size if isinstance(item, Reading | Known) else 0
            if size >= BYTES_A_TRANSACTION:
                break
        batch.finish()
    return None if item is None else batch.done


class _Batch:
    """What one transaction takes in. ``done``: what that amounts to once it is committed."""

    def __init__(self, conn: sqlite3.Connection, path: Path, run_id: int, timing: Timing) -> None:
        self._conn, self._path, self._run_id, self._timing = conn, path, run_id, timing
        self._messages = MessageWriter(conn)
        self.done = Imported()

    def take(self, item: Reading | Known | Problem | Skipped) -> None:
        if isinstance(item, Problem | Skipped):
            self.done.note(item)
        elif payloads.holds(self._conn, item.body):
            self.done.unchanged += 1  # these very bytes are stored: nothing of them can be news
        elif isinstance(item, Known):
            self.take(read_after_all(item))
        else:
            try:
                self._store(item)
            except UnreadablePayloadError as error:  # where its copies are put together
                self.done.problems.append(f"{item.source}: {error}")

    def finish(self) -> None:
        """Write what waits to be written with more."""
        self._messages.finish()

    def _store(self, got: Reading) -> None:
        done = self.done
        for name, count in (got.conversation.not_understood or {}).items():
            done.not_understood[name] = done.not_understood.get(name, 0) + count
        arrival = Arrival(
            conversation_id=got.conversation_id,
            provider=got.provider,
            payload=None,  # it has been read
            body=got.body,
            origin=got.origin,
            path=got.source,
            fetched_at=self._timing.iso(),
            conversation=got.conversation,
        )
        ingested = ingest(self._conn, arrival, self._run_id, self._messages)
        changes = ingested.changes
        if ingested.damage is not None:
            done.damages.append(damaged(self._path, ingested.damage))
        is_new = any(change.kind == "new" for change in changes)
        done.new += is_new
        done.changed += bool(changes) and not is_new
        done.unchanged += not changes
