"""What a run decides from what it knows: tables of cases."""

from __future__ import annotations

from typing import Any

import pytest

from mirror.source import Listed, ListResult, Scope
from mirror.store.tracking import Tracked
from mirror.sync import plan

WHOLE = 1_700_000_000_000_000  # a whole second
T = 1_700_000_000_123_456  # a list time, microseconds
MAIN, ARCHIVED = Scope("main", "main"), Scope("archived", "archived", to_the_end=True)
STARRED = Scope("starred", "starred", to_the_end=True, is_selection=True)
NOW, LATEST = "2026-01-10T00:00:00.000Z", "2026-01-17T00:00:00.000Z"


def row(key: str = "c1", list_us: int | None = T, **stated: Any) -> Listed:
    return Listed(key, list_us, **stated)


def known(key: str = "c1", list_us: int | None = T, stored_us: int | None = T, **more: Any) -> Tracked:
    stated = {name: more.pop(name) for name in ("is_starred", "is_archived", "mark") if name in more}
    return Tracked(Listed(key, list_us, **stated), "chatgpt", more.pop("account_id", "w1"), stored_us, **more)


def result(scope: Scope, *rows: Listed, reached_end: bool = True) -> ListResult:
    return ListResult(scope, {listed.conversation_id: listed for listed in rows}, reached_end)


@pytest.mark.parametrize(
    ("results", "tracked", "expected"),
    [
        pytest.param([result(MAIN, row(title="A"))], {}, {"c1": row(title="A")}, id="one list"),
        pytest.param(
            [result(MAIN, row(list_us=T)), result(ARCHIVED, row(list_us=T + 1, is_archived=True))],
            {},
            {"c1": row(list_us=T + 1, is_archived=True)},
            id="the newest time wins",
        ),
        pytest.param(
            [result(MAIN, row(title="A")), result(STARRED, row(is_starred=True))],
            {},
            {"c1": row(title="A", is_starred=True)},
            id="rows of one time add up",
        ),
        pytest.param(
            [result(STARRED, row(list_us=None))], {"c1": known()}, {}, id="a known one only in a selection says nothing"
        ),
        pytest.param(
            [result(STARRED, row(list_us=None))],
            {},
            {"c1": row(list_us=None)},
            id="an unknown one in a selection",
        ),
        pytest.param([result(MAIN, row())], {"c1": known(account_id="w2")}, {}, id="another workspace's, nothing new"),
        pytest.param(
            [result(MAIN, row(list_us=T + 1))],
            {"c1": known(account_id="w2")},
            {"c1": row(list_us=T + 1)},
            id="another workspace's, changed",
        ),
        pytest.param(
            [result(MAIN, row(mark="b"))],
            {"c1": known(account_id="w2", mark="a")},
            {"c1": row(mark="b")},
            id="another workspace's, another mark",
        ),
        pytest.param(
            [result(MAIN, row(list_us=None))], {"c1": known(account_id="w2")}, {}, id="another workspace's, no time"
        ),
    ],
)
def test_union(results: list[ListResult], tracked: dict[str, Tracked], expected: dict[str, Listed]) -> None:
    assert plan.union(results, tracked, "w1", {"w2"}) == expected


@pytest.mark.parametrize(
    ("tracked", "expected"),
    [
        pytest.param(None, False, id="never seen"),
        pytest.param(known(), True, id="stored as listed"),
        pytest.param(known(stored_us=None), False, id="not stored"),
        pytest.param(known(list_us=T - 1, stored_us=T - 1), False, id="another time than stored"),
        pytest.param(known(list_us=T + 1, stored_us=T + 1), False, id="an older time than stored is a change too"),
        pytest.param(known(is_deleted=True), False, id="it was deleted and is back"),
        pytest.param(known(mark="b", stored_mark="a"), False, id="another mark"),
    ],
)
def test_is_settled(tracked: Tracked | None, expected: bool) -> None:
    listed = row(mark=tracked.listed.mark if tracked else None)
    assert plan.is_settled({"c1": tracked} if tracked else {}, listed) is expected


