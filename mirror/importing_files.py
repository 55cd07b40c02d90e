"""Store the files of archives, each content once, and tie them to the messages that name them.

A file is tied by its id, which messages and the service use as well. A file of the code sandbox has only a path in its
message; the export's library says which message made which file. What belongs to no message is stored all the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mirror.archive import open_assets
from mirror.archive.items import Unusable
from mirror.archive.zips import READ_ERRORS
from mirror.files import content
from mirror.files.byte_store import ByteStore
from mirror.normalize.rows import Attachment
from mirror.store import file_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from mirror.archive import ExportAsset, ExportAssets
    from mirror.archive.recogniser import LibraryFile
    from mirror.files.byte_store import Incoming
    from mirror.store.database import Writer
    from mirror.timing import Timing

_SANDBOX = re.compile(r"sandbox:([^/]+)/([^/]+)/mnt/data/(?:.*/)?([^/]+)", re.DOTALL)
_PIECE = 1 << 20


class FileImport:
    """The files of one import. ``stored``: how many came; ``problems``: what could not be read, as sentences."""

    def __init__(self, writer: Writer, timing: Timing, progress: Callable[[], None]) -> None:
        self.writer, self.timing, self._progress = writer, timing, progress
        self.store = ByteStore(writer.path)
        self.stored = 0
        self.problems: list[str] = []

    def take(self, path: Path) -> None:
        """Store all files of an archive."""
        with open_assets(path) as assets:
            came = {asset.file_id for asset in assets if self._take(asset) and asset.file_id}
            self._tie(assets, came)

    def _take(self, asset: ExportAsset) -> bool:
        """Store one file; return whether it is stored now."""
        self._progress()
        known = file_rows.find(self.writer.conn, asset.file_id) if asset.file_id else None
        if known is not None and known.sha256 is not None and self.store.holds(known.sha256, known.size):
            return True
        try:
            asset.check()
            with asset.open() as file, self.store.incoming() as incoming:
                while piece := file.read(_PIECE):
                    incoming.write(piece)
                if incoming.size:
                    self._keep(asset, incoming)
                return incoming.size > 0
        except Unusable as error:
            self.problems.append(f"{asset.source}: {error}")
        except READ_ERRORS as error:
            self.problems.append(f"{asset.source}: cannot be read ({getattr(error, 'strerror', None) or error})")
        return False

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
            file_rows.note_unattached(conn, asset.provider, new, now)
            file_rows.mark_stored(conn, file_id, sha256, incoming.size, {"mime_type": kind, "origin": "archive"}, now)
        self.stored += is_new

    def _tie(self, assets: ExportAssets, came: Collection[str]) -> None:
        """Give the bytes of an archive's files to those that messages name by a path, or by a place in the library."""
        rows = [row for row in assets.library.values() if row.file_id in came]
        by_library = {row.library_id: row for row in rows if row.library_id}
        for file_id in file_rows.not_stored(self.writer.conn):
            row = by_library.get(file_id) or _made_by(file_id, rows)
            source = file_rows.find(self.writer.conn, row.file_id) if row else None
            if source is not None and source.sha256 is not None:
                described = {"mime_type": source.mime_type, "origin": "archive"}
                with self.writer.transaction() as conn:
                    size = source.size or 0
                    file_rows.mark_stored(conn, file_id, source.sha256, size, described, self.timing.iso())
                self.stored += 1


def _made_by(file_id: str, rows: list[LibraryFile]) -> LibraryFile | None:
    """Return the library's row of a file in the code sandbox, by the surest sign that leaves one (API notes §9).

    Its message and name; its message, if that made one file only; its conversation and name.
    """
    found = _SANDBOX.fullmatch(file_id)
    if found is None:
        return None
    conversation, message, name = found.groups()
    of_message = [row for row in rows if row.message_id == message]
    named = [row for row in of_message if row.name == name]
    in_conversation = [row for row in rows if row.conversation_id == conversation and row.name == name]
    tiers = (named, of_message, in_conversation)
    return next((tier[0] for tier in tiers if len(tier) == 1), None)
