"""Ask for a secret that can be several lines long, without showing it.

A terminal in its usual line mode drops what a pasted line has beyond 4,096 characters, and session cookies are longer;
so the bytes are read with that mode off (termios(3), ICANON). The lines of a paste come at once, so that Enter ends it
when nothing follows; terminals that mark the two ends of a paste are asked to (bracketed paste), for slow lines.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

PASTE_GAP = 0.3  # seconds without input after which a paste is whole
MOST_REQUESTS = 2  # how often the rest of an unfinished paste is asked for
_BEGIN, _END, _END_OF_INPUT = b"\x1b[200~", b"\x1b[201~", b"\x04"
_MARK_PASTES, _MARK_NO_PASTES = "\x1b[?2004h", "\x1b[?2004l"


def ask_hidden(prompt: str, is_unfinished: Callable[[str], str | None]) -> str:
    """Return what is pasted. ``is_unfinished(text)``: what to ask for where more has to come, else None."""
    try:
        import termios
    except ImportError:
        return _ask_by_lines(prompt, is_unfinished)
    click.echo(prompt, nl=False, err=True)
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    _tell_terminal(_MARK_PASTES)
    try:
        return _read_paste(descriptor, is_unfinished)
    finally:
        _tell_terminal(_MARK_NO_PASTES)
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)  # and drops what is unread
        click.echo(err=True)


def discard_typed() -> None:
    """Drop what has come since, so that the late rest of a paste does not reach the shell as a command."""
    with suppress(ImportError, OSError, ValueError):
        import termios

        if sys.stdin.isatty():
            with suppress(termios.error):
                termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _ask_by_lines(prompt: str, is_unfinished: Callable[[str], str | None]) -> str:
    text = str(click.prompt(prompt, hide_input=True, prompt_suffix=""))
    for _ in range(MOST_REQUESTS):
        if (rest := is_unfinished(text)) is None:
            break
        text += "\n" + str(click.prompt(rest, hide_input=True, prompt_suffix="", default="", show_default=False))
    return text


def _read_paste(descriptor: int, is_unfinished: Callable[[str], str | None]) -> str:
    came, asked = b"", 0
    while True:
        data = os.read(descriptor, 65_536)
        came += data
        if not data or _END_OF_INPUT in data:
            return _text(came)
        if not _is_at_rest(descriptor, came):
            continue
        rest = is_unfinished(_text(came))
        if rest is None or asked == MOST_REQUESTS:
            return _text(came)
        asked += 1
        click.echo(f"\n{rest}", nl=False, err=True)


def _is_at_rest(descriptor: int, came: bytes) -> bool:
    """Whether Enter was pressed after something that was pasted, and nothing follows."""
    if came.count(_BEGIN) > came.count(_END) or not came.endswith(b"\n") or not _text(came).strip():
        return False
    return not select.select([descriptor], [], [], PASTE_GAP)[0]


def _text(came: bytes) -> str:
    for mark in (_BEGIN, _END, _END_OF_INPUT):
        came = came.replace(mark, b"")
    return came.decode("utf-8", "replace")


def _tell_terminal(sequence: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(sequence)
        sys.stderr.flush()
