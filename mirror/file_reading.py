"""Read the text of stored files, so that a search finds it: of each content once, after its bytes are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.files.byte_store import ByteStore
from mirror.files.pdf import PdfTexts, has_pdf_reader
from mirror.files.text import PDF, FileText, may_have_text, text_of
from mirror.store import file_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mirror.store.database import Writer
    from mirror.store.file_texts import StoredContent

CHARACTERS_A_COMMIT = 4_000_000  # of texts; by judgement: some seconds' work, the most that a kill costs


def read_texts(writer: Writer, *, again: bool = False, damaged: Collection[str] = ()) -> None:
    """Read the contents that were not looked into; ``again``: all; and those with a ``damaged`` text.

    What an interruption leaves unread, the next call reads. A content that is not there keeps the text that it had.
    """
    wanted = file_texts.contents(writer.conn, only_unread=not (again or damaged))
    if damaged and not again:
        unread = {one.sha256 for one in file_texts.contents(writer.conn, only_unread=True)}
        wanted = [one for one in wanted if one.sha256 in unread or one.sha256 in damaged]
    waiting: list[tuple[str, FileText]] = []
    for found in _texts(ByteStore(writer.path), wanted):
        waiting.append(found)
        if sum(len(one.text) for _, one in waiting) >= CHARACTERS_A_COMMIT:
            _save(writer, waiting)
    _save(writer, waiting)


def _texts(store: ByteStore, wanted: list[StoredContent]) -> Iterator[tuple[str, FileText]]:
    can_read_pdf = has_pdf_reader()
    with PdfTexts() as pdf:
        for one in wanted:
            if not may_have_text(one.mime_type) or (one.mime_type == PDF and not can_read_pdf):
                continue
            try:
                yield one.sha256, text_of(store.path_of(one.sha256), one.name, one.mime_type, pdf)
            except OSError:  # `check` says that it is not there
                continue


def _save(writer: Writer, waiting: list[tuple[str, FileText]]) -> None:
    if waiting:
        with writer.transaction() as conn:
            for sha256, found in waiting:
                file_texts.save(conn, sha256, found.text, is_whole=found.is_whole)
    waiting.clear()
