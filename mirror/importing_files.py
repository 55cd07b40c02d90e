"""Store the files of archives, each content once, and tie them to the messages that name them.

A file is tied by its id, which messages and the service use as well. A file of the code sandbox has only a path in its
message; the export's library says which message made which file. What belongs to no message is stored all the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mirror.archive import open_assets
from mirror.archive.items import Unusable
from mirror.archive.names import clean
from mirror.archive.zips import READ_ERRORS
from mirror.errors import StorageError
from mirror.files import content
from mirror.files.byte_store import FREE_FOR_FILES, ByteStore
from mirror.rows import Attachment
from mirror.store import file_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from mirror.archive import ExportAsset, ExportAssets
    from mirror.archive.recogniser import LibraryFile
    from mirror.files.byte_store import Incoming
    from mirror.store.database import Writer
    from mirror.timing import Timing

_SANDBOX = re.compile(r"sandbox:([^/]+)/([^/]+)/mnt/data/(?:.*/)?([^/]+)", re.DOTALL)
_PIECE = 1 << 20


def holds_file(path: Path, problems: list[str]) -> bool:
    """Whether an archive holds a file that can be stored; ``problems``: sentences about those before it that cannot."""
    try:
        with open_assets(path) as assets:
            return any(_can_be_read(asset, problems) for asset in assets)
    except Unusable as error:
        problems.append(f"{clean(path.name)}: {error}")
        return False


def _can_be_read(asset: ExportAsset, problems: list[str]) -> bool:
    size = 0
    with _noted(asset, problems):
        asset.check()
        with asset.open() as file:
            while piece := file.read(_PIECE):
                size += len(piece)
            return size > 0  # to its end: there shows whether it is whole
    return False


@contextmanager
def _noted(asset: ExportAsset, problems: list[str]) -> Iterator[None]:
    """Go on without what cannot be read, which is named."""
    try:
        yield
    except Unusable as error:
        problems.append(f"{asset.source}: {error}")
    except READ_ERRORS as error:
        problems.append(f"{asset.source}: cannot be read ({getattr(error, 'strerror', None) or error})")


class FileImport:
    """The files of one import.

    ``stored``: how many came; ``unchanged``: how many were stored already; ``problems``: what could not be read, as
    sentences. ``progress(done, total)`` is told bytes; the total grows as archives are opened.
    """

    def __init__(self, writer: Writer, timing: Timing, progress: Callable[[int, int], None]) -> None:
        self.writer, self.timing, self._progress = writer, timing, progress
        self.store = ByteStore(writer.path)
        self.stored = self.unchanged = 0
        self.problems: list[str] = []
        self._done = self._total = 0

    def take(self, path: Path) -> None:
        """Store all files of an archive."""
        try:
            with open_assets(path) as assets:
                self._total += assets.total_bytes
                came = {asset.file_id for asset in assets if self._take(asset) and asset.file_id}
                self._tie(assets, came)
        except Unusable as error:
            self.problems.append(f"{clean(path.name)}: {error}")

    def _take(self, asset: ExportAsset) -> bool:
        """Store one file; return whether it is stored now."""
        known = file_rows.find(self.writer.conn, asset.file_id) if asset.file_id else None
        is_here = known is not None and known.sha256 is not None and self.store.is_whole(known.sha256)
        if is_here:
            self.unchanged += 1
        came = is_here or self._read(asset)
        self._done += asset.size
        self._progress(self._done, self._total)
        return came

    def _read(self, asset: ExportAsset) -> bool:
        """Read one file and store it; return whether that could be done."""
        self._check_room()
        with _noted(asset, self.problems):
            asset.check()
            with asset.open() as file, self.store.incoming() as incoming:
                while piece := file.read(_PIECE):
                    incoming.write(piece)
                    self._progress(self._done + incoming.size, self._total)
                if incoming.size:
                    self._keep(asset, incoming)
                return incoming.size > 0
        return False

    def _check_room(self) -> None:
        if self.store.free_bytes() < FREE_FOR_FILES:
            raise StorageError(
                f"Less than {FREE_FOR_FILES >> 20} MB are left beside {self.writer.path}, so no more files were"
                " imported; chats and files that are saved are safe. Free space, run again."
            )

    def _keep(self, asset: ExportAsset, incoming: Incoming) -> None:
        sha256 = incoming.keep()
        file_id = asset.file_id or f"export:{sha256}"
        kind = content.type_of(incoming.head, asset.name, None)
        main = (kind or "").partition("/")[0]
        new = Attachment(
            id=asset.file_id,
            name=asset.name,
            kind=main if main in {"image", "audio", "video"} else "file",
            file_id=file_id,
            source="export",
        )
        now = self.timing.iso()
        with self.writer.transaction() as conn:
            is_new = file_rows.find(conn, file_id) is None or not file_rows.is_stored(conn, file_id)
            file_rows.note_unattached(conn, asset.provider, new, now, asset.created_at)
            file_rows.mark_stored(conn, file_id, sha256, incoming.size, {"mime_type": kind, "origin": "archive"}, now)
        self.stored += is_new
        self.unchanged += not is_new

    def _tie(self, assets: ExportAssets, came: Collection[str]) -> None:
        """Give the bytes of an archive's files to those that messages name by a path, or by a place in the library."""
        library = _Library([row for row in assets.library.values() if row.file_id in came])
        for file_id in file_rows.not_stored(self.writer.conn) if library.rows else ():
            row = library.made(file_id)
            source = file_rows.find(self.writer.conn, row.file_id) if row else None
            if source is not None and source.sha256 is not None:
                described = {"mime_type": source.mime_type, "origin": "archive"}
                with self.writer.transaction() as conn:
                    size = source.size or 0
                    file_rows.mark_stored(conn, file_id, source.sha256, size, described, self.timing.iso())
                self.stored += 1


class _Library:
    """The rows of an export's library, by what they can be found by."""

    def __init__(self, rows: list[LibraryFile]) -> None:
        self.rows = rows
        self._by_id = {row.library_id: row for row in rows if row.library_id}
        self._of_message: dict[str | None, list[LibraryFile]] = defaultdict(list)
        self._in_conversation: dict[tuple[str | None, str | None], list[LibraryFile]] = defaultdict(list)
        for row in rows:
            self._of_message[row.message_id].append(row)
            self._in_conversation[row.conversation_id, row.name].append(row)

    def made(self, file_id: str) -> LibraryFile | None:
        """Return the row of a file that is known by its place in the library, or by its path in the code sandbox.

        The latter by the first of these that one row alone has (API notes §9): its message and name; its message, if
        that made one file only; its conversation and name.
        """
        found = _SANDBOX.fullmatch(file_id)
        if found is None:
            return self._by_id.get(file_id)
        conversation, message, name = found.groups()
        of_message = self._of_message.get(message, [])
        named = [row for row in of_message if row.name == name]
        tiers = (named, of_message, self._in_conversation.get((conversation, name), []))
        return next((tier[0] for tier in tiers if len(tier) == 1), None)
