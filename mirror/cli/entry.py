"""The process: how it starts, and how each ending becomes an exit code and a line on stderr."""

from __future__ import annotations

import errno
import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from mirror.cli import streams
from mirror.cli.interruptions import Interruptions
from mirror.errors import BUG, INTERRUPTED, TERMINATED, ChatmirrorError, StorageError, Terminated, bug_message

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EIO}  # of what is printed to; the database has errors of its own


def main() -> None:
    """Run the command line."""
    os.umask(0o077)
    streams.prepare()
    code = exit_code_of(_run_cli, debug=os.environ.get("CHATMIRROR_DEBUG", "") not in {"", "0"})
    # Python looks for cycles when it ends, among all that was loaded: a tenth of what a sync without changes takes.
    gc.freeze()
    sys.exit(code)


def _run_cli() -> None:
    with Interruptions():
        from mirror.cli.group import cli  # takes a moment, in which a signal may come as well

        cli.main(prog_name="chatmirror", standalone_mode=False)
        sys.stdout.flush()


def exit_code_of(run: Callable[[], None], *, debug: bool) -> int:
    """Run, print what ended it early, and return the exit code; ``debug``: also log where it ended."""
    if debug:
        from mirror.cli import logs

        logs.show_errors()
    try:
        run()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence: no personal data
        if debug:
            logs.log_ending(error)
        return _ended_by(error)
    except SystemExit as ending:
        # click ends so, with another stream for what is left, when the reader of its output went away (`| head`); and
        # with a code of its own after it has printed what a shell completes.
        return 0 if type(sys.stdout).__name__.endswith("PacifyFlushWrapper") or ending.code == 0 else BUG
    return 0


def _ended_by(error: BaseException) -> int:
    match error:
        case ChatmirrorError():
            _print_line(error.message)
            return error.exit_code
        case click.exceptions.NoArgsIsHelpError():  # nothing was asked for: the help is printed
            error.show()
            return error.exit_code
        case click.ClickException():
            _print_line(_one_line(error))
            return error.exit_code
        case KeyboardInterrupt() | click.exceptions.Abort():
            stop = error.__cause__ or error  # click turns an interruption into its own Abort
            is_told = isinstance(stop, KeyboardInterrupt) and stop.args
            _print_line(str(stop) if is_told else "stopped; what is saved stays. Run again to continue.")
            return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
        case BrokenPipeError():
            _discard_output()  # the reader went away (`| head`): nothing is wrong
            return 0
        case OSError() if error.errno in _NO_ROOM:
            _discard_output()
            _print_line(f"Cannot write ({error.strerror}); what is saved is safe. Free space, run again.")
            return StorageError.exit_code
    _print_line(bug_message(error))
    return BUG


def _one_line(error: click.ClickException) -> str:
    """Return what click says of a mistyped command; it would print three lines."""
    said, context = error.format_message(), error.ctx if isinstance(error, click.UsageError) else None
    end = "" if said.endswith((".", "?")) else "."
    return f"{said}{end} See `{context.command_path if context else 'chatmirror'} --help`."


def _discard_output() -> None:
    # Python writes what is left in its buffer at exit, and would complain of it.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_line(message: str) -> None:
    from mirror.terminal import safe

    with suppress(OSError):
        click.echo(f"chatmirror: {safe(message)}", err=True)
