"""How good a match is: pure arithmetic over what a search found.

A message's score is its weight (who wrote it, whether it is shown) times its relevance (its bm25 beside the best one)
times a little for being recent; a conversation's score is its title's plus its best message's.

The weights are judged by the questions in ``tests/test_search_demo.py``, each with the conversation that it means: with
wrong ones that conversation is not among the first two. The order of the weights matters more than their values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROLES = {"user": 1.0, "assistant": 0.75}  # people remember their own words best
_OTHER_ROLE = 0.6
_KINDS = {"context": 0.5, "reasoning": 0.7, "output": 0.8}  # what nobody wrote to be read comes after what is
_HIDDEN, _OFF_BRANCH = 0.6, 0.6  # what the service does not show is found, after what it shows
_NOT_AS_TYPED = 0.5  # "C" where "C++" was typed
_TITLE = 1.2  # a title names the subject
_LEAST_RELEVANCE = 0.4  # of the worst match by bm25, so that relevance alone does not decide
# A name or prompt names the subject; what a file says is one place of many.
_FILE_KINDS = {"file name": 1.2, "prompt": 1.0}
_FILE_TEXT = 0.8
_RECENT = 0.15  # what being written now adds, half of it a year earlier: the newer of two equals comes first
_MORE_MATCHES, _MOST_MORE = 0.02, 5  # what each further message adds: that several match says a little more


class Candidate(NamedTuple):
    """A message that matches.

    ``rank``: bm25 as FTS5 gives it, negative, the lower the better; 0 where not computed. ``is_as_typed`` is 0 where a
    word with symbols was found without them.
    """

    rowid: int
    id: str
    conversation_id: str
    role: str | None
    kind: str
    model: str | None
    created_at: str | None
    is_hidden: int
    position: int | None
    removed_at: str | None
    rank: float
    is_as_typed: int = 1


class TitleMatch(NamedTuple):
    """A conversation whose title matches; ``date``: of its last change, or empty; ``rank`` as above."""

    conversation_id: str
    date: str
    rank: float


@dataclass(slots=True)
class ConversationMatch:
    """What was found in one conversation: its title's score, and messages with their scores.

    ``newest``: when the newest of it was written. ``missing``: words that a partial match does not have.
    """

    newest: str = ""
    title_score: float = 0.0
    messages: list[tuple[float, Candidate]] = field(default_factory=list)
    missing: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """The conversation's score."""
        best = max((score for score, _ in self.messages), default=0.0)
        return self.title_score + best + _MORE_MATCHES * min(len(self.messages), _MOST_MORE)


def scored(titles: Sequence[TitleMatch], candidates: Sequence[Candidate]) -> dict[str, ConversationMatch]:
    """Return what was found by conversation id, scored."""
    found: dict[str, ConversationMatch] = {}
    dates = [title.date for title in titles] + [candidate.created_at or "" for candidate in candidates]
    now = _month(max(dates, default=""))  # the newest match is "now", so that scores do not depend on the clock
    best = min((title.rank for title in titles), default=0.0)
    for title in titles:
        score = _TITLE * _relevance(title.rank, best) * _freshness(title.date, now)
        found[title.conversation_id] = ConversationMatch(title.date, score)
    best = min((candidate.rank for candidate in candidates), default=0.0)
    for candidate in candidates:
        match = found.setdefault(candidate.conversation_id, ConversationMatch())
        score = _weight(candidate) * _relevance(candidate.rank, best) * _freshness(candidate.created_at, now)
        match.messages.append((score, candidate))
        match.newest = max(match.newest, candidate.created_at or "")
    return found


def rank_scale(ranks: Sequence[float], others: Sequence[float]) -> float:
    """Return by what another index's ranks are multiplied, so that the best find of one is as good as the other's.

    How rare a word is in one index says nothing of how rare it is in another.
    """
    best, other = min(ranks, default=0.0), min(others, default=0.0)
    return best / other if best and other else float(not ranks)


def file_scores(files: Sequence[tuple[str, float, str | None]]) -> list[float]:
    """Return the score of each file, given what of it matched, its rank and its date.

    Ranks are compared within a kind: each kind has an index of its own.
    """
    now = _month(max((date or "" for _, _, date in files), default=""))
    best: dict[str, float] = {}
    for kind, rank, _ in files:
        best[kind] = min(rank, best.get(kind, 0.0))
    return [
        _FILE_KINDS.get(kind, _FILE_TEXT) * _relevance(rank, best[kind]) * _freshness(date, now)
        for kind, rank, date in files
    ]


def _relevance(rank: float, best: float) -> float:
    """Return ``_LEAST_RELEVANCE`` to 1: a bm25 beside the best one; 1 where none was computed."""
    return _LEAST_RELEVANCE + (1.0 - _LEAST_RELEVANCE) * (rank / best if best else 1.0)


def _weight(c: Candidate) -> float:
    weight = _ROLES.get(c.role or "", _OTHER_ROLE) * _KINDS.get(c.kind, 1.0)
    weight *= 1.0 if c.is_as_typed else _NOT_AS_TYPED
    return weight * (_HIDDEN if c.is_hidden else 1.0) * (1.0 if c.position is not None else _OFF_BRANCH)


def _freshness(date: str | None, now: int) -> float:
    years = max(0, now - _month(date)) / 12
    return float(1.0 + _RECENT * 0.5**years)


def _month(date: str | None) -> int:
    year, month = (date or "")[:4], (date or "")[5:7]
    return int(year) * 12 + int(month) if year.isdecimal() and month.isdecimal() else 0
