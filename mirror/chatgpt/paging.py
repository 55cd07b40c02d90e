"""Read a list page by page, whatever it does meanwhile (API notes §2.3, §2.4, §5).

Lists page by offset over an order that changes while they are read, misreport their length, repeat rows, fail at deep
offsets, and bring an empty page where more follows. So neighbouring pages overlap and must share their edge, rows are
told apart by id, a page that fails is never the end, nor is an empty one in place of rows that were just seen, only one
that brings nothing new is, and the top is read again until nothing moves there any more.

Nothing here knows the service: pages come from a function, and the tests make them up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeVar

from mirror.errors import ChatmirrorError, RateLimitError, ServiceError
from mirror.source import Listed, ListResult, Scope
from mirror.web.client import NoAnswer, Refused, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    StopTest = Callable[[Sequence[Listed]], bool]  # whether a list need not be read below the rows of a page

# Rows that two neighbouring pages share: one shows a deletion between the two requests, some more show several. 0: a
# deletion hides a row; large: more requests.
OVERLAP = 4
# Passes over a list that repeated rows and so may have skipped others; others list again up to twice (API notes §2.3).
# 0: rows that were skipped wait for the next full run.
MOST_EXTRA_PASSES = 2
# Rows by which each extra pass overlaps more, so that its pages begin at other places. 0: the same rows are skipped.
OVERLAP_STEP = 13
# Readings of the top, at most, while it changes: each catches what moved during the one before. 0: what moves to the
# top while the list is read is seen a run later.
MOST_TOP_READINGS = 5
# Pages in a row without a new row after which a list is taken to repeat itself for ever (API notes §2.4). 0: one
# repeated page ends the list early.
REPEATED_PAGES_TO_END = 2
# Rows of a list without a time that can be read: each is read in every run, for nothing tells of its news. Larger: as
# many reads each night; smaller: a few odd rows end every run with 5.
MOST_WITHOUT_TIME = 10
# Pages of a list: half a million rows, fifty times the largest account seen (API notes §8). Smaller: a large account is
# never read to its end.
MOST_PAGES = 5_000
# Bytes of all pages of one reading of a list: about 140,000 rows, more than ten times the largest account seen. By
# measurement a run takes 2.5 KB of memory for each row. Larger: a list that never ends fills the memory; smaller: a
# large account is never read to its end.
MOST_LIST_BYTES = 96 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list.

    ``row_count``: how many rows came; ``items``: the conversations among them; ``page_size``: how many rows a full page
    has; ``cursor``: to the next page, if the list has cursors. ``flaw``: what the page itself says or shows against the
    list, as the end of a sentence about it. ``odd``: the rows that are no conversations, and how often they come.
    ``size``: its bytes.
    """

    row_count: int
    items: list[Listed]
    page_size: int
    cursor: str | None = None
    flaw: str | None = None
    odd: Counter[str] = field(default_factory=Counter)
    size: int = 0

    @property
    def is_newest_first(self) -> bool:
        """Whether the rows come in the order that allows to stop early."""
        times = [item.list_us for item in self.items if item.list_us]
        return all(older <= newer for newer, older in pairwise(times))

    @property
    def is_short(self) -> bool:
        """Whether fewer rows came than a full page has."""
        return self.row_count < self.page_size

    @property
    def ids(self) -> list[str]:
        """The conversations' ids, in the page's order."""
        return [item.conversation_id for item in self.items]


class ListError(ServiceError):
    """A list could not be read to its end.

    ``is_refusal``: the service does not offer it to this account (4xx); ``code``: its reason, if it gave one;
    ``status``: the HTTP status, if that was the cause. ``cause``: what came instead, in a few words.
    """

    def __init__(
        self,
        message: str,
        *,
        is_refusal: bool,
        code: str | None = None,
        status: int | None = None,
        cause: str | None = None,
    ) -> None:
        super().__init__(message)
        self.is_refusal, self.code, self.status, self.cause = is_refusal, code, status, cause or message


class ListLimitError(RateLimitError):
    """The service refuses one list for now; others, and conversations, are still asked for."""

    is_of_one_list = True


def read_by_offset(
    scope: Scope, fetch: Callable[[int], ListPage], is_enough: StopTest, expected: int | None
) -> ListResult:
    """Read a list that pages by offset, until ``is_enough`` or its end.

    An error ends the reading and is a part of the result. ``expected``: how many conversations are known to be in the
    list; a short page is then believed to be the last one when that many were seen. None: only a page that brings
    nothing is.
    """
    return _read(scope, fetch, lambda result, checked: _read_passes(result, checked, is_enough, expected))


