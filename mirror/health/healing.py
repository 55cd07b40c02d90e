"""What a sync puts right by itself as it begins. It knows nothing of payloads: each sync loads it."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from mirror.errors import DamagedError
from mirror.store import tracking
from mirror.store.health import rebuild_indexes
from mirror.store.mending import LEARNED_AGAIN, forget, is_learned_again, lost_conversations, turn_values_back
from mirror.store.schema import lacks_triggers, make_again, object_findings, summary, value_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror.store.database import Writer
    from mirror.store.schema import DamagedObject, DamagedValue

# Damaged values of one mirror, or conversations that are gone, that a sync learns again by itself. Smaller: one
# bad sector stops every sync; larger: after a damage of everything, all chats are read again without anybody's word.
MOST_HEALED = 20


def heal(writer: Writer) -> tuple[list[str], list[DamagedValue | str]]:
    """Forget single damaged values that the sync which begins now learns again, and make lost triggers again.

    Conversations that are gone are noted to be read again. Return what was mended, as sentences, and what is left.
    Nothing is forgotten where there are more than ``MOST_HEALED``: then a person should look first.
    """
    healed, lost = _heal_lost(writer)
    values, left = _heal_values(writer)
    return healed + values, [*left, *lost]


def _heal_lost(writer: Writer) -> tuple[list[str], list[str]]:
    with suppress(sqlite3.Error):  # of a file that is altered or damaged otherwise, which the sync itself names
        ids = lost_conversations(writer.conn)
        if ids:
            what = "1 stored conversation is gone" if len(ids) == 1 else f"{len(ids):,} stored conversations are gone"
            if len(ids) > MOST_HEALED:
                return [], [what]
            with writer.transaction() as conn:
                for conversation_id in ids:
                    tracking.mark_unread(conn, conversation_id)
            return [what], []
    return [], []


def _heal_values(writer: Writer) -> tuple[list[str], list[DamagedValue]]:
    healed: list[str] = []
    with suppress(sqlite3.Error):
        if lacks_triggers(writer.conn):
            objects = object_findings(writer.conn)
            make_objects_again(writer, objects)
            healed += map(str, objects)
    with suppress(sqlite3.Error):  # of a file that is altered or damaged otherwise, which the sync itself names
        for _ in range(2):  # settings are looked at where nothing else is wrong
            found = value_findings(writer.conn, LEARNED_AGAIN)
            known = [value for value in found if is_learned_again(writer.conn, value)]
            if len(found) > MOST_HEALED or not known:
                return healed, found
            with writer.transaction() as conn:
                for value in turn_values_back(conn, known):
                    forget(conn, value)
            healed += map(str, known)
        return healed, value_findings(writer.conn, LEARNED_AGAIN)
    return healed, []


def refuse_damaged(writer: Writer, left: Sequence[DamagedValue | str]) -> None:
    """Raise DamagedError for what a sync may not mend by itself: a value may say whose the mirror is."""
    if left:
        raise DamagedError(f"{writer.path} is damaged: {summary([*map(str, left)])}. Run `chatmirror check --repair`.")


def make_objects_again(writer: Writer, damaged: Sequence[DamagedObject]) -> None:
    """Make indexes, triggers and views again as they should be, and fill the full-text indexes."""
    if damaged:
        with writer.transaction() as conn:
            make_again(conn, damaged)
            rebuild_indexes(conn)
