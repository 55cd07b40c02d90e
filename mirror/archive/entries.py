"""The files of an export, in reading order: from a folder, from a ZIP, or a single one.

What a file's name or the ZIP's directory already rules out is an entry with a note instead of content.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mirror.archive import zips
from mirror.archive.items import Limits, Problem, Skipped, Unusable
from mirror.archive.names import Kind, clean, is_export, kind_of, library_of, manifest_files, not_imported, order
from mirror.archive.packing import unreadable_method

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mirror.archive.recogniser import Recogniser, ReportFile

_NO_CONVERSATIONS = "holds no conversations"
_NO_REPORT = "is missing, though the export's library names it; this report was not imported"
_DOCUMENT = ".dat"  # what exports since May 2026 call every file that belongs to a message (API notes §9)
_LINK = "is a link, which is not followed"
_LOCKED = "is encrypted; unpack it with its password and import the folder"
_OVERLAP = "overlaps another file in the ZIP, as no export does"


@dataclass(frozen=True, slots=True)
class Report:
    """What makes a conversation of an entry that is a document of one, and whose conversation it is."""

    file: ReportFile
    recogniser: Recogniser


@dataclass(slots=True)
class Entry:
    """One file to read.

    ``path``: inside its folder or ZIP. ``check`` raises Unusable where it must not be read. ``note``: reported in place
    of its content. ``is_expected``: it should hold conversations, so it is a problem where it holds none. ``report``:
    it is a document of a conversation.
    """

    source: str
    path: str
    kind: Kind
    size: int = 0
    open: Callable[[], IO[bytes]] | None = None
    check: Callable[[], None] | None = None
    note: Problem | Skipped | None = None
    is_expected: bool = False
    report: Report | None = None


def file_entry(path: Path, source: str, inside: str, kind: Kind) -> Entry:
    """Return the entry of a file on disk."""
    entry = Entry(source, inside, kind, open=lambda: path.open("rb"))
    if kind == "side":
        entry.note = Skipped(source, not_imported(inside) or _NO_CONVERSATIONS)
    else:
        entry.size = path.stat().st_size
    return entry


def folder_entries(folder: Path, limits: Limits) -> list[Entry]:
    """List the files of an unpacked export in reading order; links are not followed."""
    entries: list[Entry] = []
    documents: dict[str, Entry] = {}
    name = folder.resolve().name or "folder"

    def unreadable(error: OSError) -> None:
        where = Path(os.path.relpath(error.filename, folder)).as_posix() if error.filename else ""
        entries.append(_note(Problem, f"{name}/{where}", where, f"cannot be read ({error.strerror})"))

    for place, _, files in os.walk(folder, onerror=unreadable):
        for file in files:
            path = Path(place, file)
            inside = path.relative_to(folder).as_posix()
            kind = kind_of(inside)
            source = clean(f"{name}/{inside}")
            if kind is None and is_document(inside) and path.is_file() and not path.is_symlink():
                documents[inside] = file_entry(path, source, inside, "json")
            elif kind and path.is_symlink():
                entries.append(_note(Skipped, source, inside, _LINK))
            elif kind and path.is_file():
                entries.append(file_entry(path, source, inside, kind))
    return _in_order([*entries, *_reports(entries, documents, limits)], limits)


def zip_entries(opened: zipfile.ZipFile, source_of_zip: str, budget: zips.Budget, limits: Limits) -> list[Entry]:
    """List the files of a ZIP in reading order; those that cannot be read are Problems."""
    entries: list[Entry] = []
    documents: dict[str, Entry] = {}
    overlaps = zips.overlapping(opened)
    for info in opened.filelist:
        kind = None if info.is_dir() else kind_of(info.filename)
        is_asset = kind is None and is_document(info.filename)
        kind = "json" if is_asset else kind
        if kind is None:
            continue
        source = f"{source_of_zip}/{clean(info.filename)}"
        note = _note_of_member(info, source, kind, overlaps)
        entry = Entry(source, info.filename, kind, note=note)
        if not isinstance(note, Problem):
            entry.open = partial(opened.open, info)
            entry.check = partial(zips.verify, opened, info, budget, limits)
        entry.size = 0 if note else info.file_size
        if is_asset:
            documents[entry.path] = entry
        else:
            entries.append(entry)
    counts = Counter(entry.path for entry in entries)
    for name in (name for name, count in counts.items() if count > 1):
        reason = f"is in the ZIP {counts[name]} times under the same name; each was read"
        entries.append(_note(Skipped, f"{source_of_zip}/{clean(name)}", name, reason))
    return _in_order([*entries, *_reports(entries, documents, limits)], limits)


def _note_of_member(info: zipfile.ZipInfo, source: str, kind: Kind, overlaps: set[int]) -> Problem | Skipped | None:
    if kind == "side" and not zips.is_encrypted(info):
        return Skipped(source, not_imported(info.filename) or _NO_CONVERSATIONS)
    if zips.is_link(info):
        return Skipped(source, _LINK)
    if info.header_offset in overlaps:
        return Problem(source, _OVERLAP)
    reason = _LOCKED if zips.is_encrypted(info) else unreadable_method(info)
    return Problem(source, reason) if reason else None


def _note(kind: type[Problem | Skipped], source: str, path: str, reason: str) -> Entry:
    return Entry(clean(source), path, "side", note=kind(clean(source), reason))


def _in_order(entries: list[Entry], limits: Limits) -> list[Entry]:
    manifests = [entry for entry in _manifests(entries) if entry.open]
    missing = [note for entry in manifests for note in _missing_shards(entry, entries, limits)]
    return sorted([*missing, *entries], key=lambda entry: order(entry.path))


def _manifests(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the manifests that list an export's files.

    A current export holds more of them below its own folder (``sites/export_manifest.json``), in several forms, which
    list no conversations (API notes §9). One that has files of conversations beside it is of an export of its own.
    """
    named = [entry for entry in entries if manifest_files(entry.path) is not None]
    beside = {_folder(entry.path) for entry in entries if is_export(entry.path)}
    own = beside | {_folder(entry.path) for entry in named}
    for entry in named:
        folder = _folder(entry.path)
        if folder in beside or not any(other != folder and folder.startswith(other) for other in own):
            yield entry


