"""The programs that are installed, run as a person runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def run(folder: Path, *command: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr."""
    found = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=folder, capture_output=True, check=False, timeout=60
    )
    return found.returncode, found.stdout.decode(), found.stderr.decode()
