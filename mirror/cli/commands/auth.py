"""``chatmirror auth``: sign in."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mirror.credentials.login import LoginForm
    from mirror.source import Identity


@click.command()
@click.option("--check", is_flag=True, help="Test the stored login and show its owner and expiry.")
def auth(check: bool) -> None:
    """Sign in: test a session cookie and save it, readable by you alone.

    Paste the session cookie's value (both parts if it has .0 and .1), the whole Cookie header, or a "Copy as cURL" line
    from the browser's network panel, and press Enter. It is hidden while you paste; or pipe it in.
    """
    from mirror import connectors
    from mirror.cli.prompt import discard_typed

    form = connectors.CONNECTORS[connectors.DEFAULT_PROVIDER].form
    try:
        if check:
            _check(form)
        else:
            _sign_in(form)
    finally:
        discard_typed()


def _check(form: LoginForm) -> None:
    from mirror import app, connectors
    from mirror.credentials.stored import load_login
    from mirror.errors import SignInError
    from mirror.timing import Timing

    try:
        _print_identity(connectors.try_login(load_login(os.environ, form), os.environ, Timing()))
    except SignInError as error:
        app.name_variable(error, os.environ, form)
        raise


def _sign_in(form: LoginForm) -> None:
    from mirror import connectors
    from mirror.credentials.pasted import parse_login
    from mirror.credentials.stored import save_login
    from mirror.timing import Timing

    login = parse_login(_pasted(form), form)
    _print_identity(connectors.try_login(login, os.environ, Timing()))
    click.echo(f"Saved in {save_login(login, os.environ, form)}; next: chatmirror sync")
    if os.environ.get(form.variable, "").strip():
        click.echo(
            f"chatmirror: {form.variable} is set in this shell and takes precedence over what was saved; unset it.",
            err=True,
        )


def _pasted(form: LoginForm) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.read()
    from mirror.cli.prompt import ask_hidden
    from mirror.credentials.pasted import UnfinishedPasteError, parse_login
    from mirror.errors import UsageError

    def rest_of(text: str) -> str | None:
        try:
            parse_login(text, form)
        except UnfinishedPasteError as error:
            return f"{error.message}\nPaste the rest, then press Enter: "
        except UsageError:
            return None
        return None

    return ask_hidden("Paste the session cookie or a cURL line, then press Enter: ", rest_of)


def _print_identity(identity: Identity) -> None:
    from mirror.terminal import safe

    who = " ".join(part for part in (identity.name, f"<{identity.email}>" if identity.email else None) if part)
    expires = f"expires on {identity.expires[:10]}" if identity.expires else "expiry unknown"
    click.echo(f"Signed in as {safe(who or identity.user_id)}; {expires}.")
    for workspace in identity.workspaces:
        click.echo(
            f"  {safe(workspace.name or workspace.structure or 'personal')} ({safe(workspace.plan or 'unknown plan')})"
        )
