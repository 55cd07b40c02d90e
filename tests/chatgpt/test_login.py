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


FULL, FULLER = "n" * PART_LENGTH, "n" * 3936


@pytest.mark.parametrize("full", [FULL, FULLER])
@pytest.mark.parametrize("count", [1, 2])
def test_a_renewal_that_was_cut_leaves_the_old_login(full: str, count: int) -> None:
    """A last part as long as the service makes them has another one after it, which did not come."""
    old = {f"{SESSION_COOKIE}.{n}": "o" * (PART_LENGTH if n < count else 600) for n in range(count + 1)}
    login = Login({**old, "oai-did": "11"})
    replace_session(login, {f"{SESSION_COOKIE}.{n}": full for n in range(count)})
    assert login.cookies == {"oai-did": "11", **old}


def test_a_renewal_is_never_put_together_with_the_end_of_the_old_one() -> None:
    """A new first part begins another cookie: the old one stays where not all of it comes, and goes where it does."""
    old = {
        f"{SESSION_COOKIE}.0": "o" * PART_LENGTH,
        f"{SESSION_COOKIE}.1": "o" * PART_LENGTH,
        f"{SESSION_COOKIE}.2": "o",
    }
    login = Login(dict(old))
    replace_session(login, {f"{SESSION_COOKIE}.0": FULL, f"{SESSION_COOKIE}.2": "n"})
    assert login.cookies == old
    replace_session(login, {f"{SESSION_COOKIE}.0": FULL, f"{SESSION_COOKIE}.1": "n"})
    assert login.cookies == {f"{SESSION_COOKIE}.0": FULL, f"{SESSION_COOKIE}.1": "n"}
