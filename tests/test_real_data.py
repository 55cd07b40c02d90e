"""Real exports and captures, where they are present: everything arrives, nothing is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from invariants import broken_in

from mirror import app
from mirror.archive import Found, open_archive
from mirror.errors import UsageError
from mirror.store import payloads
from mirror.store.database import Writer
from mirror.timing import Timing

if TYPE_CHECKING:
    from pathlib import Path


def holders(folder: Path):
    """Every file that holds conversations."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".json", ".zip"}:
            try:
                with open_archive(path) as archive:
                    if any(isinstance(found, Found) for found in archive):
                        yield path
            except UsageError:
                continue


def test_every_real_file_imports_whole(real_data, tmp_path):
    """No file fails, every conversation is stored, the mirror checks, and importing it all again writes nothing."""
    files = list(holders(real_data))
    if not files:
        pytest.skip(f"no conversations under {real_data}")
    path = tmp_path / "chats.db"
    result = app.import_archives(path, files, Timing(), lambda *_: None)
    assert result.problems == []
    assert result.new + result.changed + result.unchanged >= len(files)
    with Writer(path) as writer:
        assert broken_in(writer.conn, writer.path) == []
        unindexed = writer.conn.execute("SELECT count(*) FROM messages WHERE kind = 'other' AND text = ''").fetchone()[
            0
        ]
        assert unindexed == 0
        before = [tuple(row) for row in writer.conn.execute("SELECT * FROM messages")]
    again = app.import_archives(path, files, Timing(), lambda *_: None)
    assert (again.new, again.changed) == (0, 0)
    with Writer(path) as writer:
        assert [tuple(row) for row in writer.conn.execute("SELECT * FROM messages")] == before


def test_real_payloads_are_kept_as_they_came(real_data, tmp_path):
    """The newest stored bytes of every conversation are a piece of its file."""
    files = [path for path in holders(real_data) if path.suffix == ".json"]
    kept = 0
    for number, file in enumerate(files[:40]):
        path = tmp_path / f"{number}.db"
        app.import_archives(path, [file], Timing(), lambda *_: None)
        whole = file.read_bytes()
        with Writer(path) as writer:
            for (key,) in writer.conn.execute("SELECT id FROM conversations").fetchall():
                body = payloads.load(writer.conn, key)[-1].body
                assert json.loads(body)
                kept += body in whole
    assert kept > 0
