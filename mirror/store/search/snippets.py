"""The lines that a search shows: a few words round each match, with what matched marked."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING

from mirror.store.search.beginnings import TOKENIZER
from mirror.store.search.cjk import WORD_BEGINS, WORD_ENDS, has_cjk, undisguised
from mirror.store.search.folding import folded, mark_beginnings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirror.store.search.query import Word

TOKENS = 28  # by judgement: words of a snippet, about two lines of a terminal
LONGEST = 300  # characters of a snippet; by judgement: a word can be as long as a file
BEFORE = 60  # of these, characters before the match; by judgement: enough to see what it is about
NEARBY = 2_000  # characters round a match in which a snippet is made; by judgement: many times a snippet
START, STOP = "\x02", "\x03"  # round what matched, inside this program only; ``split_marks`` takes them out
_UNMARKED = re.compile(f"[{START}{STOP}]")

# Markdown that only lays a text out is in the way in a single line. Each pattern takes linear time.
_RULES = re.compile(r"(?m)^[ \t|:=*_-]+$")
_LINE_STARTS = re.compile(r"(?m)^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?)")
_TABLE_ROW = re.compile(r"(?m)^[ \t]*\|(.*)\|[ \t]*$")
_STRONG = re.compile(r"(?<![\w*])\*\*(?=[^\s*])([^*\n]+)(?<=\S)\*\*(?![\w*])")
_FENCE = re.compile("`{3,}|~{3,}")


def split_marks(marked: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a snippet or title, and whether each one matched, for printing."""
    is_match = False
    for piece in re.split(f"([{START}{STOP}])", marked):
        if piece in {START, STOP}:
            is_match = piece == START
        elif piece:
            yield piece, is_match


def without_layout(text: str) -> str:
    """Return a Markdown text without the marks that lay it out: rules, headings, quotes, fences.

    Strong words lose their asterisks. A row of a table becomes its cells with a dot between them and a semicolon after
    them.
    """
    text = _LINE_STARTS.sub("", _RULES.sub("", _FENCE.sub("", text)))
    return _STRONG.sub(r"\1", _TABLE_ROW.sub(_cells, text))


def _cells(row: re.Match[str]) -> str:
    return " · ".join(cell.strip() for cell in row[1].split("|")) + ";"


def snippets(texts: Sequence[str], words: Sequence[Word], *, whole: bool = False) -> list[str]:
    """Return one line round the first match of each text, or the ``whole`` text, with marks.

    Letters in two characters, as macOS writes names, become one, and words in disguise plain, as they are typed.
    """
    lines = [undisguised(unicodedata.normalize("NFC", text)) for text in texts]
    if match := _indexed(words):
        lines = _marked_by_index(lines, match, whole=whole)
    return [_cut(_mark_others(" ".join(line.split()), words)) for line in lines]


def marked_texts(texts: Sequence[str], words: Sequence[Word]) -> list[str]:
    """Return texts as they are, with marks round every match."""
    lines = list(texts)
    if match := _indexed(words):
        lines = _marked_by_index([_UNMARKED.sub("", line) for line in lines], match, whole=True)
    return [_mark_others(line, words) for line in lines]


def _indexed(words: Sequence[Word]) -> str:
    """Return the FTS5 expression for words that are marked by an index."""
    found = (word for word in words if word.in_word_index and not word.is_excluded and not _is_beginning(word))
    return " OR ".join(word.quoted_stems for word in found)


def _is_beginning(word: Word) -> bool:
    """Tell whether only a beginning was typed, which an index of stems would mark too much for."""
    return word.is_prefix and word.in_word_index and folded(word.text) == word.beginning


def _mark_others(line: str, words: Sequence[Word]) -> str:
    begun = tuple(word.beginning for word in words if _is_beginning(word) and not word.is_excluded)
    return _mark_inside_cjk(mark_beginnings(line, begun, f"{START}{{}}{STOP}") if begun else line, words)


def _marked_by_index(texts: list[str], match: str, *, whole: bool) -> list[str]:
    """Return each text that matches as FTS5 marks it.

    FTS5 does that in an index of these few texts: in the large one every snippet would cost the whole query again.
    """
    marked = dict(enumerate(texts))
    function = "highlight(few, 0, ?, ?)" if whole else f"snippet(few, 0, ?, ?, '…', {TOKENS})"
    with closing(_small_index()) as few:
        few.executemany("INSERT INTO few (rowid, text) VALUES (?, ?)", marked.items())
        sql = f"SELECT rowid, {function} AS line FROM few WHERE few MATCH ?"
        marked |= {row["rowid"]: row["line"] for row in few.execute(sql, (START, STOP, match))}
    return list(marked.values())


def _small_index() -> sqlite3.Connection:
    conn = sqlite3.connect(":memory:")
    conn.row_factory = sqlite3.Row
    conn.execute(f"CREATE VIRTUAL TABLE few USING fts5(text, tokenize='{TOKENIZER}')")
    return conn


def near_match(text: str, words: Sequence[Word]) -> str:
    """Return the part of a long text round its first match, so that marking it costs little.

    All of it where only another form of a word is in it.
    """
    if len(text) <= 2 * NEARBY:
        return text
    wanted = [word for word in words if not word.is_excluded]
    for is_whole in (True, False):  # a word that only begins so may be another form of it, and may be another word
        pattern = "|".join(_pattern(word, is_whole=is_whole) for word in wanted)
        if wanted and (found := re.search(pattern, text, re.IGNORECASE)):
            begin = max(0, found.start() - NEARBY)
            return text[begin : begin + 2 * NEARBY]
    return text


def _pattern(word: Word, *, is_whole: bool) -> str:
    """Return the pattern that finds a word where it begins, or ``is_whole`` where it begins and ends."""
    pattern = re.escape(word.text)
    if has_cjk(word.text):
        return pattern
    begin = WORD_BEGINS if word.text[0].isalnum() else ""
    end = WORD_ENDS if is_whole and not word.is_prefix and word.text[-1].isalnum() else ""
    return f"{begin}{pattern}{end}"


def _mark_inside_cjk(line: str, words: Sequence[Word]) -> str:
    is_unmarked_run = START not in line and has_cjk(line)
    found = (word for word in words if (word.in_character_index or is_unmarked_run) and not word.is_excluded)
    wanted = [_pattern(word, is_whole=False) for word in found]
    return re.sub(f"(?i:{'|'.join(wanted)})", f"{START}\\g<0>{STOP}", line) if wanted else line


def _cut(snippet: str) -> str:
    """Return the part of a line round its first match."""
    at = max(0, snippet.find(START))
    begin = max(0, at - BEFORE) if len(snippet) > LONGEST else 0
    end = begin + LONGEST
    return ("…" if begin else "") + snippet[begin:end] + ("…" if len(snippet) > end else "")
