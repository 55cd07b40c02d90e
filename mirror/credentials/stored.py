"""The stored login: one JSON file, readable by its owner only, written atomically.

It holds cookies, User-Agent and workspace. An environment variable takes precedence over it and is never saved.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirror.credentials.login import Login
from mirror.credentials.pasted import parse_login
from mirror.disk import sync_path
from mirror.errors import SignInError, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from mirror.credentials.login import LoginForm

LOCK_SECONDS = 10.0  # to wait for another run that writes the login, which takes milliseconds
_LOCK, _UNFINISHED = ".login.lock", ".login-"


def config_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder of the stored login: $CHATMIRROR_CONFIG_DIR, else the system's usual place."""
    if own := environ.get("CHATMIRROR_CONFIG_DIR"):
        return Path(own)
    import click  # noqa: PLC0415 - only where the usual place is asked for

    return Path(click.get_app_dir("chatmirror"))


def load_login(environ: Mapping[str, str], form: LoginForm) -> Login:
    """Return the login from the environment or the file; raises SignInError with the way to get one."""
    if value := environ.get(form.variable, "").strip():
        try:
            return parse_login(value, form)
        except UsageError as error:
            raise UsageError(f"{form.variable} in the environment cannot be used: {error.message}") from None
    path = config_dir(environ) / form.file_name
    try:
        if any(_leftovers(path.parent)):
            _remove_leftovers(path.parent)
        return _checked(json.loads(_read_private(path)))
    except FileNotFoundError:
        raise SignInError(f"No login yet; nothing was requested. {form.how_to}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SignInError(f"The stored login {path} cannot be read ({type(error).__name__}). {form.how_to}") from None


def save_login(login: Login, environ: Mapping[str, str], form: LoginForm) -> Path:
    """Store the login 0600, whole or not at all, and for good; return where."""
    folder = config_dir(environ)
    path = folder / form.file_name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder, LOCK_SECONDS):
            for leftover in _leftovers(folder):
                leftover.unlink(missing_ok=True)
            _replace(path, {"cookies": login.cookies, "user_agent": login.user_agent, "account_id": login.account_id})
    except OSError as error:
        why = error.strerror or "another run is writing it"
        raise StorageError(f"Cannot store the login in {folder} ({why}); the previous one is unchanged.") from None
    return path


def _locked(folder: Path, seconds: float) -> AbstractContextManager[object]:
    """Return a lock against other writers; raises OSError, without a ``strerror`` where another run keeps it."""
    from filelock import FileLock  # noqa: PLC0415 - it is slow to import, and who only reads needs none

    return FileLock(folder / _LOCK, mode=0o600).acquire(timeout=seconds)


def _replace(path: Path, data: Mapping[str, Any]) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
        sync_path(Path(temporary))
        Path(temporary).replace(path)
        sync_path(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _leftovers(folder: Path) -> Iterator[Path]:
    return folder.glob(f"{_UNFINISHED}*")


def _remove_leftovers(folder: Path) -> None:
    """Remove logins that killed runs left half written, unless one is being written now, or they cannot be removed."""
    with suppress(OSError), _locked(folder, 0):
        for leftover in _leftovers(folder):
            leftover.unlink(missing_ok=True)


def _read_private(path: Path) -> bytes:
    """Return the bytes of a file that only its owner, who we are, can read or change; raises UsageError of others.

    It is looked at once it is open, so that nobody can exchange it in between.
    """
    # Not waiting: to open a FIFO would last until somebody writes into it.
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(f"{path} is no file; nothing was sent. Remove it, then run `chatmirror auth`.")
        if os.name == "posix":
            _refuse_shared(path, found)
        return file.read()


def _refuse_shared(path: Path, found: os.stat_result) -> None:
    again = "then `chatmirror auth` if somebody may have read or changed it"
    if found.st_uid != os.geteuid():
        raise UsageError(f"{path} belongs to another user; nothing was sent. Remove it, then run `chatmirror auth`.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UsageError(f"Others can read or change {path}; nothing was sent. Run `chmod 600 {path}`, {again}.")
    folder = path.parent.stat().st_mode
    if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
        raise UsageError(f"Others can replace {path}; nothing was sent. Run `chmod 700 {path.parent}`, {again}.")


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
