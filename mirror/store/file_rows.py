"""The rows of files: what messages say of each, whether its bytes are stored, and what is to be asked for next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mirror.rows import Attachment
from mirror.store import settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from mirror.rows import Message

FileState = Literal["stored", "pending", "gone", "refused", "skipped"]
_MOST_USES = 3  # conversations of one file that are offered to the service as its context; most files have one
_MOST_CONTROLS = 3  # files that came before and are asked for again; the one or other may be gone by now
_DESCRIPTION = ("name", "mime_type", "size", "prompt", "width", "height", "source", "created_at")
# What a message says later is added; what is stored already stays, for one file has many uses.
_NOTE = (
    f"INSERT INTO files (id, kind, state, first_seen_at, provider, {', '.join(_DESCRIPTION)})"
    f" VALUES (:id, :kind, 'pending', :seen_at, :provider, {', '.join(f':{name}' for name in _DESCRIPTION)})"
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = coalesce(files.{name}, excluded.{name})" for name in _DESCRIPTION)
    + ", kind = CASE WHEN files.kind = 'document' THEN excluded.kind ELSE files.kind END WHERE "
    + " OR ".join(f"(files.{name} IS NULL AND excluded.{name} IS NOT NULL)" for name in _DESCRIPTION)
    + " OR (files.kind = 'document' AND excluded.kind <> 'document')"
)


class FileRow(NamedTuple):
    """A row of ``files`` as a page or a command shows it."""

    id: str
    name: str | None
    mime_type: str | None
    size: int | None
    kind: str
    state: str
    reason: str | None
    source: str | None
    prompt: str | None
    width: int | None
    height: int | None
    sha256: str | None
    created_at: str | None
    project_id: str | None


class FileUse(NamedTuple):
    """A message that shows a file. ``message_id``: the message's own id where it differs from its node's.

    ``parameters``: what its pointer says beside the id.
    """

    conversation_id: str
    message_id: str
    project_id: str | None
    parameters: str | None


class DueFile(NamedTuple):
    """A file to ask for: its row, where it is used, and what earlier tries came to.

    ``uses``: in the workspace in which it is asked for. ``workspaces``: all that use it, none for a file of none.
    """

    row: FileRow
    uses: tuple[FileUse, ...]
    workspaces: frozenset[str]
    tries: int
    durable_id: str | None


class FileCounts(NamedTuple):
    """How many files are in each state, and how many bytes the stored ones have, each content counted once."""

    stored: int = 0
    pending: int = 0
    gone: int = 0
    refused: int = 0
    skipped: int = 0
    bytes: int = 0

    @property
    def total(self) -> int:
        """All files that are known of."""
        return self.stored + self.pending + self.gone + self.refused + self.skipped


def note(conn: sqlite3.Connection, provider: str, messages: Iterable[Message], seen_at: str) -> None:
    """Make rows for the files that messages name, before the messages' own rows point to them."""
    rows = [
        _described(attachment, provider, seen_at, message.created_at)
        for message in messages
        for attachment in message.attachments
        if attachment.file_id is not None
    ]
    conn.executemany(_NOTE, rows)


def note_unattached(
    conn: sqlite3.Connection, provider: str, attachment: Attachment, seen_at: str, created_at: str | None = None
) -> None:
    """Make a row for a file that no message need name: a project's, or one of an archive."""
    conn.execute(_NOTE, _described(attachment, provider, seen_at, created_at))


def note_of_project(conn: sqlite3.Connection, file_id: str, row: Mapping[str, Any], seen_at: str) -> None:
    """Make a row for a file that a person put into a project; ``row``: its name, type, size, time and project."""
    known = Attachment(
        id=file_id,
        name=row["name"],
        mime_type=row["mime_type"],
        size=row["size"],
        kind="image" if (row["mime_type"] or "").startswith("image/") else "file",
        file_id=file_id,
        source="project",
    )
    note_unattached(conn, row["provider"], known, seen_at, row["created_at"])
    values = (row["project_id"], file_id, row["project_id"])
    conn.execute("UPDATE files SET project_id = ? WHERE id = ? AND project_id IS NOT ?", values)


def _described(attachment: Attachment, provider: str, seen_at: str, created_at: str | None) -> dict[str, Any]:
    values = {name: getattr(attachment, name) for name in _DESCRIPTION if name != "created_at"}
    kind = "document" if attachment.kind == "file" else attachment.kind
    own = {"id": attachment.file_id, "kind": kind, "seen_at": seen_at, "provider": provider}
    return {**values, **own, "created_at": created_at}


def find(conn: sqlite3.Connection, file_id: str) -> FileRow | None:
    """Return a file's row; None where none is known."""
    row = conn.execute("SELECT * FROM files WHERE id = ?", (file_id,)).fetchone()
    return None if row is None else _file_row(row)


