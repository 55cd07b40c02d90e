"""Which mirror the last sync wrote, so that a command in another folder can name it.

Without ``-d`` and ``$CHATMIRROR_DB`` a mirror is ``chats.db`` in the current folder, wherever that is. What shows chats
takes the last mirror where that folder has none; what needs a mirror names it, and what begins one says so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mirror.credentials.stored import config_dir

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = "last-mirror"  # in the folder of the login: each login has its own


def remember_mirror(path: Path, environ: Mapping[str, str]) -> None:
    """Remember a mirror beside the stored login; where there is no such folder, or it cannot be written, nothing."""
    file = config_dir(environ) / _FILE
    place = os.fsencode(path.absolute())
    with suppress(OSError):
        if file.parent.is_dir() and not (file.exists() and file.read_bytes() == place):
            file.write_bytes(place)


def last_mirror(environ: Mapping[str, str]) -> Path | None:
    """Return the mirror that is remembered, if it still exists."""
    with suppress(OSError, ValueError):
        place = Path(os.fsdecode((config_dir(environ) / _FILE).read_bytes()))
        return place if place.is_absolute() and place.is_file() else None
    return None
