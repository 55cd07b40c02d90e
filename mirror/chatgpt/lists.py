"""Which conversations exist: walking lists that lie (API notes §2.3, §2.4, §5).

Lists page by offset over an order that changes while one walks, misreport their length, repeat themselves, and fail
deep down. So: pages overlap and must hang together, rows are told apart by id, a walk ends only at a page that brings
nothing (or where the caller has seen enough), a page that fails is never the end, and the top is looked at again
until it stands still.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mirror.errors import ChatmirrorError, RateLimitError, ServiceError
from mirror.source import Listed, ListResult, Scope
from mirror.values import clean_text, epoch_us, iso_time
from mirror.web.client import Refused, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mirror.chatgpt.memory import ChatGPTMemory
    from mirror.chatgpt.session import Session

PROJECT_PREFIX = "g-p-"  # how the id of a project begins; custom GPTs begin with "g-" alone (API notes §5)
PAGE = 100  # the most that the service grants; 101 is refused
PROJECT_PAGE = 50
SHARED_PAGE = 50
OVERLAP = 4  # rows that neighbouring pages share, so that a deletion in between shows
SECOND_LOOKS = 5  # at the top, at most, while it goes on changing
SECOND_PASSES = 2  # over a list that repeated rows and so may have skipped others
BARREN_PAGES = 2  # pages in a row without anything new, after which a list is taken to repeat itself for ever
MOST_PAGES = 5_000


class HasCursor(Protocol):
    """A page that names the next one."""

    @property
    def cursor(self) -> str | None:
        """The cursor to the next page, if there is one."""


P = TypeVar("P", bound=HasCursor)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: how many rows came and how many a whole page has, the conversations among them, the next cursor."""

    rows: int
    items: list[Listed]
    size: int = PAGE
    cursor: str | None = None

    @property
    def ids(self) -> list[str]:
        """The conversations' ids, as they stand."""
        return [item.conversation_id for item in self.items]


def listed(row: Any, *, is_archived: bool | None = None, trust_time: bool = True) -> Listed | None:
    """Read one list row leniently; None for what is no conversation. 2023 rows carry a create_time only."""
    if not isinstance(row, dict):
        return None
    conversation_id = row.get("conversation_id") or row.get("id")
    if not isinstance(conversation_id, str) or not conversation_id or clean_text(conversation_id)[1]:
        return None  # (no id holds half a character)
    title, archived, starred = row.get("title"), row.get("is_archived"), row.get("is_starred")
    gizmo = row.get("gizmo_id") or row.get("conversation_template_id")
    home = clean_text(gizmo)[0] if isinstance(gizmo, str) and gizmo else None
    is_project = home is not None and home.startswith(PROJECT_PREFIX)
    update = epoch_us(row.get("update_time")) or epoch_us(row.get("create_time"))
    return Listed(
        conversation_id=conversation_id,
        list_us=update if trust_time else None,
        title=clean_text(title)[0] if isinstance(title, str) and title else None,
        created_at=iso_time(row.get("create_time")),
        is_archived=archived if isinstance(archived, bool) else is_archived,
        is_starred=starred if isinstance(starred, bool) else (False if "is_starred" in row else None),
        project_id=home if is_project else None,
        gpt_id=None if is_project else home,
        states_home="gizmo_id" in row or "conversation_template_id" in row,
    )


def page_of(data: Any, **how: Any) -> Page:
    """Read a list answer; raises ServiceError when it is not a list at all."""
    rows = data.get("items") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ServiceError("The service's list has an unknown form; what is saved stays. Update chatmirror.")
    about: dict[str, Any] = data if isinstance(data, dict) else {}
    cursor, size = about.get("cursor"), about.get("limit")
    found = [item for row in rows if (item := listed(row, **how)) is not None]
    granted = size if isinstance(size, int) and 0 < size < PAGE else PAGE
    return Page(len(rows), found, granted, cursor if isinstance(cursor, str) and cursor else None)


