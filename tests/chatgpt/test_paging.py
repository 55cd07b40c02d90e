"""Lists that lie: every conversation in a list is found, and no reading goes on for ever."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.chatgpt import paging
from mirror.chatgpt.list_rows import PAGE_SIZE, parse_list_row
from mirror.chatgpt.paging import (
    MOST_EXTRA_PASSES,
    MOST_LIST_BYTES,
    OVERLAP,
    REPEATED_PAGES_TO_END,
    ListError,
    ListLimitError,
    ListPage,
    pages_by_cursor,
    read_by_cursor,
    read_by_offset,
)
from mirror.errors import RateLimitError, SafetyStopError, ServiceError
from mirror.source import Listed, ListResult, Scope
from mirror.web.client import NoAnswer, Refused, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Row = dict[str, Any]
    Bend = Callable[["ListService", int, list[Row]], list[Row]]

MAIN = Scope("main", "main")
PROJECT = Scope("project:p", "project “P”")


def rows(count: int) -> list[Row]:
    return [{"id": f"c{n}", "update_time": 1_700_000_000 - n, "title": f"t{n}"} for n in range(count)]


def page_of(found: Sequence[Row], cursor: str | None = None) -> ListPage:
    items = [item for row in found if (item := parse_list_row(row)) is not None]
    return ListPage(len(found), items, PAGE_SIZE, cursor)


def never(items: Sequence[Listed]) -> bool:
    return False


class ListService:
    """A list whose pages can be bent; keeps the offsets that it is asked for."""

    def __init__(self, data: list[Row], bend: Bend = lambda service, offset, page: page) -> None:
        self.data, self.bend = data, bend
        self.offsets: list[int] = []

    def page(self, offset: int) -> ListPage:
        self.offsets.append(offset)
        return page_of(self.bend(self, offset, self.data[offset : offset + PAGE_SIZE]))


def read(
    service: ListService, expected: int | None = None, is_enough: Callable[[Sequence[Listed]], bool] = never
) -> ListResult:
    return read_by_offset(MAIN, service.page, is_enough, expected)


def test_a_list_of_too_many_bytes_is_named_and_what_was_read_is_kept() -> None:
    """No later run comes further, so that none is promised to."""
    service = ListService(rows(1000))

    def large(offset: int) -> ListPage:
        return replace(service.page(offset), size=MOST_LIST_BYTES // 3)

    found = read_by_offset(MAIN, large, never, None)
    assert isinstance(found.error, ServiceError)
    assert "larger than 96 MB" in found.error.message
    assert "again later" not in found.error.message
    assert (len(service.offsets), found.reached_end) == (4, False)
    assert len(found.items) > 250


def test_a_small_list_that_is_known_costs_one_request() -> None:
    """An unchanged run on a small account asks for its list once."""
    service = ListService(rows(40))
    found = read(service, expected=40)
    assert found.reached_end
    assert service.offsets == [0]


@pytest.mark.parametrize(
    ("count", "expected", "requests"),
    [(0, None, 1), (0, 0, 1), (40, None, 2), (40, 41, 2), (40, 39, 1), (99, 99, 1), (100, 100, 3), (100, None, 3)],
)
def test_the_end_of_a_list(count: int, expected: int | None, requests: int) -> None:
    """An empty page is the end; a short one only where as many were seen as are known to be in the list.

    Below a full page the next one is asked for, and after more than one page the top once more.
    """
    service = ListService(rows(count))
    found = read(service, expected)
    assert found.reached_end
    assert len(found.items) == count
    assert len(service.offsets) == requests + (1 if len(set(service.offsets)) > 1 and count < PAGE_SIZE else 0)


def test_neighbouring_pages_share_their_edge() -> None:
    """Each page begins with the last rows of the one before."""
    service = ListService(rows(250))
    read(service)
    step = PAGE_SIZE - OVERLAP
    assert service.offsets[:3] == [0, step, 2 * step]


def test_every_row_of_a_long_list_is_found() -> None:
    """All pages are read, whatever their number."""
    found = read(ListService(rows(1234)))
    assert len(found.items) == 1234
    assert found.reached_end


def test_a_list_of_exactly_full_pages_ends() -> None:
    """No row is lost, and none is invented, where the last page is full."""
    assert len(read(ListService(rows(300))).items) == 300


def test_a_service_that_grants_small_pages_is_read_to_its_end() -> None:
    """A server that gives 28 rows where 100 were asked for has not come to its end."""
    assert len(read(ListService(rows(500), lambda s, o, page: page[:28])).items) == 500


def test_a_conversation_deleted_while_paging_hides_no_other() -> None:
    """Rows that move up between two pages are still seen."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        if len(service.offsets) == 4:
            del service.data[3:10]
        return service.data[offset : offset + PAGE_SIZE]

    service = ListService(rows(450), bend)
    left = {row["id"] for row in service.data} - {f"c{n}" for n in range(3, 10)}
    assert left <= set(read(service).items)


