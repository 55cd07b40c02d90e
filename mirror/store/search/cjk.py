"""The index of scripts that are written without spaces, Chinese, Japanese, Korean, Thai and their like, and of emoji.

FTS5's own tokenizer takes a whole run of them for one word, so that no word inside it is found, and the trigram
tokenizer finds nothing shorter than three characters, which most Chinese words are. Here each such character is a word
of its own, and what is sought is a phrase of them: every length is found, exactly. Of a text without such characters
only its emoji enter, each by its number, for a tokenizer takes them for spaces; most texts have none and do not enter,
so that a mirror without either pays nothing but a look at each new text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from mirror.store.settings import remember, setting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

TABLE = "messages_cjk"
VERSION = 3  # of the rule below; another one fills the index anew
_SETTING = "cjk"
_RANGES = (  # Thai and Lao, Myanmar, Hangul letters, Khmer, radicals, kana and Han, Hangul, and their extensions
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b2ff\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{_RANGES}]")
_EMOJI = "\u2300-\u23ff\u2600-\u26ff\u2701-\u2775\u2794-\u27bf\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff"
_PICTURE = re.compile(f"[{_EMOJI}]")
_EITHER = re.compile(f"[{_RANGES}{_EMOJI}]")
_VARIANTS = re.compile("[\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]")  # of form, colour, skin


class _Apart(dict[int, str]):
    """A table for ``str.translate``, filled as characters occur: many times quicker than a regular expression."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = self._apart(character)
        return self[code]

    @staticmethod
    def _apart(character: str) -> str:
        if _VARIANTS.match(character):
            return ""
        if _PICTURE.match(character):
            return f" u{ord(character):x} "
        # A vowel sign or tone mark belongs to the letter before it.
        is_letter = _UNSPACED.match(character) and unicodedata.category(character)[0] != "M"
        return f" {character}" if is_letter else character


_APART = _Apart()
_RUN_END = re.compile(rf"(?<=[{_RANGES}])(?=\w)(?![{_RANGES}])")


def is_unspaced(text: str) -> bool:
    """Tell whether a text holds a character of a script that is written without spaces."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def enters(text: str) -> bool:
    """Tell whether a text has a place in the index: for such a character, or for an emoji."""
    return not text.isascii() and _EITHER.search(text) is not None


def set_apart(text: str) -> str:
    """Return a text with a space before each such character, and after the last of a run, emoji as ``u1f956``.

    Of a text that is written with spaces only the emoji are returned.
    """
    if not is_unspaced(text):
        return "".join(_PICTURE.findall(text)).translate(_APART)
    return _RUN_END.sub(" ", _VARIANTS.sub("", unicodedata.normalize("NFKC", text))).translate(_APART)


def without_emoji(text: str) -> str:
    """Return a text with spaces in the place of its emoji."""
    return text if text.isascii() else _PICTURE.sub(" ", _VARIANTS.sub("", text)).strip()


def update(conn: sqlite3.Connection, changes: Iterable[tuple[int, str, str]]) -> None:
    """Bring the index up to date with (rowid, old text, new text), each empty where there was or is none."""
    changes = [change for change in changes if change[1] != change[2]]
    olds = [(rowid, set_apart(old)) for rowid, old, _ in changes if enters(old)]
    news = [(rowid, set_apart(new)) for rowid, _, new in changes if enters(new)]
    conn.executemany(f"INSERT INTO {TABLE}({TABLE}, rowid, text) VALUES ('delete', ?, ?)", olds)
    conn.executemany(f"INSERT INTO {TABLE}(rowid, text) VALUES (?, ?)", news)


def is_filled(conn: sqlite3.Connection) -> bool:
    """Tell whether the index was filled by the present rule."""
    return bool(setting(conn, _SETTING) == VERSION)


def fill(conn: sqlite3.Connection) -> None:
    """Make the index anew from the stored texts."""
    conn.execute(f"INSERT INTO {TABLE}({TABLE}) VALUES ('delete-all')")
    rows = ((rowid, set_apart(text)) for rowid, text in _texts(conn))
    conn.executemany(f"INSERT INTO {TABLE}(rowid, text) VALUES (?, ?)", rows)
    remember(conn, _SETTING, VERSION)


def is_whole(conn: sqlite3.Connection) -> bool:
    """Tell whether the index holds the texts that it should; what they say there it cannot be asked."""
    held = {row[0] for row in conn.execute(f"SELECT rowid FROM {TABLE}")}
    return held == {rowid for rowid, _ in _texts(conn)}


def _texts(conn: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    rows = conn.execute("SELECT rowid, text FROM messages")
    return ((rowid, text) for rowid, text in rows if enters(text))
