"""What a log may say: where an error came from, never what it says."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from mirror.cli.logs import FramesFormatter

CANARY = "canary-of-a-chat"


def formatted(error: BaseException) -> str:
    record = logging.LogRecord("chatmirror.cli", logging.DEBUG, __file__, 1, "ended", (), (type(error), error, None))
    return FramesFormatter("%(message)s").format(record)


def fail(text: str) -> None:
    """An error with a cause and a hidden context, each with the text in its message and in a variable."""
    names: dict[str, str] = {}
    try:
        try:
            names[text]
        except KeyError as error:
            raise ValueError(text) from error
    except ValueError:
        local = text
        raise RuntimeError(local) from None


def test_an_error_is_its_type_and_frames_and_so_are_its_causes() -> None:
    """Also a cause that ``from None`` hides: nothing but file, line and function is shown of it."""
    with pytest.raises(RuntimeError) as info:
        fail(CANARY)
    said = formatted(info.value)
    assert CANARY not in said
    assert [name for name in ("RuntimeError", "caused by ValueError", "caused by KeyError") if name not in said] == []
    assert "test_logs.py:" in said
    assert "in fail" in said


def test_an_endless_recursion_is_not_printed_whole() -> None:
    def deep(n: int) -> int:
        return deep(n + 1)

    with pytest.raises(RecursionError) as info:
        deep(0)
    assert formatted(info.value).count("\n") < 100


def test_no_path_leads_to_a_persons_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named from their package on."""
    package = tmp_path / "home" / "ada" / "lib" / "some_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "inner.py").write_text("def fail():\n    raise ValueError\n")
    monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
    from some_package.inner import fail as broken  # type: ignore[import-not-found] # noqa: PLC0415 - made above

    with pytest.raises(ValueError) as info:  # noqa: PT011 - its text is not what this is about
        broken()
    said = formatted(info.value)
    assert f"{Path('some_package') / 'inner.py'}:2 in fail" in said
    assert "ada" not in said


def test_a_log_line_cannot_act_on_a_terminal() -> None:
    record = logging.LogRecord("chatmirror.web", logging.INFO, __file__, 1, "GET /\x1b[2J 200", (), None)
    assert "\x1b" not in FramesFormatter("%(message)s").format(record)
