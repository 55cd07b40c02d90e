"""What a run decides from what it knows: pure functions over list rows and memory, no I/O."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mirror.errors import IncompleteError, RateLimitError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mirror.source import Listed, Scope, Walk
    from mirror.store.listings import Known

_HOUR = 3600.0
LONGEST_RETRY = 7 * 24 * _HOUR


def union(
    walks: Sequence[Walk], known: Mapping[str, Known], account_id: str, others: Collection[str] = ()
) -> dict[str, Listed]:
    """Return what the lists of an account say together: of each conversation the row with the newest time.

    Of rows with the same time the later one, as far as it goes. What ``others``, workspaces of the same login, show as
    well is theirs as long as nothing of it is new. A mere selection (shared, pinned) can show what is not this
    account's, and a share outlives its conversation: where a known conversation stands in nothing else, such a row says
    nothing.
    """
    whole = {key for walk in walks if not walk.scope.is_partial for key in walk.items}
    found: dict[str, Listed] = {}
    for walk in walks:
        for key, item in walk.items.items():
            k, old = known.get(key), found.get(key)
            if key not in whole and k is not None and (k.account_id != account_id or item.update_us is None):
                continue
            if k is not None and k.account_id in others and _says_the_same(k, item):
                continue
            if old is None or (item.update_us or 0) > (old.update_us or 0):
                found[key] = item
            elif item.update_us == old.update_us:
                found[key] = _later(old, item)
    return found


def _says_the_same(k: Known, item: Listed) -> bool:
    return k.missing_since is None and not k.is_deleted and k.update_us == item.update_us


def _later(old: Listed, new: Listed) -> Listed:
    return replace(
        old,
        title=new.title or old.title,
        is_archived=old.is_archived if new.is_archived is None else new.is_archived,
        is_starred=old.is_starred if new.is_starred is None else new.is_starred,
    )


def stop_line(
    lookup: Callable[[Sequence[str]], Mapping[str, Known]], mark: int | None, scope: Scope, *, full: bool
) -> Callable[[Sequence[Listed]], bool]:
    """Return the test after which a list need not be read further.

    Newest first, everything that changed since the last complete run stands above its watermark: a page whose lower
    half is all known, stored, and below the watermark reaches down to where nothing is new.
    """

    def enough(items: Sequence[Listed]) -> bool:
        if not _is_filtered(scope, items):
            return True  # the service gave the whole list for a part of it: nothing to be learned further down
        if full or scope.to_the_end or mark is None or not items:
            return False
        lower = items[len(items) // 2 :]
        if max(item.update_us or 0 for item in lower) > mark:
            return False
        known = lookup([item.conversation_id for item in lower])
        return all(is_settled(known, item) for item in lower)

    return enough


def _is_filtered(scope: Scope, items: Sequence[Listed]) -> bool:
    if scope.name == "starred":
        return all(item.is_starred for item in items)
    return scope.name != "archived" or all(item.is_archived for item in items)


def is_settled(known: Mapping[str, Known], item: Listed) -> bool:
    """Whether a list row says nothing that is not stored."""
    k = known.get(item.conversation_id)
    return k is not None and k.is_current and k.update_us == item.update_us and not k.is_deleted


def expected(scope: Scope, counts: Mapping[str, int], *, full: bool) -> int | None:
    """Return how many conversations are known to stand in a list; None in a full run, which believes no short page."""
    return None if full else counts.get(scope.name, 0)


def to_read(known: Collection[Known], now: str, latest: str) -> list[Known]:
    """Return what is to be read now, newest first: not stored as listed, being written when it was, or partial.

    ``latest``: the latest time until which a run today would put something off.
    """
    todo = [k for k in known if not k.is_current or k.is_generating or k.is_partial]
    todo = [k for k in todo if k.missing_since is None]
    # (nothing is put off for longer than that: a later time is a clock's that went wrong)
    due = [k for k in todo if k.retry_at is None or k.retry_at <= now or k.retry_at > latest]
    return sorted(due, key=lambda k: k.update_us or 0, reverse=True)


def retry_pause(attempts: int) -> float:
    """Return the seconds until a failed conversation is tried again: the next night, then 2, 4, ... at most 7 days.

    An hour less, because cron is not punctual.
    """
    return min(LONGEST_RETRY, 24 * _HOUR * float(1 << min(attempts, 10))) - _HOUR


def unstarred(known: Collection[Known], walks: Sequence[Walk], listed: Mapping[str, Listed]) -> list[Known]:
    """Return what lost its star: that shows only by absence from the list of starred ones."""
    starred = next((walk for walk in walks if walk.scope.name == "starred" and walk.reached_end), None)
    if starred is None or not all(item.is_starred for item in starred.items.values()):
        return []  # a list that is not filtered says nothing
    return [
        k for k in known if k.is_starred and k.conversation_id not in starred.items and k.conversation_id not in listed
    ]


def incomplete(rows: Sequence[sqlite3.Row]) -> IncompleteError:
    """Say what could not be saved."""
    first = rows[0]
    more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return IncompleteError(
        f"{len(rows):,} conversation{'s' if len(rows) > 1 else ''} could not be saved: “{first['title'] or 'Untitled'}”"
        f" ({first['conversation_id']}: {first['error'] or 'not read yet'}){more}. Everything else is current;"
        " later nights try again."
    )


def with_forecast(error: RateLimitError, left: int, pace: int) -> RateLimitError:
    """Add how much is left and how many nights that is. ``pace``: conversations stored on this run."""
    if not left:
        return error
    nights = math.ceil(left / pace) if pace else None
    forecast = f"About {left:,} left" + (
        f", {nights:,} more night{'s' if nights > 1 else ''} at this pace." if nights else "."
    )
    return RateLimitError(f"{error.message} {forecast}")