@pytest.mark.parametrize(
    ("tracked", "is_due"),
    [
        pytest.param(known(), False, id="current"),
        pytest.param(known(stored_us=None), True, id="new"),
        pytest.param(known(list_us=T + 1), True, id="changed"),
        pytest.param(known(mark="b"), True, id="another mark"),
        pytest.param(known(is_generating=True), True, id="was being written"),
        pytest.param(known(is_branch_only=True), True, id="only its branch"),
        pytest.param(known(stored_us=None, missing_since=NOW), False, id="in no list"),
        pytest.param(known(stored_us=None, retry_at="2026-01-09T00:00:00.000Z"), True, id="its pause is over"),
        pytest.param(known(stored_us=None, retry_at="2026-01-11T00:00:00.000Z"), False, id="its pause goes on"),
        pytest.param(known(stored_us=None, retry_at="2046-01-01T00:00:00.000Z"), True, id="set by a wrong clock"),
    ],
)
def test_to_fetch(tracked: Tracked, is_due: bool) -> None:
    assert plan.to_fetch([tracked], NOW, LATEST) == ([tracked] if is_due else [])


def test_the_newest_is_fetched_first() -> None:
    chats = [known(f"c{n}", list_us=T + n) for n in (2, 3, 1)]
    assert [t.conversation_id for t in plan.to_fetch(chats, NOW, LATEST)] == ["c3", "c2", "c1"]


@pytest.mark.parametrize(("tries", "days"), [(0, 1), (1, 2), (2, 4), (3, 7), (50, 7)])
def test_pauses_grow_to_a_week(tries: int, days: int) -> None:
    assert plan.retry_pause(tries) == days * 86_400 - 3600


PAGE = [row(f"c{n}", T - n) for n in range(10)]


@pytest.mark.parametrize(
    ("changes", "scope", "watermark_us", "full", "expected"),
    [
        pytest.param({}, MAIN, T, False, True, id="all known below the watermark"),
        pytest.param({}, MAIN, T, True, False, id="a full run reads on"),
        pytest.param({}, MAIN, None, False, False, id="no watermark yet"),
        pytest.param({}, MAIN, T - 7, False, False, id="the lower half reaches above the watermark"),
        pytest.param({"c8": None}, MAIN, T, False, False, id="one of the lower half is unknown"),
        pytest.param({"c2": None}, MAIN, T, False, True, id="one of the upper half is unknown"),
        pytest.param({"c8": known("c8", T - 8, None)}, MAIN, T, False, False, id="one of the lower half is not stored"),
        pytest.param({}, ARCHIVED, T, False, True, id="a filtered list that is not filtered"),
    ],
)
def test_stop_line(
    changes: dict[str, Tracked | None], scope: Scope, watermark_us: int | None, full: bool, expected: bool
) -> None:
    tracked = {listed.conversation_id: known(listed.conversation_id, listed.list_us, listed.list_us) for listed in PAGE}
    now = {key: t for key, t in (tracked | changes).items() if t is not None}
    enough = plan.stop_line(lambda ids: {key: now[key] for key in ids if key in now}, watermark_us, scope, full=full)
    assert enough(PAGE) is expected


@pytest.mark.parametrize(
    ("starred_list", "lost"),
    [
        pytest.param(result(STARRED), ["c1"], id="gone from a list that was read to its end"),
        pytest.param(result(STARRED, reached_end=False), [], id="the list broke off"),
        pytest.param(result(STARRED, row(is_starred=True)), [], id="still there"),
        pytest.param(result(STARRED, row("c2", is_starred=False)), [], id="a list that is not filtered says nothing"),
    ],
)
def test_unstarred(starred_list: ListResult, lost: list[str]) -> None:
    assert plan.unstarred([known(is_starred=True)], [starred_list], {}) == lost


