"""The bytes of stored files, and the pages that list them: pictures by month, and what a conversation shows of a file.

Only a content whose first bytes are those of a picture, a sound or a film is shown in place, as the type that these
bytes have. Everything else is a download, and nothing that a person was sent can run: no script, no style, no frame.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from datasette.utils import tilde_decode  # type: ignore[import-untyped] # it has no types

from mirror import render
from mirror.browse import access, pages
from mirror.browse.conversations import month_name
from mirror.files.byte_store import ByteStore
from mirror.files.content import SHOWN_TYPES, shown_type
from mirror.store import file_rows
from mirror.store.search.selection import selected_files
from mirror.text import one_line, readable_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Mapping

    from datasette import Response  # type: ignore[import-untyped] # as above

    from mirror.rows import Attachment
    from mirror.store.file_rows import FileRow, ShownPicture

    Send = Callable[[dict[str, Any]], Awaitable[None]]

SECONDS = 20.0  # by judgement: a reader waits no longer for a page
PICTURES = 60  # of one page; by judgement: some screens of them
_PIECE = 256 * 1024
_HEAD = 64
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
# Control characters, what separates folders, and marks that turn the direction of text around: no part of a name that
# a browser saves a file under.
_NOT_IN_NAMES = re.compile('[\x00-\x1f\x7f/\\\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]')
_LONGEST_NAME = 120  # characters; file systems take 255 bytes
FILE_HEADERS = {
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "accept-ranges": "bytes",
}


@dataclass(frozen=True, slots=True)
class FileOnPage:
    """A file of a message. ``shows``: image, audio, video, or "" for a download; ``reason``: why it is not stored."""

    label: str
    address: str | None
    shows: str = ""
    alt: str = ""
    width: int | None = None
    height: int | None = None
    reason: str | None = None


class FileAddresses(Protocol):
    """Where a page finds the bytes of stored files."""

    def file(self, file_id: str, sha256: str, /) -> str:
        """Return the address of a stored file's bytes."""


def on_page(attachment: Attachment, known: Mapping[str, FileRow], at: FileAddresses) -> FileOnPage:
    """Return a message's attachment as its conversation's page shows it."""
    row = known.get(attachment.file_id or "")
    label = render.file_line(attachment)
    if row is None:
        return FileOnPage(label, None)
    if row.state != "stored" or row.sha256 is None:
        return FileOnPage(label, None, reason=row.reason or "a sync fetches it")
    kind = (row.mime_type or "").partition("/")[0] if row.mime_type in SHOWN_TYPES else ""
    if not kind:  # what its bytes are, not what it was said to be
        known_as = replace(attachment, kind="file", mime_type=row.mime_type or attachment.mime_type, size=row.size)
        label = render.file_line(known_as)
    alt = readable_name(row.prompt or attachment.name or row.name or "a picture without a name")
    address = at.file(row.id, row.sha256)
    return FileOnPage(label, address, kind, alt, row.width, row.height)


# -- bytes


