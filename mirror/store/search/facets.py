"""Counts of what a search found, to narrow it by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from mirror.store.search.scoring import Candidate

MOST = 12  # values of a facet


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet as a filter takes it, as a reader reads it, and how many messages have it."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """A filter's name and its most frequent values; dates come newest first."""

    name: str
    values: tuple[Value, ...]


def counted(conn: sqlite3.Connection, candidates: Sequence[Candidate]) -> tuple[Facet, ...]:
    """Return the facets of these messages: role, kind, model, project, date, archived, branches."""
    conversations = _conversations(conn, {c.conversation_id for c in candidates})
    projects = dict(conn.execute("SELECT id, coalesce(name, id) FROM projects"))
    archived = {1: "yes", 0: "no"}
    facets = [
        _facet("role", (c.role for c in candidates)),
        _facet("kind", (c.kind for c in candidates)),
        _facet("model", (c.model for c in candidates)),
        _facet("project", (conversations[c.conversation_id][0] for c in candidates), projects),
        _dates([c.created_at for c in candidates if c.created_at]),
        _facet("archived", (archived[conversations[c.conversation_id][1]] for c in candidates)),
        _facet("branches", ("other" if c.position is None else "visible" for c in candidates)),
    ]
    return tuple(facet for facet in facets if facet.values)


def _conversations(conn: sqlite3.Connection, ids: set[str]) -> dict[str, tuple[str | None, int]]:
    found: dict[str, tuple[str | None, int]] = {}
    wanted = list(ids)
    for at in range(0, len(wanted), 900):  # SQLite's limit of values is 999 in older builds
        some = wanted[at : at + 900]
        sql = f"SELECT id, project_id, is_archived FROM conversations WHERE id IN ({', '.join('?' * len(some))})"
        found |= {row[0]: (row[1], row[2]) for row in conn.execute(sql, some)}
    return found


def _facet(name: str, values: Iterable[str | None], labels: dict[str, str] | None = None) -> Facet:
    counts = Counter(value for value in values if value)
    return Facet(
        name, tuple(Value(value, (labels or {}).get(value, value), n) for value, n in counts.most_common(MOST))
    )


def _dates(dates: list[str]) -> Facet:
    """Return the years, or of a single year its months."""
    years = Counter(date[:4] for date in dates)
    counts = years if len(years) > 1 else Counter(date[:7] for date in dates)
    return Facet("date", tuple(Value(value, value, counts[value]) for value in sorted(counts, reverse=True)[:MOST]))
