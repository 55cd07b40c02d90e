"""What people type as search words, understood without ever failing.

``"an exact phrase"``, ``begin*`` and ``-without`` mean something (``-l`` does not: it is an option of a command).
Everything else is a word to find, whatever its punctuation; FTS5's own query language would answer an apostrophe with
a syntax error (https://www.sqlite.org/fts5.html).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mirror.store.search import cjk
from mirror.store.search.beginnings import beginning_expression
from mirror.store.search.cjk import has_cjk, index_form, is_disguised, is_indexed, undisguised, without_emoji
from mirror.store.search.folding import folded, split_last

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

# By judgement: of a pasted paragraph the first words are enough, and FTS5's parser nests only so deep. Fewer would
# find too much, many more would fail.
MOST_WORDS = 64
# By judgement: a question has fewer words than this. More were pasted, and a minus in a pasted text is an option of a
# command or a bullet. Too small ignores exclusions that are meant; too large excludes what the pasted text is about.
MOST_TYPED = 12
WORD_INDEX, CHARACTER_INDEX = "messages_fts", cjk.TABLE

_QUOTES = dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\uff02"), '"')
_WORD = re.compile(r'(-(?="|[^\s*-]{2}|\w\*|[^\x00-\x7f]))?(?:"([^"]*)(?:"|$)|([^\s"]+))(\*)?')
_SYMBOLS = re.compile(r"^[.#@$]\w|\w[+#]+$")
# What SQLite cannot bind or FTS5 would end at: lone surrogates (an argument in no encoding), NUL.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Word:
    """One word or phrase to find."""

    text: str
    is_prefix: bool = False
    is_excluded: bool = False

    @property
    def in_word_index(self) -> bool:
        """Whether the index of words can find it."""
        return not has_cjk(self.text) and has_letters(self.text)

    @property
    def in_character_index(self) -> bool:
        """Whether the index of characters can find it, or its emoji."""
        return is_indexed(self.text)

    @property
    def is_composed(self) -> bool:
        """Whether it has letters that FTS5 takes for others where they are written in two characters, as "й"."""
        return not unicodedata.is_normalized("NFD", folded(self.text))

    @property
    def has_symbols(self) -> bool:
        """Whether its symbols matter, as in ``C++``, ``.env``, ``#tag``: texts as typed come first."""
        return not self.is_excluded and _SYMBOLS.search(self.text) is not None

    @property
    def quoted(self) -> str:
        """The word as FTS5 takes it without reading any of it as syntax.

        FTS5 takes emoji that are newer than its tables for letters, which then belong to the word beside them; so the
        word is also looked for without its emoji.
        """
        star = "*" if self.is_prefix else ""
        forms = dict.fromkeys([self.text, without_emoji(self.text)])
        either = " OR ".join(f'"{form}"{star}' for form in forms if form)
        return f"({either})" if len(forms) > 1 else either

    @property
    def quoted_stems(self) -> str:
        """The same for an index of stems, which has no beginnings of words: it finds more than ``beginning`` says."""
        return f"({beginning_expression(self._without_emoji)})" if self.is_prefix else self.quoted

    @property
    def beginning(self) -> str:
        """How a word begins that is meant, as ``folding.has_beginning`` takes it; empty where it is a whole word."""
        return split_last(self._without_emoji)[1] if self.is_prefix else ""

    @property
    def _without_emoji(self) -> str:
        return without_emoji(self.text) or self.text

    @property
    def as_characters(self) -> Word:
        """The word as the index of characters holds it: a phrase of its characters."""
        return replace(self, text=index_form(self.text).strip())

    @property
    def inside_cjk(self) -> Word:
        """The word as the index of characters holds it inside a run, as in ``学习Python编程``."""
        if self.in_character_index:
            return self.as_characters
        return replace(self, text=unicodedata.normalize("NFKC", self.text))


class IndexMatch(NamedTuple):
    """An FTS5 expression and the table to look it up in."""

    table: str
    expression: str