def _folder(path: str) -> str:
    """Return the folder of a path with a slash at its end, "" for the outermost."""
    folder = path.rpartition("/")[0]
    return f"{folder}/" if folder else ""


def is_document(path: str) -> bool:
    """Return whether a file that is left out may be a document of a conversation, once a list says so."""
    return path.lower().endswith(_DOCUMENT)


def _reports(entries: Iterable[Entry], documents: Mapping[str, Entry], limits: Limits) -> Iterator[Entry]:
    """Yield the documents that a library ties to their conversations; one that is not there is named."""
    for library in entries:
        recogniser = library_of(library.path)
        if recogniser is None or library.open is None:
            continue
        try:
            named = recogniser.files.reports(_manifest_text(library, limits))
        except (Unusable, *zips.READ_ERRORS) as error:
            yield _note(Problem, library.source, library.path, f"cannot be used as the list of reports ({error})")
            continue
        for file in named:
            path = _folder(library.path) + file.path
            if path in documents:
                yield replace(documents[path], report=Report(file, recogniser))
            else:
                yield _note(Skipped, _folder(library.source) + clean(file.path), path, _NO_REPORT)


def _missing_shards(manifest: Entry, entries: Iterable[Entry], limits: Limits) -> Iterator[Entry]:
    """Expect conversations in the files that a manifest names, and report each that is not there."""
    files = manifest_files(manifest.path)
    if files is None:
        return
    by_path = {entry.path: entry for entry in entries if entry.kind == "json"}
    folder, root = (whole.rpartition("/")[0] for whole in (manifest.path, manifest.source))
    try:
        named = files.shards(_manifest_text(manifest, limits))
    except (Unusable, *zips.READ_ERRORS) as error:
        reason = f"cannot be used as the list of the export's files ({error})"
        yield _note(Problem, manifest.source, manifest.path, reason)
        return
    for file in named:
        path = f"{folder}/{file}" if folder else file
        if path in by_path:
            by_path[path].is_expected = True
        else:
            reason = "is missing, though the export's manifest names it; its conversations could not be read"
            yield _note(Problem, f"{root}/{clean(file)}", path, reason)


def _manifest_text(entry: Entry, limits: Limits) -> bytes:
    if entry.check:
        entry.check()
    if entry.open is None:
        raise Unusable("it has no content")
    with entry.open() as file:
        text = file.read(limits.manifest + 1)
    if len(text) > limits.manifest:
        raise Unusable("it is too large")
    return text
