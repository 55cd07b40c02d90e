"""The colours of the pages can be told apart: WCAG 2.2, 1.4.3 and 1.4.11, of every pair that meets on a page."""

from __future__ import annotations

import re

import pytest

from mirror.browse.pages import asset_text

TEXT, EDGE = 4.5, 3.0  # the least contrast of text, and of the edge of what can be typed into
ON_ALL = ("ground", "card", "side", "you", "code")
PAIRS = [(ink, ground, TEXT) for ink in ("ink", "soft", "accent", "warn", "fine") for ground in ON_ALL]
PAIRS += [("warn", "warn-ground", TEXT), ("marked", "mark", TEXT)]
PAIRS += [("soft", ground, EDGE) for ground in ("ground", "card", "side")]
PAIRS += [(f"c{n}", "card", 2.0) for n in range(6)]  # bars of a plot, which touch each other and have a legend


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def schemes() -> dict[str, dict[str, str]]:
    """Return the colours of each place of the style sheet that states them."""
    text = asset_text("pages.css")[0]
    places = {"light": ":root {", "system": ":root:not([data-theme]) {", "chosen": ':root[data-theme="dark"] {'}
    return {name: colours(text.partition(place)[2].partition("}")[0]) for name, place in places.items()}


def brightness(colour: str) -> float:
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((brightness(one), brightness(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "system", "chosen"])
def test_all_that_meets_can_be_told_apart(scheme: str) -> None:
    found = schemes()[scheme]
    faint = {
        (a, b): round(contrast(found[a], found[b]), 2) for a, b, least in PAIRS if contrast(found[a], found[b]) < least
    }
    assert faint == {}


def test_dark_is_the_same_for_whoever_wants_it() -> None:
    """The same colours by the system and by choice, and all of those that light has."""
    found = schemes()
    assert found["system"] == found["chosen"]
    assert found["light"].keys() == found["system"].keys()
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
