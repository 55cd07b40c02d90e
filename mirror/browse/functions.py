"""SQL functions for whoever asks the mirror: payloads as text, and words of scripts without spaces as queries.

``select chatmirror_payload(id) from conversations``; ``select chatmirror_inflate(body) from _payloads``;
``... where messages_cjk match chatmirror_cjk('京都')``. Datasette and ``sqlite-utils`` both load them.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import suppress

from mirror.store.search.query import expression, parse

MOST_INFLATED = 256 * 1024 * 1024  # bytes; the longest payload that the SQL functions unpack


def register(conn: sqlite3.Connection) -> None:
    """Add the functions to a connection."""

    def payload(conversation_id: object) -> str | None:
        # This keeps the connection until it is closed, which Datasette does; sqlite3 offers no weak references.
        return _newest_payload(conn, conversation_id)

    with suppress(sqlite3.Error):
        conn.create_function("chatmirror_inflate", 1, inflate, deterministic=True)
        conn.create_function("chatmirror_cjk", 1, cjk, deterministic=True)
        conn.create_function("chatmirror_payload", 1, payload)


def inflate(body: object) -> str | None:
    """Return the text of a zlib BLOB; None for anything else, and for what is cut or longer than memory should hold."""
    if not isinstance(body, bytes):
        return None
    with suppress(zlib.error):
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(body, MOST_INFLATED)
        return text.decode("utf-8", "replace") if unpacking.eof else None
    return None


def cjk(words: object) -> str:
    """Return what ``messages_cjk MATCH`` takes to find these words; no words find nothing."""
    found = parse(words) if isinstance(words, str) else []
    return expression(word.apart for word in found if word.is_apart) or '""'


def _newest_payload(conn: sqlite3.Connection, conversation_id: object) -> str | None:
    if not isinstance(conversation_id, str):
        return None
    sql = "SELECT body FROM _payloads WHERE conversation_id = ? ORDER BY payload_us DESC, id DESC LIMIT 1"
    with suppress(sqlite3.Error):
        return next((inflate(row[0]) for row in conn.execute(sql, (conversation_id,))), None)
    return None
