"""A path as a stream of conversations: the official export as ZIP or folder, one of its files, or a saved answer.

Opening looks at names and first bytes only. What turns out unusable while reading is a Problem, and the rest goes on.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from mirror.archive import zips
from mirror.archive.encoding import encoding_of
from mirror.archive.items import MB, Found, Limits, Problem, Skipped, Unusable
from mirror.archive.json_file import read_json
from mirror.archive.names import JSON_SUFFIXES, MANIFEST, Kind, clean, is_export, kind_of, order, shards
from mirror.errors import UsageError

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterable, Iterator

    Read = Callable[[int], bytes]

_HEAD = 4096
_SPOOLED = 64 * MB
_NO_CONVERSATIONS = "holds no conversations"
_LINK = "is a link, which is not followed"
_LOCKED = "is encrypted; unpack it with its password and import the folder"
_OVERLAP = "overlaps another file in the ZIP, as no export does"


@dataclass(slots=True)
class Entry:
    """One file to read. ``path``: inside its folder or ZIP; ``check`` raises Unusable; ``note``: told instead."""

    source: str
    path: str
    kind: Kind
    size: int = 0
    open: Callable[[], IO[bytes]] | None = None
    check: Callable[[], None] | None = None
    note: Problem | Skipped | None = None
    is_expected: bool = False


class Archive:
    """Iterate once over what a path holds. ``total_bytes`` and ``position``: bytes to read and read, for progress."""

    def __init__(self, entries: list[Entry], held: ExitStack, budget: zips.Budget, limits: Limits) -> None:
        self.total_bytes = sum(entry.size for entry in entries)
        self.position = 0
        self._entries = entries
        self._held = held
        self._budget = budget
        self._limits = limits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._held.close()

    def __iter__(self) -> Iterator[Found | Problem | Skipped]:
        done = 0
        for entry in self._entries:
            yield from self._read(entry, self._counted, 0)
            done += entry.size
            self.position = done

    def _counted(self, read: Read) -> Read:
        def counted(count: int) -> bytes:
            chunk = read(count)
            self.position = min(self.position + len(chunk), self.total_bytes)
            return chunk

        return counted

    def _read(self, entry: Entry, count: Callable[[Read], Read], level: int) -> Iterator[Found | Problem | Skipped]:
        if entry.note or not entry.open:
            yield from [entry.note] if entry.note else []
            return
        try:
            if entry.check:
                entry.check()
            with entry.open() as file:
                if entry.kind == "zip":
                    yield from self._nested(entry, count(file.read), level + 1)
                else:
                    expected = entry.is_expected or is_export(entry.source)
                    yield from read_json(count(file.read), entry.source, self._limits, is_expected=expected)
        except Unusable as error:
            yield Problem(entry.source, str(error))
        except zips.READ_ERRORS as error:
            yield Problem(entry.source, f"cannot be read ({getattr(error, 'strerror', None) or error})")

    def _nested(self, entry: Entry, read: Read, level: int) -> Iterator[Found | Problem | Skipped]:
        """Read a ZIP that stands in a ZIP or folder; those of the privacy portal hold the export (API notes §9)."""
        if level > self._limits.nested_zips:
            raise Unusable(f"is a ZIP in a ZIP more than {self._limits.nested_zips} levels deep")
        with tempfile.SpooledTemporaryFile(_SPOOLED) as spool:
            while chunk := read(self._limits.chunk):
                spool.write(chunk)
            with zips.open_zip(spool, self._limits) as opened:
                for inner in zip_entries(opened, entry.source, self._budget, self._limits):
                    yield from self._read(inner, _uncounted, level)


def _uncounted(read: Read) -> Read:
    return read


def open_archive(path: Path, limits: Limits | None = None) -> Archive:
    """Open an export or captured answers; raises UsageError where there is nothing to read, saying why.

    A path whose files turn out to hold no conversations opens well and yields none.
    """
    limits = limits or Limits()
    budget = zips.Budget(limits.inflated)
    held = ExitStack()
    try:
        entries = _entries(path, held, budget, limits)
    except (Unusable, OSError, ValueError) as error:
        held.close()
        raise UsageError(_hopeless(path, error)) from error
    return Archive(entries, held, budget, limits)


def _hopeless(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{path} cannot be read: {error.strerror or error}"
    if isinstance(error, ValueError):  # a NUL in the path
        return f"{str(path)!r} is not the name of a file"
    return f"{path}: {error}"


def _entries(path: Path, held: ExitStack, budget: zips.Budget, limits: Limits) -> list[Entry]:
    if path.is_dir():
        return _usable(folder_entries(path, limits), "folder")
    if not path.exists():
        raise Unusable("there is no such file or folder")
    if not path.is_file():
        raise Unusable("is neither a file nor a folder")
    if _sniff(path) == "zip":
        opened = held.enter_context(zips.open_zip(path, limits))
        return _usable(zip_entries(opened, clean(path.name), budget, limits), "ZIP")
    kind: Kind = "side" if kind_of(path.name) == "side" else "json"
    entry = _file(path, clean(path.name), path.name, kind)
    entry.is_expected = True
    return [entry]


def _usable(entries: list[Entry], what: str) -> list[Entry]:
    if any(entry.open and entry.kind != "side" for entry in entries):
        return entries
    for entry in entries:
        if isinstance(entry.note, Problem):
            raise Unusable(f"nothing in it can be used: {entry.note.source} {entry.note.reason}")
    wanted = ", ".join(sorted(JSON_SUFFIXES))
    raise Unusable(f"there are no conversations in this {what}: no {wanted} or .zip file that may hold some")


def _sniff(path: Path) -> Kind:
    """Tell JSON from ZIP by the first bytes; raises Unusable for anything else."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise Unusable("is empty")
    if head.startswith(b"PK"):
        return "zip"
    skipped, _ = encoding_of(head)
    text = head[skipped:].strip(b" \t\r\n\0")
    if not text[:1] or text[:1] in b"[{":
        return "json"
    if text.startswith(b"<"):
        raise Unusable("is a web page, not JSON; import the export's ZIP or its conversations.json")
    if head.startswith(b"\x1f\x8b"):
        raise Unusable("is packed with gzip; unpack it first")
    raise Unusable("is neither JSON nor a ZIP")


