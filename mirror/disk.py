"""Waiting until something is on the disk."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_path(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk.

    A rename is atomic, and durable only once its folder is synced, too (https://lwn.net/Articles/457667/).
    """
    is_folder = path.is_dir()
    if is_folder and os.name == "nt":
        return  # Windows writes names with the file, and opens no folder
    handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)  # Windows syncs only what may be written
    try:
        sync_handle(handle)
    finally:
        os.close(handle)


def sync_handle(handle: int) -> None:
    """Write an open file to the disk."""
    if sys.platform == "darwin":
        import fcntl  # noqa: PLC0415 - only there

        with suppress(OSError):  # of a file system that does not know it, such as a share
            # There, fsync leaves the bytes in the disk's own memory (its manual page).
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)
