"""Untrusted ZIP files: nothing is unpacked to disk by name, nothing is read without a cap.

A member is read twice: first to its end, to verify its checksum and that it is no bomb, then for its conversations.
Otherwise a flipped bit could change a word in a conversation that is stored before the checksum is known to be wrong.
"""

from __future__ import annotations

import lzma
import stat
import struct
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from mirror.archive.items import MB, Limits, Unusable
from mirror.archive.packing import SPLIT
from mirror.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Everything that zipfile and its decompressors raise for a damaged or unsupported member.
READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
)
_ENCRYPTED = 0x1
_END = struct.Struct("<4sH16x")  # the end record: its mark and the number of this disk (APPNOTE.TXT 4.3.16)
_ZIP64 = 0xFFFF  # in place of a number that stands elsewhere


@dataclass(slots=True)
class Budget:
    """Bytes that may still be inflated from one archive, ZIPs within ZIPs included."""

    left: int


def fill(spool: IO[bytes], read: Callable[[int], bytes], chunk: int) -> None:
    """Copy a ZIP in a ZIP or folder to a temporary file; raises StorageError where there is no room for that file."""
    while piece := read(chunk):
        try:
            spool.write(piece)
            spool.flush()
        except OSError as error:
            raise StorageError(
                f"No more of the import could be unpacked in {tempfile.gettempdir()} ({error.strerror or error}); what"
                " is stored is safe. Free space there, or set TMPDIR to a folder with more, and import again."
            ) from error


def open_zip(file: Path | IO[bytes], limits: Limits) -> zipfile.ZipFile:
    """Open a ZIP; raises Unusable with the reason in plain words."""
    try:
        opened = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        if "span multiple disks" in str(error):  # of a split ZIP64
            raise Unusable(SPLIT) from error
        reason = "the list of files at its end is missing or damaged; it may have been cut off, download it again"
        raise Unusable(f"is not a complete ZIP: {reason}") from error
    except READ_ERRORS as error:
        raise Unusable(f"is not a ZIP that can be read ({error})") from error
    if _is_last_part(opened):
        opened.close()
        raise Unusable(SPLIT)
    if len(opened.filelist) > limits.members:
        opened.close()
        raise Unusable(f"lists more than {limits.members:,} files")
    return opened


def _is_last_part(opened: zipfile.ZipFile) -> bool:
    """Return whether a ZIP is the last part of a split one, whose members lie in files that are not here.

    zipfile opens it all the same, and would then call every member damaged.
    """
    if opened.fp is None:
        return False
    opened.fp.seek(-(_END.size + len(opened.comment)), 2)
    mark, disk = _END.unpack(opened.fp.read(_END.size))
    return bool(mark == b"PK\x05\x06" and 0 < disk < _ZIP64)


def overlapping(opened: zipfile.ZipFile) -> set[int]:
    """Return the offsets of members whose packed bytes run into those of another, as only bombs' do."""
    bad: set[int] = set()
    widest, end = -1, -1
    for info in sorted(opened.filelist, key=lambda info: info.header_offset):
        start = info.header_offset
        if start < end or start == widest:
            bad |= {start, widest}
        if start + info.compress_size >= end:
            widest, end = start, start + info.compress_size
    return bad


def is_encrypted(info: zipfile.ZipInfo) -> bool:
    """Return whether a password is needed to read it."""
    return bool(info.flag_bits & _ENCRYPTED)


def is_link(info: zipfile.ZipInfo) -> bool:
    """Return whether it is a symbolic link, whose content is a path."""
    return stat.S_ISLNK(info.external_attr >> 16)


def verify(opened: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget, limits: Limits) -> None:
    """Read a member to its end; raises Unusable where it is damaged or inflates beyond the caps."""
    inflated = 0
    if info.file_size > budget.left:  # refused before it uses up what the others need
        raise Unusable(f"not read: the ZIP inflates to more than {limits.inflated / MB:,.0f} MB")
    try:
        with opened.open(info) as member:
            while chunk := member.read(limits.chunk):
                inflated += len(chunk)
                budget.left -= len(chunk)
                if budget.left < 0:
                    raise Unusable(f"not read: the ZIP inflates to more than {limits.inflated / MB:,.0f} MB")
                if inflated > limits.ratio_from and inflated > limits.ratio * max(info.compress_size, 1):
                    raise Unusable(f"not read: it inflates more than {limits.ratio:,} times, as no export does")
    except READ_ERRORS as error:
        what = "it ends too early" if isinstance(error, EOFError) else str(error)
        raise Unusable(f"is damaged in the ZIP ({what}); nothing of it was read, download the export again") from error
