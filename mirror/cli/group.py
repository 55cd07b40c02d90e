"""The command line as a whole: its name, its version and its commands."""

from __future__ import annotations

import click

from mirror import __version__
from mirror.cli.commands import auth, backup, check, demo, import_, rebuild, report, search, show, status, sync

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Keep a complete mirror of your own ChatGPT history in one SQLite file.

    Start with `chatmirror demo`, then `chatmirror auth` and `chatmirror sync`.
    """


for command in (
    auth.auth,
    backup.backup,
    check.check,
    demo.demo,
    import_.import_,
    rebuild.rebuild,
    report.report,
    search.search,
    show.show,
    status.status,
    sync.sync,
):
    cli.add_command(command)
