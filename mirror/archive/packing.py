"""How a file is packed that cannot be read here, by its name or first bytes, so that a person is told what to do."""

from __future__ import annotations

import re
import zipfile

# The first bytes of other archives: offset, bytes, and what a person calls it (each format's own specification).
_SIGNATURES = (
    (0, b"\x1f\x8b", "packed with gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"\xfd7zXZ\0", "packed with xz"),
    (0, b"BZh", "packed with bzip2"),
    (0, b"\x28\xb5\x2f\xfd", "packed with Zstandard"),
    (257, b"ustar", "a tar archive"),
)
_SPLIT_HEAD = b"PK\x07\x08"  # how the first part of a split ZIP begins (APPNOTE.TXT 8.5.3)
_SPLIT_NAME = re.compile(r"\.(?:z\d\d|(?:zip|7z|rar)\.\d{3})$", re.IGNORECASE)
# Methods of APPNOTE.TXT 4.4.5 that archivers use and Python's zipfile cannot unpack in every supported version.
_METHODS = {9: "Deflate64, as Windows packs large folders", 93: "Zstandard", 95: "xz", 98: "PPMd", 99: "AES encryption"}
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}

SPLIT = "is one part of a split ZIP; put all parts into one folder, unpack them together and import the folder"


def other_archive(name: str, head: bytes) -> str | None:
    """Return why a file is not read where it is another kind of archive or a part of one; None for any other file."""
    if head.startswith(_SPLIT_HEAD) or _SPLIT_NAME.search(name):
        return SPLIT
    kind = next((kind for at, mark, kind in _SIGNATURES if head[at : at + len(mark)] == mark), None)
    return f"is {kind}, which is not read here; unpack it and import the folder" if kind else None


def unreadable_method(info: zipfile.ZipInfo) -> str | None:
    """Return why a ZIP's member cannot be unpacked, by its packing method; None where it can be."""
    if info.compress_type in _READABLE:
        return None
    method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
    return f"is packed with {method}, which cannot be unpacked here; unpack the ZIP and import the folder"
