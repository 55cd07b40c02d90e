"""What an assistant did on the way to its answer: one fold with a label, its pieces in it."""

from __future__ import annotations

import json
import re
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING

import pytest
from mirrors import add, add_conversation, add_message, open_mirror
from served import served_as

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from served import Pages

ASSISTANT = {"role": "assistant", "model": "gpt-5"}
SEARCH = json.dumps({"search_query": [{"q": "rye <b>"}, {"q": "spelt"}]})
OPEN = json.dumps({"open": [{"ref_id": "turn0"}]})
# Conversation -> its messages after a prompt: kind, text, what else is known
TURNS: dict[str, list[tuple[str, str, dict[str, str]]]] = {
    "research": [
        ("reasoning", "I should look.", {"content_type": "thoughts"}),
        ("code", SEARCH, {"recipient": "web.run"}),
        ("output", "found zwieback", {"role": "tool", "author": "web.run"}),
        ("code", OPEN, {"recipient": "web.run"}),
        ("code", OPEN, {"recipient": "web.run"}),
        ("code", "print(1)", {"recipient": "python"}),
        ("output", "1", {"role": "tool", "author": "python"}),
        ("reasoning", "Worked for 2 minutes", {"content_type": "reasoning_recap"}),
        ("text", "# Rye\n\nIt is up.", {}),
        ("text", "Anything else?", {}),
    ],
    "strange": [
        ("code", "x", {"recipient": "<script>alert(1)</script>"}),
        ("output", "y", {"role": "tool", "author": '"><img src=x>'}),
        ("quote", "z", {"role": "tool"}),
    ],
    "unknown": [("output", "y", {"role": "tool", "author": "Wolfram.x"}), ("output", "z", {"role": "tool"})],
    "single": [("code", "print(1)", {"recipient": "python"}), ("text", "done", {})],
    "thought": [("reasoning", "one", {}), ("reasoning", "two", {}), ("text", "done", {})],
    "canvas": [
        ("canvas", "Bread", {"recipient": "canmore.create_textdoc"}),
        ("output", "created", {"role": "tool", "author": "canmore.create_textdoc"}),
    ],
    "canvas-and-answer": [("canvas", "Bread", {}), ("text", "I wrote it.", {})],
}


def add_turn(conn: sqlite3.Connection, key: str) -> None:
    add_conversation(conn, key, key)
    add_message(conn, key, "n0", "A prompt")
    for n, (kind, text, more) in enumerate(TURNS[key], 1):
        rowid = add_message(conn, key, f"n{n}", text, kind=kind, parent_id=f"n{n - 1}", **{**ASSISTANT, **more})
        for position in (1, 2) if kind in {"text", "output"} else ():
            url = f"https://example.org/{kind}{position}"
            add(conn, "links", message_rowid=rowid, position=position, url=url, title=url, kind="citation")


@served_as("tool_runs")
def tool_runs(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        for key in TURNS:
            add_turn(conn, key)


def page_of(many: Pages, address: str) -> str:
    status, text = many.get(f"/tool_runs/-/conversation/{address}")
    assert status == 200
    return text


def runs(html: str) -> list[tuple[str, str]]:
    """Return of each run whether it is open, and its label."""
    return [
        (is_open.strip(), unescape(label))
        for is_open, label in re.findall(r'<details class="run"( open)?><summary>(.*?)</summary>', html)
    ]


@pytest.mark.parametrize(
    ("key", "labels"),
    [
        (
            "research",
            ["Searched the web: rye <b>; spelt · Opened a page 2 times · Ran Python · Worked for 2 minutes"],
        ),
        ("strange", ['Used <script>alert(1)</script> · Used "><img src=x>']),
        ("unknown", ["Used Wolfram.x"]),
        ("single", []),
        ("thought", []),
        ("canvas", []),
        # Thoughts that are to be open, or left out, are no part of a run.
        ("research?reasoning=open", ["Searched the web: rye <b>; spelt · Opened a page 2 times · Ran Python"]),
        ("research?reasoning=off", ["Searched the web: rye <b>; spelt · Opened a page 2 times · Ran Python"]),
    ],
)
def test_a_run_of_tools_is_one_fold(many: Pages, key: str, labels: list[str]) -> None:
    html = page_of(many, key)
    assert [label for _, label in runs(html)] == labels
    assert "<script>alert" not in html
    assert "<img src=x>" not in html


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("research", ""),
        ("research?message=n3", "open"),
        ("research?find=zwieback", "open"),
        ("research?find=rye", "open"),
        ("research?find=anything", ""),
        ("research?message=n9", ""),
    ],
)
def test_a_run_with_what_is_wanted_is_open(many: Pages, address: str, is_open: str) -> None:
    assert [found for found, _ in runs(page_of(many, address))] == [is_open]


def test_sources_of_an_answer_stand_at_its_end(many: Pages) -> None:
    """Those of several messages once, after the last one; what tools found stands with them."""
    html = page_of(many, "research")
    before, _, after = html.partition("Anything else?")
    assert before.count('<details class="sources">') == 2
    assert after.count('<details class="sources">') == 1
    assert after.count("https://example.org/text1") == 2  # address and title


@pytest.mark.parametrize(
    ("address", "is_open"), [("canvas", True), ("canvas-and-answer", False), ("canvas-and-answer?message=n1", True)]
)
def test_a_canvas_is_open_where_nothing_else_answers(many: Pages, address: str, is_open: bool) -> None:
    assert ("<details open><summary>Canvas" in page_of(many, address)) is is_open


def test_every_message_can_be_linked_and_prose_copied(many: Pages) -> None:
    html = page_of(many, "research")
    assert html.count('aria-label="Link to this message"') == len(TURNS["research"]) + 1
    copied = [unescape(text) for text in re.findall(r'data-copy="([^"]*)" aria-label="Copy this message"', html)]
    assert copied == ["A prompt", "# Rye\n\nIt is up.", "Anything else?"]
