"""The least that any program must do: ``python -m benchmarks.floor import export.json floor.db``.

Every ratio in RESULTS.md is against one of these: straight code without tolerance, repetition or durability of each
conversation. A mirror that did less than this would not hold the same facts.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, title TEXT, created_at REAL, updated_at REAL, model TEXT);
CREATE TABLE messages (
  rowid INTEGER PRIMARY KEY, conversation_id TEXT, id TEXT, parent_id TEXT, role TEXT, text TEXT, created_at REAL,
  model TEXT, UNIQUE (conversation_id, id)
);
CREATE TABLE payloads (conversation_id TEXT, body BLOB, size INTEGER, sha256 TEXT);
CREATE VIRTUAL TABLE messages_fts USING fts5(
  text, content="messages", tokenize="porter unicode61 remove_diacritics 2"
);
"""


def elements(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the text and the value of each element of a JSON list."""
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    while (at := _past_blanks(text, at)) < len(text) and text[at] != "]":
        value, end = decoder.raw_decode(text, at)
        yield text[at:end], value
        at = end


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " ,\r\n\t":
        at += 1
    return at


def message_rows(key: str, conversation: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a conversation's messages."""
    rows = []
    for node, entry in conversation["mapping"].items():
        if message := entry["message"]:
            content = message["content"]
            text = "\n".join(part for part in content.get("parts", ()) if isinstance(part, str)) or content.get("text")
            model = message["metadata"].get("model_slug")
            role = message["author"]["role"]
            rows.append((key, node, entry["parent"], role, text or "", message["create_time"], model))
    return rows


def import_(export: Path, path: Path) -> None:
    """Parse, rows, packed payloads, one index made at once, one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.executescript(SCHEMA)
        conn.execute("BEGIN IMMEDIATE")
        for raw, made in elements(export.read_text(encoding="utf-8")):
            key, body = made["conversation_id"], raw.encode()
            times = (made["create_time"], made["update_time"])
            conn.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?, ?)",
                (key, made["title"], *times, made["default_model_slug"]),
            )
            conn.executemany(
                "INSERT INTO messages (conversation_id, id, parent_id, role, text, created_at, model)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                message_rows(key, made),
            )
            packed = zlib.compress(body, 1)
            values = (key, packed, len(body), hashlib.sha256(body).hexdigest())
            conn.execute("INSERT INTO payloads VALUES (?, ?, ?, ?)", values)
        conn.execute("INSERT INTO messages_fts(messages_fts) VALUES ('rebuild')")
        conn.execute("COMMIT")


def check(path: Path) -> None:
    """Inflate, hash and parse every payload of a mirror, read its rows, let SQLite check file and index."""
    with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)) as conn:
        conn.execute("PRAGMA quick_check").fetchall()
        for body, sha256 in conn.execute("SELECT body, sha256 FROM _payloads"):
            raw = zlib.decompress(body)
            if hashlib.sha256(raw).hexdigest() != sha256:
                raise click.ClickException("a payload is damaged")
            json.loads(raw)
        for row in conn.execute("SELECT * FROM messages"):
            tuple(row)
        conn.execute("BEGIN")
        conn.execute("INSERT INTO messages_fts(messages_fts, rank) VALUES ('integrity-check', 1)")
        conn.execute("ROLLBACK")


def backup(path: Path, copy: Path) -> None:
    """Copy a mirror by SQLite's own backup call, and let SQLite check the copy."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn, closing(sqlite3.connect(copy)) as other:
        conn.backup(other)
        other.execute("PRAGMA quick_check").fetchall()


@click.command()
@click.argument("what", type=click.Choice(["import", "check", "backup"]))
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def main(what: str, paths: tuple[Path, ...]) -> None:
    """Do the least that an import, a check or a backup must do."""
    if what == "check":
        check(paths[0])
    else:
        source, target = paths
        (import_ if what == "import" else backup)(source, target)


if __name__ == "__main__":
    main()
