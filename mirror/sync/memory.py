"""What a sync remembers of one workspace from run to run, beside what its source remembers of it and of the login."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mirror.store.settings import remember, setting
from mirror.values import as_count, as_dict, as_list

if TYPE_CHECKING:
    import sqlite3


@dataclass(slots=True)
class SyncMemory:
    """``full_at``: epoch seconds of the last full run that saw everything; 0 asks for one.

    ``lists_limited``: the service limited the lists in the last run, so what they showed comes first in the next.
    ``odd_rows``: how many rows of a list were not understood, by the list's label. ``without_time``: ids that lists
    show without a time that can be read, so that they are read in every run. ``absent_at``: epoch seconds of the first
    run in a row that did not find it among the login's workspaces, 0 where it was among them.
    """

    full_at: float = 0.0
    lists_limited: bool = False
    odd_rows: dict[str, int] = field(default_factory=dict)
    without_time: list[str] = field(default_factory=list)
    absent_at: float = 0.0

    @classmethod
    def of_json(cls, value: Any) -> SyncMemory:
        """Read what was remembered; what makes no sense is as if it were not there."""
        told = value if isinstance(value, dict) else {}
        full_at, absent_at = told.get("full_at"), told.get("absent_at")
        return cls(
            full_at=float(full_at) if isinstance(full_at, int | float) else 0.0,
            lists_limited=told.get("lists_limited") is True,
            odd_rows={label: count for label, n in as_dict(told.get("odd_rows")).items() if (count := as_count(n))},
            without_time=[key for key in as_list(told.get("without_time")) if isinstance(key, str)],
            absent_at=float(absent_at) if isinstance(absent_at, int | float) else 0.0,
        )


def load(conn: sqlite3.Connection, account_id: str) -> SyncMemory:
    """Return a workspace's memory; mirrors made before version 0.2 kept it together with the source's."""
    return SyncMemory.of_json(setting(conn, _key(account_id)) or setting(conn, source_key(account_id)))


def save(conn: sqlite3.Connection, account_id: str, memory: SyncMemory) -> None:
    """Remember it."""
    remember(conn, _key(account_id), asdict(memory))


def load_source(conn: sqlite3.Connection, account_id: str) -> dict[str, Any]:
    """Return the JSON that the source asked to remember of a workspace."""
    found = setting(conn, source_key(account_id))
    return found if isinstance(found, dict) else {}


def save_source(conn: sqlite3.Connection, account_id: str, memory: dict[str, Any]) -> None:
    """Remember the source's JSON."""
    remember(conn, source_key(account_id), memory)


def load_login(conn: sqlite3.Connection, provider: str) -> dict[str, Any]:
    """Return the JSON that the source asked to remember of its login, whatever the workspace."""
    return as_dict(setting(conn, _login_key(provider)))


def save_login(conn: sqlite3.Connection, provider: str, memory: dict[str, Any]) -> None:
    """Remember the same."""
    remember(conn, _login_key(provider), memory)


def _login_key(provider: str) -> str:
    return f"login:{provider}"


def _key(account_id: str) -> str:
    return f"sync:{account_id}"


def source_key(account_id: str) -> str:
    """Return the setting that holds the source's memory of a workspace."""
    return f"source:{account_id}"
