"""Drafts of an answer as cards, in the place where they stand in its text."""

from __future__ import annotations

import json
import re
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mirrors import add_conversation, add_message, open_mirror
from served import served_as

from mirror.browse.containers import with_drafts
from mirror.browse.safe_html import answer_html
from mirror.rows import Draft

if TYPE_CHECKING:
    from pathlib import Path

    from served import Pages

MAIL = {"kind": "email", "title": 'A "lift" <b>', "text": "Dear **all**,\n\n:::\nit is stuck."}
TEXT = 'Here:\n\nA "lift" <b>\n\nDear **all**,\n\n:::\nit is stuck.\n\nFirmer?'
# What the column holds -> the titles of the cards
COLUMNS = {
    json.dumps([MAIL]): ['<span>Email</span> <strong>A "lift" &lt;b&gt;</strong>'],
    json.dumps([{**MAIL, "title": ""}]): ["<span>Email</span>"],
    json.dumps([{**MAIL, "kind": '"><script>'}]): ['<span>Draft</span> <strong>A "lift" &lt;b&gt;</strong>'],
    json.dumps([MAIL, {**MAIL, "text": "Firmer?", "title": "", "kind": "document"}]): [
        '<span>Email</span> <strong>A "lift" &lt;b&gt;</strong>',
        "<span>Document</span>",
    ],
    json.dumps([{**MAIL, "text": "not there"}]): [],
    json.dumps([{**MAIL, "at": "x"}]): ['<span>Email</span> <strong>A "lift" &lt;b&gt;</strong>'],
    json.dumps([{**MAIL, "at": 10**30}]): ['<span>Email</span> <strong>A "lift" &lt;b&gt;</strong>'],
    json.dumps([{**MAIL, "text": ""}]): [],
    json.dumps([{**MAIL, "text": "stuck."}]): [],  # inside a line
    json.dumps([{"kind": 1}]): [],
    "[[": [],
    "7": [],
    "": [],
}


@served_as("drafts")
def drafts(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        for n, column in enumerate(COLUMNS):
            add_conversation(conn, f"c{n}", "Drafts")
            add_message(conn, f"c{n}", "n1", TEXT, role="assistant", drafts=column)


def test_a_draft_is_a_card_and_no_word_is_lost(many: Pages) -> None:
    """Whatever the column holds."""
    for n, titles in enumerate(COLUMNS.values()):
        status, html = many.get(f"/drafts/-/conversation/c{n}")
        assert status == 200
        assert re.findall(r'<p class="card-title">(.*?)</p>', html) == titles
        shown = unescape(re.sub("<[^>]*>", "", html.partition("<article")[2]))
        for word in ("Here:", "lift", "Dear all", "it is stuck.", "Firmer?"):
            assert word in shown
        assert 'data-copy="Here:' in html


@pytest.mark.parametrize("text", ["a\nb\nc", "b", "b\nb", "title\n\nb\nc", "::::\nb"])
def test_a_draft_is_found_in_its_own_lines(text: str) -> None:
    html = answer_html(with_drafts(text, [Draft("email", "title", "b")]))
    assert html.count('class="card"') == 1
    assert html.count("title</strong>") == 1
    assert html.replace("card-title", "").count("title") == 1


@pytest.mark.parametrize(
    ("text", "at", "inside"),
    [
        ("b\nc\nb\nd", 4, "c"),
        ("b\nc\nb\nd", None, ""),
        ("b\nc\nb\nd", 3, ""),
        ("b\nc", -1, ""),
    ],
)
def test_a_draft_is_shown_at_its_place(text: str, at: int | None, inside: str) -> None:
    """Where none is stated or other text is there, at the first one that is alike."""
    before = answer_html(with_drafts(text, [Draft("email", "", "b", at)])).partition("<div")[0]
    assert inside in before
    assert bool(before) == bool(inside)


def test_a_draft_without_text_is_left_as_it_is_written() -> None:
    html = answer_html(with_drafts("a\n\ntitle\n\n", [Draft("", "", "a"), Draft("email", "title", "")]))
    assert (html.count('class="card"'), html.count("title</")) == (1, 1)


@given(st.text('a:\n {}"\\', max_size=30), st.text('a:\n {}"\\', max_size=10), st.text('a\n"\\}', max_size=8))
def test_around_a_draft_every_letter_stays(text: str, words: str, title: str) -> None:
    html = answer_html(with_drafts(text, [Draft("email", title, words), Draft("", "", words)]))
    shown = unescape(re.sub(r"<span>\w+</span>|<[^>]*>", "", html))
    assert shown.count("a") >= text.count("a")
