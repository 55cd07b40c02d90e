"""Find messages and titles: what is found comes best first, grouped by conversation.

Two ways, because bm25 visits every match and says least about the words that match most: of up to ``RANKED`` matches
the best by bm25 are weighed, of more the newest, and more of them until there are enough conversations. Newest goes by
``created_at``, never by rowid, for a first sync and imports store old conversations after new ones.

Chinese, Japanese, Korean, Thai and their like are written without spaces, and the index sees a whole run as one word;
they are sought letter by letter in the texts (``_contains`` is the seam for an index of their own).
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.errors import UsageError
from mirror.store.scoring import Candidate, Group, Title, grouped
from mirror.store.words import Word, expression, like, parse, period

if TYPE_CHECKING:
    from collections.abc import Iterator

START, STOP = "\x02", "\x03"  # stand round what matched, inside this program only; ``parts`` takes them out
RANKED = 20_000  # matches that bm25 puts in order
FIRST = 2_000  # of these, or of the newest where there are more, how many are looked at first
PASSAGES = 3  # shown of a conversation

_TOKENIZER = "porter unicode61 remove_diacritics 2"  # the indexes' own, so that snippets mark what these found
_COLUMNS = "m.rowid, m.id, m.conversation_id, m.role, m.kind, m.created_at, m.is_hidden, m.position, m.removed_at"


@dataclass(frozen=True, slots=True)
class Filters:
    """What to leave out; None: nothing. ``since`` and ``until`` (inclusive) are days, months or years as typed.

    ``model`` is exact, ``project`` an id or a name in any case. Without ``all_branches`` only what a person sees at the
    service, and hidden messages between it, unless nothing is found there.
    """

    role: str | None = None
    kind: str | None = None
    model: str | None = None
    project: str | None = None
    since: str | None = None
    until: str | None = None
    archived: bool | None = None
    all_branches: bool = False


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
    match was looked at; else there were many, and the counts are of those looked at only.
    """

    hits: tuple[Hit, ...] = ()
    elsewhere: int = 0
    is_widened: bool = False
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class _Query:
    """The words, apart by who can find them: ``match`` the index, ``sought`` only a look at each text."""

    match: str
    sought: tuple[Word, ...]
    without: str  # what the index must not find, where it has nothing to find

    @classmethod
    def of(cls, words: list[Word]) -> _Query:
        indexed = [word for word in words if not word.is_unspaced]
        match = expression(indexed)
        excluded = "" if match else " OR ".join(word.quoted for word in indexed)
        return cls(match, tuple(word for word in words if word.is_unspaced), excluded)


class _Where:
    """Conditions and their values, in step."""

    def __init__(self) -> None:
        self.conditions: list[str] = ["1"]
        self.values: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition)
        self.values += values

    def __str__(self) -> str:
        return " AND ".join(self.conditions)


def search(
    conn: sqlite3.Connection, words: str, filters: Filters | None = None, limit: int = 10, *, latest: bool = False
) -> Found:
    """Return the best ``limit`` conversations for whatever was typed, or the ``latest`` ones first.

    No words are an error; a date that is none, or an unknown project, is one (UsageError).
    """
    filters = filters or Filters()
    query = _Query.of(parse(words))
    in_conversation = _in_conversation(conn, filters)
    titles = _titles(conn, query, filters, in_conversation)
    candidates, is_complete = _candidates(conn, query, filters, in_conversation, limit, latest=latest)
    shown = candidates if filters.all_branches else [c for c in candidates if c.position is not None]
    is_widened = not shown and not titles and bool(candidates)
    if is_widened:
        shown = candidates
    best = sorted(
        grouped(titles, shown).items(), key=lambda item: (item[1].score, item[1].newest, item[0]), reverse=True
    )
    if latest:
        best.sort(key=lambda item: item[1].newest, reverse=True)
    hits = tuple(_hits(conn, query, best[:limit]))
    return Found(hits, len(candidates) - len(shown), is_widened, is_complete)


def parts(marked: str) -> Iterator[tuple[str, bool]]:
    """Yield a snippet's or title's pieces, and whether each one matched, for printing."""
    is_match = False
    for piece in re.split(f"([{START}{STOP}])", marked):
        if piece in {START, STOP}:
            is_match = piece == START
        elif piece:
            yield piece, is_match


