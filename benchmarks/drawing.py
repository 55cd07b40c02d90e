"""Curves as one SVG, drawn without any library."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 320, 300, 50  # of one curve
COLUMNS = 3


class Curve(NamedTuple):
    """Points (x, y) under a title; both axes are logarithmic, so that what is proportional rises by one for one."""

    title: str
    points: Sequence[tuple[int, float]]


def short(value: float) -> str:
    """Return a number with three digits that count, or without a fraction."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def drawn(curves: Sequence[Curve]) -> str:
    """Return a drawing of curves side by side, in each a dashed line that shows what proportional growth is."""
    rows = math.ceil(len(curves) / COLUMNS)
    panels = [
        f'<g transform="translate({n % COLUMNS * WIDTH},{n // COLUMNS * HEIGHT})">\n{_panel(curve)}\n</g>'
        for n, curve in enumerate(curves)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {rows * HEIGHT}"'
        ' font-family="sans-serif" font-size="12" text-anchor="middle">\n'
        f'<rect width="{COLUMNS * WIDTH}" height="{rows * HEIGHT}" fill="#fff"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _panel(curve: Curve) -> str:
    places = _places(curve.points)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    (x, y), (last, _) = places[0], places[-1]
    labels = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{x:.1f}" y="{y - 10:.1f}">{short(value)}</text>'
        f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 18}">{count:,}</text>'
        for (x, y), (count, value) in zip(places, curve.points, strict=True)
    ]
    return (
        f'<path d="M{MARGIN} {MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}" fill="none" stroke="#777"/>\n'
        f'<path d="M{x:.1f} {y:.1f} L{last:.1f} {y - (last - x):.1f}" stroke="#999" stroke-dasharray="4 4"/>\n'
        f'<polyline points="{line}" fill="none" stroke="#1f6feb" stroke-width="2"/>\n'
        + "\n".join(labels)
        + f'\n<text x="{MARGIN}" y="{MARGIN - 24}" text-anchor="start" font-weight="bold">{curve.title}</text>'
    )


def _places(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    across, up = [math.log10(x) for x, _ in points], [math.log10(y) for _, y in points]
    side = min(WIDTH, HEIGHT) - 2 * MARGIN - 20  # both axes have one scale, so the proportional line is a diagonal
    scale = side / max(max(across) - min(across), max(up) - min(up), 0.1)
    return [
        (MARGIN + 20 + (x - min(across)) * scale, HEIGHT - MARGIN - 10 - (y - min(up)) * scale)
        for x, y in zip(across, up, strict=True)
    ]
