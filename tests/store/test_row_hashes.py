"""Rows that no payload gives: hashed as they are written, whatever their keys hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from archive_files import conversation, save
from commands import run_here

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
