"""The list of conversations: by month, narrowed by words of the title and by what they are.

All of it is in the address: ``q`` (words of the title), ``project``, ``gpt``, ``model``, ``service``, ``state``,
``date`` (a year or a month), ``order`` and ``page``. What makes no sense is treated as absent.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mirror.browse import access, pages
from mirror.services import speaker_of
from mirror.store.conversation_list import ORDERS, STATES, ListFilters, by_year, conversation_list

if TYPE_CHECKING:
    from datasette import Response  # type: ignore[import-untyped] # it has no types

    from mirror.store.conversation_list import Choice, ConversationList, ListedConversation

SECONDS = 20.0  # by judgement: a reader waits no longer for a page
SIZE = 100  # conversations of a page; by judgement: two or three months of one who writes daily
MOST_CHOICES = 12  # values of a filter that are offered; by judgement: more would push the next filter off the screen
LABELS = {"state": "Which", "date": "When", "project": "Project", "gpt": "GPT", "model": "Model", "service": "Service"}
STATE_LABELS = {
    "archived": "archived",
    "starred": "★ starred",
    "deleted": "deleted, kept here",
    "missing": "missing from the lists",
    "incomplete": "stored only in part",
}
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What the address asks for."""

    filters: ListFilters
    order: str = "updated"
    page: int = 1

    @classmethod
    def of(cls, arguments: Any) -> ListRequest:
        """Read it."""
        stated = {
            one.name: arguments.get("q" if one.name == "words" else one.name) or "" for one in fields(ListFilters)
        }
        stated["state"] = stated["state"] if stated["state"] in STATES else ""
        stated["date"] = stated["date"] if _DATE.fullmatch(stated["date"]) else ""
        page, order = arguments.get("page") or "", arguments.get("order")
        is_number = page.isdecimal() and len(page) < 7  # noqa: PLR2004 - no list has a million pages
        return cls(
            ListFilters(**stated), order if order in ORDERS else "updated", max(1, int(page)) if is_number else 1
        )

    def query(self, **changes: str | int | None) -> dict[str, str | int | None]:
        """Return it as the query of an address, with some changed; another filter leads to the first page."""
        stated = asdict(self.filters)
        words = stated.pop("words")
        return {"q": words, **stated, "order": None if self.order == "updated" else self.order, **changes}


@dataclass(frozen=True, slots=True)
class Month:
    """The conversations of a month that stand on the page."""

    name: str
    conversations: list[ListedConversation]


@dataclass(frozen=True, slots=True)
class ListPage:
    """All that the page shows. ``first`` to ``last`` of ``total`` conversations; pages count from 1."""

    months: list[Month]
    choices: dict[str, list[Choice]]
    chosen: dict[str, str]
    first: int
    last: int
    total: int
    pages: int


async def conversations_page(datasette: Any, request: Any) -> Response:
    """Answer with the page."""
    database = access.database_of(datasette, request)
    await access.ensure_allowed(datasette, request, database, access.CHAT_TABLES)
    asked = ListRequest.of(request.args)
    found = await access.read_in_time(
        datasette,
        database,
        lambda conn: conversation_list(conn, asked.filters, asked.order, SIZE, (asked.page - 1) * SIZE),
        SECONDS,
    )
    page = list_page(found, asked)
    return pages.render_page(
        datasette, database, "conversations", title="Conversations", asked=asked, page=page, labels=LABELS
    )


def list_page(found: ConversationList, asked: ListRequest) -> ListPage:
    """Return what the page shows of a list."""
    first = (asked.page - 1) * SIZE + 1
    months = groupby(found.conversations, lambda one: (one.at or "")[:7])
    return ListPage(
        months=[Month(month_name(month), list(group)) for month, group in months],
        choices=_offered(found, asked.filters),
        chosen=_chosen(found, asked.filters),
        first=first,
        last=first + len(found.conversations) - 1,
        total=found.total,
        pages=-(-found.total // SIZE),
    )


def month_name(month: str) -> str:
    """Return a month as a heading: ``2025-03`` as ``March 2025``."""
    year, _, number = month.partition("-")
    is_month = number.isdecimal() and 0 < int(number) < len(calendar.month_name)
    return f"{calendar.month_name[int(number)]} {year}" if is_month else month or "Without a date"


def _label(name: str, value: str, label: str) -> str:
    if name == "state":
        return STATE_LABELS[value]
    if name == "service":
        return speaker_of(value)
    return month_name(label) if name == "date" else label


def _offered(found: ConversationList, filters: ListFilters) -> dict[str, list[Choice]]:
    """Return the values by which the list can be narrowed further."""
    offered = {}
    for name in LABELS:
        choices = _periods(found.choices[name], filters.date) if name == "date" else found.choices[name]
        is_no_choice = name in {"model", "service"} and len(choices) == 1
        if (name == "date" or not getattr(filters, name)) and not is_no_choice:
            offered[name] = [replace(one, label=_label(name, one.value, one.label)) for one in choices[:MOST_CHOICES]]
    return offered


def _periods(months: list[Choice], chosen: str) -> list[Choice]:
    """Return years where there are several, then the months of one, then nothing."""
    if len(chosen) > len("2025"):
        return []
    years = by_year(months)
    return years if len(years) > 1 else months


def _chosen(found: ConversationList, filters: ListFilters) -> dict[str, str]:
    """Return the filters that are set, each as a reader reads it."""
    chosen = {name: value for name in LABELS if (value := getattr(filters, name))}
    known = {(name, one.value): one.label for name, choices in found.choices.items() for one in choices}
    return {name: _label(name, value, known.get((name, value), value)) for name, value in chosen.items()}
