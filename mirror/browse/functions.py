"""SQL functions for whoever queries a mirror: payloads as text, CJK words as FTS5 expressions.

``select chatmirror_payload(id) from conversations``; ``select chatmirror_inflate(body) from _payloads``;
``... where messages_fts match chatmirror_match('"rye flour" -wheat')``, which takes what the search takes;
``... where messages_cjk match chatmirror_cjk('京都')``. Datasette and ``sqlite-utils`` both load them.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import suppress

from mirror.store.payloads import newest_packed
from mirror.store.search.folding import add_functions
from mirror.store.search.query import match_expression, parse_words

# Bytes of the longest payload that the functions unpack; as long as the longest answer that a sync takes. Larger, and a
# damaged row can fill the memory.
MOST_INFLATED = 256 * 1024 * 1024


def register_functions(conn: sqlite3.Connection) -> None:
    """Add the functions to a connection."""

    def payload(conversation_id: object) -> str | None:
        # This refers to the connection until it is closed, which Datasette does; sqlite3 offers no weak references.
        return newest_payload_text(conn, conversation_id)

    with suppress(sqlite3.Error):
        conn.create_function("chatmirror_inflate", 1, inflate, deterministic=True)
        conn.create_function("chatmirror_match", 1, word_expression, deterministic=True)
        conn.create_function("chatmirror_cjk", 1, cjk_expression, deterministic=True)
        conn.create_function("chatmirror_payload", 1, payload)
        add_functions(conn)


def inflate(packed: object, most: int = MOST_INFLATED) -> str | None:
    """Return the text of a whole zlib BLOB of up to ``most`` bytes, None for anything else."""
    if not isinstance(packed, bytes):
        return None
    with suppress(zlib.error):
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(packed, most)
        return text.decode("utf-8", "replace") if unpacking.eof else None
    return None


def word_expression(words: object) -> str:
    """Return what ``messages_fts MATCH`` takes to find these words; without any, what finds nothing."""
    found = parse_words(words) if isinstance(words, str) else []
    return match_expression((word for word in found if word.in_word_index), of_stems=True) or '""'


def cjk_expression(words: object) -> str:
    """Return what ``messages_cjk MATCH`` takes to find these words; without any, what finds nothing."""
    found = parse_words(words) if isinstance(words, str) else []
    return match_expression(word.as_characters for word in found if word.in_character_index) or '""'


def newest_payload_text(conn: sqlite3.Connection, conversation_id: object) -> str | None:
    """Return a conversation's newest payload as text; None where there is none."""
    if not isinstance(conversation_id, str):
        return None
    with suppress(sqlite3.Error):
        return inflate(newest_packed(conn, conversation_id))
    return None
