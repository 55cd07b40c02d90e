"""Which files match: their names, what pictures were made from, and what text files and PDFs say.

Names and prompts are short, so words inside runs of CJK characters are looked for as they are; texts have an index of
characters, like messages. A file that only matches by parts of its name and of its text is not found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mirror.store.search.cjk import FILE_TABLE, undisguised
from mirror.store.search.folding import HAS_PART, folded, is_beyond_ascii
from mirror.store.search.query import CHARACTER_INDEX, WORD_INDEX, is_unlike_index
from mirror.store.search.request import Conditions, project_ids
from mirror.store.search.scoring import file_scores, rank_scale
from mirror.store.search.snippets import START, near_match, snippets

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from mirror.store.search.query import Word
    from mirror.store.search.request import Search

FILE_NAME, PROMPT, FILE_TEXT = "file name", "prompt", "file text"
FILE_KINDS = (FILE_NAME, PROMPT, FILE_TEXT)
_NAME_INDEX = "files_fts"
_TEXT_TABLES = {WORD_INDEX: "file_texts_fts", CHARACTER_INDEX: FILE_TABLE}
_BEYOND_ASCII = f"({is_beyond_ascii('f.name')} OR {is_beyond_ascii('f.prompt')})"
_HAS_WORD = f"({HAS_PART}(f.name, ?) OR {HAS_PART}(f.prompt, ?))"
_USES = "attachments a JOIN messages m ON m.rowid = a.message_rowid JOIN conversations c ON c.id = m.conversation_id"
_MOST_USES = 3  # conversations of a file that are shown; by judgement: most files have one


class FileConversation(NamedTuple):
    """A conversation that shows a file, and its newest message that does."""

    conversation_id: str
    title: str | None
    url: str | None
    message_id: str
    message_rowid: int


@dataclass(frozen=True, slots=True)
class FileHit:
    """A file that matches. ``kind``: of FILE_KINDS; ``snippet``: for ``split_marks``; ``sha256``: None if not stored.

    ``conversations``: those that show it, the newest first; none for a file of a project, or of an archive alone.
    """

    kind: str
    file_id: str
    name: str | None
    mime_type: str | None
    size: int | None
    state: str
    sha256: str | None
    created_at: str | None
    snippet: str
    score: float
    conversations: tuple[FileConversation, ...]


class FilesFound(NamedTuple):
    """The best files, and the kind of each one that matches. ``is_complete``: those are all that match."""

    hits: tuple[FileHit, ...] = ()
    kinds: tuple[str, ...] = ()
    is_complete: bool = True


class FileCandidate(NamedTuple):
    """A file that matches. ``rank``: as of a message's candidate; ``name`` is empty where its text matches."""

    id: str
    sha256: str | None
    created_at: str | None
    name: str
    prompt: str
    rank: float
    is_text: int


class _Matching(NamedTuple):
    """Files that match in one way. ``is_complete``: no limit left out any."""

    files: list[FileCandidate]
    is_complete: bool


_NONE = _Matching([], is_complete=True)


def matching_files(search: Search) -> FilesFound:
    """Return the files that match, the best ``search.limit`` of them as hits; none where the filters ask otherwise."""
    filters = search.filters
    is_of_other_kind = filters.kind not in {None, "file", *FILE_KINDS}
    if is_of_other_kind or filters.role or filters.model or filters.branches == "other" or not search.query.words:
        return FilesFound()
    words = search.query.words
    ways = [*_by_text(search), *by_name(search)]
    is_complete = all(way.is_complete for way in ways)
    found = _with_kinds({one.id: one for way in ways for one in way.files}, words)
    if filters.kind in FILE_KINDS:
        found = [(kind, one) for kind, one in found if kind == filters.kind]
    scores = file_scores([(kind, one.rank, one.created_at) for kind, one in found])
    best = sorted(zip(scores, found, strict=True), key=lambda item: (-item[0], item[1][1].id))
    if search.latest:
        best.sort(key=lambda item: item[1][1].created_at or "", reverse=True)
    hits = _hits(search.conn, best[: search.limit], words)
    return FilesFound(tuple(hits), tuple(kind for kind, _ in found), is_complete)


