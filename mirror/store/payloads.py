"""Payloads as they came, compressed: the versions of each conversation from which its rows are derived.

The newest version rules. Older ones are kept only while they hold something that the newer ones lack (a message that
vanished upstream, a branch that a flat answer does not show), so that every row can be derived again at any time.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.body import hash_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from mirror.body import Body

IMPORTED = frozenset({"export", "capture"})  # origins that are files; every other origin is the service itself


class DamagedPayloadError(ValueError):
    """Stored bytes that cannot be what came: they do not unpack, or do not match their hash."""


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """One payload version.

    ``id`` None: not stored yet. ``origin``: the endpoint that gave it, or ``export`` or ``capture``. ``path``: the
    request's path, or the archive's member. ``payload_us`` orders the versions: the time that the list or the payload
    itself gave, microseconds since 1970. ``proves_absence``: a whole tree, so that what it lacks is gone.
    ``incomplete_reason``: why this version alone is not known to be the whole conversation. ``packed``: empty where
    only the facts were loaded.
    """

    id: int | None
    origin: str
    path: str | None
    fetched_at: str
    payload_us: int
    proves_absence: bool
    size: int
    sha256: str
    packed: bytes = field(repr=False)
    incomplete_reason: str | None = None

    @property
    def body(self) -> bytes:
        """The bytes as they came; raises DamagedPayloadError where the stored ones are damaged."""
        try:
            body = zlib.decompress(self.packed)
        except zlib.error as error:
            raise DamagedPayloadError(f"payload {self.id} does not unpack") from error
        if hash_of(body) != self.sha256:
            raise DamagedPayloadError(f"payload {self.id} does not match its hash")
        return body

    @property
    def is_whole(self) -> bool:
        """Whether the stored bytes are those that came."""
        try:
            return self.body is not None
        except DamagedPayloadError:
            return False

    @property
    def is_live(self) -> bool:
        """Whether the service itself gave it, not a file."""
        return self.origin not in IMPORTED


def load(conn: sqlite3.Connection, conversation_id: str) -> list[StoredPayload]:
    """Return the versions of a conversation, oldest first. Nothing is unpacked until its ``body`` is asked for."""
    return _load(conn, conversation_id, "body")


def load_facts(conn: sqlite3.Connection, conversation_id: str) -> list[StoredPayload]:
    """Return the same without their bytes, which may be megabytes."""
    return _load(conn, conversation_id, "x'' AS body")


def _load(conn: sqlite3.Connection, conversation_id: str, body: str) -> list[StoredPayload]:
    rows = conn.execute(
        "SELECT id, origin, source, fetched_at, payload_us, proves_absence, size, sha256,"
        f" incomplete_reason, {body} FROM _payloads WHERE conversation_id = ? ORDER BY payload_us, id",
        (conversation_id,),
    )
    return [
        StoredPayload(
            id=row["id"],
            origin=row["origin"],
            path=row["source"],
            fetched_at=row["fetched_at"],
            payload_us=row["payload_us"],
            proves_absence=bool(row["proves_absence"]),
            size=row["size"],
            sha256=row["sha256"],
            packed=row["body"],
            incomplete_reason=row["incomplete_reason"],
        )
        for row in rows
    ]


def damaged(conn: sqlite3.Connection) -> list[str]:
    """Return which stored bytes are damaged, as sentences; of a mirror with any version's tables."""
    rows = conn.execute("SELECT id, conversation_id, sha256, body FROM _payloads")
    return [
        f"conversation {row['conversation_id']}: payload {row['id']} is not what came"
        for row in rows
        if not _has_hash(row["body"], row["sha256"])
    ]


def _has_hash(packed: bytes, sha256: str) -> bool:
    try:
        return hash_of(zlib.decompress(packed)) == sha256
    except zlib.error:
        return False


def newest_live(conn: sqlite3.Connection, conversation_id: str) -> StoredPayload | None:
    """Return the newest version that the service itself gave, None where there is none."""
    return next((version for version in reversed(load(conn, conversation_id)) if version.is_live), None)


def newest_packed(conn: sqlite3.Connection, conversation_id: str) -> bytes | None:
    """Return a conversation's newest payload as it is stored, None where there is none. Takes any connection."""
    sql = "SELECT body FROM _payloads WHERE conversation_id = ? ORDER BY payload_us DESC, id DESC LIMIT 1"
    packed: bytes | None = next((body for (body,) in conn.execute(sql, (conversation_id,))), None)
    return packed


