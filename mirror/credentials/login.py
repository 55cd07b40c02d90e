"""What is sent to sign in, and what a service has to say about the form of its login."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(slots=True)
class Login:
    """What is sent to sign in.

    ``is_stored``: it was read from the file, so a renewed cookie is written back there.
    """

    cookies: dict[str, str] = field(repr=False)
    user_agent: str | None = None
    account_id: str | None = None
    is_stored: bool = False


class LoginForm(NamedTuple):
    """The form of one service's login.

    ``variable``: the environment variable that can hold it; ``domain``: that of its cookies; ``file_name``: the file
    that keeps it; ``how_to``: the steps by which a person gets one. ``cookies_of(value)``: the cookies that a bare
    session value stands for; ``login_of(cookies, headers)``: the login in what a browser sends (header names in lower
    case); it raises UsageError where no whole session cookie is among the cookies. ``part_length``: characters of each
    part but the last one of a cookie that the service splits. ``mistaken(value)``: what a value is, in a sentence,
    where it is no session cookie.
    """

    variable: str
    domain: str
    file_name: str
    how_to: str
    is_session_cookie: Callable[[str], bool]
    cookies_of: Callable[[str], dict[str, str]]
    login_of: Callable[[Mapping[str, str], Mapping[str, str]], Login]
    part_length: int | None = None
    mistaken: Callable[[str], str | None] = lambda _: None