def test_a_conversation_that_jumps_to_the_top_while_paging_is_seen() -> None:
    """What moves to the top after the first page was read is found when the top is read again."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        if len(service.offsets) == 3:
            moved = service.data.pop(290)
            service.data.insert(0, {**moved, "update_time": 1_700_000_500})
        return service.data[offset : offset + PAGE_SIZE]

    found = read(ListService(rows(450), bend))
    assert found.items["c290"].list_us == 1_700_000_500_000_000
    assert len(found.items) == 450


def test_a_move_that_a_deletion_hides_is_seen() -> None:
    """A row that jumps to the top while another is deleted shifts nothing, and is found as well."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        if len(service.offsets) == 3:
            moved = service.data.pop(290)
            del service.data[10]
            service.data.insert(0, {**moved, "update_time": 1_700_000_500})
        return service.data[offset : offset + PAGE_SIZE]

    assert read(ListService(rows(450), bend)).items["c290"].list_us == 1_700_000_500_000_000


def test_a_page_that_comes_twice_hides_nothing() -> None:
    """A server that repeats an earlier page in place of the one asked for does not cost that one."""
    found = read(ListService(rows(600), lambda s, offset, page: s.data[:PAGE_SIZE] if offset == 96 else page))
    assert len(found.items) == 600


def test_rows_repeated_and_skipped_are_found_by_another_pass() -> None:
    """Two rows come twice and two not at all: the list is read again, from other offsets."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        return [*service.data[offset - 2 : offset], *page[:40], *page[42:]] if offset == 96 else page

    assert len(read(ListService(rows(400), bend)).items) == 400


def test_a_page_that_never_comes_is_an_error() -> None:
    """Where every pass leaves a gap, the list is not called read, and what was read is kept."""
    service = ListService(rows(600), lambda s, offset, page: s.data[:PAGE_SIZE] if 0 < offset < 150 else page)
    found = read(service)
    assert found.error is not None
    assert found.error.message == "The main list changed while it was read; what was read is kept. Run again later."
    assert not found.reached_end
    assert len(found.items) > 300
    assert service.offsets.count(0) == 1 + MOST_EXTRA_PASSES + 1


@pytest.mark.parametrize(("count", "where"), [(100, 1), (100, 2), (350, 1), (350, 4), (350, 5)])
def test_a_page_that_comes_empty_once_is_asked_for_again(count: int, where: int) -> None:
    """It stands where rows were just seen, so that it is no end; nor is an empty page in place of the top."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        return [] if len(service.offsets) == where + 1 else page

    plain, service = ListService(rows(count)), ListService(rows(count), bend)
    read(plain)
    found = read(service)
    assert (found.error, found.reached_end, len(found.items)) == (None, True, count)
    assert len(service.offsets) == len(plain.offsets) + 1


@pytest.mark.parametrize("count", [2, 50, 100, 350])
def test_a_page_that_stays_empty_is_a_gap(count: int) -> None:
    """The rows that the page before shares with it were on it: it is not the end, and the list is not called read."""
    found = read(ListService(rows(count), lambda s, offset, page: page if offset == 0 else []))
    assert found.error is not None
    assert found.error.message == "The main list changed while it was read; what was read is kept. Run again later."
    assert not found.reached_end


def test_a_top_that_comes_empty_again_is_a_gap() -> None:
    """What moved up while the list was read would be on it."""
    found = read(ListService(rows(350), lambda s, offset, page: page if offset or len(s.offsets) == 1 else []))
    assert found.error is not None
    assert (found.reached_end, len(found.items)) == (False, 350)


def test_the_last_rows_deleted_while_paging_are_no_gap() -> None:
    """An empty page in place of rows that are gone: another pass shows that the list ends above it."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        if len(service.offsets) == 2:
            del service.data[96:]
        return service.data[offset : offset + PAGE_SIZE]

    found = read(ListService(rows(100), bend))
    assert (found.error, found.reached_end) == (None, True)


def test_a_list_of_one_row_has_nothing_below_it() -> None:
    """The page below begins after that row, so that nothing is shared."""
    service = ListService(rows(1))
    assert (read(service).error, service.offsets) == (None, [0, 1, 0])


def test_a_list_that_repeats_itself_for_ever_ends() -> None:
    """Endless repeats of the same rows end the reading."""
    service = ListService(rows(100), lambda s, o, page: s.data[:PAGE_SIZE])
    found = read(service)
    assert found.reached_end
    assert len(found.items) == 100
    assert len(service.offsets) < 20


@pytest.mark.parametrize("repeated", range(1, REPEATED_PAGES_TO_END + 3))
def test_some_repeated_pages_are_not_the_end(repeated: int) -> None:
    """A few pages without a new row are passed over; more of them are taken for a list without end."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        return service.data[:PAGE_SIZE] if len(service.offsets) in range(2, 2 + repeated) else page

    found = read(ListService(rows(800), bend))
    assert len(found.items) == 800 or repeated > REPEATED_PAGES_TO_END


