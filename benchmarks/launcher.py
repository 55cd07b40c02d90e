"""Run a command and write what it cost: ``python -I -S launcher.py FIGURES COMMAND …``.

A process begins with the memory of the one that starts it, as far as the system's peak is concerned. This one is
small, where one that has just made an export is not. FIGURES becomes a JSON list: exit code, seconds of processor time,
seconds of wall-clock time, bytes of memory at most, bytes written.
"""

from __future__ import annotations

import json
import os
import sys
import time


def bytes_written(process: int) -> int:
    """Return what an ended process handed to the system to write; 0 where the system does not say."""
    try:
        with open(f"/proc/{process}/io", encoding="ascii") as file:  # noqa: PTH123 - pathlib would be memory
            return next(int(line.split()[1]) for line in file if line.startswith("wchar:"))
    except (OSError, StopIteration):
        return 0


def main(figures: str, *command: str) -> None:
    """Run the command."""
    begin = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # not yet gone, so that its counters can still be read
    wall, written = time.monotonic() - begin, bytes_written(child)
    _, status, usage = os.wait4(child, 0)
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    found = [os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, wall, memory, written]
    with open(figures, "w", encoding="ascii") as file:  # noqa: PTH123 - same
        json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
