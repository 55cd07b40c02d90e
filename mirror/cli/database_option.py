"""The option that names the database, and opening what it names."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mirror.errors import UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

database_option = click.option(
    "-d",
    "--db",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="CHATMIRROR_DB",
    default="chats.db",
    show_default=True,
    show_envvar=True,
    help="The database file.",
)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reading, for as long as the block lasts."""
    from mirror.store.database import open_current_reader, translated
    from mirror.store.schema import diagnosed

    with translated(path), closing(open_current_reader(path)) as conn, diagnosed(conn, path):
        yield conn


def must_exist(path: Path) -> None:
    """Raise UsageError where there is no database or an empty one, for a command that has nothing to do without one."""
    if not path.exists():
        raise UsageError(f"There is no {path}; give the database with -d PATH.")
    if path.stat().st_size == 0:
        from mirror.store.database import empty_file_error

        raise empty_file_error(path)
