"""The command line: one file a command in ``commands``, and beside it what they share."""

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is something that Ctrl-C would have to put away
    from mirror.cli import entry

    entry.main()
