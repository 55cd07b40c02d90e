"""``chatmirror mcp``: tools for an assistant, over stdin and stdout."""

from __future__ import annotations

import os
import signal
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from mirror.cli.database_option import opened, reading_option
from mirror.errors import INTERRUPTED, TERMINATED, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@reading_option
def mcp(path: Path) -> None:
    """Let an assistant search and read the chats (MCP over stdio). It cannot change anything.

    The assistant starts this command; it gets the tools search_chats, read_chat and recent_chats. What it reads goes
    where that assistant sends it. Needs the extra: pip install 'chatmirror[mcp]'
    """
    if find_spec("mcp") is None:
        raise UsageError("`chatmirror mcp` needs one more package: run `pip install 'chatmirror[mcp]'`.")
    with opened(path):
        pass  # so that a wrong path is said at once
    from mirror.agents.stdio import serve

    for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)):
        # At once: the SDK waits for a line in a thread, which nothing interrupts, and there is nothing to finish.
        signal.signal(number, partial(_end, code))
    serve(path)


def _end(code: int, *_: object) -> None:
    os._exit(code)