@pytest.mark.parametrize(
    ("imported_us", "list_us", "expected"),
    [
        pytest.param(WHOLE, WHOLE, True, id="the same"),
        pytest.param(WHOLE + 400, WHOLE, True, id="rounding"),
        pytest.param(WHOLE + 9_000_000, WHOLE, True, id="a few seconds later"),
        pytest.param(WHOLE + 11_000_000, WHOLE, False, id="too late"),
        pytest.param(WHOLE, WHOLE + 900_000, True, id="a whole second, cut off"),
        pytest.param(WHOLE + 1, WHOLE + 900_000, False, id="earlier by a fraction, not rounded"),
        pytest.param(WHOLE, WHOLE + 2_000_000, False, id="an older copy"),
        pytest.param(None, WHOLE, False, id="nothing imported"),
        pytest.param(WHOLE, None, False, id="a list without times"),
    ],
)
def test_is_import_current(imported_us: int | None, list_us: int | None, expected: bool) -> None:
    assert plan.is_import_current(imported_us, list_us) is expected


WORK, PROJECT = Scope("work", "Work", is_work=True), Scope("project:g-p-1", "Bread", to_the_end=True)


@pytest.mark.parametrize(
    ("results", "listed", "in_main", "is_work"),
    [
        pytest.param([result(MAIN, row())], row(), True, None, id="the main list shows it"),
        pytest.param([result(MAIN), result(WORK, row())], row(), False, True, id="Work alone shows it"),
        pytest.param([result(MAIN, row()), result(WORK, row())], row(), True, True, id="both show it"),
        pytest.param([result(MAIN), result(PROJECT, row())], row(), False, None, id="its project alone shows it"),
        pytest.param([result(MAIN), result(STARRED, row())], row(), None, None, id="a mere selection says nothing"),
        pytest.param(
            [result(MAIN, row("c2", T - 1), reached_end=False), result(WORK, row())],
            row(),
            False,
            True,
            id="the main list was read down to below it",
        ),
        pytest.param(
            [result(MAIN, row("c2", T + 1), reached_end=False), result(WORK, row())],
            row(),
            None,
            True,
            id="the main list was not read so far down",
        ),
        pytest.param(
            [result(MAIN), result(WORK, row(is_archived=True))],
            row(is_archived=True),
            None,
            True,
            id="archived, and the archive was not read",
        ),
    ],
)
def test_place(results: list[ListResult], listed: Listed, in_main: bool | None, is_work: bool | None) -> None:
    found = plan.place(listed, results)
    assert (found.in_main, found.is_work) == (in_main, is_work)


@pytest.mark.parametrize(
    ("tracked", "results", "expected"),
    [
        pytest.param(known(is_work=True), [result(MAIN, row())], set(), id="the main list shows it"),
        pytest.param(known(is_work=True), [result(MAIN)], {"work"}, id="it ended without it"),
        pytest.param(known(is_work=True, in_main=True), [result(MAIN, reached_end=False)], set(), id="not read so far"),
        pytest.param(known(is_work=True, in_main=False), [result(MAIN, reached_end=False)], {"work"}, id="never there"),
        pytest.param(known(is_work=True, is_archived=True), [result(ARCHIVED)], {"work_archived"}, id="archived"),
        pytest.param(known(is_work=True, is_deleted=True), [result(MAIN)], set(), id="deleted"),
        pytest.param(known(is_work=True, missing_since=NOW), [result(MAIN)], {"work"}, id="missing"),
        pytest.param(known(in_main=False), [result(MAIN)], set(), id="of no other list"),
    ],
)
def test_unshown(tracked: Tracked, results: list[ListResult], expected: set[str]) -> None:
    assert plan.unshown([tracked], results) == expected


@pytest.mark.parametrize(
    ("before", "results", "expected"),
    [
        pytest.param({}, [ListResult(MAIN, odd_rows=2)], {"main": 2}, id="seen now"),
        pytest.param({"main": 3}, [ListResult(MAIN, odd_rows=2)], {"main": 3}, id="seen before, and not read so far"),
        pytest.param({"main": 3}, [ListResult(MAIN, reached_end=True, odd_rows=2)], {"main": 2}, id="read to its end"),
        pytest.param({"main": 3}, [ListResult(MAIN, reached_end=True)], {}, id="understood"),
        pytest.param({"Work": 1}, [ListResult(MAIN)], {"Work": 1}, id="a list that was not read"),
        pytest.param({}, [ListResult(STARRED, odd_rows=2)], {}, id="a mere selection"),
    ],
)
def test_odd_rows(before: dict[str, int], results: list[ListResult], expected: dict[str, int]) -> None:
    assert plan.odd_rows(before, results) == expected
