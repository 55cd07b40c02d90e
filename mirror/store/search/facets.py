"""Counts of what a search found, to narrow it by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.services import speaker_of
from mirror.store.search.dates import local_months

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from mirror.store.search.scoring import Candidate

MOST = 12  # values of a facet; by judgement: more would push the other facets off the screen
_VALUES_AT_ONCE = 900  # SQLite's limit of bound values is 999 in older builds


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value as a filter takes it, its label for a reader, and how many messages have it."""

    value: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """A filter's name and its most frequent values; dates are newest first."""

    name: str
    values: tuple[FacetValue, ...]


@dataclass(frozen=True, slots=True)
class _Conversation:
    provider: str
    project_id: str | None
    is_archived: bool


def facets_of(
    conn: sqlite3.Connection, candidates: Sequence[Candidate], file_kinds: Sequence[str] = ()
) -> tuple[Facet, ...]:
    """Return the facets of these messages, and of files by what of them matched.

    That of the service only where there are several.
    """
    conversations = _conversations(conn, {c.conversation_id for c in candidates})
    found = [conversations[c.conversation_id] for c in candidates]
    rows = conn.execute("SELECT id, coalesce(name, id) AS name FROM projects")
    projects = {row["id"]: row["name"] for row in rows}
    facets = [
        *_services([one.provider for one in found]),
        _facet("role", (c.role for c in candidates)),
        _facet("kind", [*(c.kind for c in candidates), *file_kinds]),
        _facet("model", (c.model for c in candidates)),
        _facet("project", (one.project_id for one in found), projects),
        _dates([c.created_at for c in candidates if c.created_at]),
        _facet("archived", ("yes" if one.is_archived else "no" for one in found)),
        _facet("branches", ("other" if c.position is None else "visible" for c in candidates)),
    ]
    return tuple(facet for facet in facets if facet.values)


def _conversations(conn: sqlite3.Connection, ids: set[str]) -> dict[str, _Conversation]:
    found: dict[str, _Conversation] = {}
    wanted = list(ids)
    for at in range(0, len(wanted), _VALUES_AT_ONCE):
        some = wanted[at : at + _VALUES_AT_ONCE]
        sql = "SELECT id, provider, project_id, is_archived FROM conversations"
        for row in conn.execute(f"{sql} WHERE id IN ({', '.join('?' * len(some))})", some):
            found[row["id"]] = _Conversation(row["provider"], row["project_id"], bool(row["is_archived"]))
    return found


def _services(providers: list[str]) -> list[Facet]:
    names = {provider: speaker_of(provider) for provider in providers}
    return [_facet("service", providers, names)] if len(names) > 1 else []


def _facet(name: str, values: Iterable[str | None], labels: dict[str, str] | None = None) -> Facet:
    counts = Counter(value for value in values if value).most_common(MOST)
    return Facet(name, tuple(FacetValue(value, (labels or {}).get(value, value), count) for value, count in counts))


def _dates(dates: list[str]) -> Facet:
    """Return the years, or the months of a single year, on the calendar by which the filter takes them."""
    months = Counter(local_months(dates))
    years: Counter[str] = Counter()
    for month, count in months.items():
        years[month[:4]] += count
    counts = years if len(years) > 1 else months
    newest = sorted(counts, reverse=True)[:MOST]
    return Facet("date", tuple(FacetValue(value, value, counts[value]) for value in newest))
