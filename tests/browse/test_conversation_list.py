"""The list of conversations over HTTP: what it is narrowed by, its months and its pages."""

from __future__ import annotations

import re
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from mirrors import add, add_conversation, add_message, open_mirror
from served import served_as

if TYPE_CHECKING:
    from pathlib import Path

    from served import Pages


@served_as("list")
def listed(path: Path) -> None:
    with closing(open_mirror(path)) as conn, conn:
        add(conn, "projects", id="g-p-1", name="The bakery", url="https://chatgpt.com/g/g-p-1")
        add(conn, "gpts", id="g-1", name="Stars <b>")
        kinds: list[tuple[str, str | None, str, dict[str, Any]]] = [
            ("c1", "Rye bread", "2026-03-05", {"project_id": "g-p-1", "is_archived": 1}),
            ("c2", "Brot und BRÖTCHEN", "2026-03-01", {"gpt_id": "g-1", "is_starred": 1}),
            ("c3", "Привет, мир", "2026-01-31", {"deleted_at": "2026-02-01T00:00:00.000Z"}),
            ("c4", "学习Python编程", "2025-12-31", {"missing_since": "2026-02-01T00:00:00.000Z"}),
            (
                "c5",
                "100% of_it \\ <script>alert(1)</script>",
                "2024-06-01",
                {"is_complete": 0, "incomplete_reason": "x"},
            ),
            ("c6", None, "2024-05-01", {"model": "gpt-4"}),
        ]
        for key, title, day, more in kinds:
            add_conversation(conn, key, title, updated_at=f"{day}T10:00:00.000Z", **more)
            add_message(conn, key, "n1", "A text")
        add_conversation(conn, "c7", "Undated butter", updated_at=None)


@served_as("long_list")
def long_list(path: Path) -> None:
    with closing(open_mirror(path)) as conn, conn:
        for n in range(250):
            add_conversation(conn, f"c{n:03}", f"Chat {n:03}", updated_at=f"2025-{1 + n % 12:02}-05T10:00:00.000Z")


def ids(text: str) -> list[str]:
    return re.findall(r'<li class="turn" tabindex="-1"><a href="[^"]*/conversation/([^"]+)"', text)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "c1 c2 c3 c4 c5 c6 c7"),
        ("q=bread", "c1"),
        ("q=rea+rye", "c1"),
        ("q=br%C3%B6tchen", "c2"),
        ("q=%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82", "c3"),
        ("q=python", "c4"),
        ("q=%E4%B9%A0", "c4"),
        ("q=100%25", "c5"),
        ("q=f_i", "c5"),
        ("q=%5C", "c5"),
        ("q=%22rye", "c1"),
        ("q=bro", "c2"),
        ("q=bus", ""),
        ("q=%00*%28%22OR", ""),
        ("q=bread&state=archived", "c1"),
        ("state=starred", "c2"),
        ("state=deleted", "c3"),
        ("state=missing", "c4"),
        ("state=incomplete", "c5"),
        ("state=nonsense", "c1 c2 c3 c4 c5 c6 c7"),
        ("project=g-p-1", "c1"),
        ("gpt=g-1", "c2"),
        ("gpt=nowhere", ""),
        ("model=gpt-4", "c6"),
        ("date=2026", "c1 c2 c3"),
        ("date=2026-03", "c1 c2"),
        ("date=2026-3%25", "c1 c2 c3 c4 c5 c6 c7"),
        ("service=nobody", ""),
        ("page=2", ""),
        ("page=-1&order=x", "c1 c2 c3 c4 c5 c6 c7"),
        ("page=99999999999999999999", "c1 c2 c3 c4 c5 c6 c7"),
    ],
)
def test_what_narrows_the_list(many: Pages, query: str, expected: str) -> None:
    status, text = many.get(f"/list/-/conversations?{query}")
    assert (status, ids(text)) == (200, expected.split())


def test_the_list_has_months_and_says_what_each_conversation_is(many: Pages) -> None:
    text = many.get("/list/-/conversations")[1]
    months = re.findall(r'<h2 class="month">([^<]+)</h2>', text)
    assert months == ["March 2026", "January 2026", "December 2025", "June 2024", "May 2024", "Without a date"]
    assert "7 conversations." in text
    for part in ("The bakery", "Stars &lt;b&gt;", "archived", "★", ">deleted<", ">missing<", ">in part<", "Untitled"):
        assert part in text, part
    assert "<script>alert" not in text


def test_each_choice_leads_to_as_many_as_it_says(many: Pages) -> None:
    text = many.get("/list/-/conversations")[1]
    choices = re.findall(r'<li><a href="([^"]+)">[^<]+</a> <span>(\d+)</span></li>', text)
    assert len(choices) >= 10
    for address, count in choices:
        narrowed = many.get(unescape(address))[1]
        assert len(ids(narrowed)) == int(count), address
        assert "✕</a>" in narrowed
    year = many.get("/list/-/conversations?date=2026")[1]
    assert 'date=2026-03">March 2026</a> <span>2</span>' in year


def test_all_pages_together_are_the_whole_list(many: Pages) -> None:
    address, found = "/long_list/-/conversations?q=chat", []
    while address:
        text = many.get(address)[1]
        found += ids(text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        address = unescape(following[1]) if following else ""
    assert len(found) == 250
    assert set(found) == {f"c{n:03}" for n in range(250)}
    assert "This page is past the end" in many.get("/long_list/-/conversations?page=4")[1]


def test_home_and_badges_lead_to_the_list(many: Pages) -> None:
    home = many.get("/list/-/home")[1]
    for state in ("archived", "deleted", "missing", "incomplete"):
        assert f'href="/list/-/conversations?state={state}"' in home
    assert 'href="/list/-/conversations?project=g-p-1">Project The bakery' in many.get("/list/-/conversation/c1")[1]
    assert 'href="/list/-/conversations?gpt=g-1">GPT Stars' in many.get("/list/-/conversation/c2")[1]