def _file_row(row: sqlite3.Row) -> FileRow:
    return FileRow(**{name: row[name] for name in FileRow._fields})


def of_messages(conn: sqlite3.Connection, conversation_id: str) -> dict[str, FileRow]:
    """Return the files that a conversation's messages show, by id."""
    rows = conn.execute(
        "SELECT * FROM files WHERE id IN (SELECT a.file_id FROM attachments a JOIN messages m"
        " ON m.rowid = a.message_rowid WHERE m.conversation_id = ?)",
        (conversation_id,),
    )
    return {row["id"]: _file_row(row) for row in rows}


class CanvasVersion(NamedTuple):
    """A version of a canvas of a conversation. ``sha256``: None where it is not stored, see ``reason``."""

    id: str
    version: int
    file_id: str
    name: str | None
    sha256: str | None
    reason: str | None


def canvases(conn: sqlite3.Connection, conversation_id: str) -> list[CanvasVersion]:
    """Return the versions of a conversation's canvases, canvas by canvas, the oldest first."""
    begin = f"canvas:{conversation_id}/"
    rows = conn.execute(
        "SELECT d.id, d.version, d.file_id, d.name, f.sha256, f.reason FROM textdocs d JOIN files f ON f.id = d.file_id"
        " WHERE d.file_id >= ? AND d.file_id < ? AND d.conversation_id = ? ORDER BY d.id, d.version",
        (begin, begin[:-1] + "0", conversation_id),
    )
    return [CanvasVersion(**row) for row in rows]


def is_stored(conn: sqlite3.Connection, file_id: str) -> bool:
    """Whether a file's bytes are stored, as far as the rows say."""
    row = conn.execute("SELECT 1 FROM files WHERE id = ? AND state = 'stored'", (file_id,)).fetchone()
    return row is not None


def not_stored(conn: sqlite3.Connection) -> list[str]:
    """Return the ids of all files whose bytes are not stored."""
    return [row["id"] for row in conn.execute("SELECT id FROM files WHERE state <> 'stored' ORDER BY id")]


# -- what is to be asked for

# The service's own ids say nothing of the time; the newest message that shows a file does. What is in the code
# sandbox, and lives for hours, comes first. What did not come before comes last, so that it keeps nothing else away.
# Earlier versions called a file gone, for this reason, when the library had failed: those are asked for once more.
_DUE = (
    "SELECT f.*, coalesce(t.tries, 0) AS tries, t.durable_id,"
    " max(m.created_at) AS used_at"
    " FROM files f LEFT JOIN _file_fetches t ON t.file_id = f.id"
    " LEFT JOIN attachments a ON a.file_id = f.id"
    " LEFT JOIN messages m ON m.rowid = a.message_rowid LEFT JOIN conversations c ON c.id = m.conversation_id"
    " WHERE f.provider = :provider AND (t.retry_at IS NULL OR t.retry_at <= :now OR t.retry_at > :latest OR :every)"
    " AND (f.state IN ('pending', 'refused')"
    "  OR (f.state = 'gone' AND f.reason = 'it is named by no conversation')"
    "  OR (f.state = 'skipped' AND (f.size IS NULL OR :limit IS NULL OR f.size <= :limit)))"
    " GROUP BY f.id HAVING count(c.account_id) = 0 OR max(c.account_id = :account)"
    " ORDER BY (coalesce(t.tries, 0) > 0 OR t.retry_at IS NOT NULL),"
    " f.id LIKE 'sandbox:%' DESC, coalesce(max(m.created_at), f.created_at) DESC, f.id"
)


def due(
    conn: sqlite3.Connection,
    provider: str,
    account_id: str,
    now: str,
    latest: str,
    limit: int | None,
    *,
    every: bool = False,
) -> list[DueFile]:
    """Return the files of a workspace that are to be asked for now, in the order in which they are.

    ``latest``: the latest ISO time until which a run today would put a file off; a later one is from a wrong clock.
    ``limit``: the person's, in bytes; ``every``: also those whose pause has not ended. Files of no workspace are asked
    for in each.
    """
    values = {"provider": provider, "account": account_id, "now": now, "latest": latest, "limit": limit, "every": every}
    rows = conn.execute(_DUE, values).fetchall()
    return [_due(conn, row, account_id, row["tries"], row["durable_id"]) for row in rows]


def _due(conn: sqlite3.Connection, row: sqlite3.Row, account_id: str, tries: int, durable_id: str | None) -> DueFile:
    return DueFile(_file_row(row), _uses(conn, row["id"], account_id), _workspaces(conn, row["id"]), tries, durable_id)


