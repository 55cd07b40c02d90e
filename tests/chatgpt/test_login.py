"""The session cookie and its parts, as the service renews them."""

from __future__ import annotations

import pytest

from mirror.chatgpt.login import PART_LENGTH, SESSION_COOKIE, is_session_cookie, replace_session, session_cookies
from mirror.credentials.login import Login

LONG = "e" * (PART_LENGTH * 2 + 17)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (SESSION_COOKIE, True),
        (f"{SESSION_COOKIE}.12", True),
        (f"{SESSION_COOKIE}.x", False),
        (f"not{SESSION_COOKIE}", False),
        ("oai-did", False),
    ],
)
def test_the_session_cookie_is_known_by_its_name(name: str, *, is_one: bool) -> None:
    """It and its numbered parts, and nothing else."""
    assert is_session_cookie(name) is is_one


def test_a_renewed_cookie_replaces_all_old_parts() -> None:
    """After a rotation with fewer parts no stale part is left."""
    login = Login({**session_cookies(LONG), "oai-did": "11"})
    replace_session(login, {SESSION_COOKIE: "short"})
    assert login.cookies == {"oai-did": "11", SESSION_COOKIE: "short"}


def test_a_renewed_part_leaves_the_others() -> None:
    """A login is never stored without one of its parts."""
    login = Login({f"{SESSION_COOKIE}.0": "a", f"{SESSION_COOKIE}.1": "b"})
    replace_session(login, {f"{SESSION_COOKIE}.1": "new"})
    assert login.cookies == {f"{SESSION_COOKIE}.0": "a", f"{SESSION_COOKIE}.1": "new"}
    replace_session(login, {f"{SESSION_COOKIE}.3": "far"})
    assert login.cookies == {f"{SESSION_COOKIE}.0": "a", f"{SESSION_COOKIE}.1": "new"}