def _in_conversation(conn: sqlite3.Connection, filters: Filters) -> _Where:
    where = _Where()
    if filters.archived is not None:
        where.add("c.is_archived = ?", int(filters.archived))
    if filters.project is not None:
        named = "SELECT id FROM projects WHERE id = ? OR name = ? COLLATE NOCASE"
        ids = [row[0] for row in conn.execute(named, (filters.project, filters.project))]
        if not ids:
            raise UsageError(f"There is no project “{filters.project}” in this mirror; give its name or id.")
        where.add(f"c.project_id IN ({', '.join('?' * len(ids))})", *ids)
    return where


def _contains(where: _Where, column: str, query: _Query) -> None:
    for word in query.sought:
        negation = "NOT " if word.is_excluded else ""
        where.add(f"ifnull({column}, '') {negation}LIKE ? ESCAPE '\\'", like(word))


def _titles(conn: sqlite3.Connection, query: _Query, filters: Filters, in_conversation: _Where) -> list[Title]:
    """Return the conversations whose title matches; none where the filters ask for a kind of message."""
    if filters.role or filters.kind or filters.model or not (query.match or query.sought):
        return []
    where, tables, rank = _Where(), "conversations c", "0.0"
    if query.match:
        tables = "conversations_fts CROSS JOIN conversations c ON c.rowid = conversations_fts.rowid"
        rank = "conversations_fts.rank"
        where.add("conversations_fts MATCH ?", query.match)
    if query.without:
        where.add("c.rowid NOT IN (SELECT rowid FROM conversations_fts WHERE conversations_fts MATCH ?)", query.without)
    _contains(where, "c.title", query)
    if filters.since is not None:
        where.add("c.updated_at >= ?", period(filters.since)[0])
    if filters.until is not None:
        where.add("c.created_at < ?", period(filters.until)[1])
    where.add(str(in_conversation), *in_conversation.values)
    sql = f"SELECT c.id, ifnull(c.updated_at, ''), {rank} FROM {tables} WHERE {where}"
    return [Title(*row) for row in conn.execute(sql, where.values)]


def _candidates(
    conn: sqlite3.Connection, query: _Query, filters: Filters, in_conversation: _Where, limit: int, *, latest: bool
) -> tuple[list[Candidate], bool]:
    """Return the messages to weigh, and whether they are all that match."""
    if not query.match and not query.sought:
        return [], True
    where = _in_message(query, filters, in_conversation)
    count = _count(conn, query.match) if query.match else RANKED + 1
    by_rank = count <= (FIRST if latest else RANKED)
    sql, values = _ranked(query, where) if by_rank else _newest(query, where)
    most = FIRST
    while True:
        found = [Candidate(*row) for row in conn.execute(sql.format(most=most), values)]
        conversations = {c.conversation_id for c in found if filters.all_branches or c.position is not None}
        is_complete = most >= count if by_rank else len(found) < most
        if is_complete or len(conversations) >= limit:
            return found, is_complete
        most *= 8


def _count(conn: sqlite3.Connection, match: str) -> int:
    # Matching without bm25 is cheap, and the LIMIT ends it early.
    sql = f"SELECT count(*) FROM (SELECT 1 FROM messages_fts WHERE messages_fts MATCH ? LIMIT {RANKED + 1})"
    count: int = conn.execute(sql, (match,)).fetchone()[0]
    return count


def _ranked(query: _Query, where: _Where) -> tuple[str, list[Any]]:
    """Return what selects the best {most} matches by bm25, of these what the conditions leave."""
    best = "SELECT rowid, rank FROM messages_fts WHERE messages_fts MATCH ? ORDER BY rank LIMIT {most}"
    sql = f"SELECT {_COLUMNS}, f.rank FROM ({best}) f CROSS JOIN messages m ON m.rowid = f.rowid WHERE {where}"
    return sql, [query.match, *where.values]


def _newest(query: _Query, where: _Where) -> tuple[str, list[Any]]:
    """Return what selects the newest {most} matches that the conditions leave, without bm25."""
    if query.match:
        where.add("+m.rowid IN (SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?)", query.match)
    sql = f"SELECT {_COLUMNS}, 0.0 FROM messages m WHERE {where} ORDER BY m.created_at DESC LIMIT {{most}}"
    return sql, where.values