def _read(
    scope: Scope, fetch: Callable[[Place], ListPage], read: Callable[[ListResult, Callable[[Place], ListPage]], bool]
) -> ListResult:
    """Read a list, however it pages; what any of its pages says or shows against it ends in an error.

    ``read``: takes all pages into the result; returns whether there is a gap between them.
    """
    result = ListResult(scope)
    flaws: list[str] = []
    odd: Counter[str] = Counter()
    counted = _counting(fetch)

    def checked(place: Place) -> ListPage:
        page = counted(place)
        flaws.extend([page.flaw] if page.flaw else [])
        _note_odd(result, page, odd)
        return page

    try:
        has_gap = read(result, checked)
    except (Refused, ServiceError, RateLimitError) as error:
        result.reached_end = False
        result.error = _list_error(scope, error)
        return result
    flaws += ["changed while it was read"] if has_gap else []
    without_time = 0 if scope.is_selection else sum(item.list_us is None for item in result.items.values())
    flaws += ["no longer says when many conversations changed"] if without_time > MOST_WITHOUT_TIME else []
    if flaws:
        result.reached_end = False
        result.error = ServiceError(f"The {scope.label} list {flaws[0]}; what was read is kept. Run again later.")
    return result


def _read_passes(
    result: ListResult, fetch: Callable[[int], ListPage], is_enough: StopTest, expected: int | None
) -> bool:
    """Read a list as often as it takes to see every row; return whether the last pass left a gap."""
    reading = _OffsetPass(result, fetch, OVERLAP, expected)
    reading.run(is_enough)
    for extra in range(1, MOST_EXTRA_PASSES + 1):
        if not (reading.may_have_skipped and result.reached_end):
            break
        reading = _OffsetPass(result, fetch, OVERLAP + OVERLAP_STEP * extra, expected)
        reading.run(is_enough)
    is_top_empty = reading.pages > 1 and not _read_top_again(result, fetch)
    return reading.has_gap or is_top_empty


@dataclass(slots=True)
class _OffsetPass:
    """One pass over a list by offset.

    ``last_ids``: the end of the page before, which this one should share; empty where that page had one row, below
    which this one begins. ``pages_without_news``: in a row.
    ``has_gap``: two neighbouring pages did not share their edge. ``may_have_skipped``: that, or rows came twice.
    ``is_newest_first``: no page was in another order. ``granted``: rows of a page, where fewer
    come than were asked for.
    """

    result: ListResult
    fetch: Callable[[int], ListPage]
    overlap: int
    expected: int | None
    seen: set[str] = field(default_factory=set)
    last_ids: set[str] = field(default_factory=set)
    offset: int = 0
    pages: int = 0
    pages_without_news: int = 0
    has_gap: bool = False
    may_have_skipped: bool = False
    is_newest_first: bool = True
    granted: int | None = None
    last_count: int = 0

    def run(self, is_enough: StopTest) -> None:
        """Read pages until the end or until the caller has seen enough; raises NoAnswer where they have no end."""
        while True:
            if self.pages >= MOST_PAGES:
                raise _too_many_pages()
            page = _again_if_empty(self.fetch, self.offset) if self.last_ids else self.fetch(self.offset)
            self.pages += 1
            self._check_edge(page)
            has_news = self._take(page)
            if self._is_end(page, has_news=has_news):
                self.result.reached_end = True
                return
            self.is_newest_first = self.is_newest_first and page.is_newest_first
            # Below a short page is the end: one more request tells who is missing.
            if self.is_newest_first and not self._is_short(page) and is_enough(page.items):
                return
            self._learn_size(page, has_news=has_news)
            self.last_ids = set(page.ids[-self.overlap :]) if len(page.items) > 1 else set()
            self.offset += max(1, page.row_count - self.overlap)

    def _check_edge(self, page: ListPage) -> None:
        """Compare a page with those before.

        Rows that vanished between two requests leave a gap, and so does an empty page in place of rows that were seen;
        repeated rows mean that others may have been skipped.
        """
        known = self.seen.intersection(page.ids)
        repeats = len(page.ids) - len(set(page.ids)) + len(known - self.last_ids)
        has_come = page.items or not page.row_count  # rows none of which is a conversation tell nothing of the edge
        self.has_gap = self.has_gap or bool(self.last_ids and has_come and not self.last_ids & known)
        self.may_have_skipped = self.may_have_skipped or self.has_gap or (repeats > 0 and not page.is_short)

    def _is_short(self, page: ListPage) -> bool:
        return page.is_short and (self.granted is None or page.row_count < self.granted)

    def _learn_size(self, page: ListPage, *, has_news: bool) -> None:
        """Learn from two short pages with as many rows that no more are granted: the second is a full one."""
        if page.is_short and has_news and self.granted is None and page.row_count == self.last_count:
            self.granted = page.row_count
        self.last_count = page.row_count

    def _take(self, page: ListPage) -> bool:
        """Take a page's rows into the result; return whether any of them is new to this pass."""
        _take_rows(self.result, page.items)
        has_news = not self.seen.issuperset(page.ids)
        self.seen.update(page.ids)
        self.pages_without_news = 0 if has_news else self.pages_without_news + 1
        return has_news

    def _is_end(self, page: ListPage, *, has_news: bool) -> bool:
        if not page.row_count or self.pages_without_news > REPEATED_PAGES_TO_END:
            return True
        has_seen_all = self.expected is not None and len(self.seen) >= self.expected
        return self._is_short(page) and (has_seen_all or not has_news)


