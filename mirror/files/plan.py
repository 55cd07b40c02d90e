"""What follows from an answer for one file: its state, and when it is asked for again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from mirror.source import NoFile

_HOUR = 3600.0
CANVASES, _SANDBOX, _FILES = "canvas", "sandbox", "file"
# The families of files, by the address at which they are asked for, each with the family that proves that the service
# gives it. A file of the sandbox lives for hours, so that a control of its own would be none.
FAMILIES = {CANVASES: CANVASES, _SANDBOX: _FILES, _FILES: _FILES}
# Seconds. A file that is refused is asked for again after a day, then two, four, … at most this long.
LONGEST_FILE_PAUSE = 30 * 24 * _HOUR
# Runs in which a file is still being made, comes damaged or meets a server error, before it counts as not to be had.
# Fewer: a bad run loses files that could come; more: a run is not current because of files that never come.
MOST_FILE_TRIES = 3
_TRANSFER = frozenset({"failed", "limited", "checked"})  # nothing was said of the file itself


class FileVerdict(NamedTuple):
    """What is remembered of a file that did not come. ``pause``: seconds, None: the next run asks for it."""

    state: Literal["pending", "gone", "refused"]
    tries: int
    pause: float | None


def family_of(file_id: str) -> str:
    """Return which of ``FAMILIES`` a file belongs to."""
    named = file_id.partition(":")[0]
    return named if named in FAMILIES else _FILES


def verdict_of(answer: NoFile, tries: int, said: str | None, *, is_proven: bool) -> FileVerdict:
    """Decide about a file that did not come, after ``tries`` earlier runs in which it did not.

    ``said``: the reason that is stored with it, of the last of them; ``is_proven``: the service gave a file of its
    family in this run. A file that is gone is not asked for again, so that one answer makes no file gone: where the
    service says so and is proven to give others, it is asked for once more a day later. What it refuses is asked for in
    growing pauses, and does not keep a run from being current. What may come tomorrow is pending, for some runs.
    """
    tries += 1
    is_said_again = answer.reason == said
    if answer.why in {"gone", "missing"} and is_said_again:
        return FileVerdict("gone", tries, None)
    if answer.why == "refused" or (answer.why == "gone" and is_proven):
        return FileVerdict("refused", tries, file_pause(tries))
    if tries < MOST_FILE_TRIES:
        return FileVerdict("pending", tries, file_pause(tries) if answer.why in _TRANSFER and tries > 1 else None)
    is_gone = answer.why == "broken" and is_said_again and is_proven
    return FileVerdict("gone" if is_gone else "refused", tries, file_pause(tries))


def file_pause(tries: int) -> float:
    """Return the seconds before a file is asked for again: a day, then 2, 4, …; an hour less, for cron's sake."""
    return min(LONGEST_FILE_PAUSE, 24 * _HOUR * float(1 << min(tries - 1, 10))) - _HOUR
