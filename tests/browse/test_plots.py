"""Charts that a browser shows without a script and a screen reader can read out."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.browse.plots import HEIGHT, SERIES, WIDTH, Plot, stacked_bars

NAMES = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
MONTHS = st.builds("{:04d}-{:02d}".format, st.integers(2021, 2030), st.integers(1, 12))


def drawn(plot: Plot) -> tuple[ET.Element, list[ET.Element]]:
    root = ET.fromstring(str(plot.svg))
    return root, [one for one in root if one.tag == "rect"]


def number(element: ET.Element, name: str) -> float:
    return float(element.attrib[name])


@given(st.dictionaries(MONTHS, st.dictionaries(NAMES, st.integers(0, 10**9), max_size=9), max_size=20))
def test_every_bar_is_inside_the_picture(counts: dict[str, dict[str, int]]) -> None:
    """Whatever is counted, the chart is well-formed and nothing is outside its frame."""
    plot = stacked_bars("Messages", counts)
    root, bars = drawn(plot)
    assert root.get("role") == "img"
    for bar in bars:
        x, y, width, height = (number(bar, name) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= WIDTH + 1
        assert -0.1 <= y <= y + height <= HEIGHT
    assert sum(number for _, _, number in plot.key) == sum(sum(month.values()) for month in counts.values())
    assert len(plot.key) <= SERIES


def test_bars_say_what_they_count() -> None:
    """Month, series and number, readable aloud; names as given."""
    _, bars = drawn(stacked_bars("x", {"2025-01": {"user": 1_234}}, {"user": "You"}))
    assert [bar[0].text for bar in bars] == ["2025-01: You 1,234"]


def test_months_without_messages_have_their_place() -> None:
    """A month without messages takes its place on the axis."""
    _, bars = drawn(stacked_bars("x", {"2025-01": {"a": 1}, "2025-11": {"a": 1}, "2025-12": {"a": 1}}))
    places = [number(bar, "x") for bar in bars]
    assert round((places[1] - places[0]) / (places[2] - places[1])) == 10


def test_what_is_seldom_is_summed_up() -> None:
    """Where there are more series than colours, the smallest are summed up."""
    plot = stacked_bars("x", {"2025-01": {f"model-{n}": 10 - n for n in range(9)}})
    assert [name for _, name, _ in plot.key] == [*(f"model-{n}" for n in range(5)), "others"]
    assert plot.key[-1][2] == 5 + 4 + 3 + 2


def test_nothing_and_nonsense_are_drawn_empty() -> None:
    """An empty mirror has a chart, too; what is no month has no bar."""
    assert drawn(stacked_bars("x", {}))[1] == []
    assert drawn(stacked_bars("x", {"soon": {"a": 1}, "2025-13": {"a": 1}}))[1] == []


def test_a_long_history_stays_a_picture() -> None:
    """Of twenty years the newest ten have bars, and labels do not overlap."""
    root, bars = drawn(stacked_bars("By <month>", {f"{year}-06": {"a": 1} for year in range(2006, 2026)}))
    assert root.get("aria-label") == "By <month>"
    assert len(bars) == 10
    dates = [number(one, "x") for one in root if one.tag == "text" and not one.get("text-anchor")]
    assert all(after - before > 50 for before, after in pairwise(dates))


def test_series_of_a_month_stand_on_each_other() -> None:
    """The most frequent one at the bottom, none behind another."""
    _, (low, high) = drawn(stacked_bars("x", {"2025-01": {"a": 1, "b": 3}}))
    assert low[0].text == "2025-01: b 3"
    assert number(high, "y") + number(high, "height") == pytest.approx(number(low, "y"), abs=0.11)