def _with_kinds(found: dict[str, FileCandidate], words: Sequence[Word]) -> list[tuple[str, FileCandidate]]:
    """Return each file with what of it matched."""
    named = [one for one in found.values() if not one.is_text]
    marked = snippets([one.name for one in named], words, whole=True)
    kinds = {one.id: FILE_NAME if START in line else PROMPT for one, line in zip(named, marked, strict=True)}
    return [(kinds.get(one.id, FILE_TEXT), one) for one in found.values()]


# -- by name and prompt


def by_name(search: Search) -> list[_Matching]:
    """Return files by looking at all names, and by the index of names, which knows better."""
    match = dict(search.query.wanted).get(WORD_INDEX)
    conditions, tables, rank = _conditions(search), "files f", "0.0"
    if match:
        tables, rank = f"{_NAME_INDEX} i CROSS JOIN files f ON f.rowid = i.rowid", "i.rank"
        conditions.add(f"{_NAME_INDEX} MATCH ?", match)
    if excluded := dict(search.query.unwanted).get(WORD_INDEX):
        conditions.add_match("f.rowid", _NAME_INDEX, excluded, is_excluded=True)
    for word in search.query.words:
        if word.in_character_index:
            has_word = f"({_BEYOND_ASCII} AND {_HAS_WORD})"
            conditions.add(f"{'NOT ' if word.is_excluded else ''}{has_word}", *[folded(word.text)] * 2)
    conditions.add_beginnings(search.query, "f.name", "f.prompt")
    found = _files(search, tables, rank, conditions) if search.query.wanted else _NONE
    return [_unlike_index(search), found]


def _unlike_index(search: Search) -> _Matching:
    """Return files whose names have spaced words as their index does not: see ``is_unlike_index``."""
    if not search.query.inside_cjk:
        return _NONE
    conditions = _conditions(search)
    conditions.add(_BEYOND_ASCII)
    for word in search.query.words:
        conditions.add(f"{'NOT ' if word.is_excluded else ''}{_HAS_WORD}", *[folded(word.text)] * 2)
    found = _files(search, "files f", "0.0", conditions)
    return found._replace(files=[one for one in found.files if is_unlike_index(f"{one.name} {one.prompt}")])


def _files(search: Search, tables: str, rank: str, conditions: Conditions) -> _Matching:
    sql = (
        "SELECT f.id, f.sha256, f.created_at, ifnull(f.name, '') AS name, ifnull(f.prompt, '') AS prompt,"
        f" {rank} AS rank, 0 AS is_text FROM {tables} WHERE {conditions}"
        f" ORDER BY rank, f.created_at DESC LIMIT {search.limits.titles}"
    )
    return _matching(search, sql, conditions)


# -- by text


def _by_text(search: Search) -> list[_Matching]:
    """Return files by the index of characters in their texts, and by that of words, which knows better."""
    query = search.query
    found = _with_text(search, [(_TEXT_TABLES[table], match) for table, match in query.wanted])
    # The index of characters has no stems.
    exact = search.for_query(replace(query, beginnings=(), unwanted=query.unwanted + query.not_inside_cjk))
    others = _with_text(exact, [(FILE_TABLE, query.inside_cjk)]) if query.inside_cjk else _NONE
    scale = rank_scale([one.rank for one in found.files], [one.rank for one in others.files])
    return [others._replace(files=[one._replace(rank=one.rank * scale) for one in others.files]), found]


def _with_text(search: Search, wanted: list[tuple[str, str]]) -> _Matching:
    """Return files whose text matches in all of these indexes; the first one ranks them."""
    if not wanted:
        return _NONE
    (first, match), *others = wanted
    conditions = _conditions(search)
    conditions.add(f"{first} MATCH ?", match)
    for table, expression in others:
        conditions.add_match("t.rowid", table, expression)
    for index, expression in search.query.unwanted:
        conditions.add_match("t.rowid", _TEXT_TABLES[index], expression, is_excluded=True)
    conditions.add_beginnings(search.query, "t.text")
    sql = (
        f"SELECT f.id, f.sha256, f.created_at, '' AS name, '' AS prompt, {first}.rank AS rank, 1 AS is_text"
        f" FROM {first} CROSS JOIN file_texts t ON t.rowid = {first}.rowid JOIN files f ON f.sha256 = t.sha256"
        f" WHERE {conditions} ORDER BY rank, f.created_at DESC LIMIT {search.limits.titles}"
    )
    return _matching(search, sql, conditions)


