"""What a run decides from what it knows: pure functions over list rows and what is tracked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror.store.tracking import Place
from mirror.values import is_same_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mirror.source import Listed, ListResult, Scope
    from mirror.store.tracking import Tracked

_HOUR = 3600.0
LONGEST_RETRY = 7 * 24 * _HOUR  # seconds; a conversation that always fails still gets one try a week


def union(
    results: Sequence[ListResult], tracked: Mapping[str, Tracked], account_id: str, others: Collection[str] = ()
) -> dict[str, Listed]:
    """Return what the lists of a workspace say together: of each conversation the row with the newest time.

    Of rows with the same time the later one, as far as it goes. What is known of one of ``others``, workspaces of the
    same login, stays theirs as long as this one shows nothing newer of it: one row has one workspace. A mere selection
    (shared, pinned) can show what is not this workspace's, and a share outlives its conversation: where a known
    conversation is in no other list, such a row says nothing.
    """
    whole = {key for result in results if not result.scope.is_selection for key in result.items}
    found: dict[str, Listed] = {}
    for result in results:
        for key, row in result.items.items():
            known, old = tracked.get(key), found.get(key)
            is_no_news = known is not None and is_same_moment(known.list_us, row.list_us)
            # What is told in another precision is no news.
            listed = row._replace(list_us=known.list_us) if known is not None and is_no_news else row
            if key not in whole and known is not None and (known.account_id != account_id or listed.list_us is None):
                continue
            if known is not None and known.account_id in others and _is_no_news(known, listed):
                continue
            if old is None or (listed.list_us or 0) > (old.list_us or 0):
                found[key] = listed
            elif listed.list_us == old.list_us:
                found[key] = _with_later_row(old, listed)
    return found


def _is_no_news(known: Tracked, listed: Listed) -> bool:
    """Whether a row is an older one than what is known, or the same, of a conversation that its own lists show."""
    if known.missing_since is not None or known.is_deleted:
        return False
    is_older = listed.list_us is not None and known.list_us is not None and listed.list_us < known.list_us
    has_same_time = listed.list_us in {known.list_us, None}
    return is_older or (has_same_time and known.listed.mark == listed.mark)


def _with_later_row(old: Listed, new: Listed) -> Listed:
    return old._replace(
        title=new.title or old.title,
        is_archived=old.is_archived if new.is_archived is None else new.is_archived,
        is_starred=old.is_starred if new.is_starred is None else new.is_starred,
    )


def stop_line(
    lookup: Callable[[Sequence[str]], Mapping[str, Tracked]], watermark_us: int | None, scope: Scope, *, full: bool
) -> Callable[[Sequence[Listed]], bool]:
    """Return the test after which a list need not be read further.

    Newest first, everything that changed since the last complete run stands above its watermark: a page whose lower
    half is all known, stored, and below the watermark reaches down to where nothing is new. A row without a time there
    tells neither way: it is read in every run.
    """

    def enough(items: Sequence[Listed]) -> bool:
        if not _is_filtered(scope, items):
            return True  # the service gave the whole list for a part of it: nothing to be learned further down
        lower = [listed for listed in items[len(items) // 2 :] if not _is_without_time(listed)]
        if full or scope.to_the_end or watermark_us is None or not lower:
            return False
        if max(listed.list_us or 0 for listed in lower) > watermark_us:
            return False
        tracked = lookup([listed.conversation_id for listed in lower])
        return all(is_settled(tracked, listed) for listed in lower)

    return enough


def _is_filtered(scope: Scope, items: Sequence[Listed]) -> bool:
    """Whether at least half of the rows are what the list is of: single rows can be wrong."""
    if scope.name == "starred":
        return 2 * sum(listed.is_starred is True for listed in items) >= len(items)
    return scope.name not in {"archived", "work_archived"} or 2 * sum(
        listed.is_archived is True for listed in items
    ) >= len(items)


def homes(tracked: Tracked, *, has_project_lists: bool = True) -> set[str]:
    """Return the names of the lists in which a conversation may stand; it is gone from all of them, or from none."""
    if tracked.listed.is_archived:
        return {"archived", "work_archived"} if tracked.is_work else {"archived"}
    found = {"main", "work"} if tracked.is_work else {"main"}
    if tracked.listed.project_id and has_project_lists:
        found.add(f"project:{tracked.listed.project_id}")
    return found


def unshown(tracked: Collection[Tracked], results: Sequence[ListResult]) -> set[str]:
    """Return the names of the lists in which conversations are known to stand that main and archived do not show.

    Below where those two were read to, what was seen of them before counts. A list that failed once to show what it
    holds is among them: what is missing is looked for until a deletion is proven.
    """
    read = _ordinary_lists(results)
    seen = {key for result in read.values() for key in result.items}
    living = [t for t in tracked if not t.is_deleted and t.conversation_id not in seen]
    hidden = [t for t in living if t.in_main is False or _should_show(read, t.listed)]
    return {name for t in hidden for name in homes(t)} - {"main", "archived"}


def place(listed: Listed, results: Sequence[ListResult]) -> Place:
    """Return in which lists a run saw a conversation. Only lists that tell which conversations exist count."""
    read = _ordinary_lists(results)
    shown = [result for result in results if listed.conversation_id in result.items and not result.scope.is_selection]
    is_work = True if any(result.scope.is_work for result in shown) else None
    if any(result.scope.name in read for result in shown):
        return Place(in_main=True, is_work=is_work)
    return Place(in_main=False if shown and _should_show(read, listed) else None, is_work=is_work)


def _ordinary_lists(results: Sequence[ListResult]) -> dict[str, ListResult]:
    return {result.scope.name: result for result in results if result.scope.name in {"main", "archived"}}


def _should_show(read: Mapping[str, ListResult], listed: Listed) -> bool:
    """Whether the list that a conversation belongs to was read down to its place, newest first."""
    result = read.get("archived" if listed.is_archived else "main")
    if result is None or result.error is not None:
        return False
    if result.reached_end:
        return True
    times = [row.list_us for row in result.items.values() if row.list_us]
    return bool(listed.list_us and times and listed.list_us > min(times))


def main_depth(results: Sequence[ListResult]) -> int | None:
    """Return the list time down to which the main list was read, newest first; None where it ended or failed."""
    main = _ordinary_lists(results).get("main")
    if main is None or main.error is not None or main.reached_end:
        return None
    return min((row.list_us for row in main.items.values() if row.list_us), default=None)


def is_passed_over(tracked: Tracked, depth: int | None) -> bool:
    """Whether a main list that was read down to ``depth`` came past the place of one that it showed before."""
    shows_it = bool(tracked.in_main) and not tracked.listed.is_archived
    is_above = depth is not None and (tracked.list_us or 0) > depth
    return shows_it and is_above and not is_same_moment(tracked.list_us, depth)


def odd_rows(before: Mapping[str, int], results: Sequence[ListResult]) -> dict[str, int]:
    """Return how many rows of each list, by its label, are known not to be understood, in this run or ``before``.

    A list that was not read to its end may still have those that were seen below.
    """
    found = dict(before)
    for result in results:
        label = result.scope.label
        known = 0 if result.reached_end else found.pop(label, 0)
        found[label] = 0 if result.scope.is_selection else max(result.odd_rows, known)
    return {label: count for label, count in found.items() if count}


def without_time(before: Collection[str], results: Sequence[ListResult]) -> list[str]:
    """Return the ids whose news no list tells, in this run or ``before``: their rows have neither time nor mark.

    A list of which more than a few are so is in error, and adds none: its conversations are not all read each night.
    """
    rows = [(r, key, row) for r in results if not r.scope.is_selection for key, row in r.items.items()]
    found = {key for result, key, row in rows if result.error is None and _is_without_time(row)}
    return sorted((found | set(before)) - {key for _, key, row in rows if not _is_without_time(row)})


def _is_without_time(listed: Listed) -> bool:
    return listed.list_us is None and listed.mark is None


def is_settled(tracked: Mapping[str, Tracked], listed: Listed) -> bool:
    """Whether a list row says nothing that is not stored."""
    known = tracked.get(listed.conversation_id)
    return known is not None and known.is_current and known.answers(listed) and not known.is_deleted


def expected(scope: Scope, counts: Mapping[str, int], *, full: bool) -> int | None:
    """Return how many conversations are known to stand in a list; None where no short page is to be believed.

    So it is in a full run, and of a list whose conversations are not counted.
    """
    return None if full else counts.get(scope.name)


def to_fetch(
    tracked: Collection[Tracked], now: str, latest: str, *, full: bool = False, untold: Collection[str] = ()
) -> list[Tracked]:
    """Return what is to be fetched now: not stored as listed, being written when it was, a branch, or ``untold``.

    The newest first, and after all others what earlier runs could not read to its end: it may take all that is granted.
    ``latest``: the latest ISO time until which a run today would put something off. A later one is from a wrong clock.
    ``full``: whatever was put off is tried now. ``untold``: ids whose news no list tells.
    """
    again = {t.conversation_id for t in tracked if t.is_current and t.conversation_id in untold}
    todo = [t for t in tracked if not t.is_current or t.is_generating or t.is_branch_only or t.conversation_id in again]
    todo = [t for t in todo if t.missing_since is None]
    waiting = [] if full else [t for t in todo if t.retry_at is not None and now < t.retry_at <= latest]
    put_off = {t.conversation_id for t in waiting} - again
    due = [t for t in todo if t.conversation_id not in put_off]
    return sorted(due, key=lambda t: (t.tries == 0, t.list_us or 0), reverse=True)


def retry_pause(tries: int) -> float:
    """Return the seconds until a failed conversation is tried again: the next day, then 2, 4, ... at most 7 days.

    An hour less, because cron is not punctual.
    """
    return min(LONGEST_RETRY, 24 * _HOUR * float(1 << min(tries, 10))) - _HOUR


def unstarred(tracked: Collection[Tracked], results: Sequence[ListResult], listed: Mapping[str, Listed]) -> list[str]:
    """Return the ids that lost their star: that shows only by absence from the list of starred ones."""
    starred = next((result for result in results if result.scope.name == "starred" and result.reached_end), None)
    if starred is None or not all(row.is_starred for row in starred.items.values()):
        return []  # a list that is not filtered says nothing
    # The list of starred ones, too, may leave out what only the list of Work shows.
    lost = [t.conversation_id for t in tracked if t.listed.is_starred and not (t.is_work and not t.in_main)]
    return [key for key in lost if key not in starred.items and key not in listed]


def is_import_current(imported_us: int | None, list_us: int | None) -> bool:
    """Whether an imported copy already is what a list shows, by their times (microseconds since 1970).

    An export carries the conversation's own time, which is the list's up to rounding, or a few seconds later, never
    earlier (API notes §2.3).
    """
    if imported_us is None or list_us is None:
        return False
    whole_second = 1_000_000 if imported_us % 1_000_000 == 0 else 0
    return -(_ROUNDING_US + whole_second) <= imported_us - list_us <= _EXPORT_LATER_US


_ROUNDING_US = 1_000  # float times of exports lose the last digits of microseconds
_EXPORT_LATER_US = 10_000_000  # single reads were seen a few seconds later than the list's time, never minutes
