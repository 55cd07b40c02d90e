"""How good a match is: pure arithmetic over what a search found, so that it can be read, tested and tuned by itself.

A message's score is its weight (whose words, shown or hidden) times its relevance (bm25 beside the best one's) times
a touch of freshness; a conversation's is its title's score plus its best message's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# How much a match weighs before bm25 and time speak: the person's own words are the strongest sign, as they are what a
# person remembers; what the service hides is found, after what it shows.
_ROLES = {"user": 1.0, "assistant": 0.75}
_KINDS = {"context": 0.5, "reasoning": 0.7, "output": 0.8}
_HIDDEN, _OFF_BRANCH, _OTHER_ROLE, _NOT_LITERAL, _TITLE = 0.6, 0.6, 0.6, 0.5, 1.2


class Candidate(NamedTuple):
    """A message that matches. ``rank``: bm25 as FTS5 gives it, negative, the lower the better; all 0: not taken."""

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
    is_literal: int = 1  # 0: a word with symbols was found, but without them


class Title(NamedTuple):
    """A conversation whose title matches; ``date``: of its last change, or empty; ``rank`` as above."""

    conversation_id: str
    date: str
    rank: float


@dataclass(slots=True)
class Group:
    """What was found of one conversation: its messages with their scores, and when the newest of it was written."""

    newest: str = ""
    title: float = 0.0
    messages: list[tuple[float, Candidate]] = field(default_factory=list)

    @property
    def score(self) -> float:
        """The conversation's score; that several messages match says a little more than that one does."""
        best = max((score for score, _ in self.messages), default=0.0)
        return self.title + best + 0.02 * min(len(self.messages), 5)


def grouped(titles: Sequence[Title], candidates: Sequence[Candidate]) -> dict[str, Group]:
    """Return what was found by conversation id, scored."""
    groups: dict[str, Group] = {}
    dates = [title.date for title in titles] + [candidate.created_at or "" for candidate in candidates]
    now = _month(max(dates, default=""))  # the newest match is today: scores need no clock
    best = min((title.rank for title in titles), default=0.0)
    for title in titles:
        score = _TITLE * _relevance(title.rank, best) * _freshness(title.date, now)
        groups[title.conversation_id] = Group(title.date, score)
    best = min((candidate.rank for candidate in candidates), default=0.0)
    for candidate in candidates:
        group = groups.setdefault(candidate.conversation_id, Group())
        score = _weight(candidate) * _relevance(candidate.rank, best) * _freshness(candidate.created_at, now)
        group.messages.append((score, candidate))
        group.newest = max(group.newest, candidate.created_at or "")
    return groups


def _relevance(rank: float, best: float) -> float:
    """Return 0.4 to 1: how good a bm25 is beside the best; 1 where none was taken."""
    return 0.4 + 0.6 * (rank / best if best else 1.0)


def _weight(c: Candidate) -> float:
    weight = _ROLES.get(c.role or "", _OTHER_ROLE) * _KINDS.get(c.kind, 1.0)
    weight *= 1.0 if c.is_literal else _NOT_LITERAL
    return weight * (_HIDDEN if c.is_hidden else 1.0) * (1.0 if c.position is not None else _OFF_BRANCH)


def _freshness(date: str | None, now: int) -> float:
    """Return 1 to 1.15, halved in distance every year: enough to put the newer of two equals first."""
    years = max(0, now - _month(date)) / 12
    return float(1.0 + 0.15 * 0.5**years)


def _month(date: str | None) -> int:
    year, month = (date or "")[:4], (date or "")[5:7]
    return int(year) * 12 + int(month) if year.isdecimal() and month.isdecimal() else 0
