"""The command line as a whole: its name, its version and its commands."""

from __future__ import annotations

import sys
from typing import Any

import click

from mirror import __version__
from mirror.cli import streams
from mirror.cli.commands import (
    auth,
    backup,
    check,
    demo,
    export,
    import_,
    mcp,
    rebuild,
    report,
    restore,
    schedule,
    search,
    show,
    status,
    sync,
)

# The commands whose work is to print: there, what cannot be printed is no success.
PRINTING = frozenset({"mcp", "report", "schedule", "search", "show", "status"})
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """Commands that are stopped with one line, which ``entry`` prints; click would print an empty one before it."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what stops it is passed on in a form for which click prints nothing."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            if sys.stderr.isatty():
                raise  # there the empty line ends the one that the terminal wrote ^C into
            raise click.Abort from stop


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Keep a complete mirror of your own ChatGPT history in one SQLite file.

    Start with `chatmirror demo`, then `chatmirror auth` and `chatmirror sync`.
    """
    if context.invoked_subcommand not in PRINTING:
        streams.forgive_stdout()


for command in (
    auth.auth,
    backup.backup,
    check.check,
    demo.demo,
    export.export,
    import_.import_,
    mcp.mcp,
    rebuild.rebuild,
    report.report,
    restore.restore,
    schedule.schedule,
    search.search,
    show.show,
    status.status,
    sync.sync,
):
    cli.add_command(command)
