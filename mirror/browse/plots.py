"""Bar charts as SVG, which a browser shows without a script and a screen reader can read out.

Colours are classes of the style sheet (``s0``, ``s1``, ...), so that they change with light and dark mode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 720, 220  # of the drawing, which the page scales to its column
LEFT, BELOW = 56, 24  # of these, room for the numbers beside the bars and the months below them
_SVG = Markup(
    '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}" preserveAspectRatio="xMidYMid meet">{}{}{}</svg>'
)
_BAR = Markup('<rect class="s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
_LINE = Markup(
    '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
)
_DATE = Markup('<text x="{:.1f}" y="{}">{}</text>')
SERIES = 6  # colours that are easily told apart; further series are summed up as "others"
MOST_MONTHS = 120  # by judgement: bars of more than ten years would be thinner than a few pixels


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart and its key: class of the colour, name, sum."""

    svg: Markup
    key: list[tuple[str, str, int]]


def stacked_bars(title: str, counts: Mapping[str, Mapping[str, int]], names: Mapping[str, str] | None = None) -> Plot:
    """Return stacked bars of month -> series -> number, one for every month from first to last."""
    months = _months(sorted(counts))
    counts = {month: counts[month] for month in months if month in counts}
    series = _series(counts, names or {})
    highest = max((sum(counts.get(month, {}).values()) for month in months), default=0)
    top = _round_up(highest)
    bars = [_bar(n, len(months), month, counts.get(month, {}), series, top) for n, month in enumerate(months)]
    svg = _SVG.format(WIDTH, HEIGHT, title, _grid(top), Markup("").join(bars), _month_labels(months))
    sums = {name: sum(month.get(key, 0) for month in counts.values() for key in keys) for name, keys in series.items()}
    key = [(f"s{n}", name, sums[name]) for n, name in enumerate(series)]
    return Plot(svg, key)


def _series(counts: Mapping[str, Mapping[str, int]], names: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the name of each series and the keys that it sums up, the largest first."""
    sums: dict[str, int] = {}
    for month in counts.values():
        for key, number in month.items():
            sums[key] = sums.get(key, 0) + number
    ranked = sorted(sums, key=lambda key: (-sums[key], key))
    is_many = len(ranked) > SERIES
    series: dict[str, list[str]] = {}
    for n, key in enumerate(ranked):
        name = "others" if is_many and n >= SERIES - 1 else names.get(key, key)
        series.setdefault(name, []).append(key)
    return series


def _bar(
    n: int, of: int, month: str, counts: Mapping[str, int], series: Mapping[str, Sequence[str]], top: int
) -> Markup:
    room = (WIDTH - LEFT) / max(of, 1)
    pieces, base = [], float(HEIGHT - BELOW)
    for index, (name, keys) in enumerate(series.items()):
        number = sum(counts.get(key, 0) for key in keys)
        if number:
            height = number / top * (HEIGHT - BELOW - 8)
            base -= height
            label = f"{month}: {name} {number:,}"
            pieces.append(_BAR.format(index, LEFT + n * room, base, max(room * 0.8, 0.5), height, label))
    return Markup("").join(pieces)


def _grid(top: int) -> Markup:
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - BELOW - share * (HEIGHT - BELOW - 8)
        lines.append(_LINE.format(LEFT, WIDTH, y, y, LEFT - 6, y + 4, f"{int(top * share):,}"))
    return Markup("").join(lines)


def _month_labels(months: Sequence[str]) -> Markup:
    room = (WIDTH - LEFT) / max(len(months), 1)
    step = max(1, -(-len(months) // 8))
    labels = [
        _DATE.format(LEFT + n * room, HEIGHT - 6, month)
        for n, month in enumerate(months)
        if n % step == 0 and LEFT + n * room < WIDTH - LEFT
    ]
    return Markup("").join(labels)


def _months(found: Sequence[str]) -> list[str]:
    """Return every month from first to last, at most ``MOST_MONTHS``; what is no month is skipped."""
    numbers = [int(month[:4]) * 12 + int(month[5:7]) - 1 for month in found if _is_month(month)]
    if not numbers:
        return []
    first = max(min(numbers), max(numbers) - MOST_MONTHS + 1)
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(first, max(numbers) + 1)]


def _is_month(text: str) -> bool:
    return len(text) == 7 and text[:4].isdecimal() and text[5:].isdecimal() and 1 <= int(text[5:]) <= 12  # noqa: PLR2004 - as ISO writes a month


def _round_up(number: int) -> int:
    """Return a round even number that is not smaller; half of it labels the middle line."""
    size = 2
    while size < number:
        size *= 10
    return max(2, next(step for step in (size // 10 * 2, size // 10 * 4, size // 2, size) if step >= number))
