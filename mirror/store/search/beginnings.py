"""``begin*``: how an index of stems is asked for words that begin so.

The indexes hold "organization" as "organ", which does not begin with "organiz". So they are asked for every stem that a
word with this beginning can have: those that begin so, too, and those of which the beginning already has a part of an
ending that the tokenizer takes off. They find too much ("organ" itself); ``folding.has_beginning`` says what is meant.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING

from mirror.store.search.folding import split_last

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOKENIZER = "porter unicode61 remove_diacritics 2"  # the indexes' own, so that stems are what these hold
# Endings of words that FTS5's Porter tokenizer changes (https://tartarus.org/martin/PorterStemmer/def.txt), as they are
# written. One more may follow the one that a word was begun with; with two more no other stem was seen.
_ENDINGS = (
    "ate ated ating ator ation ational tion tional sion enci ence ency ent ently entli ement ment anci ance ancy ant"
    " able ably ability ible ibly ibility bly bli bility izer ize ized izing ization alize al ally ality alism alli ely"
    " eli ous ously ousli ousness iveness ive ivity iviti fulness ful fully ness icate icity ical ic ism iti ity ou ion"
    " ing ed eed er es ies ied s y e logy logi"
)
_LONGEST_STEMMED = 64  # bytes; FTS5 leaves longer words as they are (FTS5_PORTER_MAX_TOKEN)
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ßæøđðþłœ"  # what may follow


@lru_cache(maxsize=64)
def beginning_expression(text: str) -> str:
    """Return the FTS5 expression that finds all words that begin so, and some others; of a phrase the last one."""
    head, beginning = split_last(text)
    if len(beginning) > _LONGEST_STEMMED:
        return f'"{text}"*'
    whole = [] if text.isascii() else [f'"{text}"*']  # a ligature is a letter to FTS5, and several to ``folded``
    ranges = tuple(_ranges([beginning]))
    others = {stem: word for stem, word in _words_by_stem(beginning).items() if not stem.startswith(ranges)}
    return " OR ".join([*whole, *(f'"{head}{one}"*' for one in ranges), *(f'"{head}{one}"' for one in others.values())])


def stems(words: Iterable[str]) -> dict[str, str]:
    """Return the stem of each word, as the indexes hold it."""
    numbered = dict(enumerate(words))
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.execute(f"CREATE VIRTUAL TABLE few USING fts5(text, tokenize='{TOKENIZER}')")
        conn.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(few, instance)")
        conn.executemany("INSERT INTO few (rowid, text) VALUES (?, ?)", numbered.items())
        return {numbered[number]: term for number, term in conn.execute("SELECT doc, term FROM terms")}


def _ranges(beginnings: list[str], depth: int = 2) -> Iterator[str]:
    """Yield beginnings that FTS5 leaves as they are, which all stems longer than these have.

    It takes the beginning that it is asked for to its stem, too: "bus" to "bu", with which half of all texts have a
    word, and "baby" to "babi", with which "babysitter" does not begin. With the next letter it does not, or with
    the next ``depth``; what it changes even then is the form of a word, which is looked for as one.
    """
    known = stems(beginnings)
    changed = [one for one in beginnings if known.get(one, one) != one]
    yield from (one for one in beginnings if one not in changed)
    if changed and depth:
        yield from _ranges([one + letter for one in changed for letter in _LETTERS], depth - 1)


def _words_by_stem(beginning: str) -> dict[str, str]:
    """Return a word that begins so for each stem that such words can have."""
    endings = _ENDINGS.split()
    begun = (ending[at:] for ending in endings for at in range(1, len(ending) + 1) if beginning.endswith(ending[:at]))
    words = {beginning + rest + more for rest in {"", *begun} for more in ("", *endings)}
    return {stem: word for word, stem in sorted(stems(words).items())}
