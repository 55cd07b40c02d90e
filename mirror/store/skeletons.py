"""What the answers of a service were made of in earlier runs, and which changes of that were reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

KEEP_DRIFT = 200  # reported changes. Fewer: less history; more: a few kilobytes.


class KnownPart(NamedTuple):
    """A row of ``_skeletons``, without its provider: a status, a content type or a place in an endpoint's answers."""

    endpoint: str
    kind: str
    name: str
    types: str | None = None
    units: int = 0
    object_units: int = 0
    possible: int = 0
    missed: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it apart from the others of its provider."""
        return self.endpoint, self.kind, self.name


class Drift(NamedTuple):
    """A change of what an endpoint answers, in words. ``seen_at``: ISO time, empty before it is stored."""

    endpoint: str
    what: str
    seen_at: str = ""


def load(conn: sqlite3.Connection, provider: str) -> dict[tuple[str, str, str], KnownPart]:
    """Return what is known of a service's answers."""
    names = ", ".join(KnownPart._fields)
    rows = conn.execute(f"SELECT {names} FROM _skeletons WHERE provider = ? ORDER BY endpoint, kind, name", (provider,))
    found = [KnownPart(*row) for row in rows]
    return {part.key: part for part in found}


def save(conn: sqlite3.Connection, provider: str, parts: Iterable[KnownPart]) -> None:
    """Write what is known now."""
    conn.executemany(
        f"INSERT OR REPLACE INTO _skeletons (provider, {', '.join(KnownPart._fields)})"
        f" VALUES (?{', ?' * len(KnownPart._fields)})",
        [(provider, *part) for part in parts],
    )


def add_drift(conn: sqlite3.Connection, provider: str, seen_at: str, found: Iterable[Drift]) -> None:
    """Remember what was reported; the oldest beyond KEEP_DRIFT are forgotten."""
    conn.executemany(
        "INSERT INTO _drift (provider, seen_at, endpoint, what) VALUES (?, ?, ?, ?)",
        [(provider, seen_at, drift.endpoint, drift.what) for drift in found],
    )
    conn.execute("DELETE FROM _drift WHERE id <= (SELECT max(id) FROM _drift) - ?", (KEEP_DRIFT,))


def drift(conn: sqlite3.Connection, provider: str) -> list[Drift]:
    """Return what was reported, the newest first."""
    rows = conn.execute("SELECT endpoint, what, seen_at FROM _drift WHERE provider = ? ORDER BY id DESC", (provider,))
    return [Drift(**dict(row)) for row in rows]
