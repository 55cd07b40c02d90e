"""The files that an export holds beside its conversations: uploads, pictures, recordings, as streams of bytes.

A file's place in the export says which one it is, its list of names what it is called, its library where it belongs.
Nothing is unpacked by name; a name is only ever handed on as a text.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mirror.archive import zips
from mirror.archive.items import MB, Limits, Unusable
from mirror.archive.names import clean, holds_assets, is_asset, kind_of
from mirror.archive.shapes import RECOGNISERS

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterator

    from mirror.archive.recogniser import ExportFiles, LibraryFile

_SPOOLED = 64 * MB  # a nested ZIP larger than this is kept on disk while it is read


@dataclass(frozen=True, slots=True)
class ExportAsset:
    """One file of an export. ``file_id``: the service's, None where nothing says it; ``name``: what it was called.

    ``check`` raises Unusable where it must not be read, and ``open`` what reading a damaged ZIP raises.
    """

    source: str
    file_id: str | None
    name: str | None
    provider: str
    open: Callable[[], IO[bytes]]
    check: Callable[[], None]


@dataclass(slots=True)
class ExportAssets:
    """All files of one archive. ``library``: what the export's own list says of them, by their ids."""

    names: dict[str, str] = field(default_factory=dict)
    library: dict[str, LibraryFile] = field(default_factory=dict)
    _members: list[_Member] = field(default_factory=list)

    def __iter__(self) -> Iterator[ExportAsset]:
        for member in self._members:
            provider, files = _service_of(member.path)
            file_id, name = files.asset_id(member.path)
            listed = self.library.get(file_id or "")
            given = self.names.get(member.path.rpartition("/")[2])
            name = given or (listed.name if listed else None) or name
            yield ExportAsset(member.source, file_id, name, provider, member.open, member.check)


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in a folder or ZIP."""

    path: str
    source: str
    open: Callable[[], IO[bytes]]
    check: Callable[[], None]


def _nothing() -> None:
    pass


def _service_of(path: str) -> tuple[str, ExportFiles]:
    """Return the service whose export calls its files so; the first one where none does."""
    known = [(one.provider, one.files) for one in RECOGNISERS.values()]
    return next((pair for pair in known if holds_assets(path, pair[1])), known[0])


@contextmanager
def open_assets(path: Path, limits: Limits | None = None) -> Iterator[ExportAssets]:
    """Yield the files of an export; none for anything that is not a folder or a ZIP that can be read."""
    limits = limits or Limits()
    found = ExportAssets()
    if path.is_dir():
        _take_all(_folder_members(path), found, limits)
        yield found
        return
    try:
        opened = zips.open_zip(path, limits)
    except (Unusable, OSError):
        yield found  # which the reading of its conversations has said already
        return
    spools: list[IO[bytes]] = []
    with opened:
        budget = zips.Budget(limits.inflated)
        _take_all(_zip_members(opened, clean(path.name), budget, limits, spools), found, limits)
        yield found
    for spool in spools:
        spool.close()


def _take_all(members: Iterator[_Member], found: ExportAssets, limits: Limits) -> None:
    for member in members:
        name = member.path.rpartition("/")[2].lower()
        for recogniser in RECOGNISERS.values():
            files = recogniser.files
            if name == files.asset_names:
                found.names |= files.names_of(_text(member, limits))
            if name == files.library:
                found.library |= {row.file_id: row for row in files.library_rows(_text(member, limits))}
        if is_asset(member.path):
            found._members.append(member)  # noqa: SLF001 - the class is this module's own


def _text(member: _Member, limits: Limits) -> bytes:
    try:
        member.check()
        with member.open() as file:
            text = file.read(limits.library + 1)
    except (Unusable, *zips.READ_ERRORS):
        return b""
    return text if len(text) <= limits.library else b""


def _folder_members(folder: Path) -> Iterator[_Member]:
    name = folder.resolve().name or "folder"
    for place, _, files in os.walk(folder):
        for file in sorted(files):
            path = Path(place, file)
            if path.is_symlink() or not path.is_file():
                continue
            inside = path.relative_to(folder).as_posix()
            yield _Member(inside, clean(f"{name}/{inside}"), partial(_opened, path), _nothing)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _zip_members(
    opened: zipfile.ZipFile, source: str, budget: zips.Budget, limits: Limits, spools: list[IO[bytes]], level: int = 0
) -> Iterator[_Member]:
    overlaps = zips.overlapping(opened)
    for info in opened.filelist:
        is_odd = zips.is_link(info) or zips.is_encrypted(info) or info.header_offset in overlaps
        if info.is_dir() or is_odd:
            continue
        check = partial(zips.verify, opened, info, budget, limits)
        member = _Member(info.filename, f"{source}/{clean(info.filename)}", partial(opened.open, info), check)
        is_zip = info.filename.lower().endswith(".zip") and level < limits.nested_zips
        # The portal's own ZIPs are opened; one that a person uploaded is a file.
        is_upload = _service_of(info.filename)[1].asset_id(info.filename)[0] is not None
        if is_zip and not is_upload and (kind_of(info.filename) == "zip" or level == 0):
            yield from _nested(member, budget, limits, spools, level + 1)
        else:
            yield member


def _nested(
    member: _Member, budget: zips.Budget, limits: Limits, spools: list[IO[bytes]], level: int
) -> Iterator[_Member]:
    """Yield the files of a ZIP in a ZIP, as the privacy portal packs them; the ZIP itself where it is none."""
    spool = tempfile.SpooledTemporaryFile(_SPOOLED)  # noqa: SIM115 - read until the archive is closed
    spools.append(spool)
    try:
        member.check()
        with member.open() as file:
            while piece := file.read(limits.chunk):
                spool.write(piece)
        inner = zips.open_zip(spool, limits)
    except (Unusable, *zips.READ_ERRORS):
        return
    for one in _zip_members(inner, member.source, budget, limits, spools, level):
        # What lies in a ZIP of files is a file, whatever it is called.
        yield _Member(f"{member.path}/{one.path}", one.source, one.open, one.check)