def imported(conn: sqlite3.Connection) -> list[tuple[str, int, str, str]]:
    """Return sha256, size, origin and provider of each version that a file gave, in the order in which they came."""
    sql = (
        "SELECT p.sha256, p.size, p.origin, c.provider FROM _payloads p"
        " JOIN conversations c ON c.id = p.conversation_id"
        " WHERE p.origin IN ('export', 'capture') AND typeof(p.size) = 'integer' ORDER BY p.id"
    )
    return [(*row,) for row in conn.execute(sql)]


def holds(conn: sqlite3.Connection, body: Body) -> bool:
    """Tell whether these very bytes are stored, undamaged, for any conversation that is there."""
    sql = "SELECT p.body FROM _payloads p JOIN conversations c ON c.id = p.conversation_id WHERE p.sha256 = ?"
    rows = conn.execute(sql, (body.sha256,))
    return any(_unpacks_to(row["body"], body.raw) for row in rows)


def conversation_of(conn: sqlite3.Connection, body: Body) -> str | None:
    """Return the conversation for which these very bytes are stored, None where they are not."""
    row = conn.execute("SELECT conversation_id FROM _payloads WHERE sha256 = ?", (body.sha256,)).fetchone()
    return None if row is None else str(row["conversation_id"])


def conversations_without(conn: sqlite3.Connection) -> list[str]:
    """Return the conversations of which no payload is stored, a thousand at most: after damage, there are few."""
    sql = "SELECT id FROM conversations WHERE id NOT IN (SELECT conversation_id FROM _payloads) LIMIT 1000"
    return [row["id"] for row in conn.execute(sql)]


def measured(conn: sqlite3.Connection, payload_id: int) -> tuple[list[int], list[str]]:
    """Return size and hash of a stored payload's bytes as they are, each in a list that is empty where none unpack."""
    row = conn.execute("SELECT body FROM _payloads WHERE id = ?", (payload_id,)).fetchone()
    try:
        body = zlib.decompress(row["body"])
    except (zlib.error, TypeError):
        return [], []
    return [len(body)], [hash_of(body)]


def _unpacks_to(packed: bytes, body: bytes) -> bool:
    try:
        return zlib.decompress(packed) == body
    except zlib.error:
        return False


def newest_whole_import(conn: sqlite3.Connection, conversation_id: str) -> int | None:
    """Return the time of a conversation's newest imported version that by its shape is whole, microseconds, or None."""
    row = conn.execute(
        "SELECT max(payload_us) AS newest FROM _payloads"
        " WHERE conversation_id = ? AND origin IN ('export', 'capture') AND incomplete_reason IS NULL",
        (conversation_id,),
    ).fetchone()
    newest: int | None = row["newest"]
    return newest


def save(conn: sqlite3.Connection, conversation_id: str, kept: Iterable[StoredPayload]) -> None:
    """Store the new versions among ``kept`` and drop the stored ones that are not.

    In this order: pages that the same transaction has freed would be written to another file before they are used anew.
    """
    kept = list(kept)
    ids = [version.id for version in kept if version.id is not None]
    ids += [_insert(conn, conversation_id, version) for version in kept if version.id is None]
    conn.execute(
        f"DELETE FROM _payloads WHERE conversation_id = ? AND id NOT IN ({', '.join('?' * len(ids))})",
        [conversation_id, *ids],
    )


def save_judgements(conn: sqlite3.Connection, judged: Iterable[StoredPayload]) -> None:
    """Write why stored versions alone are not known to be whole."""
    rows = [(version.incomplete_reason, version.id) for version in judged]
    conn.executemany("UPDATE _payloads SET incomplete_reason = ? WHERE id = ?", rows)


def _insert(conn: sqlite3.Connection, conversation_id: str, version: StoredPayload) -> int:
    """Store a version; return its id."""
    values = {
        "conversation_id": conversation_id,
        "body": version.packed,
        "size": version.size,
        "sha256": version.sha256,
        "origin": version.origin,
        "source": version.path,
        "fetched_at": version.fetched_at,
        "payload_us": version.payload_us,
        "proves_absence": int(version.proves_absence),
        "incomplete_reason": version.incomplete_reason,
    }
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    new = conn.execute(f"INSERT INTO _payloads ({names}) VALUES ({marks})", values).lastrowid
    assert new is not None  # noqa: S101 - an INSERT of a row has one
    return new
