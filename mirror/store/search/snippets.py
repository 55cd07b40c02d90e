"""The lines that a search shows: a few words round what matched, marked."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from mirror.store.search.cjk import is_unspaced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirror.store.search.query import Word

# Markdown that draws and says nothing; in one line it is in the way. Each pattern is linear in the text.
_RULES = re.compile(r"(?m)^[ \t|:=*_-]+$")
_LINE_SIGNS = re.compile(r"(?m)^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?)")
_ROW = re.compile(r"(?m)^[ \t]*\|(.*)\|[ \t]*$")
_STRONG = re.compile(r"(?<![\w*])\*\*(?=[^\s*])([^*\n]+)(?<=\S)\*\*(?![\w*])")
_FENCE = re.compile("`{3,}|~{3,}")
START, STOP = "\x02", "\x03"  # stand round what matched, inside this program only; ``parts`` takes them out
_TOKENIZER = "porter unicode61 remove_diacritics 2"  # the indexes' own, so that snippets mark what these found


def parts(marked: str) -> Iterator[tuple[str, bool]]:
    """Yield a snippet's or title's pieces, and whether each one matched, for printing."""
    is_match = False
    for piece in re.split(f"([{START}{STOP}])", marked):
        if piece in {START, STOP}:
            is_match = piece == START
        elif piece:
            yield piece, is_match


def undecorated(text: str) -> str:
    """Return a Markdown text without the signs that draw it: rules, headings, quotes, strong words, fences, tables.

    A row of a table becomes its cells with a dot between them and a semicolon after them.
    """
    text = _LINE_SIGNS.sub("", _RULES.sub("", _FENCE.sub("", text)))
    return _STRONG.sub(r"\1", _ROW.sub(_cells, text))


def _cells(row: re.Match[str]) -> str:
    return " · ".join(cell.strip() for cell in row[1].split("|")) + ";"


def snippets(texts: Sequence[str], words: Sequence[Word], *, whole: bool = False) -> list[str]:
    """Return one line round the first match of each text, or the ``whole`` text, with what matched marked.

    FTS5 marks them in an index of these few texts: in the large one every snippet would cost the whole query again.
    """
    marked = dict(enumerate(texts))
    if match := " OR ".join(word.quoted for word in words if word.is_spaced and not word.is_excluded):
        function = "highlight(few, 0, ?, ?)" if whole else "snippet(few, 0, ?, ?, '…', 28)"
        with closing(sqlite3.connect(":memory:")) as few:
            few.execute(f"CREATE VIRTUAL TABLE few USING fts5(text, tokenize='{_TOKENIZER}')")
            few.executemany("INSERT INTO few (rowid, text) VALUES (?, ?)", marked.items())
            sql = f"SELECT rowid, {function} FROM few WHERE few MATCH ?"
            marked.update(few.execute(sql, (START, STOP, match)).fetchall())
    return [_cut(_marked(" ".join(text.split()), words)) for text in marked.values()]


def is_stem(word: str) -> bool:
    """Tell whether the indexes hold a word as it is; of one they shorten, the beginning would be too much."""
    with closing(sqlite3.connect(":memory:")) as few:
        few.execute(f"CREATE VIRTUAL TABLE few USING fts5(text, tokenize='{_TOKENIZER}')")
        few.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(few, instance)")
        few.execute("INSERT INTO few (text) VALUES (?)", (word,))
        terms = [row[0] for row in few.execute("SELECT term FROM terms")]
    return sum(map(len, terms)) >= sum(map(str.isalnum, word))


def _marked(text: str, words: Sequence[Word]) -> str:
    in_runs = START not in text and is_unspaced(text)
    wanted = [re.escape(word.text) for word in words if (word.is_apart or in_runs) and not word.is_excluded]
    return re.sub(f"(?i:{'|'.join(wanted)})", f"{START}\\g<0>{STOP}", text) if wanted else text


def _cut(snippet: str, before: int = 60, longest: int = 300) -> str:
    """Return the part of a line round its first match; a word can be as long as a file."""
    at = max(0, snippet.find(START))
    begin = max(0, at - before) if len(snippet) > longest else 0
    end = begin + longest
    return ("…" if begin else "") + snippet[begin:end] + ("…" if len(snippet) > end else "")
