"""Values that are parsed where they lie in a file: their text is cut exactly, whatever is in and between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from archive_files import Contents, conversation, save
from hypothesis import given
from hypothesis import strategies as st

from mirror.archive import Found, Limits
from mirror.archive.json_file import conversations_of_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHARACTERS = st.characters(exclude_categories=[])
LENGTHS = st.sampled_from(
    [0, 0, 700, 1_500, 5_000]
)  # of digits beside the text: from any of them on, a value could be read
BLANKS = st.sampled_from(["", " ", "\n", "\r\n\t ", "  "])


def reader(content: bytes) -> Callable[[int], bytes]:
    """A function that returns the next bytes."""
    left = [content]

    def read(count: int) -> bytes:
        piece, left[0] = left[0][:count], left[0][count:]
        return piece

    return read


def texts_of(content: bytes, chunk: int, view: int) -> list[bytes]:
    """The text of each conversation in a file."""
    found = conversations_of_file(reader(content), "conversations.json", Limits(chunk=chunk, view=view))
    return [item.body.raw for item in found if isinstance(item, Found)]


@given(
    texts=st.lists(st.tuples(st.text(CHARACTERS), BLANKS, LENGTHS), min_size=1, max_size=8),
    chunk=st.sampled_from([1, 7, 100, 1_000, 2_000, 1 << 20]),
    view=st.sampled_from([10, 400, 1_000, 3_000, 1 << 21]),
    is_ascii=st.booleans(),
)
def test_each_text_is_cut_exactly(texts: list[tuple[str, str, int]], chunk: int, view: int, is_ascii: bool) -> None:
    """Any characters, also bytes that are not UTF-8, in views of any size."""
    values = [
        json.dumps(conversation(n, text, more="1" * length), ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
        for n, (text, _, length) in enumerate(texts)
    ]
    between = [f"{blank},{blank}".encode() for _, blank, _ in texts]
    content = b"[" + b"".join(value + gap for value, gap in zip(values, between, strict=True)) + b"]"
    assert texts_of(content, chunk, view) == values


@pytest.mark.parametrize("levels", [190, 990, 5_000])
def test_what_python_refuses_is_read_like_all_else(tmp_path: Path, levels: int) -> None:
    """A value that is nested too deeply for Python's parser costs nothing beside it."""
    deep = json.dumps(conversation(1, more="DEEP")).replace('"DEEP"', "[" * levels + "]" * levels)
    content = f"[{json.dumps(conversation(0))}, {deep}, {json.dumps(conversation(2))}]".encode()
    assert Contents(save(tmp_path / "conversations.json", content)).titles == ["Title 0", "Title 1", "Title 2"]


def test_a_conversation_over_the_limit_is_named(tmp_path: Path) -> None:
    """Also where it lies in view whole."""
    export = save(tmp_path / "conversations.json", [conversation(0), conversation(1, "x" * 3_000), conversation(2)])
    contents = Contents(export, conversation=2_000)
    assert contents.titles == ["Title 0", "Title 2"]
    assert len(contents.problems) == 1
