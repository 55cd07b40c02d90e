"""What is known of chatgpt.com's limits and errors."""

from __future__ import annotations

import pytest

from mirror.chatgpt.site import BY_ID, ORDINARY, SENTENCE_LENGTH, SITE, error_code, error_sentence


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"detail": {"code": "conversation_deleted", "message": "…"}}, "conversation_deleted"),
        ({"code": "token_expired", "message": "…"}, "token_expired"),
        ({"detail": "Conversation not found"}, None),
        ({"detail": "text", "code": "token_expired"}, "token_expired"),
        ({"detail": {"message": "…"}, "code": "outer"}, None),
        ({"detail": [{"type": "value_error", "msg": "…"}]}, None),
        ({"detail": {"code": 5}}, None),
        ({"detail": {"code": "\ud83d"}}, None),
        ({"detail": {"code": "a\0b"}}, None),
        ({"detail": {"code": "two\nlines"}}, None),
        ({"detail": {"code": "line_end\n"}}, None),
        ({"detail": {"code": "\x1b[2J"}}, None),
        ({"detail": {"code": ""}}, None),
        ({"detail": {"code": "x" * 80}}, "x" * 80),
        ({"detail": {"code": "x" * 1_000_000}}, None),
        ({}, None),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
def test_every_known_form_of_an_error(body: object, code: str | None) -> None:
    """The code stands in the detail where that is an object, else beside it."""
    assert error_code(body) == code


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Half \ud83d a sign", "Half a sign"),
        ("a\0b c", "a b c"),
        ("Two\r\nlines\u2028of it", "Two lines of it"),
        ("Red \x1b[31m and \u202e turned", "Red [31m and turned"),
        ("Again " * 200_000, ("Again " * 50)[:SENTENCE_LENGTH]),
    ],
)
def test_the_services_words_are_one_short_line(said: str, shown: str) -> None:
    """Whatever stands in them: they go into messages and into the database."""
    assert error_sentence({"detail": said}) == error_sentence({"detail": {"message": said}}) == shown


def test_reads_by_id_are_the_dear_ones() -> None:
    """They keep more distance, are paused for less often, and are counted."""
    assert BY_ID.spacing > ORDINARY.spacing
    assert len(BY_ID.pauses) < len(ORDINARY.pauses)
    assert BY_ID.is_budgeted
    assert not ORDINARY.is_budgeted
    assert SITE.home_url == "https://chatgpt.com"
