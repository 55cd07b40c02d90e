"""A file of the size of the largest that was seen passes through little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from files.file_service import FileService

SIZE = 230_000_000
MOST_MEMORY = 256 * 1024 * 1024  # bytes of the whole process, Python and libraries included
# Runs the command line and prints the most memory that it had, in kilobytes. Not getrusage: that counts the test's own
# process, too, which holds the file.
MEASURED = """
import re, sys
from pathlib import Path
from mirror.cli.group import cli
cli.main(["sync", "-d", sys.argv[1]], standalone_mode=False)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's own memory")
def test_memory_with_a_file_of_230_megabytes(service: FileService) -> None:
    content = os.urandom(1_000_000) * (SIZE // 1_000_000)
    file = service.add(1, content, name="film.bin", mime_type="application/octet-stream", host="storage")
    environ = {**os.environ, **service.mirrored.environ, "CHATMIRROR_WAIT_SCALE": "0"}
    command = [sys.executable, "-c", MEASURED, str(service.mirrored.path)]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=200)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout.split()[-1]) * 1024 <= MOST_MEMORY
    place = service.store.path_of(service.mirrored.value("SELECT sha256 FROM files WHERE id = ?", file.id))
    assert place.stat().st_size == SIZE
