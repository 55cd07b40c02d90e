"""The sqlite-utils plugin: ``sqlite-utils chats.db "select chatmirror_payload(id) ..."``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluggy import HookimplMarker

from mirror.browse.functions import register_functions
from mirror.store.schema import is_chatmirror

if TYPE_CHECKING:
    import sqlite3

hookimpl = HookimplMarker("sqlite_utils")  # the same as sqlite_utils.hookimpl, with types


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Add the functions to connections to a mirror."""
    if is_chatmirror(conn):
        register_functions(conn)
