"""The options that say what a search leaves out, the same for every command that searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from mirror.cli.typed_text import TYPED_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")


def _roles(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from mirror.store.search.known import SEARCHED_ROLES

    return [role for role in SEARCHED_ROLES if role.startswith(begun)]


def _kinds(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    from mirror.store.search.known import SEARCHED_KINDS

    return [kind for kind in SEARCHED_KINDS if kind.startswith(begun)]


def _in_known_case(_context: click.Context, parameter: click.Parameter, typed: str | None) -> str | None:
    """Return a role or kind as it is stored, in whatever case it was typed; another value as it is."""
    if typed is None:
        return None
    from mirror.store.search.known import SEARCHED_KINDS, SEARCHED_ROLES

    known = SEARCHED_ROLES if parameter.name == "role" else SEARCHED_KINDS
    return typed.lower() if typed.lower() in known else typed


_OPTIONS = (
    click.option(
        "--role",
        type=TYPED_TEXT,
        callback=_in_known_case,
        shell_complete=_roles,
        help="Only messages of user, assistant, tool or system.",
    ),
    click.option(
        "--kind",
        type=TYPED_TEXT,
        callback=_in_known_case,
        shell_complete=_kinds,
        help="Only text, code, output, reasoning, canvas, quote, voice, image, file, 'file name', prompt,"
        " 'file text', ...",
    ),
    click.option("--model", type=TYPED_TEXT, help="Only messages of this model."),
    click.option("--project", type=TYPED_TEXT, help="Only conversations of this project (its name or id)."),
    click.option("--since", metavar="DATE", help="Only messages from this day on, e.g. 2025-03-01."),
    click.option("--until", metavar="DATE", help="Only messages up to this day."),
    click.option("--archived/--not-archived", default=None, help="Only archived conversations, or only others."),
)


def filter_options(command: F) -> F:
    """Give a command the filters of a search; it gets them by the names of ``Filters``' fields."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
