"""The tools over stdin and stdout, for an assistant that starts the program."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.mcpserver import Context, MCPServer

from mirror import __version__
from mirror.agents.server import INSTRUCTIONS, register_tools
from mirror.errors import UsageError
from mirror.store.database import open_current_reader
from mirror.store.schema import diagnosed
from mirror.store.storage_errors import translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path


def serve(path: Path) -> None:
    """Answer on stdout what is asked on stdin, until it ends.

    The database is opened for each answer, so that it may be replaced meanwhile.
    """
    server: MCPServer[Any] = MCPServer(
        "chatmirror", instructions=INSTRUCTIONS, version=__version__, log_level="CRITICAL"
    )

    async def ask(_: Context[Any, Any], database: str, job: Callable[[sqlite3.Connection], str]) -> str:
        if database not in {"", path.stem}:
            raise UsageError(f"There is one mirror here, {path.stem}; leave database out.")
        return await anyio.to_thread.run_sync(partial(_read, path, job))

    register_tools(server, ask)
    anyio.run(server.run_stdio_async)


def _read(path: Path, job: Callable[[sqlite3.Connection], str]) -> str:
    with translated(path), closing(open_current_reader(path)) as conn, diagnosed(conn, path):
        return job(conn)