def _uses(conn: sqlite3.Connection, file_id: str, account_id: str) -> tuple[FileUse, ...]:
    rows = conn.execute(
        "SELECT m.conversation_id, coalesce(m.message_id, m.id) AS message_id, c.project_id, a.parameters"
        " FROM attachments a"
        " JOIN messages m ON m.rowid = a.message_rowid JOIN conversations c ON c.id = m.conversation_id"
        " WHERE a.file_id = ? AND (c.account_id IS NULL OR c.account_id = ?)"
        " GROUP BY m.conversation_id"
        " ORDER BY c.deleted_at IS NOT NULL, c.missing_since IS NOT NULL, m.created_at DESC LIMIT ?",
        (file_id, account_id, _MOST_USES),
    )
    return tuple(FileUse(**row) for row in rows)


def _workspaces(conn: sqlite3.Connection, file_id: str) -> frozenset[str]:
    rows = conn.execute(
        "SELECT DISTINCT c.account_id FROM attachments a JOIN messages m ON m.rowid = a.message_rowid"
        " JOIN conversations c ON c.id = m.conversation_id WHERE a.file_id = ? AND c.account_id IS NOT NULL",
        (file_id,),
    )
    return frozenset(row["account_id"] for row in rows)


# -- what came of it


def mark_stored(
    conn: sqlite3.Connection, file_id: str, sha256: str, size: int, described: dict[str, Any], now: str
) -> None:
    """Remember that a file's bytes are stored. ``described``: further columns; None leaves one as it is."""
    given = {name: value for name, value in described.items() if value is not None}
    columns = {"state": "stored", "reason": None, "sha256": sha256, "size": size, "fetched_at": now, **given}
    conn.execute(
        f"UPDATE files SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?", [*columns.values(), file_id]
    )
    conn.execute("DELETE FROM _file_fetches WHERE file_id = ?", (file_id,))


def mark_not_stored(
    conn: sqlite3.Connection,
    file_id: str,
    state: FileState,
    reason: str,
    *,
    tries: int = 0,
    retry_at: str | None = None,
    durable_id: str | None = None,
) -> None:
    """Remember why a file's bytes are not stored, and when they may be asked for again."""
    conn.execute("UPDATE files SET state = ?, reason = ? WHERE id = ?", (state, reason, file_id))
    conn.execute(
        "INSERT INTO _file_fetches (file_id, tries, retry_at, durable_id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (file_id) DO UPDATE SET tries = excluded.tries, retry_at = excluded.retry_at,"
        " durable_id = coalesce(excluded.durable_id, durable_id)",
        (file_id, tries, retry_at, durable_id),
    )


def mark_tried(conn: sqlite3.Connection, file_id: str, now: str) -> None:
    """Remember that a file was asked for in vain, and nothing of it is known by that: others come before it."""
    conn.execute(
        "INSERT INTO _file_fetches (file_id, tries, retry_at) VALUES (?, 0, ?)"
        " ON CONFLICT (file_id) DO UPDATE SET retry_at = excluded.retry_at",
        (file_id, now),
    )


def mark_lost(conn: sqlite3.Connection, sha256: str) -> None:
    """Let files whose stored bytes are missing or damaged be fetched again."""
    sql = (
        "UPDATE files SET state = 'pending', sha256 = NULL, fetched_at = NULL,"
        " reason = 'its stored bytes were missing or damaged' WHERE sha256 = ?"
    )
    conn.execute(sql, (sha256,))


# -- all of them


def hashes(conn: sqlite3.Connection) -> dict[str, int | None]:
    """Return the hash of every content that is stored, with its size in bytes."""
    rows = conn.execute("SELECT sha256, max(size) AS size FROM files WHERE sha256 IS NOT NULL GROUP BY sha256")
    return {row["sha256"]: row["size"] for row in rows}


def count_contents(conn: sqlite3.Connection) -> int:
    """Count the contents that are stored."""
    return int(conn.execute("SELECT count(DISTINCT sha256) AS n FROM files").fetchone()["n"])


def some_hashes(conn: sqlite3.Connection, most: int) -> list[str]:
    """Return the hashes of a few contents that are stored, others each time."""
    sql = "SELECT DISTINCT sha256 FROM files WHERE sha256 IS NOT NULL ORDER BY random() LIMIT ?"
    return [row["sha256"] for row in conn.execute(sql, (most,))]


def counts(conn: sqlite3.Connection, provider: str | None = None) -> FileCounts:
    """Count the files by state; ``provider`` None: of all services."""
    where = "WHERE provider = :provider OR :provider IS NULL"
    rows = conn.execute(f"SELECT state, count(*) AS n FROM files {where} GROUP BY state", {"provider": provider})
    found = {row["state"]: row["n"] for row in rows}
    total = conn.execute(
        "SELECT coalesce(sum(size), 0) AS bytes FROM (SELECT max(size) AS size FROM files"
        f" {where} GROUP BY sha256 HAVING sha256 IS NOT NULL)",
        {"provider": provider},
    ).fetchone()
    known = {name: found.get(name, 0) for name in FileCounts._fields if name != "bytes"}
    return FileCounts(**known, bytes=total["bytes"])


