"""Find messages and titles: what is found comes best first, grouped by conversation, with counts to narrow it by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.store.search.candidates import Filters, Query, candidates, in_conversation, looks, titles
from mirror.store.search.facets import counted
from mirror.store.search.fallback import ENOUGH, Near, near
from mirror.store.search.scoring import Candidate, grouped
from mirror.store.search.snippets import parts, snippets, undecorated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from mirror.store.search.facets import Facet
    from mirror.store.search.query import Word
    from mirror.store.search.scoring import Title

__all__ = ["Filters", "Found", "Hit", "Passage", "parts", "search"]
PASSAGES = 3  # shown of a conversation
_AS_IT_IS = frozenset({"code", "output"})  # signs mean something there


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
    missing: tuple[str, ...]  # words that it does not hold
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

    @property
    def is_partial(self) -> bool:
        """Whether no conversation holds all of the words, so that these hold most of them."""
        return any(hit.missing for hit in self.hits)


def search(
    conn: sqlite3.Connection,
    typed: str,
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
    query = Query.of(conn, typed)
    conversation = in_conversation(conn, filters)
    titled = titles(conn, query, filters, conversation)
    found, is_complete = candidates(
        conn, query, filters, conversation, limit, latest=latest, first=looks(counted=facets)
    )
    shown = [c for c in found if c.position is not None] if filters.branches == "visible" else found
    elsewhere = len(found) - len(shown)
    groups, words = _near(titled, shown), list(query.words)
    if len(groups) < ENOUGH and is_complete:
        close, words = near(conn, query, filters, conversation, whole=bool(groups or found))
        groups = close | groups
        shown = [*shown, *_more(close, shown)]
    is_widened = not groups and bool(found)
    if is_widened:
        shown, elsewhere, groups = found, 0, _near([], found)
    best = sorted(groups.items(), key=lambda item: (item[1].group.score, item[1].group.newest, item[0]), reverse=True)
    if latest:
        best.sort(key=lambda item: item[1].group.newest, reverse=True)
    return Found(
        hits=tuple(_hits(conn, words, best[:limit])),
        elsewhere=elsewhere,
        is_widened=is_widened,
        is_complete=is_complete,
        looked_at=len(shown),
        conversations=len(groups),
        facets=counted(conn, shown) if facets else (),
    )


def _near(titled: list[Title], shown: list[Candidate]) -> dict[str, Near]:
    return {key: Near(group) for key, group in grouped(titled, shown).items()}


def _more(close: dict[str, Near], shown: list[Candidate]) -> list[Candidate]:
    known = {candidate.rowid for candidate in shown}
    messages = (candidate for one in close.values() for _, candidate in one.group.messages)
    return [candidate for candidate in messages if candidate.rowid not in known]


def _hits(conn: sqlite3.Connection, words: Sequence[Word], groups: list[tuple[str, Near]]) -> Iterator[Hit]:
    shown = {key: sorted(one.group.messages, key=_best_first)[:PASSAGES] for key, one in groups}
    wanted = [candidate.rowid for found in shown.values() for _, candidate in found]
    lines = dict(zip(wanted, snippets([_line(conn, rowid) for rowid in wanted], words), strict=True))
    sql = "SELECT title, url, created_at, updated_at, deleted_at FROM conversations WHERE id = ?"
    rows = [conn.execute(sql, (key,)).fetchone() for key, _ in groups]
    headings = snippets([row[0] or "" for row in rows], words, whole=True)
    for (key, one), row, marked in zip(groups, rows, headings, strict=True):
        passages = tuple(_passage(candidate, lines[candidate.rowid]) for _, candidate in shown[key])
        yield Hit(*[key, *row, marked, len(one.group.messages), one.missing, one.group.score, passages])


def _line(conn: sqlite3.Connection, rowid: int) -> str:
    kind, text = conn.execute("SELECT kind, text FROM messages WHERE rowid = ?", (rowid,)).fetchone()
    return str(text) if kind in _AS_IT_IS else undecorated(text)


def _best_first(found: tuple[float, Candidate]) -> tuple[float, int]:
    return -found[0], found[1].rowid


def _passage(c: Candidate, snippet: str) -> Passage:
    is_on_visible_branch = c.position is not None
    return Passage(
        c.rowid, c.id, c.role, c.kind, c.created_at, snippet, is_on_visible_branch, bool(c.is_hidden), c.removed_at
    )
