"""Published exports and answers, where they lie beside the repository."""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from archive_files import Read

BESIDE = Path(__file__).parents[3] / "shared" / "data" / "real"
REAL = Path(os.environ.get("CHATMIRROR_REAL_DATA", BESIDE))

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="no real data beside the repository")


def trees(value):
    """Every object with a ``mapping``, by a plain walk."""
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


def texts(path):
    """The JSON texts in a file, a ZIP opened."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as opened:
            return [opened.read(name) for name in opened.namelist() if name.endswith(".json")]
    return [path.read_bytes()]


def real_files():
    """All files that may hold conversations."""
    return sorted(path for path in REAL.rglob("*") if path.suffix in {".json", ".zip"})


@pytest.mark.parametrize("path", real_files(), ids=lambda path: path.relative_to(REAL).as_posix())
def test_every_real_file_gives_its_conversations_byte_for_byte(path):
    """As many as a plain walk of the parsed file finds, the same, each a piece of the file's own text."""
    held = texts(path)
    wanted = [tree for text in held for tree in trees(json.loads(text))]
    read = Read(path, chunk=1000)
    assert len(read.found) == len(wanted)
    assert all(tree in [item.payload for item in read.found] for tree in wanted)
    assert all(any(item.raw in text for text in held) for item in read.found)
    assert not read.problems


def test_the_whole_folder_at_once():
    """All of it in one import, without a complaint."""
    wanted = sum(len(trees(json.loads(text))) for path in real_files() for text in texts(path))
    read = Read(REAL)
    assert len(read.found) == wanted > 0
    assert not read.problems
    assert read.position == read.total
