"""The list of conversations beside the one that is open: those around it, by month."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from mirror.browse.conversations import month_name
from mirror.store.conversation_list import LONGEST_TITLE, ListedTitle, surroundings

if TYPE_CHECKING:
    import sqlite3

    from mirror.store.threads import ConversationView

# Conversations of the list before and after the open one. By judgement: with twelve before it, it is on the first
# screen of the sidebar, which nothing has to scroll there, and with so many after it the sidebar fills a large screen.
NEWER, OLDER = 12, 48


@dataclass(frozen=True, slots=True)
class SidebarMonth:
    """The conversations of a month."""

    name: str
    titles: list[ListedTitle]


@dataclass(frozen=True, slots=True)
class Sidebar:
    """What the sidebar shows; ``newer``, ``older``: the conversations next to the open one, None at an end."""

    months: list[SidebarMonth]
    newer: ListedTitle | None
    older: ListedTitle | None


def sidebar(conn: sqlite3.Connection, view: ConversationView) -> Sidebar:
    """Read the list around a conversation."""
    found = surroundings(conn, view.updated_at, view.id, NEWER, OLDER)
    own = ListedTitle(view.id, (view.title or "")[:LONGEST_TITLE], view.updated_at)
    months = groupby([*found.newer, own, *found.older], lambda one: (one.at or "")[:7])
    return Sidebar(
        months=[SidebarMonth(month_name(month), list(titles)) for month, titles in months],
        newer=found.newer[-1] if found.newer else None,
        older=found.older[0] if found.older else None,
    )
