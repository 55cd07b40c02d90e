"""The tools for assistants in Datasette, through datasette-mcp, for who may read a mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.browse import access
from mirror.errors import DamagedError, ServiceError, UsageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

SECONDS = 20.0  # by judgement: an assistant waits no longer for an answer
NONE_TO_READ = "There is no mirror here that you may read."


def register(datasette: Any, server: Any) -> None:
    """Give datasette-mcp's server the tools."""
    from mirror.agents.server import register_tools  # noqa: PLC0415 - needs a package that only datasette-mcp brings

    async def ask(context: Any, database: str, job: Callable[[sqlite3.Connection], str]) -> str:
        name = await _mirror_for(datasette, _actor_of(context), database)
        try:
            return await access.read_in_time(datasette, name, job, SECONDS)
        except access.TooLongError:
            raise ServiceError("This took too long. Add a word or a filter to narrow it.") from None
        except access.UnreadableError as error:
            raise DamagedError(f"This mirror cannot be read: {error}. Run chatmirror check.") from None

    register_tools(server, ask)


async def _mirror_for(datasette: Any, actor: Any, database: str) -> str:
    """Return the mirror that is meant; UsageError where there is none that may be read, or several."""
    readable = await access.readable_mirrors(datasette, actor, access.CHAT_TABLES)
    if not readable:
        raise UsageError(NONE_TO_READ)
    names = [name for name in readable if database in {"", name}]
    if not names:
        raise UsageError(f"There is no such mirror that you may read; there is {', '.join(readable)}.")
    if len(names) > 1:
        raise UsageError(f"There are several mirrors; say which one as database: {', '.join(names)}.")
    return names[0]


def _actor_of(context: Any) -> Any:
    """Return who asks, as Datasette knows them; None: nobody who has signed in."""
    scope = getattr(context.request_context.request, "scope", None)
    return scope.get("actor") if isinstance(scope, dict) else None
