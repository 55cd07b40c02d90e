"""What looks for secrets finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import canaries
from mirrored_service import MirroredService

if TYPE_CHECKING:
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
