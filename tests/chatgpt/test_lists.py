"""Lists that lie: every conversation that stands in the list is found, and no walk goes on for ever."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.chatgpt.lists import PAGE, Page, listed, walk_cursors, walk_offsets
from mirror.source import Scope
from mirror.web.client import ServerError

MAIN = Scope("main", "main")
START = 1_700_000_000_000_000


def rows(count):
    return [{"id": f"c{n}", "update_time": 1_700_000_000 - n, "title": f"t{n}"} for n in range(count)]


class Service:
    """A list whose pages can be bent; counts what it is asked."""

    def __init__(self, data, bend=lambda service, offset, page: page):
        self.data, self.bend, self.offsets = data, bend, []

    def page(self, offset):
        self.offsets.append(offset)
        found = self.bend(self, offset, self.data[offset : offset + PAGE])
        return Page(len(found), [listed(row) for row in found])


def walk(service, expected=None, enough=lambda items: False):
    return walk_offsets(MAIN, service.page, enough, expected)


def test_a_small_list_that_is_known_costs_one_request():
    """An unchanged night on a small account asks for its list once."""
    service = Service(rows(40))
    found = walk(service, expected=40)
    assert found.reached_end
    assert service.offsets == [0]


def test_every_row_of_a_long_list_is_found():
    """All pages are read, whatever their number."""
    found = walk(Service(rows(1234)))
    assert len(found.items) == 1234
    assert found.reached_end


def test_a_list_of_exactly_full_pages_ends():
    """No row is lost, and none is invented, where the last page is full."""
    assert len(walk(Service(rows(300))).items) == 300


def test_a_service_that_grants_small_pages_is_read_to_its_end():
    """A server that gives 28 rows where 100 were asked for has not come to its end."""
    assert len(walk(Service(rows(500), lambda s, o, page: page[:28])).items) == 500


def test_a_conversation_deleted_while_paging_hides_no_other():
    """Rows that move up between two pages are still seen."""

    def bend(service, offset, page):
        if len(service.offsets) == 4:
            del service.data[3:10]
        return service.data[offset : offset + PAGE]

    service = Service(rows(450), bend)
    living = {row["id"] for row in service.data} - {f"c{n}" for n in range(3, 10)}
    assert living <= set(walk(service).items)


def test_a_conversation_that_jumps_to_the_top_while_paging_is_seen():
    """What moves to the top after the first page was read is found by the second look."""

    def bend(service, offset, page):
        if len(service.offsets) == 3:
            moved = service.data.pop(290)
            service.data.insert(0, {**moved, "update_time": 1_700_000_500})
        return service.data[offset : offset + PAGE]

    found = walk(Service(rows(450), bend))
    assert found.items["c290"].list_us == 1_700_000_500_000_000
    assert len(found.items) == 450


def test_a_move_that_a_deletion_hides_is_seen():
    """A row that jumps to the top while another is deleted shifts nothing, and is found all the same."""

    def bend(service, offset, page):
        if len(service.offsets) == 3:
            moved = service.data.pop(290)
            del service.data[10]
            service.data.insert(0, {**moved, "update_time": 1_700_000_500})
        return service.data[offset : offset + PAGE]

    assert walk(Service(rows(450), bend)).items["c290"].list_us == 1_700_000_500_000_000


def test_a_page_that_comes_twice_hides_nothing():
    """A server that repeats an earlier page in place of the one asked for does not cost that one."""
    found = walk(Service(rows(600), lambda s, offset, page: s.data[:PAGE] if offset == 96 else page))
    assert len(found.items) == 600


def test_rows_repeated_and_skipped_are_found_by_another_pass():
    """Two rows shown twice and two not at all on a page boundary: the list is read again, cut elsewhere."""

    def bend(service, offset, page):
        return [*service.data[offset - 2 : offset], *page[:40], *page[42:]] if offset == 96 else page

    assert len(walk(Service(rows(400), bend)).items) == 400


def test_a_list_that_repeats_itself_for_ever_ends():
    """Endless repeats of the same rows end the walk."""
    service = Service(rows(100), lambda s, o, page: s.data[:PAGE])
    found = walk(service)
    assert found.reached_end
    assert len(found.items) == 100
    assert len(service.offsets) < 20


def test_a_failing_page_is_not_the_end():
    """A page that fails leaves the list unfinished, says so, and keeps what was seen."""

    def bend(service, offset, page):
        if offset > 200:
            raise ServerError(500, None)
        return page

    found = walk(Service(rows(900), bend))
    assert not found.reached_end
    assert found.error is not None
    assert "500" in found.error.message
    assert len(found.items) >= 200


def test_the_stop_line_ends_the_walk():
    """Nothing below what is settled is asked for."""
    service = Service(rows(2000))
    found = walk(service, enough=lambda items: True)
    assert service.offsets == [0]
    assert not found.reached_end


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 350))
def test_whatever_moves_while_paging_nothing_that_stays_is_missed(seed, count):
    """Random touches, additions and deletions between any two pages: all that lives through the walk is listed."""
    chance = random.Random(seed)
    clock = [1_700_000_000]
    alive = rows(count)

    def bend(service, offset, page):
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
        return service.data[offset : offset + PAGE]

    service = Service(list(alive), bend)
    found = walk(service)
    survivors = {row["id"] for row in alive} & {row["id"] for row in service.data}
    assert survivors <= set(found.items)


def test_cursors_that_go_round_end():
    """A cursor list that comes back to its first page ends with every row seen."""
    pages = {"0": (["a", "b"], "x"), "x": (["c"], "y"), "y": (["a", "b"], "0")}

    def fetch(cursor):
        ids, following = pages[cursor]
        return Page(len(ids), [listed({"id": i, "update_time": 1_700_000_000}) for i in ids], cursor=following)

    found = walk_cursors(Scope("project:p", "project"), fetch, lambda items: False)
    assert set(found.items) == {"a", "b", "c"}
    assert found.reached_end


def test_a_cursor_that_is_always_new_but_brings_nothing_ends():
    """Endless fresh cursors over the same rows end."""
    count = [0]

    def fetch(cursor):
        count[0] += 1
        return Page(1, [listed({"id": "a", "update_time": 1_700_000_000})], cursor=str(count[0]))

    assert walk_cursors(Scope("project:p", "project"), fetch, lambda items: False).reached_end
    assert count[0] < 5


def test_rows_are_read_leniently():
    """Every known form of a list row gives its id and time; what is no row gives nothing."""
    assert listed({"id": "a", "update_time": "2025-07-11T08:00:00.123456Z"}).list_us == 1_752_220_800_123_456
    assert listed({"id": "a", "update_time": "2025-07-11T08:00:00.123456+00:00"}).list_us == 1_752_220_800_123_456
    assert listed({"id": "a", "create_time": "2023-03-01T10:00:00"}).list_us == 1_677_664_800_000_000
    assert listed({"id": "share", "conversation_id": "c"}).conversation_id == "c"
    assert [listed(row) for row in (None, 3, "x", {}, {"id": None}, {"id": 5}, [])] == [None] * 7
