"""Are the bytes of files there, and are they what their names say? Noting what is lost, and copying them all.

The rows of the database say which contents there should be. What is in the folder and belongs to no row is left
alone: after an older backup was restored it may be all that is left of a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirror.errors import DamagedError, IncompleteError
from mirror.files.byte_store import ByteStore
from mirror.store import file_rows
from mirror.store.schema import table_names

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from mirror.errors import ChatmirrorError
    from mirror.store.database import Writer

_PIECE = 1 << 20
# Files whose bytes each run and ``status`` look for. More: a slow disk holds up every run; fewer: a few lost files are
# found later, by ``check``.
SPOT_CHECK = 20


class BytesFound(NamedTuple):
    """What is wrong with the bytes of files: hashes of contents that are missing, and of damaged ones.

    ``expected``: how many there should be; ``strays``: how many belong to no row, which is nothing wrong.
    """

    folder: str
    expected: int
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    strays: int = 0

    @property
    def lost(self) -> tuple[str, ...]:
        """All that must be fetched again."""
        return (*self.missing, *self.damaged)

    def error(self, path: Path, *, is_repaired: bool = False) -> ChatmirrorError | None:
        """Return the line that ends the command, None when all is well. ``is_repaired``: what is lost was noted."""
        if not self.lost:
            return None
        if len(self.missing) == self.expected:
            what = f"the folder {self.folder} with the bytes of {_files(self.expected)} is not beside {path}"
        else:
            parts = [(len(self.missing), "missing"), (len(self.damaged), "damaged")]
            said = " and ".join(f"the bytes of {_files(count)} are {how}" for count, how in parts if count)
            what = f"in {self.folder}, {said}"
        if is_repaired:
            todo = "Run `chatmirror sync`, which fetches them again where the service still has them."
        else:
            todo = (
                "Put the folder back, or run `chatmirror check --repair`, then `chatmirror sync` to fetch them again."
            )
        return DamagedError(f"The chats are whole, but {what}. {todo}")


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


class SpotCheck(NamedTuple):
    """A look at whether the bytes of a few files are there, without reading them. ``lacking``: hashes of those not."""

    folder: str
    expected: int
    is_folder: bool
    looked: int = 0
    lacking: tuple[str, ...] = ()

    @property
    def is_lost(self) -> bool:
        """Whether the whole folder seems to be elsewhere, so that to fetch everything again may not be wanted.

        Of a folder that is there, when most of its files are lacking, and they are too many to fetch unasked.
        """
        return not self.is_folder or (self.looked == SPOT_CHECK and 2 * len(self.lacking) >= self.looked)

    @property
    def error(self) -> ChatmirrorError | None:
        """Return the line about it, None where nothing is lacking."""
        if self.is_lost:
            lacks = f"lacks {len(self.lacking)} of the {self.looked} that were looked for"
            return DamagedError(
                f"The folder {self.folder} with the bytes of {_files(self.expected)}"
                f" {lacks if self.is_folder else 'is missing'}; the chats are safe. Move it beside the database,"
                " or run `chatmirror check --repair`, then `chatmirror sync` to fetch them again."
            )
        if self.lacking:
            return IncompleteError(
                f"The bytes of some files are missing in {self.folder} ({len(self.lacking)} of the {self.looked} that"
                " were looked for); the chats are safe. The next sync fetches these again; all are found by"
                " `chatmirror check`."
            )
        return None


def spot_check(conn: sqlite3.Connection, path: Path) -> SpotCheck:
    """Look for the folder of a database's files, and for the bytes of a few of them."""
    store = ByteStore(path)
    expected = file_rows.count_contents(conn) if "files" in table_names(conn) else 0
    if not expected or not store.folder.is_dir():
        return SpotCheck(store.folder.name, expected, is_folder=not expected)
    some = file_rows.some_hashes(conn, SPOT_CHECK)
    lacking = tuple(sha256 for sha256 in some if not store.holds(sha256))
    return SpotCheck(store.folder.name, expected, is_folder=True, looked=len(some), lacking=lacking)


def note_lost(writer: Writer, found: SpotCheck) -> None:
    """Note the few whose bytes are lacking, so that this run fetches them again."""
    if found.lacking and not found.is_lost:
        with writer.transaction() as conn:
            for sha256 in found.lacking:
                file_rows.mark_lost(conn, sha256)


def check_bytes(conn: sqlite3.Connection, path: Path) -> BytesFound:
    """Read every content that the rows name, and compare it with its name."""
    store, expected = ByteStore(path), file_rows.hashes(conn)
    missing = tuple(sha256 for sha256 in expected if not store.holds(sha256))
    damaged = tuple(sha256 for sha256 in expected if store.holds(sha256) and not store.is_whole(sha256))
    strays = sum(name not in expected for name in store.stored())
    return BytesFound(store.folder.name, len(expected), missing, damaged, strays)


def repair_bytes(writer: Writer, found: BytesFound) -> None:
    """Note what is lost, so that a sync fetches it again; what is damaged is kept aside."""
    store = ByteStore(writer.path)
    for sha256 in found.damaged:
        store.set_aside(sha256)
    with writer.transaction() as conn:
        for sha256 in found.lost:
            file_rows.mark_lost(conn, sha256)


def copy_bytes(conn: sqlite3.Connection, source: Path, target: Path) -> int:
    """Bring the bytes that a database's rows name from beside one database to beside another.

    Each is proven: on its way, or where it is there already, for a disk may have spoilt it since. Returns how many were
    missing or damaged at the source, and are not whole at the target.
    """
    if "files" not in table_names(conn):
        return 0  # a mirror of version 0.1
    here, there = ByteStore(source), ByteStore(target)
    lost = 0
    for sha256 in file_rows.hashes(conn):
        if not there.is_whole(sha256):
            lost += not _copied(here, there, sha256)
    return lost


def _copied(here: ByteStore, there: ByteStore, sha256: str) -> bool:
    try:
        file = here.path_of(sha256).open("rb")
    except OSError:
        return False
    with file, there.incoming() as incoming:
        while piece := file.read(_PIECE):
            incoming.write(piece)
        if incoming.sha256 != sha256:
            return False
        incoming.keep()
    return True