@dataclass(frozen=True, slots=True)
class Query:
    """The words of a search, by the index that finds them.

    Nothing is ``wanted`` where there is nothing to find. ``inside_cjk``: the expression that finds all of the words in
    the index of characters. That index has spaced words, too, where they are part of a run of CJK characters. Empty
    where there is no need to look; ``not_inside_cjk``: what it finds and has to be left out, in any form of the words.
    ``beginnings``: what ``wanted`` finds must have words that begin so, too, or none.
    """

    words: tuple[Word, ...]
    wanted: tuple[IndexMatch, ...]
    unwanted: tuple[IndexMatch, ...]
    inside_cjk: str = ""
    beginnings: tuple[Word, ...] = ()
    not_inside_cjk: tuple[IndexMatch, ...] = ()

    @classmethod
    def of(cls, conn: sqlite3.Connection, typed: str) -> Query:
        """Return what was typed as a query."""
        return cls.of_words(conn, parse_words(typed))

    @classmethod
    def of_words(cls, conn: sqlite3.Connection, words: Sequence[Word]) -> Query:
        """Return words as a query.

        A mirror of the first versions has no index of characters until something writes to it; its index of words finds
        whole runs of CJK characters.
        """
        has_characters = cjk.is_searchable(conn)
        spaced = [word for word in words if word.in_word_index or (not has_characters and has_letters(word.text))]
        by_table = {
            # What stems find is too much to leave out.
            WORD_INDEX: [word for word in spaced if not (word.is_prefix and word.is_excluded)],
            CHARACTER_INDEX: [word.as_characters for word in words if word.in_character_index and has_characters],
        }
        matches = {table: match_expression(found, of_stems=table == WORD_INDEX) for table, found in by_table.items()}
        wanted = tuple(IndexMatch(table, match) for table, match in matches.items() if match)
        unwanted = tuple(
            IndexMatch(table, " OR ".join(word.quoted for word in found))
            for table, found in by_table.items()
            if found and not matches[table]
        )
        if hidden := [word.inside_cjk.quoted for word in spaced if word.is_excluded and word.in_word_index]:
            unwanted += (IndexMatch(CHARACTER_INDEX, " OR ".join(hidden)),) if has_characters else ()
        has_spaced = any(word.in_word_index and not word.is_excluded for word in words)
        inside_cjk = match_expression(word.inside_cjk for word in words) if has_characters and has_spaced else ""
        beginnings = tuple(word for word in spaced if word.is_prefix)
        left_out = " OR ".join(word.quoted for word in by_table[WORD_INDEX] if word.is_excluded)
        not_inside = (IndexMatch(WORD_INDEX, left_out),) if left_out else ()
        return cls(tuple(words), wanted, unwanted, inside_cjk, beginnings, not_inside)


def parse_words(typed: str) -> list[Word]:
    """Return the words to find and to leave out; none for punctuation or exclusions alone."""
    kept = _typed_words(typed)
    return kept if any(not word.is_excluded for word in kept) else []


def only_leaves_out(typed: str) -> bool:
    """Tell whether words to leave out were typed, and none to find."""
    words = _typed_words(typed)
    return bool(words) and all(word.is_excluded for word in words)


def _typed_words(typed: str) -> list[Word]:
    text = _UNUSABLE.sub(" ", undisguised(unicodedata.normalize("NFC", typed))).translate(_QUOTES)
    found: dict[Word, None] = {}
    for minus, phrase, bare, star in _WORD.findall(text):
        word = Word((phrase or bare).rstrip("*").strip(), bool(star) or bare.endswith("*"), bool(minus))
        if word.in_character_index or has_letters(word.text):
            found[word] = None
    kept = list(found)[:MOST_WORDS]
    if len(kept) > MOST_TYPED:
        kept = [replace(word, is_excluded=False) for word in kept]
    return kept


def has_letters(text: str) -> bool:
    """Tell whether a tokenizer finds anything in a text."""
    return any(c.isalnum() for c in text)


def match_expression(words: Iterable[Word], *, of_stems: bool = False) -> str:
    """Return an FTS5 expression for all of the words without the excluded, empty if none is wanted.

    ``of_stems``: for an index of stems; with beginnings, it finds other words, too.
    """
    words = list(words)
    wanted = " AND ".join(word.quoted_stems if of_stems else word.quoted for word in words if not word.is_excluded)
    excluded = " OR ".join(word.quoted for word in words if word.is_excluded)
    return f"({wanted}) NOT ({excluded})" if wanted and excluded else wanted


def is_unlike_index(text: str) -> bool:
    """Tell whether an index of words may not have a text's words as they are typed.

    A run of CJK characters is one word to it, a letter in two characters (as macOS writes names) another letter, and a
    word in disguise another word.
    """
    return has_cjk(text) or is_disguised(text) or not unicodedata.is_normalized("NFC", text)
