"""A long conversation over HTTP: its prompts, its pages with dates, and all of it on one page."""

from __future__ import annotations

import re
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING

import pytest
from mirrors import add_conversation, add_message, open_mirror
from served import served_as

from mirror.browse.pagination import MOST_MESSAGES
from mirror.browse.prompts import LINE, PROMPTS, first_line

if TYPE_CHECKING:
    from pathlib import Path

    from served import Pages

COUNTS = {"two": 4, "some": 450, "thousands": 10_000}
ODD = ["<script>alert(1)</script> & more", "x" * 10_000, "مرحبا بالعالم", "🥐" * 300, "\n\n \t\n", ""]


@served_as("talks")
def talks(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        conn.execute("BEGIN")
        for key, count in COUNTS.items():
            add_conversation(conn, key, f"A talk of {count}")
            # A prompt each time: ten thousand of them are the worst case.
            roles = ["user"] if key == "thousands" else ["user", "assistant"]
            rows = [
                (
                    key,
                    f"n{n}",
                    f"n{n - 1}" if n else None,
                    n,
                    roles[n % len(roles)],
                    f"2026-{1 + n * 12 // count:02}-07",
                )
                for n in range(count)
            ]
            conn.executemany(
                "INSERT INTO messages (conversation_id, id, parent_id, position, role, created_at, kind, text)"
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6 || 'T12:00:00.000Z', 'text', 'words of ' || ?2)",
                rows,
            )
        add_conversation(conn, "odd", "\u202e<script>alert(1)</script>" + "T" * 10_000)
        for n, text in enumerate(ODD):
            add_message(conn, "odd", f"n{n}", text)
        conn.execute("COMMIT")


def prompts(text: str) -> list[tuple[str, str]]:
    """Return address and text of each prompt in the list."""
    found = re.search(r'<details class="prompts".*?</details>', text, re.DOTALL)
    pairs = re.findall(r'<li><a href="([^"]*)" dir="auto">(.*?)</a></li>', found[0]) if found else []
    return [(unescape(address), unescape(shown)) for address, shown in pairs]


def page_links(text: str) -> list[tuple[str, str]]:
    """Return number and day of each page that the first pager links."""
    (pager,) = re.findall(r'<nav class="pager pages" aria-label="Pages">.*?</nav>', text, re.DOTALL)
    return re.findall(r"Page </span>([\d,]+)</span><small><time [^>]*>([^<]+)</time>", pager)


def test_pages_have_the_days_of_their_first_messages(many: Pages) -> None:
    """As many links at 50 pages as at 5: the first, the last and those beside this one."""
    text = many.get("/talks/-/conversation/thousands?page=25")[1]
    days = [("1", "2026-01-07"), ("24", "2026-06-07"), ("25", "2026-06-07"), ("26", "2026-07-07"), ("50", "2026-12-07")]
    assert page_links(text) == days
    assert len(re.findall(r'<a class="page[^>]* aria-current="page"><span>.*?25</span>', text)) == 2
    assert page_links(many.get("/talks/-/conversation/some")[1]) == [
        ("1", "2026-01-07"),
        ("2", "2026-06-07"),
        ("3", "2026-11-07"),
    ]


def test_every_prompt_of_ten_thousand_can_be_reached(many: Pages) -> None:
    """A page lists a bounded number of them, and leads to those before and after."""
    address, found = "/talks/-/conversation/thousands", []
    while address:
        text = many.get(address.partition("#")[0])[1]
        listed = prompts(text)
        assert 0 < len(listed) <= PROMPTS
        found += [shown for _, shown in listed]
        later = re.search(r'<p><a href="([^"]+)">[\d,]+ later</a></p>\s*</nav>', text)
        address = unescape(later[1]) if later else ""
    assert set(found) == {f"words of n{n}" for n in range(10_000)}


def test_a_prompt_of_the_list_is_one_click_away(many: Pages) -> None:
    text = many.get("/talks/-/conversation/some?page=2")[1]
    listed = prompts(text)
    assert len(listed) == PROMPTS
    for address, shown in (listed[0], listed[100], listed[-1]):
        page, _, anchor = address.partition("#")
        there = many.get(page)[1] if page else text
        assert re.search(rf'id="{anchor}">\s*<[^>]*>{shown}<', there), address
    assert prompts(many.get("/talks/-/conversation/two")[1]) == []


def test_all_is_on_one_page_where_it_fits(many: Pages) -> None:
    """And what the page leads to stays so; what does not fit comes in pages, with a note."""
    text = many.get("/talks/-/conversation/some?page=all")[1]
    assert [int(n) for n in re.findall(r">words of n(\d+)</(?:p|div)>", text)] == list(range(450))
    assert "in pages</a>" in text
    assert len(prompts(text)) == 225
    assert "page=all" in re.findall(r'class="anchor" href="([^"]+)"', text)[0]
    assert "all on one page</a>" in many.get("/talks/-/conversation/some")[1]
    text = many.get("/talks/-/conversation/thousands?page=all")[1]
    assert COUNTS["thousands"] > MOST_MESSAGES
    assert "All 10,000 messages are too much for one page" in text
    assert text.count("words of n199<") == 2  # in the list and in the text
    assert text.count("words of n205<") == 0
    assert "all on one page</a>" not in text


def test_strange_titles_and_prompts_stay_text(many: Pages) -> None:
    text = many.get("/talks/-/conversation/odd")[1]
    shown = [line for _, line in prompts(text)]
    assert shown == [
        "<script>alert(1)</script> & more",
        "x" * (LINE - 1) + "…",
        ODD[2],
        "🥐" * (LINE - 1) + "…",
        "without words",
    ]
    assert "<script>alert" not in text
    assert len(re.findall(r'class="running"[^>]*>([^<]*)<', text)[0]) < 300


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n \n", ""),
        ("one\ntwo", "one"),
        ("[image: a.png]\n\nWhat is  this?", "What is this?"),
        ("[file: a.pdf]", "[file: a.pdf]"),
        ("[1] is a footnote", "[1] is a footnote"),
        ("a\x00b\u2028c", "a\x00b"),
    ],
)
def test_the_first_line_of_a_prompt(text: str, line: str) -> None:
    assert first_line(text) == line
