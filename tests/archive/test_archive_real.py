"""Published exports and answers, where they lie beside the repository."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from archive_files import Contents

SHARED = Path(__file__).parents[3] / "shared" / "data"
REAL = Path(os.environ.get("CHATMIRROR_REAL_DATA", SHARED / "real"))
CLAUDE = REAL.with_name("claude")

with_chatgpt = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data at {REAL}; set CHATMIRROR_REAL_DATA")
with_claude = pytest.mark.skipif(not CLAUDE.is_dir(), reason=f"no data of Claude at {CLAUDE}")


def trees(value: Any) -> list[dict[str, Any]]:
    """Every object with a ``mapping``, wherever it is."""
    stack, found = [value], []
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("mapping"), dict):
                found.append(item)
            else:
                stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found


def texts(path: Path) -> list[bytes]:
    """The JSON texts in a file, a ZIP opened."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as opened:
            return [opened.read(name) for name in opened.namelist() if name.endswith(".json")]
    return [path.read_bytes()]


def files_under(folder: Path) -> list[Path]:
    """All files that may hold conversations."""
    return sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".zip"})


@with_chatgpt
@pytest.mark.parametrize("path", files_under(REAL), ids=lambda path: path.relative_to(REAL).as_posix())
def test_every_real_file_gives_its_conversations_byte_for_byte(path: Path) -> None:
    """As many as are found in the parsed file, the same, each a piece of the file's own text."""
    held = texts(path)
    wanted = [tree for text in held for tree in trees(json.loads(text))]
    contents = Contents(path, chunk=1000)
    assert len(contents.found) == len(wanted)
    assert all(tree in [item.payload for item in contents.found] for tree in wanted)
    assert all(any(item.body.raw in text for text in held) for item in contents.found)
    assert not contents.problems


@with_chatgpt
def test_the_whole_folder_at_once() -> None:
    """All of it in one import, without a complaint."""
    wanted = sum(len(trees(json.loads(text))) for path in files_under(REAL) for text in texts(path))
    contents = Contents(REAL)
    assert len(contents.found) == wanted > 0
    assert not contents.problems
    assert contents.position == contents.total


@with_claude
@pytest.mark.parametrize("path", files_under(CLAUDE), ids=lambda path: path.relative_to(CLAUDE).as_posix())
def test_no_real_file_of_claude_is_taken_for_chatgpt(path: Path) -> None:
    """Exports, answers and Claude Design chats: nothing is found, and what holds conversations is named."""
    contents = Contents(path)
    assert not contents.found
    held = path.read_text()
    if '"chat_messages"' in held or '"authorName"' in held:
        assert ["of Claude" in problem.reason for problem in contents.problems] == [True]
