"""A path as a stream of conversations: an export as ZIP or folder, one file, or a saved answer.

Opening looks at names and first bytes only. What turns out to be unusable while it is read becomes a Problem, and the
rest is read all the same.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from mirror.archive import zips
from mirror.archive.encoding import encoding_of
from mirror.archive.entries import Entry, Report, file_entry, folder_entries, zip_entries
from mirror.archive.items import Found, Known, Limits, NoConversations, Problem, Skipped, Unusable
from mirror.archive.json_file import conversations_of_file
from mirror.archive.names import JSON_SUFFIXES, Kind, clean, is_export, is_upload, kind_of
from mirror.archive.packing import other_archive
from mirror.archive.stored_texts import StoredTexts
from mirror.body import Body
from mirror.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    ReadBytes = Callable[[int], bytes]

_HEAD = 4096  # bytes in which a file's format shows


class Archive:
    """What a path holds, to be iterated over once.

    ``total_bytes`` and ``position``: bytes to read and bytes read so far, for a progress bar.
    """

    def __init__(self, entries: list[Entry], open_files: ExitStack, budget: zips.Budget, limits: Limits) -> None:
        self.total_bytes = sum(entry.size for entry in entries)
        self.position = 0
        self._entries = entries
        self._open_files = open_files
        self._budget = budget
        self._limits = limits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._open_files.close()

    def items(self, stored: StoredTexts) -> Iterator[Found | Known | Problem | Skipped]:
        """Yield what it holds; ``stored``: conversations that need not be parsed."""
        done = 0
        for entry in self._entries:
            yield from self._contents(entry, self._counted, stored, 0)
            done += entry.size
            self.position = done

    def _counted(self, read: ReadBytes) -> ReadBytes:
        def counted(count: int) -> bytes:
            chunk = read(count)
            self.position = min(self.position + len(chunk), self.total_bytes)
            return chunk

        return counted

    def __iter__(self) -> Iterator[Found | Problem | Skipped]:
        return (item for item in self.items(StoredTexts()) if not isinstance(item, Known))  # none is

    def _contents(
        self, entry: Entry, count: Callable[[ReadBytes], ReadBytes], stored: StoredTexts, level: int
    ) -> Iterator[Found | Known | Problem | Skipped]:
        if entry.note or not entry.open:
            yield from [entry.note] if entry.note else []
            return
        try:
            if entry.check:
                entry.check()
            with entry.open() as file:
                if entry.report:
                    yield self._report(entry.report, entry.source, count(file.read))
                elif entry.kind == "zip":
                    yield from self._nested_zip(entry, count(file.read), stored, level + 1)
                else:
                    expected = entry.is_expected or is_export(entry.source)
                    yield from conversations_of_file(
                        count(file.read), entry.source, self._limits, stored, is_expected=expected
                    )
        except Unusable as error:
            yield Problem(entry.source, str(error))
        except zips.READ_ERRORS as error:
            yield Problem(entry.source, f"cannot be read ({getattr(error, 'strerror', None) or error})")

    def _report(self, report: Report, source: str, read: ReadBytes) -> Found | Problem:
        raw = b""
        while (chunk := read(self._limits.chunk)) and len(raw) <= self._limits.manifest:
            raw += chunk
        made = report.recogniser.files.report_of(report.file, raw)
        if made is None:
            return Problem(source, "is a report in a form that is not known; it was not imported")
        payload, text = made
        return Found(payload, Body(text), source, "capture", report.recogniser.provider)

    def _nested_zip(
        self, entry: Entry, read: ReadBytes, stored: StoredTexts, level: int
    ) -> Iterator[Found | Known | Problem | Skipped]:
        """Read a ZIP in a ZIP or folder; the privacy portal puts the export into another (API notes §9)."""
        if level > self._limits.nested_zips:
            raise Unusable(f"is a ZIP in a ZIP more than {self._limits.nested_zips} levels deep")
        with tempfile.SpooledTemporaryFile(self._limits.spooled) as spool:
            zips.fill(spool, read, self._limits.chunk)
            with zips.open_zip(spool, self._limits) as opened:
                for inner in zip_entries(opened, entry.source, self._budget, self._limits):
                    yield from self._contents(inner, _uncounted, stored, level)


def _uncounted(read: ReadBytes) -> ReadBytes:
    return read


def open_archive(path: Path, limits: Limits | None = None) -> Archive:
    """Open an export or captured answers; raises UsageError where nothing can be read, saying why.

    A path whose files turn out to hold no conversations can be opened and yields none.
    """
    limits = limits or Limits()
    budget = zips.Budget(limits.inflated)
    open_files = ExitStack()
    try:
        entries = _entries(path, open_files, budget, limits)
    except (Unusable, OSError, ValueError) as error:
        open_files.close()
        raise UsageError(_why_unusable(path, error)) from error
    return Archive(entries, open_files, budget, limits)


def _why_unusable(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{path} cannot be read: {error.strerror or error}"
    if isinstance(error, ValueError):  # a NUL in the path
        return f"{str(path)!r} is not the name of a file"
    return f"{path}: {error}"


def _entries(path: Path, open_files: ExitStack, budget: zips.Budget, limits: Limits) -> list[Entry]:
    if path.is_dir():
        return _usable(folder_entries(path, limits), "folder")
    if not path.exists():
        raise Unusable("there is no such file or folder")
    if not path.is_file():
        raise Unusable("is neither a file nor a folder")
    if _format_of(path) == "zip":
        if is_upload(path.name):
            raise NoConversations("there are no conversations in a ZIP of files")
        opened = open_files.enter_context(zips.open_zip(path, limits))
        return _usable(zip_entries(opened, clean(path.name), budget, limits), "ZIP")
    kind: Kind = "side" if kind_of(path.name) == "side" else "json"
    entry = file_entry(path, clean(path.name), path.name, kind)
    entry.is_expected = True
    return [entry]


def _usable(entries: list[Entry], what: str) -> list[Entry]:
    if any(entry.open and entry.kind != "side" for entry in entries):
        return entries
    for entry in entries:
        if isinstance(entry.note, Problem):
            raise Unusable(f"nothing in it can be used: {entry.note.source} {entry.note.reason}")
    wanted = ", ".join(sorted(JSON_SUFFIXES))
    raise NoConversations(f"there are no conversations in this {what}: no {wanted} or .zip file that may hold some")


def _format_of(path: Path) -> Kind:
    """Return whether it is JSON or a ZIP by its first bytes; raises Unusable for anything else."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise Unusable("is empty")
    if reason := other_archive(path.name, head):
        raise Unusable(reason)
    if head.startswith(b"PK"):
        return "zip"
    skipped, _ = encoding_of(head)
    text = head[skipped:].strip(b" \t\r\n\0")
    if not text[:1] or text[:1] in b"[{":
        return "json"
    if text.startswith(b"<"):
        raise Unusable("is a web page, not JSON")
    raise Unusable("is neither JSON nor a ZIP")
