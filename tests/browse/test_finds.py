"""From a find to the sentence: marks, and the way from one find to the next inside a conversation."""

from __future__ import annotations

import re
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING

import pytest
from markupsafe import Markup
from mirrors import add_conversation, add_message, open_mirror
from served import served_as

from mirror.browse.marks import with_marks
from mirror.store.search.query import parse_words

if TYPE_CHECKING:
    from pathlib import Path

    from served import Pages

LONG = 450  # messages: three pages


@served_as("finds")
def finds(path: Path) -> None:
    with closing(open_mirror(path)) as conn, conn:
        add_conversation(conn, "long", "A long one", message_count=LONG)
        before = None
        for n in range(LONG):
            text = "Two ovens, and **one oven** more" if n % 100 == 50 else f"Nothing of that, {n}"
            kind = {"role": "tool", "kind": "output"} if n == 150 else {"role": "assistant" if n % 2 else "user"}
            add_message(conn, "long", f"n{n}", text, parent_id=before, position=n, **kind)
            before = f"n{n}"
        add_message(conn, "long", "other", "An oven elsewhere", parent_id="n3", position=None)


@pytest.mark.parametrize(
    ("html", "words", "expected"),
    [
        ("<p>Two ovens &amp; more</p>", "oven", "<p>Two <mark>ovens</mark> &amp; more</p>"),
        ("<p>a &amp; b &lt;i&gt;</p>", "amp", "<p>a &amp; b &lt;i&gt;</p>"),
        (
            '<a href="x?p=1&amp;q=2" title="p > q">p</a>',
            "p",
            '<a href="x?p=1&amp;q=2" title="p > q"><mark>p</mark></a>',
        ),
        ("<code>x &lt; y</code>", "x", "<code><mark>x</mark> &lt; y</code>"),
        ("<p>学习Python编程</p>", "学习", "<p><mark>学习</mark>Python编程</p>"),
        ("<p>line one\n  line two</p>", "two", "<p>line one\n  line <mark>two</mark></p>"),
        ('<p>say "red bread" now</p>', '"red bread"', "<p>say &#34;<mark>red bread</mark>&#34; now</p>"),
        ("<p>rye and wheat</p>", "rye -wheat", "<p><mark>rye</mark> and wheat</p>"),
        (
            "<math><mi>o</mi><annotation>\\oven</annotation></math> oven",
            "oven",
            "<mark><math><mi>o</mi><annotation>\\oven</annotation></math></mark> <mark>oven</mark>",
        ),
        ("<math><mi>oven</mi></math><p>oven</p>", "oven", "<math><mi>oven</mi></math><p><mark>oven</mark></p>"),
        ("<p>\x02oven\x03 \x03</p>", "oven", "<p><mark>oven</mark> </p>"),
        ("<p>&lt;script&gt;alert&lt;/script&gt;</p>", "script", None),
        ("", "oven", ""),
    ],
)
def test_marks_change_text_and_nothing_else(html: str, words: str, expected: str | None) -> None:
    (marked,) = with_marks([Markup(html)], parse_words(words))
    if expected is not None:
        assert marked == expected
    assert re.sub("</?mark>|&#34;", "", marked) == re.sub('[\x02\x03"]', "", html) or "title" in html


def test_every_find_is_reached_from_the_one_before_it(many: Pages) -> None:
    text = many.get("/finds/-/conversation/long?find=oven")[1]
    assert "4 messages with <mark>oven</mark>, 1 more on other branches or hidden" in text
    seen = []
    while following := re.search(r'class="after" rel="nofollow" href="([^"]+)"', text):
        address = unescape(following[1])
        text = many.get(address.partition("#")[0])[1]
        seen.append(re.search(r"message=(n\d+)", address)[1])  # type: ignore[index] # it is there
        assert f"{len(seen)} of 4 messages with" in text
        assert 'id="' + address.partition("#")[2] + '"' in text
        assert "Two <mark>ovens</mark>, and " in text
    assert seen == [f"n{n}" for n in range(50, LONG, 100)]
    back = re.search(r'class="before" rel="nofollow" href="[^"]*message=(n\d+)', text)
    assert back
    assert back[1] == "n250"


def test_a_fold_with_a_find_is_open(many: Pages) -> None:
    shown = many.get("/finds/-/conversation/long?find=oven&page=1")[1]
    fold = shown[shown.index('class="block kind-output') :]
    assert "<details open>" in fold[: fold.index("</section>")]
    assert "<details open>" not in many.get("/finds/-/conversation/long?page=1")[1]


def test_a_search_leads_to_marked_words(many: Pages) -> None:
    text = many.get("/finds/-/search?q=ovens")[1]
    address = unescape(re.search(r'class="jump" href="([^"#]+)', text)[1])  # type: ignore[index] # it is there
    assert "<mark>" in many.get(address)[1].partition('class="turn')[2]


@pytest.mark.parametrize("find", ["nothinglikethis", "%00", "-oven", "%22", "*", "a%20" * 500])
def test_words_that_find_nothing_are_no_error(many: Pages, find: str) -> None:
    assert many.get(f"/finds/-/conversation/long?find={find}")[0] == 200


def test_where_no_message_has_all_words_those_with_any_are_found(many: Pages) -> None:
    assert "4 messages with" in many.get("/finds/-/conversation/long?find=oven+nothinglikethis")[1]