@dataclass(slots=True)
class _OffsetPass:
    """One pass over a list by offset.

    ``torn``: two neighbouring pages do not hang together; ``doubtful``: that, or rows came twice, so that others may
    have been skipped.
    """

    walk: ListResult
    fetch: Callable[[int], Page]
    overlap: int
    expected: int | None
    seen: set[str] = field(default_factory=set)
    tail: set[str] = field(default_factory=set)
    offset: int = 0
    pages: int = 0
    barren: int = 0
    torn: bool = False
    doubtful: bool = False

    def run(self, enough: Callable[[Sequence[Listed]], bool]) -> None:
        """ListResult until the end or until the caller has seen enough."""
        while self.pages < MOST_PAGES:
            page = self.fetch(self.offset)
            self.pages += 1
            is_barren = self._take(page)
            if self._is_end(page, is_barren=is_barren):
                self.walk.reached_end = True
                return
            if page.rows >= page.size and enough(page.items):
                return  # (a short page is nearly the end: one more request tells who is absent)
            self.tail = set(page.ids[-self.overlap :])
            self.offset += max(1, page.rows - self.overlap)

    def _take(self, page: Page) -> bool:
        """Take a page in; return whether it brought nothing at all."""
        known = self.seen.intersection(page.ids)
        repeats = len(page.ids) - len(set(page.ids)) + len(known - self.tail)
        self.torn = self.torn or bool(self.tail and page.items and not self.tail & known)
        _add(self.walk, page.items)
        is_barren = self.seen.issuperset(page.ids)
        self.seen.update(page.ids)
        self.barren = self.barren + 1 if is_barren else 0
        # Neighbours that do not share their edge had rows vanish in between; ones that share more had rows come.
        self.doubtful = self.doubtful or self.torn or (repeats > 0 and page.rows >= page.size)
        return is_barren

    def _is_end(self, page: Page, *, is_barren: bool) -> bool:
        if not page.rows or self.barren > BARREN_PAGES:
            return True
        is_short = page.rows < page.size
        believed = self.expected is not None and len(self.seen) >= self.expected
        return is_short and (is_barren or believed)


def walk_offsets(
    scope: Scope,
    fetch: Callable[[int], Page],
    enough: Callable[[Sequence[Listed]], bool],
    expected: int | None,
) -> ListResult:
    """ListResult a list that pages by offset.

    ``expected``: how many conversations are known to stand in it; a short page is then believed to be the last one
    when that many were seen. None: only a page that brings nothing is.
    """
    walk = ListResult(scope)
    try:
        done = _OffsetPass(walk, fetch, OVERLAP, expected)
        done.run(enough)
        for extra in range(1, SECOND_PASSES + 1):
            if not done.doubtful or not walk.reached_end:
                break
            done = _OffsetPass(walk, fetch, OVERLAP + 13 * extra, expected)  # cut at other places this time
            done.run(enough)
        if done.pages > 1:
            _look_again(walk, fetch)
        if done.torn:
            walk.error = ServiceError(
                f"The {scope.label} list does not hang together; what was listed is kept. Run again later."
            )
            walk.reached_end = False
    except (Refused, ServiceError, RateLimitError) as error:
        walk.reached_end = False
        walk.error = _trouble(scope, error)
    return walk


def _look_again(walk: ListResult, fetch: Callable[[int], Page]) -> None:
    """Read the top again until it stands still: what moved there meanwhile was seen by nobody."""
    for _ in range(SECOND_LOOKS):
        offset, changed = 0, False
        while True:
            page = fetch(offset)
            fresh = _add(walk, page.items)
            changed = changed or fresh > 0
            if not fresh or fresh < len(page.items):
                break
            offset += max(1, page.rows - OVERLAP)
        if not changed:
            return


