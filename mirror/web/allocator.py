"""Memory that goes back to the system as soon as it is free, where large answers need it."""

from __future__ import annotations

import sys
from contextlib import suppress

_MMAP_THRESHOLD = -3  # of mallopt (https://man7.org/linux/man-pages/man3/mallopt.3.html)
# Bytes of a block that goes back by itself. Larger: copies of an answer stay behind; smaller: common work takes longer.
LARGE_BLOCK = 4 * 1024 * 1024


def return_large_blocks() -> None:
    """Let each large block go back as soon as it is free; does nothing where the system's allocator is not glibc's.

    By itself glibc keeps what is smaller than the largest block that was freed before, up to 32 MB: of one text of that
    size a copy more, by chance.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - slow to load, and nearly no run needs it

        with suppress(AttributeError, OSError):  # another C library, which does not know it
            ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE_BLOCK)
