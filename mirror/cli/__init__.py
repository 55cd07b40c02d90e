"""The command line: one file a command in ``commands``, and beside it what they share."""

from mirror.cli.entry import main
from mirror.cli.group import cli

__all__ = ["cli", "main"]
