"""A simulated account with files, and a mirror of it."""

from __future__ import annotations

import json
import random
import sqlite3
import struct
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

from mirrored_service import MirroredService

from mirror import connectors
from mirror.chatgpt.source import ChatGPT
from mirror.credentials.stored import load_login
from mirror.files.byte_store import ByteStore
from mirror.simulator import ManualClock, SimulatedAccount, SimulatedFile
from mirror.simulator.trees import add, empty_conversation, message
from mirror.source import FileToFetch, NoFile

if TYPE_CHECKING:
    from pathlib import Path

    from mirror.chatgpt.files import FileReader


def png(shade: int = 0, width: int = 8, height: int = 8) -> bytes:
    """A small real picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([shade % 256, shade // 256 % 256, 90]) * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def key(n: int) -> str:
    return f"00000000-0000-4000-8000-{n:012x}"


def file_id(n: int) -> str:
    return f"file_{n:032x}"


class FileService:
    """An account whose conversations each name files; ``mirrored`` is its mirror."""

    def __init__(self, folder: Path) -> None:
        self.account = SimulatedAccount(ManualClock(), random.Random(7))
        self.mirrored = MirroredService(folder, self.account)
        self.store = ByteStore(self.mirrored.path)
        self._count = 0

    def add(self, n: int, content: bytes | None = None, **fields: Any) -> SimulatedFile:
        """A conversation in which the person uploads file ``n``."""
        file = self.known(n, content, **fields)
        upload = {"id": file.id, "name": file.name, "mime_type": file.mime_type, "size": len(file.content)}
        key_ = self.converse([upload])
        if file.conversations is None:
            file.conversations = {key_}
        return file

    def known(self, n: int, content: bytes | None = None, **fields: Any) -> SimulatedFile:
        """A file of the account that no conversation names yet."""
        fields = {"name": f"picture {n}.png", "mime_type": "image/png", "id": file_id(n), **fields}
        file = SimulatedFile(content=png(n) if content is None else content, **fields)
        self.account.files[file.id] = file
        return file

    def converse(self, attachments: list[dict[str, Any]], text: str = "Look.", role: str = "user", **more: Any) -> str:
        """A conversation with one message; returns its id. ``more``: further metadata."""
        self._count += 1
        n, at = self._count, self.account.clock() - 10_000 + self._count * 60
        conversation = empty_conversation(key(n), f"Talk {n}", at, key(n + 5000))
        said = message(key(n + 6000), role, text, at, attachments=attachments, **more)
        add(conversation, key(n + 5000), said)
        return self.account.add(conversation)

    def next_run(self, **options: Any) -> int:
        return self.mirrored.next_run(**options)

    def state(self, id_: str) -> tuple[str, str | None]:
        state, reason = self.mirrored.rows("SELECT state, reason FROM files WHERE id = ?", id_)[0]
        return state, reason

    def states(self) -> dict[str, str]:
        return dict(self.mirrored.rows("SELECT id, state FROM files"))

    def states_of(self, path: Path) -> dict[str, str]:
        """The states of the files of another mirror."""
        with closing(sqlite3.connect(path)) as conn:
            return dict(conn.execute("SELECT id, state FROM files").fetchall())

    def bytes_of(self, id_: str) -> bytes:
        sha256 = self.mirrored.value("SELECT sha256 FROM files WHERE id = ?", id_)
        return self.store.path_of(sha256).read_bytes()

    def asked_for_files(self) -> list[str]:
        """The paths of all requests of the last run that were about files."""
        asked = [request.path for request in self.mirrored.service.requests]
        return [path for path in asked if "/files" in path or "/estuary" in path or path.endswith("/download")]

    def reader(self) -> FileReader:
        """What fetches files, signed in to the service."""
        source, _, _ = connectors.connect(
            load_login(self.mirrored.environ, connectors.CONNECTORS["chatgpt"].form),
            self.mirrored.environ,
            self.mirrored.timing(),
            "chatgpt",
        )
        assert isinstance(source, ChatGPT)
        source.identity()
        return source._files

    def fetch(self, reader: FileReader, id_: str) -> str:
        """Ask for one file; returns *stored*, or why it did not come."""
        with self.store.incoming() as incoming:
            got = reader.fetch(FileToFetch(id_), incoming)
        return got.why if isinstance(got, NoFile) else "stored"


def with_canvas(service: FileService, *texts: str, textdoc: str = "68c0ffee0001", **more: Any) -> str:
    """A conversation in which the assistant writes a canvas and rewrites it; returns its id."""
    key = service.converse([])
    conversation = service.account.conversations[key]
    last, at = conversation["current_node"], service.account.clock()
    for version, text in enumerate(texts, 1):
        call = message(f"call-{key}-{version}", "assistant", json.dumps({"content": text}), at + version)
        call["recipient"] = "canmore.create_textdoc" if version == 1 else "canmore.update_textdoc"
        about = {"textdoc_id": textdoc, "textdoc_type": "document", "title": "Poster", "version": version, **more}
        done = message(f"done-{key}-{version}", "tool", "Successfully written", at + version, canvas=about)
        add(conversation, last, call)
        add(conversation, call["id"], done)
        last = done["id"]
    return key