def walk_cursors(scope: Scope, fetch: Callable[[str], Page], enough: Callable[[Sequence[Listed]], bool]) -> ListResult:
    """ListResult a list that pages by opaque cursors; a cursor that comes back, or brings nothing new, ends it."""
    walk = ListResult(scope)
    try:
        for page in pages(fetch, "0"):
            fresh = _add(walk, page.items)
            if enough(page.items) and page.items:
                return walk
            if page.items and not fresh:
                break  # the cursor goes round in circles
        walk.reached_end = True
    except (Refused, ServiceError, RateLimitError) as error:
        walk.error = _trouble(scope, error)
    return walk


def pages(fetch: Callable[[str], P], first: str) -> Iterator[P]:
    """Yield pages until there is no next cursor, or one that was used before."""
    cursor: str | None = first
    used: set[str] = set()
    while cursor is not None and cursor not in used and len(used) < MOST_PAGES:
        used.add(cursor)
        page = fetch(cursor)
        yield page
        cursor = page.cursor


def _add(walk: ListResult, items: Sequence[Listed]) -> int:
    """Take rows in; return how many were new or newer than before."""
    fresh = 0
    for item in items:
        old = walk.items.get(item.conversation_id)
        if old is None or (item.list_us or 0) > (old.list_us or 0):
            fresh += 1
            walk.items[item.conversation_id] = item
    return fresh


class BrokenListError(ServiceError):
    """A list ended before its end. ``is_refusal``: the service does not offer it to this account (4xx)."""

    is_refusal = False


def _trouble(scope: Scope, error: Refused | ServiceError | RateLimitError) -> ChatmirrorError:
    if isinstance(error, ChatmirrorError):
        return error
    broken = BrokenListError(f"The {scope.label} list broke off ({error}); what was listed is kept. Run again later.")
    broken.is_refusal = not isinstance(error, ServerError)
    return broken


class Lists:
    """The lists of one account, asked for through its session. ``memory``: what is known of this account's server."""

    def __init__(self, session: Session, memory: ChatGPTMemory) -> None:
        self.session, self.memory = session, memory

    def main(self, offset: int, **filters: str) -> Page:
        """One page of the ordinary list, or of a filtered one (is_archived, is_starred)."""
        params: dict[str, Any] = {"offset": offset, "limit": PAGE, "order": "updated", **filters}
        if not self.memory.rejects_hide_snorlax:
            try:
                return self._page(params | {"hide_snorlax": "false"}, filters)
            except Refused as error:
                if error.status != 422:  # noqa: PLR2004 - how the service refuses a parameter
                    raise
        page = self._page(params, filters)
        self.memory.rejects_hide_snorlax = True
        return page

    def _page(self, params: dict[str, Any], filters: dict[str, str]) -> Page:
        archived = filters.get("is_archived")
        data = self.session.get("/conversations", params).data
        return page_of(data, is_archived=None if archived is None else archived == "true")

    def shared(self, offset: int) -> Page:
        """One page of the shared list: rows are shares, known by their conversation_id; their times are the shares'."""
        params = {"offset": offset, "limit": SHARED_PAGE, "order": "created"}
        data = self.session.get("/shared_conversations", params).data
        rows = data.get("items") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise ServiceError("The shared list has an unknown form; what is saved stays. Update chatmirror.")
        ours = [
            {"conversation_id": row["conversation_id"]}
            for row in rows
            if isinstance(row, dict) and row.get("conversation_id")
        ]
        return Page(len(rows), page_of(ours, trust_time=False).items)

    def project(self, project_id: str, cursor: str) -> Page:
        """One page of a project's conversations."""
        return page_of(
            self.session.get(f"/gizmos/{project_id}/conversations", {"cursor": cursor, "limit": PROJECT_PAGE}).data
        )

    def pins(self) -> Page:
        """The pinned conversations."""
        data = self.session.get("/pins").data
        data = data.get("items") if isinstance(data, dict) else data
        if not isinstance(data, list):
            broken = BrokenListError("The pinned list has an unknown form; what is saved stays. Update chatmirror.")
            broken.is_refusal = True
            raise broken
        rows = [row.get("item") for row in data if isinstance(row, dict) and row.get("item_type") == "conversation"]
        return page_of(rows)
