"""Text in whatever encoding a tool saved it, as UTF-8 bytes.

UTF-8 is passed on unchanged, also where it is invalid. Windows tools save JSON as UTF-16, which is recoded.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from mirror.text import byte_order_mark

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_MARK = 4
# How JSON begins in UTF-16 without a mark.
_WITHOUT_MARK = {b"[\0": "utf-16-le", b"{\0": "utf-16-le", b"\0[": "utf-16-be", b"\0{": "utf-16-be"}


def encoding_of(head: bytes) -> tuple[int, str]:
    """Return the length of the byte order mark and the encoding, "" for UTF-8."""
    length, encoding = byte_order_mark(head)
    if length:
        return length, "" if encoding == "utf-8" else encoding
    return 0, _WITHOUT_MARK.get(head[:2], "")


def as_utf8(read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Return a reader of the same text in UTF-8 without a byte order mark."""
    head = read(_LONGEST_MARK)
    skipped, encoding = encoding_of(head)
    left = [head[skipped:]] if head[skipped:] else []
    if not encoding:
        return lambda count: left.pop() if left else read(count)
    # Lone surrogates are kept. A character cut in two by the end of the file is dropped; its value is cut as well.
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if encoding.startswith("utf-16") else "replace")

    def recoded(count: int) -> bytes:
        while chunk := (left.pop() if left else read(count)):
            if text := decoder.decode(chunk):
                return text.encode("utf-8", "surrogatepass")
        return b""

    return recoded
