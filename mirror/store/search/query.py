"""What people type, understood without ever failing: search words, and days.

``"an exact phrase"``, ``begin*`` and ``-without`` mean something (``-l`` does not, an option of a command); everything
else is a word to be found, whatever its punctuation, for FTS5's own query language answers an apostrophe with a syntax
error (https://www.sqlite.org/fts5.html).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mirror.errors import UsageError
from mirror.store.search.cjk import enters, is_unspaced, set_apart, without_emoji

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_WORDS = 64  # of a pasted paragraph the first ones; more would only exclude, and FTS5's parser has its limits
MOST_TYPED = 12  # more words are pasted ones, in which a minus is an option of a command or a bullet
_QUOTES = dict.fromkeys(map(ord, "\u201c\u201d\u201e\u201f\uff02"), '"')
_WORD = re.compile(r'(-(?="|[^\s*-]{2}|\w\*|[^\x00-\x7f]))?(?:"([^"]*)(?:"|$)|([^\s"]+))(\*)?')
_LITERAL = re.compile(r"^[.#@$]\w|\w[+#]+$")
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")


@dataclass(frozen=True, slots=True)
class Word:
    """One word or phrase to find."""

    text: str
    is_prefix: bool = False
    is_excluded: bool = False

    @property
    def is_spaced(self) -> bool:
        """Whether the index of words knows it."""
        return not is_unspaced(self.text) and has_letters(self.text)

    @property
    def is_apart(self) -> bool:
        """Whether the index of characters knows it, or the emoji of it."""
        return enters(self.text)

    @property
    def is_literal(self) -> bool:
        """Whether its symbols mean something, ``C++``, ``.env``, ``#tag``: texts that hold it as typed go first."""
        return not self.is_excluded and _LITERAL.search(self.text) is not None

    @property
    def quoted(self) -> str:
        """The word as FTS5 takes it without reading anything into it.

        FTS5 takes the emoji that it does not know for letters, so that a text with a space before one has other words.
        """
        star = "*" if self.is_prefix else ""
        forms = dict.fromkeys([self.text, without_emoji(self.text)])
        either = " OR ".join(f'"{form}"{star}' for form in forms if form)
        return f"({either})" if len(forms) > 1 else either

    @property
    def in_run(self) -> Word:
        """The word as the index of characters holds it, where it stands in a run of them: ``学习Python编程``."""
        return self.apart if self.is_apart else replace(self, text=unicodedata.normalize("NFKC", self.text))

    @property
    def apart(self) -> Word:
        """The word as the index of characters holds it, a phrase of them."""
        return replace(self, text=set_apart(self.text).strip())


def parse(words: str) -> list[Word]:
    """Return what to find and what to leave out; nothing for punctuation alone, or for exclusions alone."""
    # What SQLite cannot bind or FTS5 would end at: half a surrogate pair (an argument in no encoding), NUL.
    text = re.sub("[\x00\ud800-\udfff]", " ", unicodedata.normalize("NFC", words)).translate(_QUOTES)
    found: dict[Word, None] = {}
    for sign, phrase, bare, star in _WORD.findall(text):
        word = Word((phrase or bare).rstrip("*").strip(), bool(star) or bare.endswith("*"), bool(sign))
        if word.is_apart or has_letters(word.text):
            found[word] = None
    kept = list(found)[:MOST_WORDS]
    if len(kept) > MOST_TYPED:
        kept = [replace(word, is_excluded=False) for word in kept]
    return kept if any(not word.is_excluded for word in kept) else []


def has_letters(text: str) -> bool:
    """Tell whether a tokenizer finds anything in a text."""
    return any(c.isalnum() for c in text)


def fts_query(words: str) -> str:
    """Return an FTS5 expression for whatever was typed: never a syntax error; empty when there is nothing to find."""
    return expression(word for word in parse(words) if has_letters(word.text))


def expression(words: Iterable[Word]) -> str:
    """Return an FTS5 expression that wants all of the words and none of the excluded; empty without a wanted one."""
    words = list(words)
    wanted = " AND ".join(word.quoted for word in words if not word.is_excluded)
    excluded = " OR ".join(word.quoted for word in words if word.is_excluded)
    return f"({wanted}) NOT ({excluded})" if wanted and excluded else wanted


def like(word: Word) -> str:
    r"""Return the pattern for ``LIKE ? ESCAPE '\'`` that finds the word anywhere."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", word.text) + "%"


def period(text: str) -> tuple[str, str]:
    """Return where a day, month, year or moment begins and ends on this machine's calendar, comparable to stored times.

    Raises UsageError for what is no date.
    """
    try:
        start, end = _bounds(text.strip())
        return _stored(start), _stored(end)
    except (ValueError, OverflowError):
        raise UsageError(f"“{text}” is not a date; write it like 2025-03-01, 2025-03 or 2025.") from None


def _bounds(text: str) -> tuple[datetime, datetime]:
    match = _DAY.fullmatch(text)
    if match is None:
        moment = datetime.fromisoformat(text)
        return moment, moment
    year, month, day = (int(part) if part else None for part in match.groups())
    start = datetime(year or 1, month or 1, day or 1)  # noqa: DTZ001 - the person's own calendar, made UTC below
    if day:
        return start, start + timedelta(days=1)
    if month:
        return start, (start + timedelta(days=31)).replace(day=1)
    return start, start.replace(year=start.year + 1)


def _stored(moment: datetime) -> str:
    # Without "Z": a beginning of every stored form of the same second, so that it sorts before all of them.
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
