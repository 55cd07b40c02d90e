"""What a person pastes to sign in.

A session cookie's value, its parts one after the other, a Cookie header, or a "Copy as cURL" line.
"""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING

from mirror.errors import UsageError

if TYPE_CHECKING:
    from mirror.credentials.login import Login, LoginForm


def parse_login(pasted: str, form: LoginForm) -> Login:
    """Return the login in what was pasted; raises UsageError when no session cookie is in it.

    Nothing but cookies, User-Agent and workspace is kept.
    """
    text = pasted.strip()
    if re.match(r"curl(\.exe)?\s", text):
        cookies, headers = _curl_parts(text)
        return form.login_of(_cookie_pairs(cookies, form), headers)
    if pairs := _cookie_pairs(text, form):
        return form.login_of(pairs, {})
    parts = text.split()
    if not parts or any(re.search(r"[^\x21-\x7e]|[;,\"\\]", part) for part in parts):
        raise UsageError(f"That does not look like a session cookie. {form.how_to}")
    return form.login_of(form.cookies_of("".join(parts)), {})


def _cookie_pairs(text: str, form: LoginForm) -> dict[str, str]:
    """Return the cookies by name; none where no session cookie is among them: it is other text."""
    text = re.sub(r"^(?:cookie:)\s*", "", text, flags=re.IGNORECASE)
    # "name=value; name=value", one per line, or developer tools' "name <tab> value" rows
    pairs = re.findall(r"(?:^|[;\n])\s*([\w.\-]+)\s*[=\t:]\s*([^;\s]+)", text, re.ASCII)
    found = {name: value.strip('"') for name, value in pairs if _can_be_sent(value.strip('"'))}
    return found if any(form.is_session_cookie(name) for name in found) else {}


def _curl_parts(text: str) -> tuple[str, dict[str, str]]:
    """Return the text of the cookies, and the headers by their names in lower case."""
    try:
        # A line from Windows is continued with ^ and quotes with ^".
        words = shlex.split(text.replace("^\n", " ").replace("\\\n", " ").replace('^"', '"'))
    except ValueError:
        raise UsageError("That cURL line is cut off or has an open quote; copy it again, whole.") from None
    headers: dict[str, str] = {}
    cookies = ""
    for flag, value in pairwise(words):
        if flag in {"-H", "--header"} and ":" in value:
            name, _, content = value.partition(":")
            headers[name.strip().lower()] = content.strip()
        elif flag in {"-b", "--cookie"}:
            cookies = value
        elif flag in {"-A", "--user-agent"}:
            headers["user-agent"] = value
    return cookies or headers.get("cookie", ""), {name: value for name, value in headers.items() if _can_be_sent(value)}


def _can_be_sent(value: str) -> bool:
    """Whether a header may hold a value: no other character than those of ASCII that are seen, and blanks."""
    return value.isascii() and value.isprintable()
