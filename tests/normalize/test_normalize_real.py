"""Conversations that the real service and other people's exports wrote: every readable word arrives in a row.

The files are not part of this repository: ``$CHATMIRROR_REAL_DATA``, or ``../shared/data/real`` beside it.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirror.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

REAL = Path(os.environ.get("CHATMIRROR_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data" / "real")
FILES = sorted(path for path in REAL.rglob("*") if path.suffix in {".json", ".zip"})
# A citation, old or new, is replaced by its source; the text around it must be there.
CITATION = re.compile("\ue200[^\ue200\ue201]*\ue201|[\ue200-\uf8ff]|\u3010[^\u3010\u3011]*\u2020[^\u3010\u3011]*\u3011")
WRITTEN = ("parts", "text", "result", "content", "summary", "user_profile", "user_instructions", "thoughts")


def documents(path: Path) -> list[Any]:
    """The JSON values in a file, a ZIP opened."""
    if path.suffix == ".json":
        return [json.loads(path.read_bytes())]
    with zipfile.ZipFile(path) as archive:
        return [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json")]


def conversations(path: Path) -> Iterator[Json]:
    """Every tree in a file."""
    stack = documents(path)
    while stack:
        value = stack.pop()
        if isinstance(value, dict) and value.get("mapping"):
            yield value
        elif isinstance(value, dict | list):
            stack += value.values() if isinstance(value, dict) else value


def raw_messages(conversation: Json) -> Iterator[Json]:
    """The messages of a tree, as the service sent them."""
    mapping = conversation["mapping"]
    for node in mapping.values() if isinstance(mapping, dict) else mapping:
        if isinstance(node, dict) and isinstance(node.get("message"), dict):
            yield node["message"]


def written(message: Json) -> Iterator[str]:
    """Every string under the keys where the service puts text for a reader."""
    content = message.get("content")
    stack = [content.get(key) for key in WRITTEN] if isinstance(content, dict) else [content]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, dict):
            stack += [value.get(key) for key in WRITTEN]


def without_blanks(text: str) -> str:
    """The text's other characters."""
    return "".join(text.split())


@pytest.mark.skipif(not FILES, reason=f"no real conversations in {REAL.name}/; set CHATMIRROR_REAL_DATA")
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REAL)))
def test_every_readable_word_of_a_real_chat_arrives(path: Path) -> None:
    """Whatever was said in a real chat is found in its archive."""
    for raw in conversations(path):
        conversation = normalize("chatgpt", raw)
        messages = list(raw_messages(raw))
        assert len(conversation.messages) == len(messages)
        for message, row in zip(messages, conversation.messages, strict=True):
            text = without_blanks(row.text)
            pieces = [without_blanks(piece) for said in written(message) for piece in CITATION.split(said)]
            assert [piece for piece in pieces if piece not in text] == []


@pytest.mark.skipif(not FILES, reason=f"no real conversations in {REAL.name}/; set CHATMIRROR_REAL_DATA")
def test_real_chats_open_on_a_branch_with_visible_words() -> None:
    """No real chat with visible words opens on an empty page."""
    for path in FILES:
        for raw in conversations(path):
            rows = normalize("chatgpt", raw).messages
            if any(not row.is_hidden for row in rows):
                assert any(row.position and not row.is_hidden for row in rows)
