"""Ctrl-C and SIGTERM, which end a command even where what they raise is lost on its way.

Python raises KeyboardInterrupt wherever it happens to be. In a finalizer, or in a callback of a weak reference such as
each import of a module has, it is dropped and the program goes on as if nothing had come; while a module in C is
initialized, it becomes an ImportError. So it is raised again until somebody is handling it, or the command has ended.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import click

from mirror.errors import FUNCTION_FAILED, ChatmirrorError, Terminated

if TYPE_CHECKING:
    from types import TracebackType

# Errors that say what ended the command: sentences of ours and of click, and what click makes of an interruption.
_TOLD = (ChatmirrorError, click.ClickException, click.exceptions.Abort)
# Seconds for which a second signal does not disturb what puts things away after the first. Larger: Ctrl-C does nothing
# for longer where that takes long; smaller: a run's row stays open, and SQLite is asked for what it cannot do then.
PATIENCE = 2.0
AGAIN_AFTER = 0.5  # seconds; larger: Ctrl-C seems to do nothing for longer; smaller: nothing is gained


class Interruptions:
    """Handles the two signals while it is entered as a context. Systems without timers raise once."""

    def __init__(self) -> None:
        self._came: type[KeyboardInterrupt] | None = None
        self._since = 0.0  # when it came, of the clock that only goes on
        self._before: dict[int, Any] = {}  # what handled a signal before, by its number
        self._report_dropped = sys.unraisablehook

    def __enter__(self) -> Self:
        # What began in the background of a shell has Ctrl-C ignored, and stays so.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._stop)
        self._before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._stop)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._again)
        sys.unraisablehook = self._on_dropped
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: TracebackType | None) -> None:
        """Stop raising; any other error than those that say something, after a signal, is the signal's doing.

        From here on nothing has to be put away, so the next signal ends the process as it did before.
        """
        for number, before in self._before.items():
            signal.signal(number, before or signal.SIG_DFL)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = self._report_dropped
        if self._came is not None and isinstance(error, Exception) and not _says_something(error):
            raise self._came from None

    def _stop(self, number: int, _: object) -> None:
        if _comes_of_signal(sys.exc_info()[1]) and time.monotonic() < self._since + PATIENCE:
            return
        self._came = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        self._since = time.monotonic()
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_AFTER, AGAIN_AFTER)
        raise self._came

    def _again(self, *_: object) -> None:
        is_handled = _comes_of_signal(sys.exc_info()[1])  # the command is putting things away
        if self._came is not None and not is_handled:
            raise self._came

    def _on_dropped(self, dropped: Any) -> None:
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            self._report_dropped(dropped)


def _says_something(error: Exception) -> bool:
    # An error of ours that putting things away ended with tells nothing that matters beside the signal, nor one that
    # SQLite made of what was raised in a function that it called.
    if isinstance(error, ChatmirrorError):
        return not _comes_of_signal(error) and str(error.__cause__) != FUNCTION_FAILED
    return isinstance(error, _TOLD)


def _comes_of_signal(error: BaseException | None) -> bool:
    """Whether an error is an interruption, or came while one was handled."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False
