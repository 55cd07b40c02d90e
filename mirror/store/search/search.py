"""Find messages, titles and files: the best first, by conversation, with counts to narrow it by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirror.store.search.candidates import matching_messages
from mirror.store.search.facets import facets_of
from mirror.store.search.fallback import partial_matches
from mirror.store.search.files import matching_files
from mirror.store.search.hints import hint_for
from mirror.store.search.request import DEFAULT_LIMITS, Filters, search_for
from mirror.store.search.scoring import scored
from mirror.store.search.snippets import snippets, split_marks, without_layout
from mirror.store.search.titles import matching_titles

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from mirror.store.search.facets import Facet
    from mirror.store.search.files import FileHit
    from mirror.store.search.hints import Hint
    from mirror.store.search.query import Word
    from mirror.store.search.request import Search, SearchLimits
    from mirror.store.search.scoring import Candidate, ConversationMatch

__all__ = ["Filters", "Hit", "Passage", "SearchResult", "search", "split_marks"]
PASSAGES = 3  # shown of a conversation; by judgement: enough to recognise it, and ten conversations fit a screen
_VERBATIM = frozenset({"code", "output"})  # kinds in which every character means something


@dataclass(frozen=True, slots=True)
class Passage:
    """A message that matches. ``snippet``: one line round the match, for ``split_marks``."""

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
    """A conversation with its best passages, none where only its title matches.

    ``marked_title``: for ``split_marks``; ``matches``: messages that match, of those looked at; ``missing``: words that
    it does not have.
    """

    conversation_id: str
    title: str | None
    url: str | None
    created_at: str | None
    updated_at: str | None
    deleted_at: str | None
    provider: str
    marked_title: str
    matches: int
    missing: tuple[str, ...]
    score: float
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits, and what else there is.

    ``elsewhere``: matching messages on other branches, left out of the hits. ``is_widened``: nothing was found on the
    visible branches, these hits are from the others. ``is_complete``: every match was looked at; otherwise there were
    many, and the counts are of the ``looked_at`` only. ``conversations``: how many of them match. ``files``: the best
    of the ``files_found`` whose name, prompt or text matches; ``are_files_complete``: no more of them do.
    ``hint``: why nothing could be found, if that can be told.
    """

    hits: tuple[Hit, ...] = ()
    elsewhere: int = 0
    is_widened: bool = False
    is_complete: bool = True
    looked_at: int = 0
    conversations: int = 0
    files: tuple[FileHit, ...] = ()
    files_found: int = 0
    are_files_complete: bool = True
    facets: tuple[Facet, ...] = field(default=())
    hint: Hint | None = None

    @property
    def is_partial(self) -> bool:
        """Whether no conversation has all of the words, so that these have most of them."""
        return any(hit.missing for hit in self.hits)


@dataclass(frozen=True, slots=True)
class _Matches:
    """What counts of all that was found; ``words`` as they were looked for."""

    conversations: dict[str, ConversationMatch]
    messages: list[Candidate]
    words: Sequence[Word]


def search(
    conn: sqlite3.Connection,
    typed: str,
    filters: Filters | None = None,
    limit: int = 10,
    *,
    latest: bool = False,
    facets: bool = False,
    limits: SearchLimits = DEFAULT_LIMITS,
) -> SearchResult:
    """Return the best ``limit`` conversations, and files, for whatever was typed; ``latest``: newest first.

    What is no date, or an unknown project, is a UsageError.
    """
    wanted = search_for(conn, typed, filters or Filters(), limit, latest=latest, is_counted=facets, limits=limits)
    found, is_complete = matching_messages(wanted)
    matches = _with_titles(wanted, [c for c in found if c.position is not None or wanted.filters.branches != "visible"])
    elsewhere = len(found) - len(matches.messages)
    if is_complete and len(matches.conversations) < limits.enough:
        matches = _with_partial_matches(wanted, matches, require_all=bool(matches.conversations or found))
    is_widened = bool(found) and not matches.conversations
    if is_widened:
        matches, elsewhere = _Matches(scored([], found), found, matches.words), 0
    files = matching_files(wanted)
    best = _in_order(matches.conversations, latest=latest)[:limit]
    return SearchResult(
        hits=tuple(_hits(conn, matches.words, best)),
        elsewhere=elsewhere,
        is_widened=is_widened,
        is_complete=is_complete,
        looked_at=len(matches.messages),
        conversations=len(matches.conversations),
        files=files.hits,
        files_found=len(files.kinds),
        are_files_complete=files.is_complete,
        facets=facets_of(conn, matches.messages, files.kinds) if facets else (),
        hint=None if best or files.hits else hint_for(conn, typed, wanted.filters),
    )


def _with_titles(wanted: Search, messages: list[Candidate]) -> _Matches:
    return _Matches(scored(matching_titles(wanted), messages), messages, wanted.query.words)


def _with_partial_matches(wanted: Search, matches: _Matches, *, require_all: bool) -> _Matches:
    """Add conversations with all words in several messages, or unless ``require_all`` most of them."""
    partial, words = partial_matches(wanted, require_all=require_all)
    known = {message.rowid for message in matches.messages}
    of_partial = (message for match in partial.values() for _, message in match.messages)
    more = [message for message in of_partial if message.rowid not in known]
    return _Matches(partial | matches.conversations, matches.messages + more, words)


def _in_order(matches: dict[str, ConversationMatch], *, latest: bool) -> list[tuple[str, ConversationMatch]]:
    best = sorted(matches.items(), key=lambda item: (item[1].score, item[1].newest, item[0]), reverse=True)
    if latest:
        best.sort(key=lambda item: item[1].newest, reverse=True)
    return best


def _hits(conn: sqlite3.Connection, words: Sequence[Word], best: list[tuple[str, ConversationMatch]]) -> Iterator[Hit]:
    shown = {key: sorted(match.messages, key=_best_first)[:PASSAGES] for key, match in best}
    wanted = [message.rowid for found in shown.values() for _, message in found]
    lines = dict(zip(wanted, snippets([_text(conn, rowid) for rowid in wanted], words), strict=True))
    sql = "SELECT title, nullif(url, id) AS url, created_at, updated_at, deleted_at, provider FROM conversations"
    rows = [conn.execute(f"{sql} WHERE id = ?", (key,)).fetchone() for key, _ in best]
    titles = snippets([row["title"] or "" for row in rows], words, whole=True)
    for (key, match), row, marked_title in zip(best, rows, titles, strict=True):
        yield Hit(
            **row,
            conversation_id=key,
            marked_title=marked_title,
            matches=len(match.messages),
            missing=match.missing,
            score=match.score,
            passages=tuple(_passage(message, lines[message.rowid]) for _, message in shown[key]),
        )


def _text(conn: sqlite3.Connection, rowid: int) -> str:
    row = conn.execute("SELECT kind, text FROM messages WHERE rowid = ?", (rowid,)).fetchone()
    return str(row["text"]) if row["kind"] in _VERBATIM else without_layout(row["text"])


def _best_first(found: tuple[float, Candidate]) -> tuple[float, int]:
    return -found[0], found[1].rowid


def _passage(message: Candidate, snippet: str) -> Passage:
    return Passage(
        rowid=message.rowid,
        id=message.id,
        role=message.role,
        kind=message.kind,
        created_at=message.created_at,
        snippet=snippet,
        is_on_visible_branch=message.position is not None,
        is_hidden=bool(message.is_hidden),
        removed_at=message.removed_at,
    )
