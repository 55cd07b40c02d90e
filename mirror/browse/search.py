"""The search page: one box for all kinds of content, results by conversation, facets.

Whatever is typed is answered with a page; what cannot be a filter is named and left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirror.browse import access, pages
from mirror.browse.marks import marked_html, marked_name_html
from mirror.errors import UsageError
from mirror.services import speaker_of
from mirror.store.search.files import FILE_KINDS
from mirror.store.search.search import Filters, SearchResult, search

if TYPE_CHECKING:
    import sqlite3

    from datasette import Response  # type: ignore[import-untyped] # it has no types

FILES_SHOWN = 5  # after the conversations; by judgement: the best ones, and a link leads to all
SECONDS = 8.0  # by judgement: a reader would rather be told to add a word than wait longer
SHOWN, MOST = 20, 500  # conversations on a page at first, and at most; by judgement: two screens, what browsers lay out
LABELS = {
    "service": "Service",
    "role": "Who",
    "kind": "What",
    "model": "Model",
    "project": "Project",
    "date": "When",
    "archived": "Archived",
    "branches": "Branch",
}
_SPEAKERS = {"user": "You", "tool": "Tools", "system": "System"}
_BRANCHES = ("visible", "other")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What the address asks for.

    ``filters`` has only those that are stated; ``limit`` is ``n`` in the address.
    """

    words: str
    filters: dict[str, str]
    sort: str
    limit: int

    @classmethod
    def of(cls, arguments: Any) -> SearchRequest:
        """Read it; what makes no sense is treated as absent."""
        filters = {name: arguments.get(name) or "" for name in (*LABELS, "since", "until")}
        number = arguments.get("n") or ""
        return cls(
            words=arguments.get("q") or "",
            filters={name: value for name, value in filters.items() if value},
            sort="newest" if arguments.get("sort") == "newest" else "best",
            limit=min(MOST, max(1, int(number))) if number.isdecimal() and len(number) < 5 else SHOWN,  # noqa: PLR2004 - more digits are no number of rows
        )

    @property
    def search_filters(self) -> Filters:
        """The filters as a search takes them."""
        stated = self.filters
        return Filters(
            role=stated.get("role"),
            kind=stated.get("kind"),
            model=stated.get("model"),
            project=stated.get("project"),
            provider=stated.get("service"),
            since=stated.get("since") or stated.get("date"),
            until=stated.get("until") or stated.get("date"),
            archived={"yes": True, "no": False}.get(stated.get("archived", "")),
            branches=stated["branches"] if stated.get("branches") in _BRANCHES else "all",
        )

    def query(self, **changes: str | int | None) -> dict[str, str | int | None]:
        """Return it as the query of an address, with some of it changed."""
        stated: dict[str, str | int | None] = {"q": self.words, **self.filters}
        stated["sort"] = self.sort if self.sort != "best" else None
        stated["n"] = self.limit if self.limit != SHOWN else None
        return stated | changes


async def search_page(datasette: Any, request: Any) -> Response:
    """Answer with the page."""
    database = access.database_of(datasette, request)
    await access.ensure_allowed(datasette, request, database, access.CHAT_TABLES)
    asked = SearchRequest.of(request.args)
    warning, result = "", SearchResult()
    if asked.words.strip():
        try:
            result = await access.search_in_time(datasette, database, lambda conn: run_search(conn, asked), SECONDS)
        except UsageError as error:
            warning = error.message
        except access.TooLongError:
            warning = "This search took too long. Add a word to narrow it."
    return pages.render_page(
        datasette,
        database,
        "search",
        title=f"{asked.words} - search" if asked.words.strip() else "Search",
        asked=asked,
        result=result,
        warning=warning,
        labels=LABELS,
        files_shown=FILES_SHOWN if asked.filters.get("kind") not in {"file", *FILE_KINDS} else len(result.files),
        assistant=assistant_name(result),
        role_label=role_label,
        service=speaker_of,
        marked=marked_html,
        marked_name=marked_name_html,
        more=min(MOST, asked.limit + SHOWN * 2),
    )


def run_search(conn: sqlite3.Connection, asked: SearchRequest) -> SearchResult:
    """Search for what was asked."""
    return search(conn, asked.words, asked.search_filters, asked.limit, latest=asked.sort == "newest", facets=True)


def assistant_name(result: SearchResult) -> str:
    """Return what the assistant is called in counts: by name where all results are of one service."""
    has_several = any(facet.name == "service" for facet in result.facets)
    return "Assistant" if has_several or not result.hits else speaker_of(result.hits[0].provider)


def role_label(role: str | None, assistant: str) -> str:
    """Return a role as a reader reads it."""
    return assistant if role == "assistant" else _SPEAKERS.get(role or "", role or "unknown")