def want(conn: sqlite3.Connection, provider: str, *, wanted: bool) -> None:
    """Remember whether the person wants files at all: then those that are missing make the mirror incomplete."""
    settings.remember(conn, f"files_wanted:{provider}", wanted)


def are_wanted(conn: sqlite3.Connection, provider: str) -> bool:
    """Whether the last sync was to fetch files; False before there was one that could."""
    return bool(settings.setting(conn, f"files_wanted:{provider}", False))


# Files that can be had and are not stored: not those of workspaces that the login has left.
_LEFT = (
    "FROM files f WHERE f.state = 'pending' AND f.provider = ? AND"
    " (NOT EXISTS (SELECT 1 FROM attachments a WHERE a.file_id = f.id) OR EXISTS (SELECT 1 FROM attachments a"
    " JOIN messages m ON m.rowid = a.message_rowid JOIN conversations c ON c.id = m.conversation_id"
    " LEFT JOIN accounts w ON w.id = c.account_id WHERE a.file_id = f.id AND w.left_at IS NULL))"
)


def left_to_fetch(conn: sqlite3.Connection, provider: str) -> int:
    """Count the files that can be had and are not stored."""
    return int(conn.execute(f"SELECT count(*) AS n {_LEFT}", (provider,)).fetchone()["n"])


def first_left(conn: sqlite3.Connection, provider: str) -> FileRow | None:
    """Return one of the files that can be had and are not stored; where there is one, one that was asked for."""
    row = conn.execute(f"SELECT f.* {_LEFT} ORDER BY f.reason IS NULL, f.id LIMIT 1", (provider,)).fetchone()
    return None if row is None else _file_row(row)


# Of canvases one of each conversation: all canvases of one come in the same answer.
_CONTROLS = (
    "SELECT f.*, max(f.fetched_at) AS newest"
    " FROM files f JOIN attachments a ON a.file_id = f.id JOIN messages m ON m.rowid = a.message_rowid"
    " JOIN conversations c ON c.id = m.conversation_id WHERE f.state = 'stored' AND f.provider = :provider"
    " AND f.origin = 'service' AND c.account_id = :account AND c.deleted_at IS NULL AND c.missing_since IS NULL"
    " AND (f.id LIKE 'canvas:%') = :canvases AND f.id NOT LIKE 'sandbox:%'"
    " AND NOT EXISTS (SELECT 1 FROM attachments b JOIN messages n ON n.rowid = b.message_rowid"
    "  JOIN conversations d ON d.id = n.conversation_id WHERE b.file_id = f.id AND d.account_id <> :account)"
    " GROUP BY CASE WHEN :canvases THEN c.id ELSE f.id END ORDER BY newest DESC, f.size LIMIT :most"
)


def controls(conn: sqlite3.Connection, provider: str, account_id: str, *, canvases: bool) -> list[DueFile]:
    """Return a few files that the service gave before, and living messages still show, the last ones first.

    ``canvases``: versions of canvases, or files that are none. Only those that no other workspace shows: it may have
    been that one which gave it.
    """
    values = {"provider": provider, "account": account_id, "canvases": canvases, "most": _MOST_CONTROLS}
    rows = conn.execute(_CONTROLS, values).fetchall()
    return [_due(conn, row, account_id, 0, None) for row in rows]


class ShownPicture(NamedTuple):
    """A stored picture, and a message that shows it; both None where none does."""

    id: str
    sha256: str
    name: str | None
    prompt: str | None
    width: int | None
    height: int | None
    created_at: str | None
    conversation_id: str | None
    message: str | None


def pictures(
    conn: sqlite3.Connection, types: Sequence[str], among: Sequence[str] | None, limit: int, offset: int
) -> list[ShownPicture]:
    """Return stored pictures of these types, the newest first. ``among``: ids of files; None for all."""
    where = "" if among is None else "AND f.id IN (SELECT value FROM json_each(:among))"
    rows = conn.execute(
        "SELECT f.id, f.sha256, f.name, f.prompt, f.width, f.height, f.created_at, m.conversation_id, m.id AS message"
        " FROM files f LEFT JOIN attachments a ON a.rowid = (SELECT min(rowid) FROM attachments WHERE file_id = f.id)"
        f" LEFT JOIN messages m ON m.rowid = a.message_rowid WHERE f.kind = 'image' AND f.state = 'stored' {where}"
        " AND f.mime_type IN (SELECT value FROM json_each(:types))"
        " ORDER BY f.created_at DESC, f.id LIMIT :limit OFFSET :offset",
        {"among": json.dumps(among), "limit": limit, "offset": offset, "types": json.dumps(types)},
    )
    return [ShownPicture(**row) for row in rows]
