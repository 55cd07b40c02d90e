"""``chatmirror status``: report whether the mirror is fresh, and what is missing."""

from __future__ import annotations

from pathlib import Path

import click

from mirror.cli.database_option import database_option, opened


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
def status(path: Path, archives: tuple[Path, ...]) -> None:
    """Report whether the mirror is fresh and what is missing. Exit code 0 only when it is fresh."""
    if archives:
        _compare(path, archives)
        return
    from mirror.health import freshness
    from mirror.store import status as store
    from mirror.terminal import safe
    from mirror.timing import Timing

    now = Timing().now()
    with opened(path) as conn:
        state = store.read(conn)
    for line in freshness.lines(state, now):
        click.echo(safe(line))
    error = freshness.verdict(state, now)
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