@pytest.mark.parametrize(
    ("error", "kind", "is_refusal"),
    [
        (ServerError(500, None), ListError, False),
        (Refused(404, None), ListError, True),
        (ServiceError("cut off"), ServiceError, None),
        (RateLimitError("too many"), ListLimitError, None),
    ],
)
def test_a_failing_page_is_not_the_end(error: Exception, kind: type[Exception], is_refusal: bool | None) -> None:
    """A page that fails leaves the list unfinished, says so, and keeps what was seen."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        if offset > 200:
            raise error
        return page

    found = read(ListService(rows(900), bend))
    assert not found.reached_end
    assert type(found.error) is kind
    assert len(found.items) >= 200
    if isinstance(found.error, ListError):
        assert found.error.is_refusal is is_refusal
        assert str(error) in found.error.message


def test_what_ends_the_whole_run_is_no_error_of_a_list() -> None:
    """A safety stop goes through."""

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        raise SafetyStopError("redirect")

    with pytest.raises(SafetyStopError):
        read(ListService(rows(5), bend))


def test_the_caller_ends_the_reading() -> None:
    """Nothing below what is settled is asked for; below a short page is the end, and that is looked at."""
    service = ListService(rows(2000))
    found = read(service, is_enough=lambda items: True)
    assert service.offsets == [0]
    assert not found.reached_end
    assert read(ListService(rows(40)), is_enough=lambda items: True).reached_end


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 350))
def test_whatever_moves_while_paging_nothing_that_stays_is_missed(seed: int, count: int) -> None:
    """Random touches, additions and deletions between two pages: what stays is listed."""
    chance = random.Random(seed)
    clock = [1_700_000_000]
    alive = rows(count)

    def bend(service: ListService, offset: int, page: list[Row]) -> list[Row]:
        for _ in range(chance.choice([0, 0, 1, 3])):
            if len(service.offsets) > 12 or not service.data:
                break
            clock[0] += 1
            act = chance.choice(["touch", "touch", "add", "delete"])
            at = chance.randrange(len(service.data))
            if act == "add":
                service.data.insert(0, {"id": f"n{clock[0]}", "update_time": clock[0]})
            elif act == "touch":
                service.data.insert(0, {**service.data.pop(at), "update_time": clock[0]})
            elif len(service.offsets) % 3 == 0:
                del service.data[at]
        return service.data[offset : offset + PAGE_SIZE]

    service = ListService(list(alive), bend)
    found = read(service)
    survivors = {row["id"] for row in alive} & {row["id"] for row in service.data}
    assert survivors <= set(found.items)


# -- cursors


def cursor_list(pages: dict[str, tuple[list[str], str | None]]) -> Callable[[str], ListPage]:
    """A list by cursor: cursor -> ids of its page, and the cursor to the next one."""

    def fetch(cursor: str) -> ListPage:
        ids, following = pages[cursor]
        return page_of([{"id": key, "update_time": 1_700_000_000} for key in ids], following)

    return fetch


@pytest.mark.parametrize(
    "pages",
    [
        {"0": (["a", "b", "c"], None)},
        {"0": (["a", "b"], "x"), "x": (["c"], None)},
        {"0": (["a", "b"], "x"), "x": (["c"], "y"), "y": (["a", "b"], "0")},
        {"0": (["a", "b"], "x"), "x": ([], "y"), "y": (["c"], None)},
    ],
    ids=["one page", "two pages", "back to the first rows", "an empty page between"],
)
def test_a_list_by_cursor_is_read_to_its_end(pages: dict[str, tuple[list[str], str | None]]) -> None:
    """Every row is seen, and a page that brings nothing new ends the list."""
    found = read_by_cursor(PROJECT, cursor_list(pages), never)
    assert set(found.items) == {"a", "b", "c"}
    assert found.reached_end
    assert found.error is None


@pytest.mark.parametrize(
    "pages",
    [
        {"0": (["a", "b", "c"], "0")},
        {"0": (["a", "b"], "x"), "x": (["c"], "x")},
        {"0": (["a", "b"], "x"), "x": (["c"], "y"), "y": ([], "x")},
    ],
    ids=["itself", "the last page's own", "an earlier one"],
)
def test_a_cursor_that_comes_again_is_not_the_end(pages: dict[str, tuple[list[str], str | None]]) -> None:
    """What stands behind it did not come, so nothing that the list lacks is missing; what was read is kept."""
    found = read_by_cursor(PROJECT, cursor_list(pages), never)
    assert set(found.items) == {"a", "b", "c"}
    assert not found.reached_end
    assert found.error is not None
    assert "the page cursor repeats" in found.error.message


@pytest.mark.parametrize("how", ["offset", "cursor"])
def test_a_list_of_too_many_pages_has_not_ended(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """What was read is kept, and the list is not called read."""
    monkeypatch.setattr(paging, "MOST_PAGES", 3)
    service = ListService(rows(1000))
    if how == "offset":
        found = read(service)
    else:
        found = read_by_cursor(PROJECT, lambda at: replace(service.page(int(at)), cursor=str(int(at) + 100)), never)
    assert not found.reached_end
    assert found.error is not None
    assert "it has more than 3 pages" in found.error.message
    assert 200 < len(found.items) <= 300


@pytest.mark.parametrize("how", ["offset", "cursor"])
@pytest.mark.parametrize("is_enough", [False, True])
def test_what_a_page_says_against_its_list_is_believed(how: str, *, is_enough: bool) -> None:
    """However the list pages, and however far down it is read."""

    def flawed(_: object) -> ListPage:
        return replace(page_of(rows(250)), flaw="says itself that conversations are missing from it")

    if how == "offset":
        found = read_by_offset(PROJECT, flawed, lambda _: is_enough, None)
    else:
        found = read_by_cursor(PROJECT, flawed, lambda _: is_enough)
    assert not found.reached_end
    assert found.error is not None
    assert found.error.message.startswith("The project “P” list says itself that conversations are missing from it;")
    assert len(found.items) == 250


def test_an_empty_last_page_by_cursor_is_asked_for_once_more() -> None:
    """A full page may be followed by an honest empty one, or by one that failed: only the same again is the end."""
    answers = {"0": [page_of(rows(50), "x")], "x": [page_of([]), page_of(rows(60)[50:])]}
    found = read_by_cursor(PROJECT, lambda cursor: answers[cursor].pop(0), never)
    assert (found.error, found.reached_end, len(found.items)) == (None, True, 60)
    asked: list[str] = []

    def ends_empty(cursor: str) -> ListPage:
        asked.append(cursor)
        return page_of([]) if cursor == "x" else page_of(rows(50), "x")

    found = read_by_cursor(PROJECT, ends_empty, never)
    assert (found.error, found.reached_end, len(found.items)) == (None, True, 50)
    assert asked == ["0", "x", "x"]


def test_a_cursor_that_is_always_new_but_brings_nothing_ends() -> None:
    """Endless fresh cursors over the same rows end."""
    count = [0]

    def fetch(cursor: str) -> ListPage:
        count[0] += 1
        return page_of([{"id": "a", "update_time": 1_700_000_000}], cursor=str(count[0]))

    assert read_by_cursor(PROJECT, fetch, never).reached_end
    assert count[0] < 5


def test_a_failing_page_of_a_list_by_cursor_is_not_the_end() -> None:
    """What came before it is kept."""

    def fetch(cursor: str) -> ListPage:
        if cursor == "x":
            raise Refused(404, None)
        return page_of(rows(3), "x")

    found = read_by_cursor(PROJECT, fetch, never)
    assert not found.reached_end
    assert len(found.items) == 3
    assert found.error is not None
    assert found.error.message.startswith("The project “P” list could not be read to its end (HTTP 404)")


def test_the_caller_ends_the_reading_by_cursor() -> None:
    """Nothing after the page that was enough is asked for."""
    asked = []

    def fetch(cursor: str) -> ListPage:
        asked.append(cursor)
        return page_of(rows(3), "x")

    assert not read_by_cursor(PROJECT, fetch, lambda items: True).reached_end
    assert asked == ["0"]


def test_pages_by_cursor_begin_at_the_first_and_use_each_cursor_once() -> None:
    """The first cursor is the service's own word for the beginning."""
    pages = pages_by_cursor(cursor_list({"0": (["a"], "x"), "x": (["b"], "0")}))
    assert [next(pages).ids, next(pages).ids] == [["a"], ["b"]]
    with pytest.raises(NoAnswer, match="the page cursor repeats"):
        next(pages)
