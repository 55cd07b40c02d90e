"""What the bytes of a file say as text, for the search: plain text in the usual encodings, and PDF."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

from mirror.text import byte_order_mark

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.files.pdf import PdfTexts

# Bytes of a file, and characters of a PDF, that are searched. More: the index of a few large tables outweighs that of
# all chats, and each snippet of one takes longer; less: the end of a long document is not found.
LONGEST_TEXT = 1_000_000
# Share of control characters from which bytes that could be text are none. Larger: programs and pictures of an odd kind
# get into the index; smaller: logs with colours in them are left out.
MOST_CONTROLS = 0.05
# Share of bytes that are no UTF-8 up to which a text is UTF-8 with faults, and not in an older encoding. An older one
# has as many as the text has accents. Wrong: accents of such a text are other characters.
MOST_FAULTS = 0.005
_NEVER = ("image/", "audio/", "video/", "font/")  # a drawing is text, too, but says nothing
_TEXT_TYPES = re.compile(
    r"text/|application/(?:json|xml|x-ndjson|javascript|x-sh|x-python|x-yaml|toml|sql)\b|.*\+json|.*\+xml"
)
_TEXT_NAMES = re.compile(r".*\.(?:txt|csv|tsv|md|log|srt|vtt|tex|ini|cfg|bib)", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_ENOUGH_TO_TELL = 64  # bytes; by judgement: a few Chinese characters in UTF-16 can look like ASCII
PDF = "application/pdf"


class FileText(NamedTuple):
    """The text of a content; empty where it has none, or none could be read.

    ``is_whole``: nothing of it was left out.
    """

    text: str
    is_whole: bool


def may_have_text(mime_type: str | None) -> bool:
    """Tell whether it is worth while to look into a content of this type."""
    return not (mime_type or "").startswith(_NEVER)


def text_of(path: Path, name: str | None, mime_type: str | None, pdf: PdfTexts) -> FileText | None:
    """Return the text of the content at ``path``; None where it cannot be read now; may raise OSError."""
    if mime_type == PDF:
        found = pdf.text_of(path)
        return found and FileText(_storable(found[0][:LONGEST_TEXT]), found[1])
    with path.open("rb") as file:
        content = file.read(LONGEST_TEXT + 1)
    is_stated = bool(_TEXT_TYPES.match(mime_type or "") or _TEXT_NAMES.fullmatch(name or ""))
    text = decoded(content[:LONGEST_TEXT], is_stated=is_stated)
    return FileText("" if text is None else _storable(text), len(content) <= LONGEST_TEXT)


def decoded(content: bytes, *, is_stated: bool) -> str | None:
    """Return bytes as text, None where they are none. ``is_stated``: their name or type says that they are text."""
    text = _in_unicode(content)
    if text is None and is_stated:
        text = _with_faults(content)
    if text is None or len(_CONTROLS.findall(text)) > MOST_CONTROLS * len(text):
        return None
    return text


def _in_unicode(content: bytes) -> str | None:
    length, marked = byte_order_mark(content)
    text = content[length:]
    if marked.startswith("utf-16") and _is_in_single_bytes(text):
        return None
    for encoding in [marked] if marked else _without_mark(content):
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace" if marked else "strict")
        try:
            return decoder.decode(text)  # a character that is cut at the end is left out
        except UnicodeDecodeError:
            continue
    return None


def _is_in_single_bytes(content: bytes) -> bool:
    """Tell whether a text that says it is UTF-16 is none: then every blank and line end would hold a zero byte."""
    ascii_bytes = sum(byte < 128 for byte in content[:4096])  # noqa: PLR2004 - the end of ASCII
    return b"\0" not in content and len(content) >= _ENOUGH_TO_TELL and ascii_bytes > 0.9 * len(content[:4096])


def _without_mark(content: bytes) -> list[str]:
    """Return the encodings that a text without a mark of its own may have."""
    head = content[:4096]
    odd, even = head[1::2].count(0), head[::2].count(0)
    if max(odd, even) * 4 > len(head):  # half of the bytes of Western text in UTF-16
        return ["utf-16-le" if odd > even else "utf-16-be"]
    return ["utf-8"]


def _with_faults(content: bytes) -> str | None:
    text = content.decode("utf-8", "replace")
    if text.count("\ufffd") <= MOST_FAULTS * len(content):
        return text
    return content.decode("cp1252", "replace")


def _storable(text: str) -> str:
    """Return a text as SQLite can hold it."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
