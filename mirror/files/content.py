"""What the bytes of a file are: their type by their content, and answers that only pretend to be a file."""

from __future__ import annotations

import json
import mimetypes
from typing import Any

_TEXT_TYPES = frozenset({"application/json", "text/html", "image/svg+xml", "application/pdf", "application/rtf"})
_SAME = {"audio/wave": "audio/wav", "audio/x-wav": "audio/wav", "image/jpg": "image/jpeg", "audio/x-m4a": "audio/mp4"}
_PACKED = b"PK\x03\x04"
# What a browser shows without running anything of it, by the first bytes alone. Anything else is offered as a download.
_SHOWN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (4, b"ftypM4A ", "audio/mp4"),
    (4, b"ftypisom", "video/mp4"),
    (4, b"ftypmp42", "video/mp4"),
    (4, b"ftypiso5", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
)
SHOWN_TYPES = frozenset(kind for _, _, kind in _SHOWN)
_LONGEST_ERROR = 64 * 1024  # bytes; the errors seen in place of files have about a thousand
# Bytes at the end of a picture in which its end mark stands. Larger: more is read of each; smaller: pictures with
# something behind their end are fetched twice.
TAIL = 64 * 1024


def shown_type(head: bytes) -> str | None:
    """Return the type as which a page may show a content in place; None: it is only offered as a download."""
    return next((kind for at, mark, kind in _SHOWN if head[at : at + len(mark)] == mark), None)


def type_of(head: bytes, name: str | None, stated: str | None) -> str | None:
    """Return a content's type: by its first bytes, else by its name, else as the service says."""
    if shown := shown_type(head):
        return shown
    guessed = mimetypes.guess_type(name or "", strict=False)[0]
    if head.startswith(_PACKED):
        return guessed or stated or "application/zip"  # documents of office programs are ZIP files inside
    if _is_text(head):
        found = _by_marks(head)
        return found if found in _TEXT_TYPES else guessed or stated or "text/plain"
    return _by_marks(head) or guessed or stated


def _by_marks(head: bytes) -> str | None:
    import puremagic  # noqa: PLC0415 - reads its tables of marks, and most runs meet no new file

    try:
        found = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        return None
    return _SAME.get(found, found) or None


def _is_text(head: bytes) -> bool:
    try:
        text = head[:4096].decode("utf-8", "strict" if len(head) < 4096 else "ignore")  # noqa: PLR2004 - a page of it
    except UnicodeDecodeError:
        return False
    return bool(text) and "\0" not in text


def error_in_disguise(head: bytes, size: int, promised: int | None, name: str | None, stated: str | None) -> str | None:
    """Return what an answer really says that came in place of a file; None where it is the file.

    Many "files" of about a kilobyte are error messages of the service or pages of what is in front of it. A file can be
    JSON or HTML itself: then its name, its type and the size that was promised say so.
    """
    if size == 0:
        return "an empty answer came in its place"
    if size > _LONGEST_ERROR or size == promised:
        return None
    # Of a name only its end counts: "html.png" is a picture.
    expected = f"{(name or '').lower().rpartition('.')[2]} {(stated or '').lower()}"
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if begin.startswith((b"<!doctype html", b"<html")):
        return None if any(word in expected for word in ("htm", "xml", "svg")) else "a web page came in its place"
    if begin.startswith(b"<?xml") and b"<error>" in begin and "xml" not in expected:
        return "an error message of its host came in its place"
    return None if not begin.startswith(b"{") else _error_in_json(head, wanted="json" in expected)


def is_cut_off(head: bytes, tail: bytes, size: int) -> bool:
    """Whether a picture ends before its end. ``tail``: its last bytes, up to ``TAIL``; ``size``: all of its bytes.

    Bytes may follow the end: what is longer than ``TAIL`` is taken for a cut picture, too.
    """
    kind = shown_type(head)
    if kind == "image/png":
        return b"IEND" not in tail
    if kind == "image/jpeg":
        return b"\xff\xd9" not in tail
    if kind == "image/gif":
        return not tail.rstrip(b"\0").endswith(b";")
    return kind == "image/webp" and int.from_bytes(head[4:8], "little") + 8 > size


def _error_in_json(head: bytes, *, wanted: bool) -> str | None:
    try:
        body: Any = json.loads(head)
    except (ValueError, RecursionError):
        return None
    is_error = "detail" in body or body.get("status") == "error" or "error_code" in body
    if not is_error or (wanted and len(body) > 3):  # noqa: PLR2004 - an error has a few keys and nothing else
        return None
    return "an error message of the service came in its place"