async def file_bytes(datasette: Any, request: Any, send: Send) -> Response | None:
    """Answer with a stored file's bytes, or a part of them; with an error page where there are none."""
    found = await pages.with_error_pages(_opened)(datasette, request)
    if not isinstance(found, _Opened):
        return found
    with found.file:
        await _send_file(found.file, found.row, request, send)
    return None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A stored file, open for reading."""

    file: IO[bytes]
    row: FileRow


async def _opened(datasette: Any, request: Any) -> _Opened | Response:
    database = access.database_of(datasette, request)
    await access.ensure_allowed(datasette, request, database, access.CHAT_TABLES)
    key = tilde_decode(request.url_vars["id"])
    row = await access.read_in_time(datasette, database, lambda conn: file_rows.find(conn, key), SECONDS)
    path = datasette.get_database(database).path
    if row is None or row.sha256 is None or path is None:
        reason = row.reason if row is not None and row.reason else "It was never stored."
        return pages.error_page(datasette, database, 404, "There are no bytes of this file", reason)
    store = ByteStore(Path(path))
    try:
        return _Opened(await asyncio.to_thread(store.path_of(row.sha256).open, "rb"), row)
    except OSError:
        advice = f"Its folder, {store.folder.name}, must lie beside the database. Run chatmirror check."
        return pages.error_page(datasette, database, 404, "The bytes of this file are not there", advice)


async def _send_file(file: IO[bytes], row: FileRow, request: Any, send: Send) -> None:
    head = await asyncio.to_thread(file.read, _HEAD)
    size = await asyncio.to_thread(file.seek, 0, 2)
    first, last, status = _range_of(request.headers.get("range"), size)
    kind = shown_type(head) or "application/octet-stream"
    is_shown = shown_type(head) is not None and not request.args.get("download")
    headers = {
        **FILE_HEADERS,
        "content-type": kind,
        "content-length": str(max(0, last + 1 - first)),
        "content-disposition": f"{'inline' if is_shown else 'attachment'}; {disposition_name(row, kind)}",
        # The address holds the content's hash; without it, the content may change.
        "cache-control": "private, max-age=31536000, immutable" if request.args.get("v") else "private, no-cache",
    }
    if status != 200:  # noqa: PLR2004 - HTTP's OK
        headers["content-range"] = f"bytes {first}-{last}/{size}" if status == 206 else f"bytes */{size}"  # noqa: PLR2004 - HTTP's Partial Content
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    if request.method != "HEAD":
        await asyncio.to_thread(file.seek, first)
        while first <= last and (piece := await asyncio.to_thread(file.read, min(_PIECE, last + 1 - first))):
            first += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _range_of(stated: str | None, size: int) -> tuple[int, int, int]:
    """Return the first and last byte to send, and the status; what makes no sense is all of it (RFC 9110, 14.2)."""
    found = _RANGE.fullmatch(stated or "")
    if found is None or not any(found.groups()):
        return 0, size - 1, 200
    begin, end = found.groups()
    first = int(begin) if begin else max(0, size - int(end))
    last = min(int(end), size - 1) if begin and end else size - 1
    if first >= size or last < first:
        return 0, -1, 416
    return first, last, 206


def disposition_name(row: FileRow, kind: str) -> str:
    """Return the part of a Content-Disposition header that names a file: the real name, made harmless."""
    name = _NOT_IN_NAMES.sub("_", one_line(row.name or "")).strip(". ")[-_LONGEST_NAME:] or "file"
    if "." not in name:
        stated = kind if kind != "application/octet-stream" else row.mime_type or ""
        name += mimetypes.guess_extension(stated) or ""
    plain = re.sub(r"[^A-Za-z0-9._ ()-]", "_", name)
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


# -- pictures by month


@dataclass(frozen=True, slots=True)
class PicturesPage:
    """All that the page shows. ``months``: a month and its pictures, the newest first; pages count from 1."""

    months: list[tuple[str, list[ShownPicture]]]
    words: str
    page: int
    has_more: bool
    counts: file_rows.FileCounts


async def pictures_page(datasette: Any, request: Any) -> Response:
    """Answer with the pictures of a mirror, those whose name or prompt has the words that are asked for."""
    database = access.database_of(datasette, request)
    await access.ensure_allowed(datasette, request, database, access.CHAT_TABLES)
    words, stated = request.args.get("q") or "", request.args.get("page") or ""
    number = int(stated) if stated.isdecimal() and 0 < len(stated) < 6 else 1  # noqa: PLR2004 - six million pictures

    def load(conn: sqlite3.Connection) -> PicturesPage:
        return load_pictures_page(conn, words, max(1, number))

    page = await access.read_in_time(datasette, database, load, SECONDS)
    return pages.render_page(datasette, database, "pictures", page=page, title=f"Pictures in {database}")


def load_pictures_page(conn: sqlite3.Connection, words: str, number: int) -> PicturesPage:
    """Read what the page shows."""
    among = selected_files(conn, words) if words.strip() else None
    types = [kind for kind in SHOWN_TYPES if kind.startswith("image/")]
    found = file_rows.pictures(conn, types, among, PICTURES + 1, (number - 1) * PICTURES)
    months: dict[str, list[ShownPicture]] = {}
    for picture in found[:PICTURES]:
        months.setdefault(month_name((picture.created_at or "")[:7]), []).append(picture)
    return PicturesPage(list(months.items()), words, number, len(found) > PICTURES, file_rows.counts(conn))