def _matching(search: Search, sql: str, conditions: Conditions) -> _Matching:
    """Return what a statement selects, which ends with the limit of a search."""
    found = [FileCandidate._make(row) for row in search.conn.execute(sql, conditions.values)]
    return _Matching(found, len(found) < search.limits.titles)


# -- filters


def _conditions(search: Search) -> Conditions:
    """Return the filters on files ``f``."""
    conditions, filters = Conditions(), search.filters
    conditions.add_period(filters, "f.created_at")
    if search.conversations.values:
        used = f"EXISTS (SELECT 1 FROM {_USES} WHERE a.file_id = f.id AND {search.conversations})"
        alone = _conditions_of_unused(search)
        conditions.add(f"({used} OR ({alone}))", *search.conversations.values, *alone.values)
    return conditions


def _conditions_of_unused(search: Search) -> Conditions:
    """Return the filters on conversations as they apply to a file that no message shows."""
    conditions, filters = Conditions(), search.filters
    conditions.add("NOT EXISTS (SELECT 1 FROM attachments a WHERE a.file_id = f.id)")
    if filters.archived is not None:
        conditions.add("0")
    if filters.provider is not None:
        conditions.add("f.provider = ?", filters.provider)
    if filters.project is not None:
        ids = project_ids(search.conn, filters.project)
        conditions.add(f"f.project_id IN ({', '.join('?' * len(ids))})", *ids)
    return conditions


# -- what is shown


def _hits(
    conn: sqlite3.Connection, best: list[tuple[float, tuple[str, FileCandidate]]], words: Sequence[Word]
) -> Iterator[FileHit]:
    """Yield the hits; all snippets are made at once, for each making costs an index of its own."""
    sql = "SELECT name, mime_type, size, state, prompt FROM files WHERE id = ?"
    rows = [conn.execute(sql, (found.id,)).fetchone() for _, (_, found) in best]
    texts = [_text(conn, kind, found, row, words) for (_, (kind, found)), row in zip(best, rows, strict=True)]
    lines = snippets(texts, words)
    for (score, (kind, found)), row, line in zip(best, rows, lines, strict=True):
        yield FileHit(
            kind=kind,
            file_id=found.id,
            name=row["name"],
            mime_type=row["mime_type"],
            size=row["size"],
            state=row["state"],
            sha256=found.sha256,
            created_at=found.created_at,
            snippet=line,
            score=score,
            conversations=_conversations(conn, found.id),
        )


def _text(conn: sqlite3.Connection, kind: str, found: FileCandidate, row: sqlite3.Row, words: Sequence[Word]) -> str:
    if kind == FILE_TEXT:
        stored = conn.execute("SELECT text FROM file_texts WHERE sha256 = ?", (found.sha256,)).fetchone()
        return near_match(undisguised(stored["text"]), words)
    return (row["prompt"] if kind == PROMPT else row["name"]) or ""


def _conversations(conn: sqlite3.Connection, file_id: str) -> tuple[FileConversation, ...]:
    sql = (
        "SELECT m.conversation_id, c.title, nullif(c.url, c.id) AS url, m.id AS message_id, m.rowid AS message_rowid"
        f" FROM {_USES} WHERE a.file_id = ?"
        " GROUP BY m.conversation_id HAVING max(ifnull(m.created_at, '')) IS NOT NULL"
        f" ORDER BY m.position IS NULL, m.created_at DESC, m.conversation_id LIMIT {_MOST_USES}"
    )
    rows = conn.execute(sql, (file_id,)).fetchall() or _conversation_of_canvas(conn, file_id)
    return tuple(FileConversation(**row) for row in rows)


def _conversation_of_canvas(conn: sqlite3.Connection, file_id: str) -> list[sqlite3.Row]:
    """Return the conversation of a version that no message names, with the message that wrote to a canvas last."""
    if not file_id.startswith("canvas:"):
        return []
    sql = (
        "SELECT c.id AS conversation_id, c.title, nullif(c.url, c.id) AS url, m.id AS message_id,"
        " m.rowid AS message_rowid FROM conversations c JOIN messages m ON m.conversation_id = c.id WHERE c.id = ?"
        " ORDER BY m.kind = 'canvas' DESC, m.position IS NULL, m.created_at DESC LIMIT 1"
    )
    return conn.execute(sql, (file_id[len("canvas:") :].partition("/")[0],)).fetchall()
