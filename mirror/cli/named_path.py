"""The paths of files and folders that a command is given, other than the database's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mirror.errors import UsageError


class NamedPath(click.Path):
    """A path; an empty one is refused: a variable of the shell that is not set must not mean the present folder."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; raises UsageError where it is empty."""
        if value == "":
            name = (param.metavar or param.name or "") if isinstance(param, click.Argument | click.Option) else ""
            raise UsageError(f"{name.removesuffix('...') or 'A path'} is empty; is a variable of your shell not set?")
        return super().convert(value, param, ctx)
