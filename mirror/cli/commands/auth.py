"""``chatmirror auth``: sign in."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mirror.source import Identity


@click.command()
@click.option("--check", is_flag=True, help="Test the stored login and show its owner and expiry.")
def auth(check: bool) -> None:
    """Sign in: test a session cookie and save it, readable by you alone.

    Paste the session cookie's value (both parts if it has .0 and .1), the whole Cookie header, or a "Copy as cURL" line
    from the browser's network panel. It is hidden while you paste; or pipe it in.
    """
    from mirror import app
    from mirror.credentials.pasted import parse_login
    from mirror.credentials.stored import load_login, save_login
    from mirror.timing import Timing

    form = app.CONNECTORS[app.DEFAULT_PROVIDER].form
    login = load_login(os.environ, form) if check else parse_login(_pasted(), form)
    _print_identity(app.try_login(login, os.environ, Timing()))
    if not check:
        click.echo(f"Saved in {save_login(login, os.environ, form)}; next: chatmirror sync")


def _pasted() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.read()
    from mirror.cli.prompt import ask_hidden

    return ask_hidden("Paste the session cookie or a cURL line, then an empty line: ")


def _print_identity(identity: Identity) -> None:
    from mirror.terminal import safe

    who = " ".join(part for part in (identity.name, f"<{identity.email}>" if identity.email else None) if part)
    expires = f"expires on {identity.expires[:10]}" if identity.expires else "expiry unknown"
    click.echo(f"Signed in as {safe(who or identity.user_id)}; {expires}.")
    for workspace in identity.workspaces:
        click.echo(
            f"  {safe(workspace.name or workspace.structure or 'personal')} ({safe(workspace.plan or 'unknown plan')})"
        )
