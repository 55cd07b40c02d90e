"""What looks for secrets finds them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import canaries
import pytest
from commands import BIN, run, run_here, started
from mirrored_service import MirroredService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_a_secret_is_found_wherever_it_is_left(tmp_path: Path) -> None:
    """In a file of any kind, inside a longer text, in what was printed; the login's own file is not counted."""
    with MirroredService(tmp_path, conversations=2) as mirrored:
        assert mirrored.sync().error is None
        assert canaries.leaks(tmp_path, []) == []
        cookie, token = mirrored.service.session_cookie, list(mirrored.service.sessions.bearers)[-1]
        (tmp_path / "deep").mkdir()
        left = tmp_path / "deep" / "left"
        left.write_text(f"x{cookie}x")
        assert canaries.leaks(tmp_path, [("stdout", f"Bearer {token}"), ("stderr", "")]) == ["stdout", "deep/left"]
        left.unlink()
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "login.json").write_text(cookie)
        assert canaries.leaks(tmp_path, []) == []


def test_what_a_program_says_and_is_told_is_looked_through(tmp_path: Path) -> None:
    """In a process of its own, in this one, and in the background."""
    with MirroredService(tmp_path, conversations=1) as mirrored:
        secret = mirrored.service.session_cookie
        run(tmp_path, "chatmirror", "search", secret)
        run_here(tmp_path, "search", secret)
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "said").write_text(secret)
        run(tmp_path, "python", "-c", "print(open('config/said').read())")
        with started(str(BIN / "chatmirror"), "status", secret, cwd=tmp_path, env={}, stdout=subprocess.DEVNULL):
            pass
        found = canaries.leaks(tmp_path, canaries.SAID)
        assert sum("arguments" in name for name in found) == 3
        assert "the output of python" in found
    canaries.SAID.clear()


@pytest.fixture(scope="module")
def of_the_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MirroredService]:
    """A service that several tests use, in a folder of its own."""
    with MirroredService(tmp_path_factory.mktemp("module"), conversations=2) as mirrored:
        assert mirrored.sync().error is None
        yield mirrored


@pytest.mark.parametrize("turn", [1, 2])
def test_a_secret_of_a_fixtures_service_is_found_in_each_test(
    of_the_module: MirroredService, tmp_path: Path, turn: int
) -> None:
    """In its own folder, in the test's folder, and still in the second test that uses it."""
    secret = of_the_module.service.session_cookie
    for folder in (of_the_module.path.parent, tmp_path):
        assert canaries.all_leaks(tmp_path) == []
        left = folder / f"left-{turn}"
        left.write_text(secret)
        assert canaries.all_leaks(tmp_path) == [left.name]
        left.unlink()
    canaries.forget_ended()  # as the end of a test does
    assert of_the_module.service in [watched.service for watched in canaries.WATCHED]
