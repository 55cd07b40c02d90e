"""What a person pastes to sign in.

A session cookie's value, its parts one after the other, a Cookie header, a "Copy as cURL" line, or a file of cookies
that a browser's extension wrote. What people paste by mistake is named, before the service is asked.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mirror.credentials.shell_words import OpenQuoteError, shell_words
from mirror.errors import UsageError

if TYPE_CHECKING:
    from mirror.credentials.login import Login, LoginForm

# Lines of one length, at least this long, are one text that a window or a mail program broke; words are shorter.
_BROKEN_LINE = 40
_QUOTES = "'\"`\u2018\u2019\u201c\u201d"
_VALUE = re.compile(
    r"[\w.~+/=%:|!-]+", re.ASCII
)  # a token has fewer; a cookie may have more (RFC 6265), which none has
_OTHER_COPIES = re.compile(r"\s*(fetch\(|await fetch|\$session = New-Object|Invoke-WebRequest|\{\s*\"log\")")
_HOST = re.compile(r"https?://([^/:?#\s]+)", re.IGNORECASE)
# Of a row of cookies.txt: domain, whether for subdomains, path, whether secure, expiry, name, value.
_COLUMNS, _FLAGS = 7, frozenset({"TRUE", "FALSE"})


class UnfinishedPasteError(UsageError):
    """The beginning of a login came, and the rest did not."""


def parse_login(pasted: str, form: LoginForm) -> Login:
    """Return the login in what was pasted.

    Raises UnfinishedPasteError where more has to come, UsageError where no session cookie is in it. Nothing but
    cookies, User-Agent and workspace is kept.
    """
    text = pasted.replace("\r\n", "\n").strip()
    if re.match(r"curl(\.exe)?(\s|$)", text):
        cookies, headers = _curl_parts(text, form)
        return form.login_of(_cookie_pairs(cookies, form), headers)
    if pairs := _cookies_in_json(text, form) or _cookie_pairs(text.strip(_QUOTES), form):
        return form.login_of(pairs, {})
    if what := _mistaken(text, form):
        raise UsageError(f"{what} {form.how_to}")
    return form.login_of(form.cookies_of(_whole_value(text, form)), {})


def _mistaken(text: str, form: LoginForm) -> str | None:
    """Say what was pasted where that is no session cookie; None where it can be one."""
    bare = text.strip(_QUOTES)
    if form.is_session_cookie(bare.rstrip("=: ")):
        return "That is the cookie's name; its value is needed."
    if re.match(r"[a-z]+://\S", bare, re.IGNORECASE):
        return "That is a web address, not a session cookie."
    if _OTHER_COPIES.match(text):
        return 'That is another kind of copy; choose "Copy as cURL" (bash or cmd).'
    return form.mistaken(bare)


def _whole_value(text: str, form: LoginForm) -> str:
    """Return the value of a cookie whose parts, or broken lines, were pasted one after the other."""
    parts = [part.strip(_QUOTES + ",;") for part in text.split()]
    if not parts or not all(_VALUE.fullmatch(part) for part in parts):
        raise UsageError(f"That does not look like a session cookie. {form.how_to}")
    full = [part for part in parts if len(part) == form.part_length]
    rest = [part for part in parts if len(part) != form.part_length]
    if full and len(rest) <= 1:
        if not rest:
            raise UnfinishedPasteError(
                f"That is only the beginning of the session cookie, {len(''.join(full)):,} characters; the next part is"
                " missing. Paste all parts, one after the other: the values of .0, .1 and so on."
            )
        return "".join(full + rest)  # in whichever order they came: all parts but the last one are full
    lengths = {len(part) for part in parts[:-1]}
    if len(parts) > 1 and (len(lengths) > 1 or min(lengths) < _BROKEN_LINE):
        raise UsageError(f"That is several words, not a session cookie. {form.how_to}")
    return "".join(parts)


def _cookies_in_json(text: str, form: LoginForm) -> dict[str, str]:
    """Return the cookies of a file that a browser's extension wrote; none where there is no session cookie."""
    if not text.startswith(("[", "{")):
        return {}
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    rows = data.get("cookies") if isinstance(data, dict) else data
    named = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    pairs = [(row.get("name"), row.get("value")) for row in named if _is_ours(row.get("domain"), form)]
    found = {name: value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}
    return _with_session(found, form)


def _cookie_pairs(text: str, form: LoginForm) -> dict[str, str]:
    """Return the cookies by name; none where no session cookie is among them: it is other text."""
    text = re.sub(r"^(?:cookie:)\s*", "", text, flags=re.IGNORECASE)
    if rows := [row for line in text.splitlines() if len(row := line.split("\t")) == _COLUMNS and row[1] in _FLAGS]:
        return _with_session({row[5]: row[6].strip() for row in rows if _is_ours(row[0], form)}, form)
    # "name=value; name=value", one per line, or developer tools' "name <tab> value" rows
    pairs = re.findall(r"(?:^|[;\n])\s*[\"']?([\w.\-]+)[\"']?\s*[=\t:]\s*([^;\s]+)", text, re.ASCII)
    return _with_session({name: value.strip(_QUOTES + ",") for name, value in pairs}, form)


def _is_ours(domain: object, form: LoginForm) -> bool:
    """Whether a cookie is the service's; a file can hold those of every site that was visited.

    Its session cookie's name is that of many sites. A file of one site need not name it.
    """
    if domain is None:
        return True
    host = str(domain).removeprefix("#HttpOnly_").lstrip(".").lower()
    return host == form.domain or host.endswith(f".{form.domain}")


def _with_session(found: dict[str, str], form: LoginForm) -> dict[str, str]:
    sent = {name: value for name, value in found.items() if value and _can_be_sent(value)}
    return sent if any(form.is_session_cookie(name) for name in sent) else {}


def _curl_parts(text: str, form: LoginForm) -> tuple[str, dict[str, str]]:
    """Return the text of the cookies, and the headers by their names in lower case."""
    try:
        words = shell_words(text)
    except OpenQuoteError:
        raise UnfinishedPasteError("That cURL line is cut off or has an open quote; copy it again, whole.") from None
    hosts = [host[1] for word in words if (host := _HOST.match(word))]
    if hosts and not any(_is_ours(host, form) for host in hosts):
        raise UsageError(f"That is a request to {hosts[0]}, whose cookies sign in nowhere else. {form.how_to}")
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
