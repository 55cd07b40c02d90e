"""What reaches a terminal: text in any script, and nothing that acts."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.terminal import echo, is_interactive, local_day, local_time, safe, to_json

UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters(), max_size=60))
def test_nothing_that_acts_comes_through(text: str) -> None:
    """A printed line has no control or format character and no lone surrogate, only joiners."""
    shown = safe(text)
    assert {c for c in shown if unicodedata.category(c) in UNSAFE} <= set("\u200c\u200d")
    assert safe(shown) == shown
    assert set(safe(text, newlines=True)) & {chr(n) for n in [*range(9), *range(11, 32), 127]} == set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\x9b2Jb\x7f", "a\\x9b2Jb\\x7f"),
        ("abc\u202etxt.exe\u2066", "abc\\u202etxt.exe\\u2066"),
        ("\ud800", "\\ud800"),
        ("two\nlines\tand\rmore", "two\\nlines\\tand\\rmore"),
        ("a\u200db", "a\\u200db"),
        ("\u200d\u200d👩", "\\u200d\\u200d👩"),
        ("👩\u200d\u200d👩", "👩\\u200d\\u200d👩"),
        ("x\U000e0041\U000e0042", "x\\U000e0041\\U000e0042"),
    ],
)
def test_what_acts_is_shown_as_what_it_is(text: str, shown: str) -> None:
    """Escape sequences, bidirectional tricks and hidden characters are visible."""
    assert safe(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "naïve café, 東京, Ελληνικά, שלום, مرحبا",
        "👩\u200d🚀 👩🏽\u200d🤝\u200d👨🏻 ❤\ufe0f\u200d🔥",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: I want
        "क्\u200dष",
        "a\u00a0b\u3000c",
    ],
)
def test_writing_and_emoji_stay_whole(text: str) -> None:
    """Joiners in emoji and in the scripts that spell with them are kept."""
    assert safe(text) == text


def test_lines_stay_lines_where_asked() -> None:
    """Several lines are printed as such, Windows' ends of lines too, a lone return never."""
    assert safe("a\r\nb\n\tc\rd", newlines=True) == "a\nb\n\tc\\rd"


@given(st.recursive(st.text(st.characters(exclude_categories=["Cs"])), st.lists, max_leaves=5))
def test_json_is_the_same_json_and_safe(value: object) -> None:
    """A program reads what was stored; a terminal is not moved."""
    for indent in (None, 2):
        text = to_json(value, indent=indent)
        assert json.loads(text) == value
        assert safe(text, newlines=True) == text


def test_an_ascii_terminal_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an ASCII locale printing does not fail."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    echo("café\x1b")
    stream.flush()
    assert stream.buffer.getvalue() == b"caf\\xe9\\x1b\n"


@pytest.mark.parametrize("closing", ["sys.stdout.close()", "sys.stdout = None"])
def test_a_closed_stream_is_no_error(closing: str) -> None:
    """Where nobody listens nothing is printed, and nothing fails."""
    code = f"import sys; from mirror.terminal import echo, is_interactive; {closing}; echo('x'); "
    code += "sys.exit(is_interactive(sys.stdout))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_only_a_terminal_is_interactive() -> None:
    """A pipe or a file has no person at its end; a terminal has."""
    assert not is_interactive(io.StringIO())
    assert not is_interactive(None)
    leader, follower = os.openpty()
    with os.fdopen(leader), os.fdopen(follower) as stream:
        assert is_interactive(stream)


def test_days_are_the_persons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late at night in New York it is still yesterday."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert local_day("2025-03-02T03:30:00.000Z") == "2025-03-01"
        assert local_time("2025-03-02T03:30:00.123456Z") == "2025-03-01 22:30"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert local_day(None) == ""
    assert local_day("not a time at all") == "not a time"
