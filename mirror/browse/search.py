"""The search page: one box over everything a chat can hold, results by conversation, facets to narrow them.

Whatever is typed is answered with a page: what cannot be a filter is said and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from mirror.browse import access, pages
from mirror.errors import UsageError
from mirror.store.search.search import Filters, Found, parts, search

if TYPE_CHECKING:
    import sqlite3

    from datasette import Response  # type: ignore[import-untyped] # it has no types

SECONDS = 8.0
SHOWN, MOST = 20, 500  # conversations on a page at first, and at most
LABELS = {
    "role": "Who",
    "kind": "What",
    "model": "Model",
    "project": "Project",
    "date": "When",
    "archived": "Archived",
    "branches": "Branch",
}
_ROLES = {"user": "You", "assistant": "ChatGPT", "tool": "Tools", "system": "System"}
_MATCH = Markup("<mark>{}</mark>")
_BRANCHES = ("visible", "other")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; each filter empty where there is none."""

    q: str
    filters: dict[str, str]
    sort: str
    n: int

    @classmethod
    def of(cls, arguments: Any) -> Asked:
        """Read it; what makes no sense is as if it were not there."""
        filters = {name: arguments.get(name) or "" for name in (*LABELS, "since", "until")}
        number = arguments.get("n") or ""
        return cls(
            q=arguments.get("q") or "",
            filters={name: value for name, value in filters.items() if value},
            sort="newest" if arguments.get("sort") == "newest" else "best",
            n=min(MOST, max(1, int(number))) if number.isdecimal() and len(number) < 5 else SHOWN,  # noqa: PLR2004 - more digits are no number of rows
        )

    @property
    def as_filters(self) -> Filters:
        """The filters as a search takes them."""
        stated = self.filters
        return Filters(
            role=stated.get("role"),
            kind=stated.get("kind"),
            model=stated.get("model"),
            project=stated.get("project"),
            since=stated.get("since") or stated.get("date"),
            until=stated.get("until") or stated.get("date"),
            archived={"yes": True, "no": False}.get(stated.get("archived", "")),
            branches=stated["branches"] if stated.get("branches") in _BRANCHES else "all",
        )

    def query(self, **changes: str | int | None) -> dict[str, str | int | None]:
        """Return it as a query, some changed."""
        stated: dict[str, str | int | None] = {"q": self.q, **self.filters}
        stated["sort"] = self.sort if self.sort != "best" else None
        stated["n"] = self.n if self.n != SHOWN else None
        return stated | changes


async def show(datasette: Any, request: Any) -> Response:
    """Answer with the page."""
    database = access.database_of(datasette, request)
    await access.ensure(datasette, request, database, access.CHATS)
    asked = Asked.of(request.args)
    trouble, found = "", Found()
    if asked.q.strip():
        try:
            found = await access.read(datasette, database, lambda conn: _find(conn, asked), SECONDS)
        except UsageError as error:
            trouble = error.message
        except access.TooLongError:
            trouble = "This took too long; add a word, or choose a filter below."
    return pages.page(
        datasette,
        database,
        "search",
        title=f"{asked.q} - search" if asked.q.strip() else "Search",
        a=asked,
        found=found,
        trouble=trouble,
        labels=LABELS,
        roles=_ROLES,
        marked=marked,
        more=min(MOST, asked.n + SHOWN * 2),
    )


def _find(conn: sqlite3.Connection, asked: Asked) -> Found:
    return search(conn, asked.q, asked.as_filters, asked.n, latest=asked.sort == "newest", facets=True)


def marked(text: str) -> Markup:
    """Return a snippet as HTML, what matched in ``mark``."""
    pieces = (_MATCH.format(piece) if is_match else escape(piece) for piece, is_match in parts(text))
    return Markup("").join(pieces)
