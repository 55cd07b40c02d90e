"""The option that names the database, and opening what it names."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mirror.errors import UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

_Command = Any  # click decorates functions of any shape


def _option(
    default: str, callback: Callable[..., Path] | None = None, variable: str | None = "CHATMIRROR_DB"
) -> Callable[[_Command], _Command]:
    return click.option(
        "-d",
        "--db",
        "path",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar=variable,
        default=default,
        show_default=True,
        show_envvar=variable is not None,
        callback=callback,
        help="The database file.",
    )


def _here_or_last(context: click.Context, parameter: click.Parameter, path: Path) -> Path:
    """Return the mirror in the current folder, or the last one where there is none and none was named."""
    is_named = context.get_parameter_source(parameter.name or "") is not ParameterSource.DEFAULT
    if is_named or context.resilient_parsing or path.exists():
        return path
    from mirror.cli.last_mirror import last_mirror

    return last_mirror(os.environ) or path


database_option = _option("chats.db")
reading_option = _option("chats.db", _here_or_last)  # for what shows chats, or names a mirror
demo_option = _option("demo.db", variable=None)  # never the mirror that the variable names


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reading, for as long as the block lasts."""
    from mirror.store.database import open_current_reader
    from mirror.store.schema import diagnosed
    from mirror.store.storage_errors import translated

    if not path.exists():
        raise _no_mirror(path)
    with translated(path), closing(open_current_reader(path)) as conn, diagnosed(conn, path):
        yield conn


def must_exist(path: Path) -> None:
    """Raise UsageError where there is no database or an empty one, for a command that has nothing to do without one."""
    if not path.exists():
        raise _no_mirror(path)
    if path.stat().st_size == 0:
        from mirror.store.database import empty_file_error

        raise empty_file_error(path)


def say_which(path: Path) -> None:
    """Say at a terminal that a new mirror is begun although there is one elsewhere: it may be in the wrong folder."""
    from mirror.cli.last_mirror import last_mirror

    if not sys.stderr.isatty() or path.exists():
        return
    last = last_mirror(os.environ)
    if last is not None:
        click.echo(
            f"chatmirror: begins a new mirror, {path.absolute()}. Yours until now is {last}: to go on with that one,"
            f" press Ctrl-C and add -d {shlex.quote(str(last))}",
            err=True,
        )


def _no_mirror(path: Path) -> UsageError:
    from mirror.cli.last_mirror import last_mirror

    last = last_mirror(os.environ)
    if last is not None and last != path.absolute():
        return UsageError(f"There is no {path.absolute()}. Your mirror is elsewhere: add -d {shlex.quote(str(last))}")
    return UsageError(
        f"There is no {path.absolute()} yet. Run `chatmirror sync` or `chatmirror import` first, or give -d PATH."
    )
