"""The form of ChatGPT's login: a session cookie that the service splits (API notes §1.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mirror.credentials.login import Login, LoginForm
from mirror.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION_COOKIE = "__Secure-next-auth.session-token"
PART_LENGTH = 3933  # characters: where the service itself cuts a longer cookie into .0, .1, ... (API notes §1.2)
_FULL_LENGTHS = (3933, 3936)  # characters of a part after which another one comes
HOW_TO = (
    "Open https://chatgpt.com signed in, developer tools, Application (Firefox, Safari: Storage), Cookies, copy the"
    f" value of {SESSION_COOKIE} (or .0 and .1), and run `chatmirror auth`."
)
# The selected workspace, as the site's own cookie and request header name it; the personal one is not sent.
_WORKSPACE_COOKIE, _WORKSPACE_HEADER, _PERSONAL = "_account", "chatgpt-account-id", "personal"
# Three parts between dots; a session cookie is encrypted and has five, the second of them empty (RFC 7519, RFC 7516).
_ACCESS_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_SESSION_NAME = re.compile(re.escape(SESSION_COOKIE) + r"(?:\.[0-9]{1,2})?\Z")


def is_session_cookie(name: str) -> bool:
    """Whether a cookie is the session cookie or a part of it."""
    return bool(_SESSION_NAME.match(name))


def mistaken(value: str) -> str | None:
    """Say what else of the service a value is; None where it can be a session cookie."""
    if re.match(r"(authorization:|bearer\b)", value, re.IGNORECASE) or _ACCESS_TOKEN.fullmatch(value):
        return "That is an access token, which ends within days and cannot be renewed; the session cookie is needed."
    if re.fullmatch(r"(sk|sess|rk)-[\w-]+", value):
        return "That is a key of OpenAI's API, which opens no conversations; the session cookie is needed."
    if value.startswith("{") and '"accessToken"' in value:
        return "That is the page /api/auth/session, which holds an access token; the session cookie is needed."
    return None


def session_cookies(value: str) -> dict[str, str]:
    """Return a session cookie's whole value under the names that the service would give its parts."""
    if len(value) <= PART_LENGTH:
        return {SESSION_COOKIE: value}
    parts = [value[start : start + PART_LENGTH] for start in range(0, len(value), PART_LENGTH)]
    return {f"{SESSION_COOKIE}.{n}": part for n, part in enumerate(parts)}


def login_of(cookies: Mapping[str, str], headers: Mapping[str, str]) -> Login:
    """Return the login in what a browser sends; raises UsageError without a whole session cookie."""
    kept = dict(cookies)
    parts = sorted((name for name in kept if is_session_cookie(name) and name != SESSION_COOKIE), key=_part_number)
    if parts:
        kept.pop(SESSION_COOKIE, None)  # an old one left over: the service renews the parts
    if [_part_number(name) for name in parts] != list(range(len(parts))):
        raise UsageError(f"Parts of the session cookie are missing ({', '.join(parts)} found); paste all of them.")
    if len(parts) == 1 and len(kept[parts[0]]) in _FULL_LENGTHS:
        raise UsageError(f"Only the first part of the session cookie is there, {parts[0]}; paste the one in .1, too.")
    if not parts and SESSION_COOKIE not in kept:
        raise UsageError(f"There is no session cookie in that. {HOW_TO}")
    workspace = headers.get(_WORKSPACE_HEADER) or kept.get(_WORKSPACE_COOKIE)
    return Login(kept, headers.get("user-agent"), workspace if workspace != _PERSONAL else None)


def replace_session(login: Login, renewed: Mapping[str, str]) -> None:
    """Put the renewed session cookie into a login; the number of its parts may change.

    The service may send later parts alone, which then leave the others; a new first part begins another cookie. What
    makes no whole cookie either way changes nothing: a login is never stored without one of its parts.
    """
    others = {name: value for name, value in login.cookies.items() if not is_session_cookie(name)}
    old = {name: value for name, value in login.cookies.items() if is_session_cookie(name)}
    begins_anew = f"{SESSION_COOKIE}.0" in renewed
    ways = [dict(renewed)] if begins_anew else [dict(renewed), {**old, **renewed}]
    whole = next((parts for parts in ways if _is_whole(parts)), old)
    login.cookies = {**others, **whole}


def _is_whole(parts: Mapping[str, str]) -> bool:
    if SESSION_COOKIE in parts:
        return len(parts) == 1
    if not parts or sorted(map(_part_number, parts)) != list(range(len(parts))):
        return False
    return len(parts[f"{SESSION_COOKIE}.{len(parts) - 1}"]) not in _FULL_LENGTHS  # else one more follows


def _part_number(name: str) -> int:
    return int(name.rsplit(".", 1)[1])


LOGIN_FORM = LoginForm(
    variable="CHATGPT_SESSION_TOKEN",
    domain="chatgpt.com",
    file_name="login.json",
    how_to=HOW_TO,
    is_session_cookie=is_session_cookie,
    cookies_of=session_cookies,
    login_of=login_of,
    part_length=PART_LENGTH,
    mistaken=mistaken,
)
