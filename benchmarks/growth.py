"""A curve as SVG, drawn without any library."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 640, 360, 56


def drawn(points: Sequence[tuple[int, float]], across: str, up: str) -> str:
    """Return a drawing of points (x, y) joined by a line; both axes begin at 0."""
    most_x, most_y = max(x for x, _ in points), max(y for _, y in points)
    places = [
        (MARGIN + x / most_x * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - y / most_y * (HEIGHT - 2 * MARGIN))
        for x, y in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    labels = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/><text x="{x:.1f}" y="{y - 10:.1f}">{value:.1f}</text>'
        f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 18}">{count:,}</text>'
        for (x, y), (count, value) in zip(places, points, strict=True)
    ]
    corner = f"{MARGIN} {MARGIN} V{HEIGHT - MARGIN} H{WIDTH - MARGIN}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12" text-anchor="middle">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        f'<path d="M{corner}" fill="none" stroke="#777"/>\n'
        f'<polyline points="{line}" fill="none" stroke="#1f6feb" stroke-width="2"/>\n'
        + "\n".join(labels)
        + f'\n<text x="{WIDTH / 2}" y="{HEIGHT - 12}">{across}</text>\n'
        f'<text x="{MARGIN}" y="{MARGIN - 16}" text-anchor="start">{up}</text>\n</svg>\n'
    )
