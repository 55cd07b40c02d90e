from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from files.file_service import FileService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[FileService]:
    found = FileService(tmp_path)
    with found.mirrored:
        yield found
