"""Ask for a secret that can be several lines long, without showing it.

A terminal in its usual line mode drops what a pasted line has beyond 4,096 characters, and session cookies are longer;
so the lines are read with that mode off (termios(3), ICANON).
"""

from __future__ import annotations

import sys

import click


def ask_hidden(prompt: str) -> str:
    """Return what is pasted, up to an empty line or end of input."""
    try:
        import termios
    except ImportError:
        value: str = click.prompt(prompt, hide_input=True, prompt_suffix="")
        return value
    click.echo(prompt, nl=False, err=True)
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        return _read_lines()
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        click.echo(err=True)


def _read_lines() -> str:
    lines: list[str] = []
    for line in iter(sys.stdin.readline, ""):
        if not line.strip() and lines:
            break
        lines.append(line)
    return "".join(lines)
