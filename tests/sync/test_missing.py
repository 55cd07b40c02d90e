"""Which conversations count as missing, and when so many are that the list is doubted: tables of cases."""

from __future__ import annotations

from typing import Any

import pytest

from mirror.source import Listed, ListResult, Scope
from mirror.store.tracking import Tracked
from mirror.sync.missing import find_missing

MAIN, ARCHIVED, PROJECT = Scope("main", "main"), Scope("archived", "archived"), Scope("project:g-p-1", "Bread")
STARRED = Scope("starred", "starred", is_selection=True)


def known(key: str = "c1", **more: Any) -> Tracked:
    stated = {name: more.pop(name) for name in ("is_archived", "project_id") if name in more}
    list_us = more.pop("list_us", 1)
    return Tracked(Listed(key, list_us, **stated), "chatgpt", "w1", 1, **more)


def read(*scopes: Scope) -> list[ListResult]:
    return [ListResult(scope, reached_end=True) for scope in scopes]


WORK = Scope("work", "Work", is_work=True)
DEEP = [ListResult(MAIN, {"c9": Listed("c9", 5)})]  # read down to the time 5, no further
REFUSED = [*read(MAIN), ListResult(PROJECT, is_refused=True)]


@pytest.mark.parametrize(
    ("tracked", "results", "seen", "all_read", "is_missing"),
    [
        pytest.param(known(), read(MAIN), set(), False, True, id="the main list ended without it"),
        pytest.param(known(), read(MAIN), {"c1"}, False, False, id="it was seen"),
        pytest.param(known(), [ListResult(MAIN)], set(), False, False, id="the main list broke off"),
        pytest.param(known(), read(ARCHIVED, STARRED), set(), False, False, id="its list was not read"),
        pytest.param(known(is_archived=True), read(MAIN), set(), False, False, id="archived, the archive not read"),
        pytest.param(known(is_archived=True), read(ARCHIVED), set(), False, True, id="archived, not in the archive"),
        pytest.param(known(project_id="g-p-1"), read(MAIN), set(), False, False, id="its project was not read"),
        pytest.param(known(project_id="g-p-1"), read(MAIN, PROJECT), set(), False, True, id="not in its project"),
        pytest.param(known(project_id="g-p-1"), read(MAIN), set(), True, True, id="its project exists no more"),
        pytest.param(known(is_work=True), read(MAIN), set(), False, False, id="of Work, and that list not read"),
        pytest.param(known(is_work=True), read(MAIN), set(), True, False, id="of Work, and that list not offered"),
        pytest.param(known(is_work=True), read(MAIN, WORK), set(), False, True, id="of Work, and in neither list"),
        pytest.param(known(is_work=True, in_main=True), read(MAIN), set(), True, True, id="of Work, once in main"),
        pytest.param(known(project_id="g-p-1"), REFUSED, set(), True, True, id="its project is refused"),
        pytest.param(known(project_id="g-p-1"), REFUSED, set(), False, False, id="refused, and not all was read"),
        pytest.param(
            known(project_id="g-p-1", in_main=False), read(PROJECT), set(), False, True, id="only its project"
        ),
        pytest.param(
            known(project_id="g-p-1", in_main=True), read(PROJECT), set(), False, False, id="main shows it, too"
        ),
        pytest.param(known(list_us=9, in_main=True), DEEP, set(), False, True, id="the main list came past its place"),
        pytest.param(known(list_us=9, in_main=True), DEEP, {"c1"}, False, False, id="the same, and it was seen"),
        pytest.param(known(list_us=5, in_main=True), DEEP, set(), False, False, id="its place is the edge"),
        pytest.param(known(list_us=1, in_main=True), DEEP, set(), False, False, id="its place is below"),
        pytest.param(known(list_us=9, in_main=False), DEEP, set(), False, False, id="the main list never showed it"),
        pytest.param(known(list_us=9), DEEP, set(), False, False, id="nobody knows whether the main list shows it"),
        pytest.param(known(list_us=9, in_main=True, is_archived=True), DEEP, set(), False, False, id="it is archived"),
        pytest.param(known(is_deleted=True), read(MAIN), set(), False, False, id="it is known to be deleted"),
    ],
)
def test_find_missing(
    tracked: Tracked, results: list[ListResult], seen: set[str], all_read: bool, is_missing: bool
) -> None:
    found = find_missing([tracked], results, seen, all_read=all_read)
    assert list(found.ids) == (["c1"] if is_missing else [])


@pytest.mark.parametrize(
    ("count", "of", "more", "is_suspicious"),
    [
        pytest.param(5, 10, {}, False, id="a handful may go"),
        pytest.param(6, 59, {}, True, id="more than five and a tenth"),
        pytest.param(6, 60, {}, False, id="a tenth exactly"),
        pytest.param(60, 60, {}, True, id="all"),
        pytest.param(60, 60, {"gone_proofs": 2}, False, id="all said to be deleted"),
        pytest.param(60, 60, {"gone_proofs": 1}, True, id="all unknown, on one day"),
        pytest.param(60, 60, {"checked_at": "2026-01-01T00:00:00.000Z"}, True, id="all known to be alive"),
    ],
)
def test_too_many_missing_are_suspicious(count: int, of: int, more: dict[str, Any], is_suspicious: bool) -> None:
    tracked = [known(f"c{n}", **(more if n < count else {})) for n in range(of)]
    found = find_missing(tracked, read(MAIN), {f"c{n}" for n in range(count, of)}, all_read=False)
    assert found.looked_for == of
    assert found.is_suspicious is is_suspicious


@pytest.mark.parametrize(
    ("gone", "alive", "moved", "is_suspicious"),
    [
        pytest.param(20, 0, 0, False, id="all of twenty that were asked for are gone: the rest is explained"),
        pytest.param(19, 0, 0, True, id="too few were asked for"),
        pytest.param(18, 2, 0, False, id="nine of ten"),
        pytest.param(17, 3, 0, True, id="too many of them are alive"),
        pytest.param(0, 0, 50, False, id="all that were looked at stand in another list"),
        pytest.param(10, 0, 10, False, id="gone and moved together"),
    ],
)
def test_what_was_asked_for_explains_the_rest(gone: int, alive: int, moved: int, is_suspicious: bool) -> None:
    tracked = [known(f"c{n}") for n in range(100)]
    asked = [known(f"gone{n}", gone_proofs=2) for n in range(gone)]
    asked += [known(f"alive{n}", checked_at="2026-01-01T00:00:00.000Z") for n in range(alive)]
    found = find_missing([*tracked, *asked], read(MAIN), set(), all_read=False)
    assert found._replace(moved=moved).is_suspicious is is_suspicious
