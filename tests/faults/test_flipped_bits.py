"""One bit of the database file is another: ``check`` says so, or nobody who reads can notice.

``CHATMIRROR_FLIPPED_BITS``: how many bits, one after the other (the long run: 20,000), ``CHATMIRROR_SEED`` which.
"""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from invariants import broken
from mirrored_service import MirroredService

from mirror.errors import ChatmirrorError
from mirror.store.columns import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

BITS = int(os.environ.get("CHATMIRROR_FLIPPED_BITS", "500"))
SEED = int(os.environ.get("CHATMIRROR_SEED", "1"))
PARTS = 2  # of the bits, so that several processes share them
PUBLIC = [name for name in COLUMNS if not name.startswith("_")] + ["thread"]
SEARCHES = (
    "SELECT rowid, term, col, offset FROM temp.message_words",
    "SELECT rowid FROM messages_fts WHERE messages_fts MATCH 'the OR a OR and'",
    "SELECT rowid FROM conversations_fts WHERE conversations_fts MATCH 'a* OR t*'",
    "SELECT rowid FROM messages_cjk WHERE messages_cjk MATCH '東'",
)


def as_read(path: Path) -> list[Any]:
    """Everything that a reader gets: the public tables, a view, and what searches find."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        conn.text_factory = bytes
        found = [sorted(conn.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in PUBLIC]
        conn.execute("CREATE VIRTUAL TABLE temp.message_words USING fts5vocab(main, messages_fts, instance)")
        return found + [conn.execute(sql.replace("rowid, term", "term, doc")).fetchall() for sql in SEARCHES]


def is_noticed(path: Path) -> bool:
    """Whether ``check`` finds anything."""
    try:
        return bool(broken(path, derives_all=False))  # as the command does
    except (ChatmirrorError, sqlite3.Error):
        return True


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.leaves_damage("the last copy with a flipped bit")
def test_a_flipped_bit_is_found_or_changes_nothing_that_is_read(tmp_path: Path, part: int) -> None:
    with MirroredService(tmp_path, conversations=4) as mirrored:
        key = mirrored.ids()[0]
        mirrored.person.new_message(key, "What of 東京 and 漢字?", "The capital, and its writing.")
        mirrored.person.rename(mirrored.ids()[1], "A title 東")
        assert mirrored.next_run() == 0
    with closing(sqlite3.connect(mirrored.path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert broken(mirrored.path) == []
    whole, expected = mirrored.path.read_bytes(), as_read(mirrored.path)
    rng, unseen = random.Random(f"{SEED} {part}"), []
    written = [at for at, byte in enumerate(whole) if byte]
    noticed = 0
    for n in range(BITS // PARTS):
        at, bit = (rng.choice(written) if n % 2 else rng.randrange(len(whole))), 1 << rng.randrange(8)
        mirrored.path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        for end in ("-wal", "-shm"):
            mirrored.path.with_name(mirrored.path.name + end).unlink(missing_ok=True)
        if is_noticed(mirrored.path):
            noticed += 1
        elif as_read(mirrored.path) != expected:
            unseen.append((at, bit))
    assert unseen == []
    assert noticed > BITS // PARTS // 20  # otherwise nothing was tried
