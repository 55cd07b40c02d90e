"""The conversations beside an open one: in the order of the list, around it, and nothing that may not be seen."""

from __future__ import annotations

import re
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING

import pytest
from mirrors import add_conversation, add_message, open_mirror
from served import served_as

from mirror.browse.sidebar import NEWER, OLDER

if TYPE_CHECKING:
    from pathlib import Path

    from served import Pages

DAYS = 150
ODD = {
    "long": "L" * 10_000,
    "right": "\u05e9\u05dc\u05d5\u05dd \u202etxt.exe",
    "markup": "</a><script>alert(1)</script>",
    "none": None,
    "blank": "",
}


@served_as("beside")
def beside(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        conn.execute("BEGIN")
        for n in range(DAYS):
            # Pairs of the same time, and some without any.
            at = f"2025-{1 + n // 28:02}-{1 + n % 28 // 2:02}T10:00:00.000Z" if n > 5 else None
            add_conversation(conn, f"c{n:03}", f"Chat {n:03}", updated_at=at)
        for n, (key, title) in enumerate(ODD.items()):
            add_conversation(conn, key, title, updated_at=f"2026-01-0{n + 1}T10:00:00.000Z")
        add_conversation(conn, "hidden", "All of it hidden", deleted_at="2026-02-01T00:00:00.000Z")
        add_message(conn, "hidden", "n1", "a secret", role="system", is_hidden=1)
        conn.execute("COMMIT")


def side(text: str) -> str:
    found = re.search(r'<aside class="side".*?</aside>', text, re.DOTALL)
    return found[0] if found else ""


def listed(text: str) -> list[str]:
    return re.findall(r'<li><a href="/beside/-/conversation/([^"?]+)"', side(text))


def whole_list(many: Pages) -> list[str]:
    pages = [many.get(f"/beside/-/conversations?page={n}")[1] for n in (1, 2)]
    return [key for text in pages for key in re.findall(r'tabindex="-1"><a href="[^"]*/conversation/([^"]+)"', text)]


@pytest.mark.parametrize("key", ["blank", "c149", "c148", "c100", "c006", "c005", "c003", "hidden"])
def test_it_is_the_part_of_the_list_around_the_open_one(many: Pages, key: str) -> None:
    """Also at both ends, of conversations of the same time, and of those without any."""
    text, everything = many.get(f"/beside/-/conversation/{key}")[1], whole_list(many)
    place = everything.index(key)
    assert listed(text) == everything[max(0, place - NEWER) : place + OLDER + 1]
    assert re.findall(r'conversation/([^"]+)" dir="auto" aria-current="page"', side(text)) == [key]
    beside = re.findall(r'class="(?:newer|older)" href="[^"]*/conversation/([^"]+)"', text)
    assert beside == [*everything[max(0, place - 1) : place], *everything[place + 1 : place + 2]]


def test_titles_stay_text_and_short(many: Pages) -> None:
    text = many.get("/beside/-/conversation/none")[1]
    assert "<script>alert" not in text
    assert "Untitled" in side(text)
    assert max(len(title) for title in re.findall(r">([^<]*)</a>", side(text))) <= 200
    assert unescape(side(text)).count("\u202e") == 1
    assert len(many.get("/beside/-/conversation/long")[1]) < 60_000


def test_without_messages_a_page_still_leads_on(many: Pages) -> None:
    """Nothing to read, no list of prompts, no pages; but its neighbours."""
    for key, told in (("c100", "Nothing to read here."), ("hidden", "hides all of it")):
        status, text = many.get(f"/beside/-/conversation/{key}?page=all")
        assert status == 200
        assert told in text
        assert 'class="prompts"' not in text
        assert len(listed(text)) > NEWER


def test_a_filter_of_titles_leads_to_the_list(many: Pages) -> None:
    assert 'action="/beside/-/conversations"' in side(many.get("/beside/-/conversation/c100")[1])
    assert 'class="side"' not in many.get("/beside/-/home")[1]
