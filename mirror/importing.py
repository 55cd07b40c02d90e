"""Fill the database from archives: the official export, or captured answers of the service.

One conversation, one transaction; one unusable conversation never costs the others. An export's copy takes its place
by its own update time among the copies that are stored already, so that older never replaces newer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.archive import Found, Problem, Skipped, open_archive
from mirror.errors import IncompleteError, UsageError
from mirror.fold import Arrival
from mirror.importing_files import FileImport
from mirror.ingest import damaged, ingest
from mirror.normalize import normalize
from mirror.normalize.invented_id import invented_id
from mirror.store import payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mirror.archive import Archive
    from mirror.errors import ChatmirrorError
    from mirror.store.database import Writer
    from mirror.timing import Timing

WORST_SHOWN = 5


@dataclass(slots=True)
class Imported:
    """What an import did. ``problems``: sentences, each naming its file. ``damages``: of what was stored before."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    not_understood: dict[str, int] = field(default_factory=dict)
    files: int = 0
    damages: list[ChatmirrorError] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many conversations and other files the archives held that could be used."""
        return self.new + self.changed + self.unchanged + self.files

    @property
    def error(self) -> ChatmirrorError | None:
        """What the exit code says: some of it could not be used, or there was nothing to use."""
        if self.damages:
            return self.damages[0]
        if not self.problems:
            return None if self.total else UsageError(_nothing_found(self.skipped))
        shown = "; ".join(self.problems[:WORST_SHOWN])
        more = f"; and {len(self.problems) - WORST_SHOWN:,} more" if len(self.problems) > WORST_SHOWN else ""
        if not self.total:
            return IncompleteError(f"Nothing of it could be imported: {shown}{more}")
        return IncompleteError(f"Some of it could not be imported, all the rest is stored: {shown}{more}")


def _nothing_found(skipped: Sequence[str]) -> str:
    named = f" ({'; '.join(skipped[:WORST_SHOWN])})" if skipped else ""
    return (
        f"Nothing was imported: there are no conversations in it{named}. What was stored before is unchanged; give the"
        " export's ZIP, its unpacked folder or its conversations.json."
    )


def run_import(
    writer: Writer, paths: Sequence[Path], run_id: int, timing: Timing, progress: Callable[[int, int], None]
) -> Imported:
    """Import archives in the order given; ``progress(done, total)`` in bytes.

    A hopeless one costs no other; raises UsageError where all of them are.
    """
    result, done = Imported(), 0
    archives = list(_opened(paths, result))
    total = sum(archive.total_bytes for archive in archives)
    for archive in archives:
        with archive:
            for found in archive:
                _take(writer, found, run_id, timing, result)
                progress(done + archive.position, total)
            done += archive.total_bytes
    _take_files(writer, paths, timing, result, lambda: progress(done, total))
    return result


def _take_files(
    writer: Writer, paths: Sequence[Path], timing: Timing, result: Imported, progress: Callable[[], None]
) -> None:
    """Store the files of all archives, after their conversations, which name them."""
    files = FileImport(writer, timing, progress)
    for path in paths:
        files.take(path)
    result.files += files.stored
    result.problems += files.problems


def _opened(paths: Sequence[Path], result: Imported) -> Iterator[Archive]:
    hopeless: list[UsageError] = []
    for path in paths:
        try:
            yield open_archive(path)
        except UsageError as error:
            hopeless.append(error)
            result.problems.append(error.message)
    if hopeless and len(hopeless) == len(paths):
        raise hopeless[0] if len(hopeless) == 1 else UsageError("; ".join(result.problems[:WORST_SHOWN]))


def _take(writer: Writer, found: Found | Problem | Skipped, run_id: int, timing: Timing, result: Imported) -> None:
    if isinstance(found, Problem):
        result.problems.append(f"{found.source}: {found.reason}")
    elif isinstance(found, Skipped):
        result.skipped.append(f"{found.source}: {found.reason}")
    elif payloads.holds(writer.conn, found.raw):
        result.unchanged += 1  # these very bytes are stored: nothing of them can be news
    else:
        _store(writer, found, run_id, timing, result)


def _store(writer: Writer, found: Found, run_id: int, timing: Timing, result: Imported) -> None:
    conversation = normalize(found.provider, found.payload)
    for name, count in (conversation.not_understood or {}).items():
        result.not_understood[name] = result.not_understood.get(name, 0) + count
    arrival = Arrival(
        conversation_id=conversation.id or invented_id(found.payload, conversation),
        provider=found.provider,
        payload=found.payload,
        body=found.raw,
        origin=found.origin,
        path=found.source,
        fetched_at=timing.iso(),
        conversation=conversation,
    )
    with writer.transaction() as conn:
        ingested = ingest(conn, arrival, run_id)
    changes = ingested.changes
    if ingested.damage is not None:
        result.damages.append(damaged(writer.path, ingested.damage))
    is_new = any(change.kind == "new" for change in changes)
    result.new += is_new
    result.changed += bool(changes) and not is_new
    result.unchanged += not changes
