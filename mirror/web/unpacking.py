"""The body of an answer, unpacked piece by piece and never beyond its bound."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING

from mirror.web.allocator import return_large_blocks
from mirror.web.failures import TooLarge, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable

_PIECE = 1 << 20  # bytes that are unpacked at once
# Bytes of an answer from which each copy of it counts. Larger: a run takes more memory for such an answer than it may;
# smaller: answers that are common take longer.
LARGE = 16 * 1024 * 1024
# Parts of one gzip body; servers send one. Larger: a flood of empty ones takes the time of its answer in copying.
MOST_MEMBERS = 16
_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_RAW_DEFLATE = -zlib.MAX_WBITS  # what some servers send as "deflate": without the two bytes of zlib's header
_DEFLATE_METHOD = 8
_GZIP_MARK = b"\x1f\x8b"


class _Bounded:
    """Collects a body; raises TooLarge where it grows beyond ``most`` bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._file = most, BytesIO()

    def add(self, piece: bytes) -> None:
        if self._file.tell() + len(piece) > self._most:
            raise TooLarge(f"an answer is larger than {self._most >> 20:,} MB")
        if self._file.tell() < LARGE <= self._file.tell() + len(piece):
            return_large_blocks()
        self._file.write(piece)

    def body(self) -> bytes:
        return self._file.getvalue()  # shares its memory: no second copy


def whole_body(pieces: Iterable[bytes], encoding: str, most: int) -> bytes:
    """Return a body of at most ``most`` bytes from the pieces in which it came.

    ``encoding``: the value of Content-Encoding. Raises TooLarge, and Unreachable where it is cut off, damaged, or in an
    encoding that was not asked for.
    """
    body, name = _Bounded(most), encoding.strip().lower()
    if name in {"", "identity"}:
        for piece in pieces:
            body.add(piece)
    elif name in _WINDOW:
        try:
            _unpack(pieces, name, body)
        except zlib.error:
            raise Unreachable("an answer is damaged in its compression") from None
    else:
        raise Unreachable("an answer came in an encoding that was not asked for")
    return body.body()


def _unpack(pieces: Iterable[bytes], name: str, body: _Bounded) -> None:
    unpacker, is_begun, members = zlib.decompressobj(_WINDOW[name]), False, 1
    for came in pieces:
        piece = came
        if not is_begun and piece and name == "deflate" and piece[0] & 0x0F != _DEFLATE_METHOD:
            unpacker = zlib.decompressobj(_RAW_DEFLATE)
        is_begun = is_begun or bool(piece)
        while piece:
            body.add(unpacker.decompress(piece, _PIECE))
            piece = unpacker.unconsumed_tail
            if unpacker.eof:
                piece = unpacker.unused_data
                if not piece.startswith(_GZIP_MARK):  # no further member: what follows is no part of the body
                    break
                unpacker, members = zlib.decompressobj(_WINDOW[name]), members + 1
                if members > MOST_MEMBERS:
                    raise Unreachable("an answer is made of too many compressed parts")
    if is_begun and not unpacker.eof:
        raise Unreachable("an answer is cut off inside its compression")
