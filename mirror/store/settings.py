"""Small values that live from run to run, as JSON under a key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirror.store.database import upsert

if TYPE_CHECKING:
    import sqlite3


def setting(conn: sqlite3.Connection, key: str, default: Any = None) -> Any:
    """Return a remembered JSON value, or ``default`` where there is none."""
    row = conn.execute("SELECT value FROM _settings WHERE key = ?", (key,)).fetchone()
    return json.loads(row["value"]) if row else default


def remember(conn: sqlite3.Connection, key: str, value: Any) -> None:
    """Remember a JSON value."""
    upsert(conn, "_settings", ("key",), {"key": key, "value": json.dumps(value, sort_keys=True)})


def derived_by(conn: sqlite3.Connection, provider: str) -> int | None:
    """Return the version of the normalizer that derived a service's rows, None where nothing was derived yet."""
    # Before there were several, one setting without a provider's name held ChatGPT's version.
    old: int | None = setting(conn, "normalizer") if provider == "chatgpt" else None
    found: int | None = setting(conn, f"normalizer:{provider}", old)
    return found
