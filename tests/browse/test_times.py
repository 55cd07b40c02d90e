"""Times as a page shows them: the reader's or UTC, and always readable by a machine."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from mirror.browse.times import day_html, fixed_day_html, local_day_html, local_minute_html, minute_html, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

LATE = "2026-03-31T23:30:12.345Z"


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (minute_html, "2026-03-31 23:30 UTC"),
        (day_html, "2026-03-31"),
        (fixed_day_html, "2026-03-31"),
        (local_minute_html, "2026-04-01 01:30 UTC+02:00"),
        (local_day_html, "2026-04-01"),
    ],
)
def test_a_time_is_readable_by_people_and_machines(
    monkeypatch: pytest.MonkeyPatch, shown: Callable[[str | None], Markup], text: str
) -> None:
    """Whoever writes the page is in Berlin, where April has begun."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        html = shown(LATE)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert html.striptags() == text
    assert re.match(r'<time datetime="2026-03-31T23:30:12Z" title="2026-03-31 23:30 UTC"[ >]', html)
    assert ("data-utc" in html) is (shown is fixed_day_html)
    assert [shown(one) for one in (None, "", "<b>soon</b>")] == ["", "", "&lt;b&gt;soon&lt;/b"]
    assert all(year in shown(f"{year}T23:30:00Z") for year in ("0001-01-01", "9999-12-31"))


def test_a_title_names_utc() -> None:
    assert [utc_text(one) for one in (LATE, None, "nonsense with a tail")] == ["2026-03-31 23:30 UTC", "", "nonsense w"]
