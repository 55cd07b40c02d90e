"""``chatmirror status``: report whether the mirror is fresh, and what is missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import database_option, opened
from mirror.cli.named_path import NamedPath
from mirror.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@database_option
@click.option(
    "--against",
    "archives",
    multiple=True,
    type=NamedPath(),
    metavar="EXPORT",
    help="Compare with an official export and list what the mirror lacks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(path: Path, archives: tuple[Path, ...], as_json: bool) -> None:
    """Report whether the mirror is fresh and what is missing. Exit code 0 only when it is fresh."""
    if archives and as_json:
        raise UsageError("--json and --against cannot be used together.")
    if archives:
        _compare(path, archives)
        return
    from mirror.health import freshness
    from mirror.terminal import safe, to_json
    from mirror.timing import Timing

    now = Timing().now()
    # Who imports and never signs in wants no sync; a sync that was meant and never began is found by its login.
    may_stay_import = not _has_login()
    with opened(path) as conn:  # also while the lines are made: what is damaged shows then, and is named
        state = freshness.read_status(conn, path)
        error = freshness.verdict(state, now, may_stay_import=may_stay_import)
        if as_json:
            found = freshness.as_json(state, now, may_stay_import=may_stay_import)
            lines = [to_json({"database": str(path.absolute()), **found}, indent=2)]
        else:
            said = freshness.lines(state, now, may_stay_import=may_stay_import)
            lines = [safe(line) for line in (*said, f"database      {path.absolute()}")]
            if error is None:
                lines.append("Nothing is wrong." if freshness.is_import(state) else "The mirror is current.")
    for line in lines:
        click.echo(line)
    if error is not None:
        raise error


def _has_login() -> bool:
    from mirror import connectors

    return any(connectors.has_login(os.environ, provider) for provider in connectors.CONNECTORS)


def _compare(path: Path, archives: tuple[Path, ...]) -> None:
    from mirror.health.compare import compare
    from mirror.terminal import safe

    with opened(path) as conn:
        found = compare(conn, archives)
    for line in found.lines():
        click.echo(safe(line))
    if found.error is not None:
        raise found.error
