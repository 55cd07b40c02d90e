"""Waiting until something is on the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_path(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk.

    A rename is atomic, and durable only once its folder is synced, too (https://lwn.net/Articles/457667/).
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