def _in_message(query: _Query, filters: Filters, in_conversation: _Where) -> _Where:
    # The plus signs keep SQLite from an index that would spoil the order by time.
    where = _Where()
    for column, value in (("role", filters.role), ("kind", filters.kind), ("model", filters.model)):
        if value is not None:
            where.add(f"+m.{column} = ?", value)
    if filters.since is not None:
        where.add("m.created_at >= ?", period(filters.since)[0])
    if filters.until is not None:
        where.add("m.created_at < ?", period(filters.until)[1])
    if in_conversation.values:
        where.add(
            f"+m.conversation_id IN (SELECT c.id FROM conversations c WHERE {in_conversation})", *in_conversation.values
        )
    if query.without:
        where.add("+m.rowid NOT IN (SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?)", query.without)
    _contains(where, "m.text", query)
    return where


def _hits(conn: sqlite3.Connection, query: _Query, groups: list[tuple[str, Group]]) -> Iterator[Hit]:
    shown = {conversation_id: sorted(group.messages, key=_best_first)[:PASSAGES] for conversation_id, group in groups}
    wanted = [candidate.rowid for found in shown.values() for _, candidate in found]
    texts = [conn.execute("SELECT text FROM messages WHERE rowid = ?", (rowid,)).fetchone()[0] for rowid in wanted]
    snippets = dict(zip(wanted, _snippets(texts, query), strict=True))
    sql = "SELECT title, url, created_at, updated_at, deleted_at FROM conversations WHERE id = ?"
    rows = [conn.execute(sql, (conversation_id,)).fetchone() for conversation_id, _ in groups]
    titles = _snippets([row[0] or "" for row in rows], query, whole=True)
    for (conversation_id, group), row, marked in zip(groups, rows, titles, strict=True):
        passages = tuple(_passage(candidate, snippets[candidate.rowid]) for _, candidate in shown[conversation_id])
        yield Hit(*[conversation_id, *row, marked, len(group.messages), group.score, passages])


def _best_first(found: tuple[float, Candidate]) -> tuple[float, int]:
    return -found[0], found[1].rowid


def _passage(c: Candidate, snippet: str) -> Passage:
    is_on_visible_branch = c.position is not None
    return Passage(
        c.rowid, c.id, c.role, c.kind, c.created_at, snippet, is_on_visible_branch, bool(c.is_hidden), c.removed_at
    )


def _snippets(texts: list[str], query: _Query, *, whole: bool = False) -> list[str]:
    """Return one line round the first match of each text, or the ``whole`` text, with what matched marked.

    FTS5 marks them in an index of these few texts: in the large one every snippet would cost the whole query again.
    """
    marked = dict(enumerate(texts))
    if query.match:
        function = "highlight(few, 0, ?, ?)" if whole else "snippet(few, 0, ?, ?, '…', 28)"
        with closing(sqlite3.connect(":memory:")) as few:
            few.execute(f"CREATE VIRTUAL TABLE few USING fts5(text, tokenize='{_TOKENIZER}')")
            few.executemany("INSERT INTO few (rowid, text) VALUES (?, ?)", marked.items())
            sql = f"SELECT rowid, {function} FROM few WHERE few MATCH ?"
            marked.update(few.execute(sql, (START, STOP, query.match)).fetchall())
    return [_cut(_marked(" ".join(text.split()), query)) for text in marked.values()]


def _marked(text: str, query: _Query) -> str:
    wanted = [re.escape(word.text) for word in query.sought if not word.is_excluded]
    return re.sub(f"(?i:{'|'.join(wanted)})", f"{START}\\g<0>{STOP}", text) if wanted else text


def _cut(snippet: str, before: int = 60, longest: int = 300) -> str:
    """Return the part of a line round its first match; a word can be as long as a file."""
    at = max(0, snippet.find(START))
    begin = max(0, at - before) if len(snippet) > longest else 0
    end = begin + longest
    return ("…" if begin else "") + snippet[begin:end] + ("…" if len(snippet) > end else "")
