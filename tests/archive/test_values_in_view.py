"""Values that are parsed where they lie in a file: their text is cut exactly, whatever is in and between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from archive_files import Contents, Json, conversation, save
from hypothesis import given
from hypothesis import strategies as st

from mirror.archive import Found, Limits
from mirror.archive.json_file import conversations_of_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHARACTERS = st.characters(exclude_categories=[])
BLANKS = st.sampled_from(["", " ", "\n", "\r\n\t ", "  "])


def reader(content: bytes) -> Callable[[int], bytes]:
    """A function that returns the next bytes."""
    left = [content]

    def read(count: int) -> bytes:
        piece, left[0] = left[0][:count], left[0][count:]
        return piece

    return read


def texts_of(content: bytes, chunk: int) -> list[bytes]:
    """The text of each conversation in a file."""
    found = conversations_of_file(reader(content), "conversations.json", Limits(chunk=chunk))
    return [item.raw for item in found if isinstance(item, Found)]


@given(
    texts=st.lists(st.tuples(st.text(CHARACTERS), BLANKS), min_size=1, max_size=6),
    chunk=st.sampled_from([1, 7, 100, 2_000, 1 << 20]),
    is_ascii=st.booleans(),
)
def test_each_text_is_cut_exactly(texts: list[tuple[str, str]], chunk: int, is_ascii: bool) -> None:
    """Any characters, also bytes that are not UTF-8, in views of any size."""
    values = [
        json.dumps(conversation(n, text), ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
        for n, (text, _) in enumerate(texts)
    ]
    between = [f"{blank},{blank}".encode() for _, blank in texts]
    content = b"[" + b"".join(value + gap for value, gap in zip(values, between, strict=True)) + b"]"
    assert texts_of(content, chunk) == values


def nested(levels: int) -> Json:
    """A conversation that is so many levels deep."""
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return conversation(1, more=value)


@pytest.mark.parametrize("levels", [100, 499, 800])
def test_the_deepest_that_is_read(tmp_path: Path, levels: int) -> None:
    """Also deeper than Python's parser goes: what is below becomes text."""
    contents = Contents(save(tmp_path / "conversations.json", [conversation(0), nested(levels), conversation(2)]))
    assert len(contents.found) == 3
    assert contents.problems == []


def test_a_conversation_over_the_limit_is_named(tmp_path: Path) -> None:
    """Also where it lies in view whole."""
    export = save(tmp_path / "conversations.json", [conversation(0), conversation(1, "x" * 3_000), conversation(2)])
    contents = Contents(export, conversation=2_000)
    assert contents.titles == ["Title 0", "Title 2"]
    assert len(contents.problems) == 1
