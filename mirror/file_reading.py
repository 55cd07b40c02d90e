"""Read the text of stored files, so that a search finds it: of each content once, after its bytes are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.files.byte_store import ByteStore
from mirror.files.pdf import PdfTexts, has_pdf_reader
from mirror.files.text import PDF, FileText, may_have_text, text_of
from mirror.store import file_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from mirror.store.database import Writer
    from mirror.store.file_texts import StoredContent

CHARACTERS_A_COMMIT = 4_000_000  # of texts; by judgement: some seconds' work, the most that a kill costs
# Characters that a text counts at least. Fewer: a kill loses what many contents without text cost; more: each waits for
# the disk.
LEAST_COUNTED = 1_000


def read_texts(
    writer: Writer, *, again: bool = False, damaged: Collection[str] = (), pdf_command: Sequence[str] | None = None
) -> None:
    """Read the contents that were not looked into; ``again``: all; and those with a ``damaged`` text.

    What an interruption leaves unread, the next call reads, and what no process can be started for. A content that is
    not there keeps the text that it had. ``pdf_command``: see ``PdfTexts``.
    """
    wanted = file_texts.contents(writer.conn, only_unread=not (again or damaged))
    if damaged and not again:
        unread = {one.sha256 for one in file_texts.contents(writer.conn, only_unread=True)}
        wanted = [one for one in wanted if one.sha256 in unread or one.sha256 in damaged]
    with PdfTexts(command=pdf_command) as pdf:
        for some in in_batches(_texts(ByteStore(writer.path), wanted, pdf)):
            _save(writer, some)


def in_batches(texts: Iterable[tuple[str, FileText]]) -> Iterator[list[tuple[str, FileText]]]:
    """Yield contents with their texts, as many at a time as one transaction saves."""
    waiting: list[tuple[str, FileText]] = []
    size = 0
    for found in texts:
        waiting.append(found)
        size += max(len(found[1].text), LEAST_COUNTED)
        if size >= CHARACTERS_A_COMMIT:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _texts(store: ByteStore, wanted: list[StoredContent], pdf: PdfTexts) -> Iterator[tuple[str, FileText]]:
    can_read_pdf = has_pdf_reader()
    for one in wanted:
        if not may_have_text(one.mime_type) or (one.mime_type == PDF and not can_read_pdf):
            continue
        try:
            found = text_of(store.path_of(one.sha256), one.name, one.mime_type, pdf)
        except OSError:  # `check` says that it is not there
            continue
        if found is not None:
            yield one.sha256, found


def _save(writer: Writer, some: list[tuple[str, FileText]]) -> None:
    with writer.transaction() as conn:
        for sha256, found in some:
            file_texts.save(conn, sha256, found.text, is_whole=found.is_whole)