def _again_if_empty(fetch: Callable[[Place], ListPage], place: Place) -> ListPage:
    """Return a page that should have rows; an empty one is asked for once more, for one may be a passing fault."""
    page = fetch(place)
    return page if page.row_count else fetch(place)


def _read_top_again(result: ListResult, fetch: Callable[[int], ListPage]) -> bool:
    """Read the top again until nothing is new there: what moved up meanwhile was on no page.

    Returns whether rows came: an empty page tells nothing of what moved.
    """
    for _ in range(MOST_TOP_READINGS):
        offset, has_changed = 0, False
        while True:
            page = _again_if_empty(fetch, offset)
            if not page.row_count and not offset:
                return False
            fresh = _take_rows(result, page.items)
            has_changed = has_changed or fresh > 0
            if not fresh or fresh < len(page.items):
                break
            offset += max(1, page.row_count - OVERLAP)
        if not has_changed:
            break
    return True


def read_by_cursor(scope: Scope, fetch: Callable[[str], ListPage], is_enough: StopTest) -> ListResult:
    """Read a list that pages by opaque cursors; a page that brings nothing new ends it.

    An empty page without a further cursor is the honest end of a list whose last page was full, so that it is asked for
    once more, and then believed.
    """

    def asked(cursor: str) -> ListPage:
        page = fetch(cursor)
        is_doubtful = cursor != FIRST_CURSOR and not page.row_count and page.cursor is None
        return fetch(cursor) if is_doubtful else page

    return _read(scope, asked, lambda result, checked: _read_cursors(result, checked, is_enough))


def _read_cursors(result: ListResult, fetch: Callable[[str], ListPage], is_enough: StopTest) -> bool:
    """Read a list once; return that there is no gap, for each page names the next."""
    for page in pages_by_cursor(fetch):
        fresh = _take_rows(result, page.items)
        if page.items and is_enough(page.items):
            return False
        if page.items and not fresh:
            break
    result.reached_end = True
    return False


class HasCursor(Protocol):
    """A page that names the next one."""

    @property
    def cursor(self) -> str | None:
        """The cursor to the next page, if there is one."""


Place = TypeVar("Place", int, str)  # where a page begins: an offset or a cursor
P = TypeVar("P", bound=HasCursor)
FIRST_CURSOR = "0"


def pages_by_cursor(fetch: Callable[[str], P]) -> Iterator[P]:
    """Yield pages until there is no next cursor.

    Raises NoAnswer where the next one was used before, or there are too many: what is behind them did not come.
    """
    cursor: str | None = FIRST_CURSOR
    used: set[str] = set()
    while cursor is not None:
        if cursor in used:
            raise NoAnswer("the page cursor repeats")
        if len(used) >= MOST_PAGES:
            raise _too_many_pages()
        used.add(cursor)
        page = fetch(cursor)
        yield page
        cursor = page.cursor


def _too_many_pages() -> NoAnswer:
    return NoAnswer(f"it has more than {MOST_PAGES:,} pages")


def _counting(fetch: Callable[[Place], ListPage]) -> Callable[[Place], ListPage]:
    """Return the same, which raises ServiceError when the pages that it returned become too many bytes."""
    size = 0

    def counted(place: Place) -> ListPage:
        nonlocal size
        page = fetch(place)
        size += page.size
        if size > MOST_LIST_BYTES:
            raise ServiceError(
                f"A list is larger than {MOST_LIST_BYTES >> 20} MB; no more of it is read, now and in later runs. What"
                " was read is kept. Please report it."
            )
        return page

    return counted


def _take_rows(result: ListResult, items: Sequence[Listed]) -> int:
    """Take rows into a result; return how many were new to it, or newer than before."""
    fresh = 0
    for item in items:
        old = result.items.get(item.conversation_id)
        if old is None or (item.list_us or 0) > (old.list_us or 0):
            fresh += 1
            result.items[item.conversation_id] = item
        elif item.list_us == old.list_us:
            result.items[item.conversation_id] = item  # of two rows with one time the later one counts
    return fresh


def _note_odd(result: ListResult, page: ListPage, odd: Counter[str]) -> None:
    """Count the rows of a page that are no conversations; the same one on pages that overlap counts once."""
    odd |= page.odd
    result.odd_rows = odd.total()


def _list_error(scope: Scope, error: Refused | ServiceError | RateLimitError) -> ChatmirrorError:
    if isinstance(error, RateLimitError) and not error.is_final:
        return ListLimitError(error.message)
    if isinstance(error, ChatmirrorError):
        return error
    return ListError(
        f"The {scope.label} list could not be read to its end ({error}); what was read is kept. Run again later.",
        is_refusal=not isinstance(error, ServerError),
        code=error.code,
        status=error.status,
        cause=str(error),
    )
