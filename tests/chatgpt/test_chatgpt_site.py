"""What is known of chatgpt.com's limits and errors."""

from __future__ import annotations

import pytest

from mirror.chatgpt.site import BY_ID, ORDINARY, SITE, error_code


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
        ({}, None),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
def test_every_known_form_of_an_error(body: object, code: str | None) -> None:
    """The code stands in the detail where that is an object, else beside it."""
    assert error_code(body) == code


def test_reads_by_id_are_the_dear_ones() -> None:
    """They keep more distance, are paused for less often, and are counted."""
    assert BY_ID.spacing > ORDINARY.spacing
    assert len(BY_ID.pauses) < len(ORDINARY.pauses)
    assert BY_ID.is_budgeted
    assert not ORDINARY.is_budgeted
    assert SITE.home_url == "https://chatgpt.com"
