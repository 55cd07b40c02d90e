"""Hand-written mirrors: a few rows put into a database by plain SQL, through the program's own migrations."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlite_utils import Database

from mirror.migrations import migrations
from mirror.store.database import Writer
from mirror.store.search import cjk

START = "2025-01-01T00:00:00.000Z"


def open_mirror(path: Path | str = ":memory:") -> sqlite3.Connection:
    """Return a writing connection to a mirror, which is made if it is not there."""
    if path != ":memory:" and not Path(path).exists():
        Path(path).write_bytes(_migrated())
    conn = sqlite3.connect(path, isolation_level=None)
    conn.row_factory = sqlite3.Row
    if path == ":memory:":
        conn.deserialize(_migrated())
    return conn


@cache
def _migrated() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        migrations.apply(Database(conn, execute_plugins=False))
        cjk.fill(conn)
        return conn.serialize()


def make_empty_mirror(path: Path) -> None:
    """Write the file that the program begins a new mirror with, which takes it seven times as long."""
    path.write_bytes(_empty())
    path.chmod(0o600)


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chats.db"
        with Writer(path) as writer:
            writer.checkpoint()
        return path.read_bytes()


def add(conn: sqlite3.Connection, table: str, **values: object) -> int:
    """Add one row; returns its rowid."""
    marks = ", ".join("?" * len(values))
    cursor = conn.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", list(values.values()))
    return cursor.lastrowid or 0


def add_conversation(conn: sqlite3.Connection, key: str, title: str | None, **more: object) -> str:
    """Add a conversation with its payload."""
    values = {"created_at": START, "updated_at": START, "provider": "chatgpt", "model": "gpt-4o", **more}
    add(conn, "conversations", id=key, title=title, url=f"https://chatgpt.com/c/{key}", **values)
    body = json.dumps({"conversation_id": key, "title": title}, ensure_ascii=False).encode()
    add(
        conn,
        "_payloads",
        conversation_id=key,
        body=zlib.compress(body),
        size=len(body),
        sha256=sha256(body).hexdigest(),
        origin="single",
        fetched_at=START,
        payload_us=1,
        proves_absence=1,
    )
    return key


def add_message(conn: sqlite3.Connection, conversation_id: str, node: str, text: str, **more: object) -> int:
    """Add a message, by default the person's next one on the visible branch."""
    last = conn.execute("SELECT max(position) FROM messages WHERE conversation_id = ?", (conversation_id,)).fetchone()[
        0
    ]
    values = {"role": "user", "kind": "text", "created_at": START, "position": (last or 0) + 1, **more}
    rowid = add(conn, "messages", conversation_id=conversation_id, id=node, text=text, **values)
    cjk.update(conn, [(rowid, "", text)])
    return rowid


def bakery(path: Path | str) -> None:
    """Write a small mirror to a file: two conversations, a project, a run, hidden and abandoned messages."""
    with closing(open_mirror(path)) as conn:
        add(conn, "projects", id="g-p-1", name="The bakery", url="https://chatgpt.com/g/g-p-1")
        add_conversation(conn, "c-old", "Rye & <b>starter</b>", project_id="g-p-1", message_count=2)
        add_message(conn, "c-old", "n1", "How do I feed a rye starter?\n\nIt smells <script>alert(1)</script>")
        add_message(conn, "c-old", "n2", "Twice a day. " * 400, role="assistant", model="gpt-4o")
        new = {"updated_at": "2025-06-01T00:00:00.000Z", "message_count": 1}
        add_conversation(conn, "c-new", "Why is the sky blue?", **new)
        add_message(conn, "c-new", "n1", "Why is the sky blue?", created_at="2025-06-01T00:00:00.000Z")
        add_message(conn, "c-new", "n2", "Rayleigh", role="assistant", position=None)
        add(conn, "sync_runs", started_at=START, command="sync", outcome="current")
        add(conn, "sync_runs", started_at="2025-06-01T00:00:00.000Z", command="sync", outcome="partial")
