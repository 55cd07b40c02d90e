"""What a terminal sees: commands, output, progress, prompts and the demo."""

from mirror.cli.commands import cli, main

__all__ = ["cli", "main"]
