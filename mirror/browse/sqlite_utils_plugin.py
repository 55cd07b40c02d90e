"""The SQL functions for ``sqlite-utils chats.db "select chatmirror_payload(id) from conversations"``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluggy import HookimplMarker

from mirror.browse import databases, functions

if TYPE_CHECKING:
    import sqlite3

hookimpl = HookimplMarker("sqlite_utils")  # the same as sqlite_utils.hookimpl, with types


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Add the functions where there is something for them to read."""
    if databases.is_chatmirror(conn):
        functions.register(conn)
