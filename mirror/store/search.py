"""Find messages and titles: what is found comes best first, grouped by conversation, with counts to narrow it by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.store.facets import counted
from mirror.store.matching import Filters, Query, candidates, in_conversation, titles
from mirror.store.scoring import Candidate, Group, grouped
from mirror.store.snippets import parts, snippets

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from mirror.store.facets import Facet

__all__ = ["Filters", "Found", "Hit", "Passage", "parts", "search"]
PASSAGES = 3  # shown of a conversation


@dataclass(frozen=True, slots=True)
class Passage:
    """A message that matches. ``snippet``: one line round the match, for ``parts``."""

    rowid: int
    id: str
    role: str | None
    kind: str
    created_at: str | None
    snippet: str
    is_on_visible_branch: bool
    is_hidden: bool
    removed_at: str | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A conversation with its best passages, none where only its title matches. ``marked_title``: for ``parts``."""

    conversation_id: str
    title: str | None
    url: str
    created_at: str | None
    updated_at: str | None
    deleted_at: str | None
    marked_title: str
    matches: int  # messages found in it, of those looked at
    score: float
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The hits, and what else there is. ``elsewhere``: matching messages on other branches, left out of the hits.

    ``is_widened``: nothing was found on the visible branches, these hits are from the others. ``is_complete``: every
    match was looked at; else there were many, and the counts are of the ``looked_at`` only. ``conversations``: how many
    of them hold something found.
    """

    hits: tuple[Hit, ...] = ()
    elsewhere: int = 0
    is_widened: bool = False
    is_complete: bool = True
    looked_at: int = 0
    conversations: int = 0
    facets: tuple[Facet, ...] = field(default=())


def search(
    conn: sqlite3.Connection,
    words: str,
    filters: Filters | None = None,
    limit: int = 10,
    *,
    latest: bool = False,
    facets: bool = False,
) -> Found:
    """Return the best ``limit`` conversations for whatever was typed, or the ``latest`` ones first.

    A date that is none, or an unknown project, is a UsageError.
    """
    filters = filters or Filters()
    query = Query.of(conn, words)
    conversation = in_conversation(conn, filters)
    titled = titles(conn, query, filters, conversation)
    found, is_complete = candidates(conn, query, filters, conversation, limit, latest=latest, counted=facets)
    shown = [c for c in found if c.position is not None] if filters.branches == "visible" else found
    is_widened = not shown and not titled and bool(found)
    if is_widened:
        shown = found
    groups = grouped(titled, shown)
    best = sorted(groups.items(), key=lambda item: (item[1].score, item[1].newest, item[0]), reverse=True)
    if latest:
        best.sort(key=lambda item: item[1].newest, reverse=True)
    return Found(
        hits=tuple(_hits(conn, query, best[:limit])),
        elsewhere=len(found) - len(shown),
        is_widened=is_widened,
        is_complete=is_complete,
        looked_at=len(found),
        conversations=len(groups),
        facets=counted(conn, shown) if facets else (),
    )


def _hits(conn: sqlite3.Connection, query: Query, groups: list[tuple[str, Group]]) -> Iterator[Hit]:
    shown = {conversation_id: sorted(group.messages, key=_best_first)[:PASSAGES] for conversation_id, group in groups}
    wanted = [candidate.rowid for found in shown.values() for _, candidate in found]
    texts = [conn.execute("SELECT text FROM messages WHERE rowid = ?", (rowid,)).fetchone()[0] for rowid in wanted]
    lines = dict(zip(wanted, snippets(texts, query.words), strict=True))
    sql = "SELECT title, url, created_at, updated_at, deleted_at FROM conversations WHERE id = ?"
    rows = [conn.execute(sql, (conversation_id,)).fetchone() for conversation_id, _ in groups]
    headings = snippets([row[0] or "" for row in rows], query.words, whole=True)
    for (conversation_id, group), row, marked in zip(groups, rows, headings, strict=True):
        passages = tuple(_passage(candidate, lines[candidate.rowid]) for _, candidate in shown[conversation_id])
        yield Hit(*[conversation_id, *row, marked, len(group.messages), group.score, passages])


def _best_first(found: tuple[float, Candidate]) -> tuple[float, int]:
    return -found[0], found[1].rowid


def _passage(c: Candidate, snippet: str) -> Passage:
    is_on_visible_branch = c.position is not None
    return Passage(
        c.rowid, c.id, c.role, c.kind, c.created_at, snippet, is_on_visible_branch, bool(c.is_hidden), c.removed_at
    )
