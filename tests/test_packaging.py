"""What an installation holds: tests run beside the source, where nothing can be missing."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_folder_of_the_package_is_installed() -> None:
    """Each is named in pyproject.toml; the migrations, which lie beside the package, as its part."""
    files = [path for path in (ROOT / "mirror").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in files} | {"mirror.migrations"}
    named = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    assert sorted(folders) == named
