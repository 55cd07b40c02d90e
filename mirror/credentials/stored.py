"""The stored login: one JSON file, readable by its owner only, written atomically.

It holds cookies, User-Agent and workspace. An environment variable takes precedence over it and is never saved.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror.credentials.login import Login
from mirror.credentials.pasted import parse_login
from mirror.errors import SignInError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirror.credentials.login import LoginForm


def config_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder of the stored login: $CHATMIRROR_CONFIG_DIR, else the system's usual place."""
    if own := environ.get("CHATMIRROR_CONFIG_DIR"):
        return Path(own)
    import click  # noqa: PLC0415 - only where the usual place is asked for

    return Path(click.get_app_dir("chatmirror"))


def load_login(environ: Mapping[str, str], form: LoginForm) -> Login:
    """Return the login from the environment or the file; raises SignInError with the way to get one."""
    if value := environ.get(form.variable, "").strip():
        return parse_login(value, form)
    path = config_dir(environ) / form.file_name
    try:
        _refuse_shared(path)
        return _checked(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise SignInError(f"No login yet; nothing was requested. {form.how_to}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SignInError(f"The stored login {path} cannot be read ({type(error).__name__}). {form.how_to}") from None


def save_login(login: Login, environ: Mapping[str, str], form: LoginForm) -> Path:
    """Store the login 0600, whole or not at all; return where."""
    folder = config_dir(environ)
    path = folder / form.file_name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, {"cookies": login.cookies, "user_agent": login.user_agent, "account_id": login.account_id})
    except OSError as error:
        raise StorageError(
            f"Cannot store the login in {folder} ({error.strerror}); the previous one is unchanged."
        ) from None
    return path


def _replace(path: Path, data: Mapping[str, Any]) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".login-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _checked(data: Any) -> Login:
    """Return the login in a file's data; raises KeyError or TypeError when it is none.

    Files of older versions also have ``whose``, which nothing reads.
    """
    login = Login(data["cookies"], data["user_agent"], data["account_id"], is_stored=True)
    if not isinstance(login.cookies, dict):
        raise TypeError
    texts = [login.user_agent or "", login.account_id or "", *login.cookies.values()]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError
    return login


def _refuse_shared(path: Path) -> None:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(
            f"Others can read {path}; nothing was sent. Run `chmod 600 {path}`, then `chatmirror auth` if somebody may"
            " have read it."
        )
