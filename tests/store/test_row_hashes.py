"""Rows that no payload gives: hashed as they are written, whatever their keys hold."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from archive_files import conversation, save
from commands import run_here

from mirror.errors import DamagedError
from mirror.store.row_hashes import BYTES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("odd", ["\x1f", "a\x1fb\x1fc", "\x00", "'; --", "\x1e"])
def test_an_id_of_any_characters_costs_nothing(tmp_path: Path, odd: str) -> None:
    """In the id of a conversation, its project or its GPT: everything is imported, and the check is clean."""
    key = f"id-{odd}-1"
    ones = [
        conversation(0),
        {**conversation(1), "id": key, "conversation_id": key},
        conversation(2, gizmo_id=f"g-p-{odd}"),
        conversation(3, gizmo_id=f"g-{odd}"),
    ]
    export = save(tmp_path / "conversations.json", ones)
    assert run_here(tmp_path, "import", str(export)) == (0, "", "")
    assert run_here(tmp_path, "check") == (0, "", "")
    assert run_here(tmp_path, "search", "hello", "--json")[1].count('"conversation_id"') == 4


@pytest.mark.parametrize("key", ["x'00ff'", "7", "CAST(x'ff' AS TEXT)"])
def test_a_damaged_key_of_a_hash_is_a_finding(mirror: Path, key: str) -> None:
    with closing(sqlite3.connect(mirror, isolation_level=None)) as conn:
        conn.execute(f"UPDATE _row_hashes SET row_key = {key} WHERE table_name = 'conversations'")
    assert_found_and_mended(mirror)


@pytest.mark.leaves_damage("the file is damaged")
def test_a_key_of_a_hash_that_is_gone_is_a_finding(mirror: Path) -> None:
    """Its column takes no NULL, which a bit in the head of a row makes of it all the same."""
    with closing(sqlite3.connect(mirror)) as conn:
        key = conn.execute("SELECT row_key FROM _row_hashes WHERE table_name = 'conversations'").fetchone()[0]
    as_written = bytes([4, 13 + 2 * 13, 13 + 2 * len(key), 12 + 2 * BYTES]) + b"conversations"
    whole = mirror.read_bytes()
    assert whole.count(as_written) == 1
    mirror.write_bytes(whole.replace(as_written, as_written[:2] + b"\0" + as_written[3:]))
    with pytest.raises(DamagedError):
        run_here(mirror.parent, "check")


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    export = save(tmp_path / "conversations.json", [conversation(0)])
    assert run_here(tmp_path, "import", str(export)) == (0, "", "")
    return tmp_path / "chats.db"


def assert_found_and_mended(mirror: Path) -> None:
    with pytest.raises(DamagedError, match=r"of conversations|_row_hashes"):
        run_here(mirror.parent, "check")
    with suppress(DamagedError):  # which repeats what cannot be mended
        run_here(mirror.parent, "check", "--repair")
    assert run_here(mirror.parent, "check") == (0, "", "")
