"""Texts and records made so that looking at each costs as much as there are: many times as long takes so many times.

Each case is so large that what takes the square of its size runs out of time, and what does not takes a second or two.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mirror.normalize import ParsedPayload, merge, normalize

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror.normalize import Conversation

Json = dict[str, Any]


def said(text: str, metadata: Json | None = None, recipient: str = "all", **content: Any) -> Json:
    """An answer alone."""
    of_text = {"content_type": "text", "parts": [text]}
    answer = {"id": "a", "author": {"role": "assistant"}, "content": content or of_text, "recipient": recipient}
    return {"conversation_id": "c", "messages": [{**answer, "metadata": metadata or {}}]}


def references(*quoted: str) -> Json:
    found = [{"matched_text": text, "start_idx": n, "type": "webpage"} for n, text in enumerate(quoted)]
    return {"content_references": found}


def cut_branches(count: int) -> Json:
    """Answers whose parents were left out, each the first one of the next one's branch."""

    def node(key: str, parent: str, at: int) -> Json:
        message = {"id": key, "author": {"role": "user"}, "content": {"parts": [key]}, "create_time": 1.7e9 + at}
        return {key: {"id": key, "parent": parent, "message": message}}

    mapping: Json = {}
    for n in range(count, 0, -1):
        mapping |= node(f"first {n}", f"cut {n}", count - n)
    for n in range(1, count + 1):
        mapping |= node(f"cut {n}", f"gone {n}", count + n)
    return {"conversation_id": "c", "mapping": mapping}


CASES: dict[str, Callable[[], Json]] = {
    "quotes that are not there": lambda: said("word " * 400_000, references(*(f"[{n}]" for n in range(40_000)))),
    "quotes at the end": lambda: said(
        "word " * 400_000 + "".join(f"[{n}]" for n in range(40_000)), references(*(f"[{n}]" for n in range(40_000)))
    ),
    "one quote that is there once": lambda: said("[1] " + "word " * 400_000, references(*["[1]"] * 40_000)),
    "marks without an end": lambda: said("\ue202L1-" * 30_000),
    "older marks without an end": lambda: said(":contentReference[oaicite:0]{" * 30_000),
    "a quote like an older mark": lambda: said(
        "x \u3010" + "\u2020" * 300_000, references("\u3010" + "\u2020" * 300_000)
    ),
    "blanks after the mark of a draft": lambda: said(":::writing\n:::writing" + " " * 300_000 + "x"),
    "a long word after a mark in a draft": lambda: said(":::writing\n:::" + "a" * 300_000 + "{"),
    "words of a draft many times before it": lambda: said("a" * 400_000 + "\n:::writing\n" + "a" * 200_000 + "\n:::\n"),
    "an id without an end": lambda: said("", content_type="dream", dream="file-" + "1" * 300_000 + "!"),
    "a canvas of unknown words": lambda: said(
        json.dumps({"content": "word " * 400_000, "x": [f"unknown words {n} here" for n in range(20_000)]}),
        recipient="canmore.create_textdoc",
    ),
    "files of a drive beside uploads without ids": lambda: said(
        "",
        {
            "mounted_library_file_references": [{"mounted_library_file_id": f"{n}", "name": n} for n in range(20_000)],
            "attachments": [{"name": f"x{n}"} for n in range(20_000)],
        },
    ),
    "messages of one id": lambda: {
        "conversation_id": "c",
        "messages": [{"id": "x", "author": {"role": "user"}, "content": {"parts": [str(n)]}} for n in range(10_000)],
    },
    "branches whose beginnings are cut off": lambda: cut_branches(5_000),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_much_of_one_kind_is_read_in_time(make: Callable[[], Json]) -> None:
    """However a text was made, a sync or an import of it ends."""
    read: Conversation = normalize("chatgpt", make())
    assert read.messages
    assert read.messages[0].text


@pytest.mark.timeout(20)
def test_copies_that_contradict_each_other_are_merged_in_time() -> None:
    """A tree, and a list that has every other message first; each that moves takes along those below it."""
    names = [str(n) for n in range(8_000)]
    messages = {name: {"id": name, "author": {"role": "user"}, "content": {"parts": [name]}} for name in names}
    above = dict(zip(names, [None, *names], strict=False))
    mapping = {name: {"id": name, "parent": above[name], "message": one} for name, one in messages.items()}
    copies: list[Json] = [{"conversation_id": "c", "mapping": mapping, "current_node": names[-1]}]
    copies += [{"conversation_id": "c", "messages": [messages[name] for name in names[::2] + names[1::2]]}]
    read = [ParsedPayload(normalize("chatgpt", copy), "2026-01-01", proves_absence=False) for copy in copies]
    assert len(merge(read).messages) == len(names)
