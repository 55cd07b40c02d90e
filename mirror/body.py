"""The bytes of one payload: as they came, and as they are stored."""

from __future__ import annotations

import hashlib
import zlib

# Of zlib, 1 to 9. On real conversations 6, zlib's own choice, takes twice the time for 8 % less; 1 saves little more.
COMPRESSION_LEVEL = 3


class Body:
    """A payload's bytes. Once they are packed they are kept in that form alone, for they may be megabytes.

    Whoever hands a payload on hands this on, so that no place that still holds it holds the memory.
    """

    __slots__ = ("_packed", "_raw", "_sha256", "size")

    def __init__(self, raw: bytes) -> None:
        self.size = len(raw)
        self._raw: bytes | None = raw
        self._packed = b""
        self._sha256: str | None = None

    @property
    def raw(self) -> bytes:
        """The bytes as they came."""
        return zlib.decompress(self._packed) if self._raw is None else self._raw

    @property
    def sha256(self) -> str:
        """The hash under which they are stored, in hexadecimal."""
        if self._sha256 is None:
            self._sha256 = hash_of(self.raw)
        return self._sha256

    def pack(self) -> bytes:
        """Return the bytes as they are stored."""
        if self._raw is not None:
            self._sha256 = self.sha256  # while the raw bytes are there
            self._packed, self._raw = zlib.compress(self._raw, COMPRESSION_LEVEL), None
        return self._packed


def hash_of(raw: bytes) -> str:
    """Return the hash under which bytes are stored, SHA-256 in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()
