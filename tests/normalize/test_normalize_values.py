"""Times and texts as the service and its exports write them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.values import clean_text, epoch_us, iso_time, plain

MOMENT = "2025-07-10T14:53:58.103234Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1752159238.103234, MOMENT),
        ("1752159238.103234", MOMENT),
        (1752159238103.234, MOMENT),
        (1752159238103234, MOMENT),
        ("2025-07-10T14:53:58.103234Z", MOMENT),
        ("2025-07-10T14:53:58.103234+00:00", MOMENT),
        ("2025-07-10T16:53:58.103234+02:00", MOMENT),
        ("2025-07-10T14:53:58.103234", MOMENT),
        ("2025-07-10 14:53:58.103234", MOMENT),
        (" 2025-07-10T14:53:58.103234Z ", MOMENT),
        ("2025-07-10T14:53:58.1032349999Z", MOMENT),
        (1752159238, "2025-07-10T14:53:58.000Z"),
        (1752159238.5, "2025-07-10T14:53:58.500Z"),
        (1752159238103, "2025-07-10T14:53:58.103Z"),
        ("1752159238", "2025-07-10T14:53:58.000Z"),
        ("1.752159238e9", "2025-07-10T14:53:58.000Z"),
        ("2025-07-10", "2025-07-10T00:00:00.000Z"),
        (1700000000.0000004, "2023-11-14T22:13:20.000Z"),
        (631152000, "1990-01-01T00:00:00.000Z"),
        *((nonsense, None) for nonsense in (True, False, None, "", "soon", "-1", 0, -1, -1e300, 1e18, 2**70, -(2**70))),
        *((nonsense, None) for nonsense in (float("nan"), float("inf"), float("-inf"), "nan", "inf", "1e99", "9" * 30)),
        ([], None),
        ({}, None),
        ([1752159238], None),
        ("2025-13-40T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        *((nonsense, None) for nonsense in (7258118400, "2200-01-01", "1989-12-31", "\ud800", "9" * 10_000, 10**400)),
    ],
)
def test_times_of_every_spelling_become_one(value: Any, expected: str | None) -> None:
    """A message shows the same moment whichever answer or export it came from; nonsense shows no time."""
    assert iso_time(value) == expected
    assert (epoch_us(value) is None) is (expected is None)


@settings(max_examples=300)
@given(st.integers(min_value=631_152_000_000_000, max_value=7_258_118_399_999_999))
def test_a_written_time_reads_back_as_itself(us: int) -> None:
    """Comparing a stored time with a fresh one never sees a change where there is none."""
    assert epoch_us(us) == us
    assert epoch_us(iso_time(us)) == us
    assert epoch_us(us / 1e6) == us


@pytest.mark.parametrize(
    ("value", "expected", "is_changed"),
    [
        ("plain", "plain", False),
        ("a\0b", "a\u2400b", True),
        ("\ud83d\ude00", "\U0001f600", True),
        ("x\ud83dy", "x\ufffdy", True),
        ("\ude00\ud83d", "\ufffd\ufffd", True),
        ("\U0001f600 é \ufffe", "\U0001f600 é \ufffe", False),
    ],
)
def test_text_that_sqlite_cannot_hold_is_repaired_and_marked(value: str, expected: str, is_changed: bool) -> None:
    """A broken emoji or a NUL in a message is readable afterwards, and the row is marked as changed."""
    assert clean_text(value) == (expected, is_changed)


@settings(max_examples=300)
@given(st.text(st.characters(categories=None)))
def test_any_text_can_be_stored_whole(value: str) -> None:
    """Whatever a chat holds, SQLite keeps all of it and gives it back."""
    text, is_changed = clean_text(value)
    with closing(sqlite3.connect(":memory:")) as conn:
        stored, length = conn.execute("select ?1, length(?1)", (text,)).fetchone()
    assert (stored, length) == (text, len(text))
    assert is_changed is (text != value)


@pytest.mark.parametrize("value", [None, 3, [], "", " \n", "\ue200\ue201", "\U000f0000", "\udbff\udfff"])
def test_names_without_a_readable_character_are_none(value: Any) -> None:
    """A title of nothing but marks does not show up as an empty line."""
    assert plain(value) is None


def test_values_are_plain_json() -> None:
    """A time that the list gives is text, so it can be stored, compared and printed as it is."""
    assert json.dumps(iso_time(1752159238.103234)) == f'"{MOMENT}"'
