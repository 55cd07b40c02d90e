"""``chatmirror status``: report whether the mirror is fresh, and what is missing."""

from __future__ import annotations

from pathlib import Path

import click

from mirror.cli.database_option import database_option, opened
from mirror.errors import UsageError


@click.command()
@database_option
@click.option(
    "--against",
    "archives",
    multiple=True,
    type=click.Path(path_type=Path),
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
    with opened(path) as conn:
        state = freshness.read_status(conn, path)
        error = freshness.verdict(state, now)
        lines = [to_json(freshness.as_json(state, now), indent=2)] if as_json else [*freshness.lines(state, now)]
    for line in lines:
        click.echo(line if as_json else safe(line))
    if error is not None:
        raise error


def _compare(path: Path, archives: tuple[Path, ...]) -> None:
    from mirror.health.compare import compare
    from mirror.terminal import safe

    with opened(path) as conn:
        found = compare(conn, archives)
    for line in found.lines():
        click.echo(safe(line))
    if found.error is not None:
        raise found.error
