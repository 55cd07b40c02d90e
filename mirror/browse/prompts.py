"""The list of a conversation's prompts: the first line of each, with its place, over all pages of the conversation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror.store import threads
from mirror.text import one_line

if TYPE_CHECKING:
    import sqlite3

    from mirror.browse.pagination import MessagePage, ShownMessage

# Listed at once; by judgement: more are no overview, and ten thousand would be a page of their own.
PROMPTS = 200
LINE = 120  # characters of one; by judgement: more than fits a line
FEWEST = 3  # from which there is a list; by judgement: two prompts are seen without one
_READ = 4 * LINE  # characters of a prompt in which its first line is looked for
_PLACEHOLDER = re.compile(r"\[(?:image|audio|video|file)\b.*\]")  # stands for a file


@dataclass(frozen=True, slots=True)
class PromptLine:
    """A prompt in the list; ``page``: the one that it is on."""

    rowid: int
    text: str
    page: int


@dataclass(frozen=True, slots=True)
class PromptList:
    """The prompts around the page that is shown. ``number``: of the first one listed, from 1; ``total``: of all.

    ``page_before``, ``page_after``: pages whose lists have those before and after these; None where there are none.
    """

    lines: list[PromptLine]
    number: int
    total: int
    page_before: int | None
    page_after: int | None

    @property
    def after(self) -> int:
        """How many come after those that are listed."""
        return self.total - self.number - len(self.lines) + 1


def prompt_list(conn: sqlite3.Connection, shown: list[ShownMessage], part: MessagePage) -> PromptList | None:
    """Return the list for a page of these messages; None where there are few."""
    places = [n for n, one in enumerate(shown) if one.node.role == "user" and not one.node.is_hidden]
    if len(places) < FEWEST:
        return None
    first = _first_listed(places, part)
    listed = places[first : first + max(PROMPTS, len(part.messages))]
    end = first + len(listed)
    texts = threads.beginnings(conn, [shown[place].node.rowid for place in listed], _READ)
    return PromptList(
        lines=[_line(shown[place], part.page_with(place), texts) for place in listed],
        number=first + 1,
        total=len(places),
        page_before=part.page_with(places[first - 1]) if first else None,
        page_after=part.page_with(places[end]) if end < len(places) else None,
    )


def _first_listed(places: list[int], part: MessagePage) -> int:
    """Return which prompt is listed first, so that those of the page are in the middle."""
    before = sum(1 for place in places if place < part.first - 1)
    on_page = sum(1 for place in places if part.first - 1 <= place < part.first - 1 + len(part.messages))
    around = max(0, PROMPTS - on_page) // 2
    return max(0, min(before - around, len(places) - PROMPTS))


def _line(one: ShownMessage, page: int, texts: dict[int, str]) -> PromptLine:
    return PromptLine(one.node.rowid, first_line(texts.get(one.node.rowid, "")), page)


def first_line(text: str) -> str:
    """Return the first line of a prompt that is no placeholder for a file, or else the placeholder."""
    lines = [line for line in map(one_line, text.splitlines()) if line]
    said = next((line for line in lines if not _PLACEHOLDER.fullmatch(line)), lines[0] if lines else "")
    return said if len(said) <= LINE else said[: LINE - 1] + "…"
