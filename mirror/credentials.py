"""The login at rest: one JSON file, readable by its owner only, written atomically, never printed.

It holds what the person pasted (cookies, User-Agent, workspace) and whose it was when it was tried. The environment
variable ``CHATGPT_SESSION_TOKEN`` goes before it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import tempfile
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror.errors import SignInError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION_COOKIE = "__Secure-next-auth.session-token"
CHUNK = 3933  # characters a chunk, as the service cuts it (API notes §1.2)
HOW_TO = (
    "Open https://chatgpt.com signed in, developer tools, Application (Firefox, Safari: Storage), Cookies, copy the"
    f" value of {SESSION_COOKIE} (or .0 and .1), and run `chatmirror auth`."
)
_CHUNK_NAME = re.compile(re.escape(SESSION_COOKIE) + r"(?:\.(\d+))?$")


@dataclass(slots=True)
class Login:
    """What is sent to sign in. ``is_stored``: came from the file, so a renewed cookie goes back there."""

    cookies: dict[str, str] = field(repr=False)
    user_agent: str | None = None
    account_id: str | None = None
    whose: dict[str, Any] = field(default_factory=dict)
    is_stored: bool = False

    def replace_session(self, chunks: Mapping[str, str]) -> None:
        """Take the session cookie as renewed by the service; how many chunks it has may change.

        Some chunks alone renew these and leave the others; what makes no whole cookie either way changes nothing.
        """
        kept = {name: value for name, value in self.cookies.items() if not _CHUNK_NAME.match(name)}
        old = {name: value for name, value in self.cookies.items() if _CHUNK_NAME.match(name)}
        whole = next((parts for parts in (dict(chunks), {**old, **chunks}) if _is_whole(parts)), old)
        self.cookies = {**kept, **whole}


def _is_whole(parts: Mapping[str, str]) -> bool:
    if SESSION_COOKIE in parts:
        return len(parts) == 1
    return bool(parts) and sorted(map(_number, parts)) == list(range(len(parts)))


def is_session_cookie(name: str) -> bool:
    """Whether a cookie is (a chunk of) the session cookie."""
    return bool(_CHUNK_NAME.match(name))


def config_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder of the stored login: $CHATMIRROR_CONFIG_DIR, else the system's usual place."""
    if own := environ.get("CHATMIRROR_CONFIG_DIR"):
        return Path(own)
    import click  # noqa: PLC0415 - only where the usual place is asked for

    return Path(click.get_app_dir("chatmirror"))


def load(environ: Mapping[str, str]) -> Login:
    """Return the login from the environment or the file; raises SignInError with the way to get one."""
    if token := environ.get("CHATGPT_SESSION_TOKEN", "").strip():
        return parse(token)
    path = config_dir(environ) / "login.json"
    try:
        _refuse_shared(path)
        data = json.loads(path.read_text("utf-8"))
        login = Login(**{name: data[name] for name in ("cookies", "user_agent", "account_id", "whose")}, is_stored=True)
        _refuse_odd(login)
    except FileNotFoundError:
        raise SignInError(f"No login yet; nothing was asked. {HOW_TO}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SignInError(f"The stored login {path} cannot be read ({type(error).__name__}). {HOW_TO}") from None
    return login


def save(login: Login, environ: Mapping[str, str]) -> Path:
    """Store the login 0600, whole or not at all; return where."""
    folder = config_dir(environ)
    path = folder / "login.json"
    data = asdict(login)
    del data["is_stored"]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".login-")  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(
            f"Cannot store the login in {folder} ({error.strerror}); the old one is as it was."
        ) from None
    return path


def _refuse_odd(login: Login) -> None:
    if not isinstance(login.cookies, dict) or not isinstance(login.whose, dict):
        raise TypeError
    texts = [login.user_agent or "", login.account_id or "", *login.cookies.values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError


def _refuse_shared(path: Path) -> None:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(f"{path} can be read by others; run `chmod 600 {path}` and, to be safe, `chatmirror auth`.")


def parse(pasted: str) -> Login:
    """Read what a person pasted: the cookie's value, its chunks, a Cookie header, or a "Copy as cURL" line.

    Raises UsageError when no session cookie is in it. Nothing but cookies, User-Agent and workspace is kept.
    """
    text = pasted.strip()
    if re.match(r"curl(\.exe)?\s", text):
        return _from_curl(text)
    pairs = _cookie_pairs(text)
    if pairs:
        return _login(pairs)
    chunks = text.split()
    if not chunks or any(re.search(r"[\x00-\x20;,\"\\]", chunk) for chunk in chunks):
        raise UsageError(f"That does not look like a session cookie. {HOW_TO}")
    return _login(chunked("".join(chunks)))


def chunked(value: str) -> dict[str, str]:
    """Return a logical session cookie under the names that the service would give its parts."""
    if len(value) <= CHUNK:
        return {SESSION_COOKIE: value}
    parts = [value[start : start + CHUNK] for start in range(0, len(value), CHUNK)]
    return {f"{SESSION_COOKIE}.{n}": part for n, part in enumerate(parts)}


def _cookie_pairs(text: str) -> dict[str, str]:
    text = re.sub(r"^(?:cookie:)\s*", "", text, flags=re.IGNORECASE)
    # "name=value; name=value", one per line, or developer tools' "name <tab> value" rows
    pairs = re.findall(r"(?:^|[;\n])\s*([\w.\-]+)\s*[=\t:]\s*([^;\s]+)", text)
    found = {name: value.strip('"') for name, value in pairs}
    return found if any(is_session_cookie(name) for name in found) else {}


def _login(cookies: dict[str, str], user_agent: str | None = None, account_id: str | None = None) -> Login:
    chunks = sorted((name for name in cookies if re.search(r"\.\d+$", name) and is_session_cookie(name)), key=_number)
    if chunks and SESSION_COOKIE in cookies:
        cookies = {name: value for name, value in cookies.items() if name != SESSION_COOKIE}  # a stale leftover
    if [_number(name) for name in chunks] != list(range(len(chunks))):
        raise UsageError(f"Parts of the session cookie are missing ({', '.join(chunks)}); paste all of them.")
    if not chunks and SESSION_COOKIE not in cookies:
        raise UsageError(f"There is no session cookie in that. {HOW_TO}")
    workspace = account_id or cookies.get("_account")
    return Login(cookies, user_agent, workspace if workspace != "personal" else None)


def _number(name: str) -> int:
    return int(name.rsplit(".", 1)[1])


def _from_curl(text: str) -> Login:
    try:
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
    pairs = _cookie_pairs(cookies or headers.get("cookie", ""))
    return _login(pairs, headers.get("user-agent"), headers.get("chatgpt-account-id"))
