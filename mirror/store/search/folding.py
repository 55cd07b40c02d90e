"""How texts are compared where no index does it: whatever case, form and invisible characters they are written with.

``é`` may be one character or two (macOS writes names of files so), and FTS5 takes both for ``e``. LIKE knows nothing of
that, and refuses long patterns; so SQL asks these functions.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from contextlib import suppress

HAS_PART, HAS_BEGINNING = "chatmirror_has_part", "chatmirror_has_beginning"
# Soft hyphens, zero-width spaces and joiners, marks of direction, and variants of form, colour and skin.
_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
)
_ACCENTS = "\u0300-\u036f"
# FTS5 ("remove_diacritics 2") takes accents from letters of ASCII, not from those of which they make another letter.
_ACCENTED = re.compile(f"(?<=[a-z])[{_ACCENTS}]+")
_LOOSE_ACCENTS = re.compile(f"[{_ACCENTS}]+")
# Letters with one form only: of ASCII, Cyrillic, Hebrew, Arabic, kana, Han, Hangul; and emoji. Most texts have no
# others, and are ready sooner.
_PLAIN = re.compile(
    "[\x00-\x7f\u0400-\u045f\u05d0-\u05ea\u0621-\u063a\u0641-\u064a\u2013\u2014\u2018-\u201d\u3001-\u3003"
    "\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3\U0001f300-\U0001f3fa\U0001f400-\U0001f64f]*"
)
_TOKEN_AS_WRITTEN = re.compile(rf"[^\W_](?:[^\W_]|[{_ACCENTS}\u00ad\u200b-\u200d])*")


def folded(text: str | None) -> str:
    """Return a text as it is compared: small letters without accents, in one form, nothing invisible."""
    if not isinstance(text, str):  # of a damaged row it can be anything
        return ""
    if text.isascii() or _PLAIN.fullmatch(text):
        return text.lower()
    apart = unicodedata.normalize("NFKD", _INVISIBLE.sub("", text).lower())
    return _LOOSE_ACCENTS.sub("", unicodedata.normalize("NFC", _ACCENTED.sub("", apart)))


def has_part(text: str | None, part: str) -> bool:
    """Tell whether a text has another one, which is folded, anywhere in it."""
    return part in folded(text)


def split_last(text: str) -> tuple[str, str]:
    """Return what stands before the last word of a text, and that word, folded; empty where it has none."""
    words = list(_TOKEN_AS_WRITTEN.finditer(text))
    return (text[: words[-1].start()], folded(words[-1][0])) if words else (text, "")


def has_beginning(text: str | None, beginning: str) -> bool:
    """Tell whether a word of a text begins so; ``beginning``: folded."""
    text = folded(text)
    at = text.find(beginning)
    while at > 0 and text[at - 1].isalnum():
        at = text.find(beginning, at + 1)
    return at >= 0


def mark_beginnings(text: str, beginnings: tuple[str, ...], mark: str) -> str:
    """Return a text with each word that begins so put into ``mark``, which has {} for it."""
    if not any(has_beginning(text, one) for one in beginnings):
        return text
    return _TOKEN_AS_WRITTEN.sub(
        lambda found: mark.format(found[0]) if folded(found[0]).startswith(beginnings) else found[0], text
    )


def is_beyond_ascii(column: str) -> str:
    """Return the SQL for whether a column has other characters than those of ASCII."""
    return f"ifnull(length({column}) < length(CAST({column} AS BLOB)), 0)"


def part_clause(column: str) -> str:
    """Return the SQL for whether a column has ?, which is folded, anywhere in it; it binds that twice.

    SQLite itself compares what is ASCII, ten times as fast.
    """
    return f"(instr(lower(ifnull({column}, '')), ?) OR {is_beyond_ascii(column)} AND {HAS_PART}({column}, ?))"


def add_functions(conn: sqlite3.Connection) -> None:
    """Let SQL on this connection use the functions; it costs nothing where it can already."""
    with suppress(sqlite3.OperationalError):
        conn.execute(f"SELECT {HAS_PART}('', ''), {HAS_BEGINNING}('', '')")
        return
    conn.create_function(HAS_PART, 2, has_part, deterministic=True)
    conn.create_function(HAS_BEGINNING, 2, has_beginning, deterministic=True)
