"""The index of characters: for scripts that are written without spaces, and for emoji.

"CJK" in the names below stands for Chinese, Japanese, Korean, Thai and every other script without spaces. FTS5's own
tokenizer takes a whole run of such characters for one word, so that no word inside it is found; its trigram tokenizer
finds nothing shorter than three characters, and most Chinese words have two. Here each character is a word of its own
and a search for several of them is a phrase, so that a word of any length is found, exactly.

Of a text without such characters only the emoji are indexed, each by its number, because tokenizers take emoji for
spaces. Texts in which a word is disguised are indexed whole, with the word as it is typed: PDFs have ligatures and soft
hyphens, web pages zero-width spaces. Most texts have none of these and are not indexed at all: a mirror without them
pays only for a look at each new text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from mirror.store.settings import remember, setting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

TABLES = TABLE, FILE_TABLE = "messages_cjk", "file_texts_cjk"
_TEXTS = {TABLE: "messages", FILE_TABLE: "file_texts"}  # whose texts an index holds
VERSION = 4  # of ``index_form``; an index that another version filled is filled again
_SEARCHED_SINCE = 3  # the first version whose index finds what it holds by the queries of this one
_SETTING = "cjk"
_RANGES = (  # Thai and Lao, Myanmar, Hangul letters, Khmer, radicals, kana and Han, Hangul, and their extensions
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b2ff\U00020000-\U0003ffff"
)
_CJK = f"[{_RANGES}]"
_EMOJI_RANGES = (
    "\u2300-\u23ff\u2600-\u26ff\u2701-\u2775\u2794-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
)
_EMOJI = f"[{_EMOJI_RANGES}]"
# Letters that stand for others (ligatures, full width, mathematical ones) and what is invisible inside a word.
_INVISIBLE = "\u00ad\u200b\u2060\ufeff"
_STAND_INS = "\ufb00-\ufb06\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7ff"
_DISGUISED = f"[{_INVISIBLE}{_STAND_INS}]"
_INDEXED = f"[{_RANGES}{_EMOJI_RANGES}{_INVISIBLE}{_STAND_INS}]"
_VARIANTS = "[\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"  # of form, colour, skin
# Where a word of a script with spaces begins and ends, as a regular expression; also inside a run of these characters.
WORD_BEGINS, WORD_ENDS = rf"(?<![^\W_{_RANGES}])", rf"(?![^\W_{_RANGES}])"
_END_OF_RUN = rf"(?<=[{_RANGES}])(?=\w)(?![{_RANGES}])"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return a compiled pattern, made when it is first needed: with so many ranges that takes 4 ms."""
    return re.compile(text)


class _IndexForms(dict[int, str]):
    """Each character's form in the index, for ``str.translate``; filled as characters occur.

    A regular expression with a group for each character took 14 s for 59 MB of Chinese; this takes a fraction of it.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = self._form(character)
        return self[code]

    @staticmethod
    def _form(character: str) -> str:
        if _pattern(_VARIANTS).match(character):
            return ""
        if _pattern(_EMOJI).match(character):
            return f" u{ord(character):x} "
        # A vowel sign or tone mark belongs to the letter before it.
        is_letter = _pattern(_CJK).match(character) and unicodedata.category(character)[0] != "M"
        return f" {character}" if is_letter else character


_FORMS = _IndexForms()


def has_cjk(text: str) -> bool:
    """Tell whether a text has a character of a script that is written without spaces."""
    return not text.isascii() and _pattern(_CJK).search(text) is not None


def is_disguised(text: str) -> bool:
    """Tell whether a text has words in other characters than they are typed with."""
    return not text.isascii() and _pattern(_DISGUISED).search(text) is not None


def undisguised(text: str) -> str:
    """Return a text with its words as they are typed."""
    if not is_disguised(text):
        return text
    plain = _pattern(f"[{_STAND_INS}]+").sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return _pattern(f"[{_INVISIBLE}]").sub("", plain)


def is_indexed(text: str) -> bool:
    """Tell whether a text belongs in this index: it has such a character, an emoji, or a word in disguise."""
    return not text.isascii() and _pattern(_INDEXED).search(text) is not None


def index_form(text: str) -> str:
    """Return a text as the index holds it: with CJK characters apart, and emoji as ``u1f956``.

    Of a text that is written with spaces only the emoji are returned, unless a word of it is disguised.
    """
    if not has_cjk(text) and not is_disguised(text):
        return "".join(_pattern(_EMOJI).findall(text)).translate(_FORMS)
    plain = _pattern(_VARIANTS).sub("", unicodedata.normalize("NFKC", undisguised(text)))
    return _pattern(_END_OF_RUN).sub(" ", plain).translate(_FORMS)


def without_emoji(text: str) -> str:
    """Return a text with spaces in place of its emoji."""
    return text if text.isascii() else _pattern(_EMOJI).sub(" ", _pattern(_VARIANTS).sub("", text)).strip()


def where_clause(match: str) -> str:
    """Return the condition on ``messages`` that an FTS5 expression matches here, as part of SQL."""
    quoted = match.replace("'", "''")
    return f"rowid in (select rowid from {TABLE} where {TABLE} match '{quoted}')"


def update(conn: sqlite3.Connection, changes: Iterable[tuple[int, str, str]], table: str = TABLE) -> None:
    """Bring an index up to date with (rowid, old text, new text), empty where there is none."""
    changes = [change for change in changes if change[1] != change[2]]
    olds = [(rowid, index_form(old)) for rowid, old, _ in changes if is_indexed(old)]
    news = [(rowid, index_form(new)) for rowid, _, new in changes if is_indexed(new)]
    # The table is contentless: FTS5 must be given the old text to be able to remove it.
    conn.executemany(f"INSERT INTO {table}({table}, rowid, text) VALUES ('delete', ?, ?)", olds)
    conn.executemany(f"INSERT INTO {table}(rowid, text) VALUES (?, ?)", news)


def is_filled(conn: sqlite3.Connection) -> bool:
    """Tell whether the indexes were filled by this version of ``index_form``."""
    return bool(setting(conn, _SETTING) == VERSION)


def is_searchable(conn: sqlite3.Connection) -> bool:
    """Tell whether the indexes find what they hold: those of an earlier version hold less, not something else."""
    found = setting(conn, _SETTING)
    return isinstance(found, int) and _SEARCHED_SINCE <= found <= VERSION


def fill(conn: sqlite3.Connection) -> None:
    """Fill the indexes again from the stored texts."""
    for table in _TEXTS:
        conn.execute(f"INSERT INTO {table}({table}) VALUES ('delete-all')")
        conn.executemany(f"INSERT INTO {table}(rowid, text) VALUES (?, ?)", rows(conn, table))
    remember(conn, _SETTING, VERSION)


def rows(conn: sqlite3.Connection, table: str = TABLE) -> Iterator[tuple[int, str]]:
    """Yield rowid and form of each text that an index is to hold."""
    return ((rowid, index_form(text)) for rowid, text in _indexed_texts(conn, table))


def _indexed_texts(conn: sqlite3.Connection, table: str) -> Iterator[tuple[int, str]]:
    found = conn.execute(f"SELECT rowid, text FROM {_TEXTS[table]}")
    return ((row["rowid"], row["text"]) for row in found if is_indexed(row["text"]))