def _file(path: Path, source: str, inside: str, kind: Kind) -> Entry:
    entry = Entry(source, inside, kind, open=lambda: path.open("rb"))
    if kind == "side":
        entry.note = Skipped(source, _NO_CONVERSATIONS)
    else:
        entry.size = path.stat().st_size
    return entry


def folder_entries(folder: Path, limits: Limits) -> list[Entry]:
    """List the files of an unpacked export in reading order; links are not followed."""
    entries: list[Entry] = []
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
            if kind and path.is_symlink():
                entries.append(_note(Skipped, source, inside, _LINK))
            elif kind and path.is_file():
                entries.append(_file(path, source, inside, kind))
    return _in_order(entries, limits)


def zip_entries(opened: zipfile.ZipFile, source_of_zip: str, budget: zips.Budget, limits: Limits) -> list[Entry]:
    """List the files of a ZIP in reading order; those that cannot be read are Problems."""
    entries: list[Entry] = []
    overlaps = zips.overlapping(opened)
    for info in opened.filelist:
        kind = None if info.is_dir() else kind_of(info.filename)
        if kind is None:
            continue
        source = f"{source_of_zip}/{clean(info.filename)}"
        note = _refusal(info, source, kind, overlaps)
        entry = Entry(source, info.filename, kind, note=note)
        if not isinstance(note, Problem):
            entry.open = partial(opened.open, info)
            entry.check = partial(zips.verify, opened, info, budget, limits)
        entry.size = 0 if note else info.file_size
        entries.append(entry)
    counts = Counter(entry.path for entry in entries)
    for name in (name for name, count in counts.items() if count > 1):
        reason = f"stands in the ZIP {counts[name]} times under the same name; each was read"
        entries.append(_note(Skipped, f"{source_of_zip}/{clean(name)}", name, reason))
    return _in_order(entries, limits)


def _refusal(info: zipfile.ZipInfo, source: str, kind: Kind, overlaps: set[int]) -> Problem | Skipped | None:
    if kind == "side" and not zips.is_encrypted(info):
        return Skipped(source, _NO_CONVERSATIONS)
    if zips.is_link(info):
        return Skipped(source, _LINK)
    if info.header_offset in overlaps:
        return Problem(source, _OVERLAP)
    return Problem(source, _LOCKED) if zips.is_encrypted(info) else None


def _note(kind: type[Problem | Skipped], source: str, path: str, reason: str) -> Entry:
    return Entry(clean(source), path, "side", note=kind(clean(source), reason))


def _in_order(entries: list[Entry], limits: Limits) -> list[Entry]:
    missing = [note for entry in entries if _is_manifest(entry) for note in _heed(entry, entries, limits)]
    return sorted([*missing, *entries], key=lambda entry: order(entry.path))


def _is_manifest(entry: Entry) -> bool:
    return entry.path.rsplit("/", 1)[-1].lower() == MANIFEST and entry.open is not None


def _heed(manifest: Entry, entries: Iterable[Entry], limits: Limits) -> Iterator[Entry]:
    """Expect conversations in the shards that a manifest names, and tell of each that is not there."""
    by_path = {entry.path: entry for entry in entries if entry.kind == "json"}
    folder, root = (whole.rpartition("/")[0] for whole in (manifest.path, manifest.source))
    try:
        named = shards(_small(manifest, limits))
    except (Unusable, *zips.READ_ERRORS) as error:
        yield _note(
            Problem, manifest.source, manifest.path, f"cannot be used as the list of the export's files ({error})"
        )
        return
    for file in named:
        path = f"{folder}/{file}" if folder else file
        if path in by_path:
            by_path[path].is_expected = True
        else:
            reason = "is missing, though the export's manifest names it; its conversations could not be read"
            yield _note(Problem, f"{root}/{clean(file)}", path, reason)


def _small(entry: Entry, limits: Limits) -> bytes:
    if entry.check:
        entry.check()
    if entry.open is None:
        raise Unusable("it is missing")
    with entry.open() as file:
        text = file.read(limits.manifest + 1)
    if len(text) > limits.manifest:
        raise Unusable("it is too large")
    return text
