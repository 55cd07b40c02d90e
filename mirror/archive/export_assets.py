"""The files that an export holds beside its conversations: uploads, pictures, recordings, as streams of bytes.

A file's place in the export says which one it is, its list of names what it is called, its library where it belongs.
Nothing is unpacked by name; a name is only ever handed on as a text.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mirror.archive import zips
from mirror.archive.items import Limits, Unusable
from mirror.archive.names import clean, holds_assets, is_asset, is_upload, kind_of
from mirror.archive.shapes import RECOGNISERS

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterator

    from mirror.archive.recogniser import ExportFiles, LibraryFile


@dataclass(frozen=True, slots=True)
class ExportAsset:
    """One file of an export. ``file_id``: the service's, None where nothing says it; ``name``: what it was called.

    ``size``: in bytes, as the archive says; ``created_at``: as its library says.

    ``check`` raises Unusable where it must not be read, and ``open`` what reading a damaged ZIP raises.
    """

    source: str
    file_id: str | None
    name: str | None
    provider: str
    created_at: str | None
    size: int
    open: Callable[[], IO[bytes]]
    check: Callable[[], None]


@dataclass(slots=True)
class ExportAssets:
    """All files of one archive. ``library``: what the export's own list says of them, by their ids."""

    names: dict[str, str] = field(default_factory=dict)
    library: dict[str, LibraryFile] = field(default_factory=dict)
    _members: list[_Member] = field(default_factory=list)

    @property
    def total_bytes(self) -> int:
        """How many bytes all files have."""
        return sum(member.size for member in self._members)

    def __iter__(self) -> Iterator[ExportAsset]:
        for member in self._members:
            provider, files = _service_of(member.path)
            file_id, name = files.asset_id(member.path)
            listed = self.library.get(file_id or "")
            given = self.names.get(member.path.rpartition("/")[2])
            created_at = listed.created_at if listed else None
            name = given or (listed.name if listed else None) or name
            yield ExportAsset(
                member.source, file_id, name, provider, created_at, member.size, member.open, member.check
            )


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in a folder or ZIP."""

    path: str
    source: str
    size: int
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
    """Yield the files of an export; none for anything that is not a folder or a ZIP.

    Raises Unusable for a damaged ZIP of files alone; the reading of its conversations says it of any other.
    """
    limits = limits or Limits()
    found = ExportAssets()
    with ExitStack() as open_files:
        budget = zips.Budget(limits.inflated)
        if path.is_dir():
            members = _folder_members(path, budget, limits, open_files)
        elif (opened := _opened_zip(path, limits)) is not None:
            members = _zip_members(open_files.enter_context(opened), clean(path.name), budget, limits, open_files)
            if is_upload(path.name):
                # What is in a ZIP of files is a file, whatever it is called; as in the ZIP that holds it.
                members = (replace(one, path=f"{path.name}/{one.path}") for one in members)
        else:
            members = iter(())
        _take_all(members, found, limits)
        yield found


def _opened_zip(path: Path, limits: Limits) -> zipfile.ZipFile | None:
    if not path.is_file():
        return None  # opening a pipe waits for who writes into it
    try:
        return zips.open_zip(path, limits)
    except Unusable:
        if is_upload(path.name):
            raise
        return None
    except OSError:
        return None


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


def _folder_members(folder: Path, budget: zips.Budget, limits: Limits, open_files: ExitStack) -> Iterator[_Member]:
    name = folder.resolve().name or "folder"
    for place, _, files in os.walk(folder):
        for file in sorted(files):
            path = Path(place, file)
            if path.is_symlink() or not path.is_file():
                continue
            inside = path.relative_to(folder).as_posix()
            member = _Member(inside, clean(f"{name}/{inside}"), path.stat().st_size, partial(_opened, path), _nothing)
            if _is_of_the_portal(inside):
                yield from _nested(member, budget, limits, open_files, 1)
            else:
                yield member


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _zip_members(
    opened: zipfile.ZipFile, source: str, budget: zips.Budget, limits: Limits, open_files: ExitStack, level: int = 0
) -> Iterator[_Member]:
    overlaps = zips.overlapping(opened)
    for info in opened.filelist:
        if info.is_dir():
            continue
        check = partial(zips.verify, opened, info, budget, limits)
        if reason := _why_odd(info, overlaps):
            check = partial(_refuse, reason)
        member = _Member(
            info.filename, f"{source}/{clean(info.filename)}", info.file_size, partial(opened.open, info), check
        )
        if _is_of_the_portal(info.filename) and level < limits.nested_zips:
            yield from _nested(member, budget, limits, open_files, level + 1)
        else:
            yield member


def _is_of_the_portal(path: str) -> bool:
    """Whether it is a ZIP that the privacy portal packed, of conversations or of files; a person's own is a file."""
    return kind_of(path) == "zip" or is_upload(path.rpartition("/")[2])


def _why_odd(info: zipfile.ZipInfo, overlaps: set[int]) -> str | None:
    if zips.is_link(info):
        return "is a link, not a file"
    if zips.is_encrypted(info):
        return "needs a password"
    return "overlaps another file in the ZIP" if info.header_offset in overlaps else None


def _refuse(reason: str) -> None:
    raise Unusable(reason)


def _nested(
    member: _Member, budget: zips.Budget, limits: Limits, open_files: ExitStack, level: int
) -> Iterator[_Member]:
    """Yield the files of a ZIP that the privacy portal packed into an export; the ZIP, refused, where it is damaged."""
    spool = open_files.enter_context(tempfile.SpooledTemporaryFile(limits.spooled))  # noqa: SIM115 - the stack closes it
    try:
        member.check()
        with member.open() as file:
            zips.fill(spool, file.read, limits.chunk)
        inner = zips.open_zip(spool, limits)
    except (Unusable, *zips.READ_ERRORS):
        yield replace(member, check=partial(_refuse, "is a ZIP of files that is damaged; download the export again"))
        return
    for one in _zip_members(inner, member.source, budget, limits, open_files, level):
        # What is in a ZIP of files is a file, whatever it is called.
        yield replace(one, path=f"{member.path}/{one.path}")
