"""``chatmirror report``: write what a bug report needs, without anything of the person."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option, opened
from mirror.cli.named_path import NamedPath

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@database_option
@click.argument("target", metavar="FILE", type=NamedPath(allow_dash=True))
def report(path: Path, target: Path) -> None:
    """Write a file that is safe to attach to a bug report; "-" prints it.

    It holds versions, exit codes, counts, durations and the form of the service's answers; no text, title, id, name or
    address.
    """
    from mirror.health.bug_report import bug_report
    from mirror.terminal import to_json
    from mirror.timing import Timing

    found = to_json(bug_report(lambda: opened(path), Timing().now()), indent=1) + "\n"
    if str(target) == "-":
        click.echo(found, nl=False)
        return
    _write(target, found)
    if sys.stdout.isatty():
        click.echo(
            f"{target}: {len(found) / 1000:,.0f} kB. Nothing in it is yours, and you can read it before you send it."
        )


def _write(target: Path, text: str) -> None:
    """Write a new file that only the person can read; an older one is never written over: it may be the database."""
    from mirror.errors import StorageError, UsageError

    try:
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"There is a {target} already; it was not changed. Give another name.") from None
    except OSError as error:
        raise StorageError(f"Cannot write {target} ({error.strerror}); the mirror was not changed.") from error
