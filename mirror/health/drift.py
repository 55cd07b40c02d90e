"""What changed in the form of a service's answers: compared with those of earlier runs, reported once, by evidence.

Optional keys come and go, so that a key is called new only where so many answers lacked it before that chance does not
explain it now, and vanished only where nearly all answers had it and several in a row do not. A first run is no change.
Failures that pass (401, 408, 429, 5xx) are none either, nor is a 403, 404 or 410 of an address with an id. Browser
checks and pages of errors never get here: the client counts only what the service itself answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mirror.skeleton import ID, MOST_PARTS, WILDCARD, Part
from mirror.store.skeletons import Drift, KnownPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mirror.skeleton import Skeleton

# What n answers lacked stands in fewer than SURPRISE/n of all, with a probability of 99 % (the "rule of three" has
# 95 %). Smaller: optional keys are called new; larger: a new key that is rare is reported late or never.
SURPRISE = 5
# Share of the answers that held a key which can vanish. Smaller: optional keys vanish; 1: one odd answer hides it.
USUAL = 0.95
ENOUGH = 3  # answers that were looked at before. Fewer: chance; more: a young mirror says nothing.
SEVERAL = 3  # answers in a row that lack a key. Fewer: one odd answer; more: it is reported later.
MOST_REPORTED = 20  # changes that one run reports. Fewer: some are left out; more: lines that nobody reads.
_PASSING, _OF_ONE_ID = {"401", "408", "429"}, {"403", "404", "410"}

Known = dict[tuple[str, str, str], KnownPart]


class _Sight(NamedTuple):
    """A status, content type or key in one run. ``now``, ``before``: how often it could be seen in it, and earlier."""

    endpoint: str
    kind: str
    name: str
    part: Part
    now: int
    before: int
    is_told: bool
    is_at_top: bool  # where there is no chance in it: once seen, always seen


def compare(
    known: Known, seen: Mapping[str, Skeleton], known_keys: frozenset[str] = frozenset()
) -> tuple[list[KnownPart], list[Drift]]:
    """Return the rows that a run writes, and what it reports, at most ``MOST_REPORTED``.

    ``known_keys``: keys of the API that the program knows, wherever they stand.
    """
    parts: list[KnownPart] = []
    found: list[Drift] = []
    met = known_keys | {part.name.rpartition(".")[2] for part in known.values()}
    for endpoint, skeleton in sorted(seen.items()):
        old = {key: part for key, part in known.items() if key[0] == endpoint}
        names = {name for _, kind, name in old if kind == "key"}
        room = MOST_PARTS - len(old)
        for sight in _sights(endpoint, old, skeleton, skeleton.kept_parts(known_keys, names)):
            part = old.get((endpoint, sight.kind, sight.name))
            room -= part is None
            if part is not None or room >= 0:
                found += _told(sight, part, met)
                parts.append(_counted(sight, part))
    return parts, found[:MOST_REPORTED]


def _sights(endpoint: str, known: Known, skeleton: Skeleton, parts: Mapping[str, Part]) -> Iterator[_Sight]:
    statuses = {name: Part(units=count) for name, count in skeleton.statuses.items()}
    yield from _simple_sights(endpoint, "status", known, statuses)
    content_types = {name: Part(units=count) for name, count in skeleton.content_types.items()}
    yield from _simple_sights(endpoint, "content type", known, content_types)
    yield from _keys(endpoint, known, parts)


def _simple_sights(endpoint: str, kind: str, known: Known, seen: Mapping[str, Part]) -> Iterator[_Sight]:
    before = {name: part.units for (_, of_kind, name), part in known.items() if of_kind == kind}
    told = {name for name in {*seen, *before} if kind != "status" or _is_telling(endpoint, name)}
    now = sum(part.units for name, part in seen.items() if name in told)
    earlier = sum(units for name, units in before.items() if name in told)
    for name in sorted({*seen, *before}):
        yield _Sight(endpoint, kind, name, seen.get(name, Part()), now, earlier, name in told, is_at_top=True)


def _is_telling(endpoint: str, status: str) -> bool:
    return not (status in _PASSING or status >= "500" or (ID in endpoint and status in _OF_ONE_ID))


def _keys(endpoint: str, known: Known, seen: Mapping[str, Part]) -> Iterator[_Sight]:
    before = {name: part for (_, kind, name), part in known.items() if kind == "key"}
    nothing = Part()
    for name in sorted({*seen, *before}):
        parent, _, last = name.rpartition(".")
        if name.endswith("[]"):
            parent, last = name[:-2], ""
        now = seen.get(parent, nothing).object_units
        earlier = before[parent].object_units if parent in before else 0
        is_at_top = not parent and ID not in endpoint
        is_told = bool(last) and last != WILDCARD
        yield _Sight(endpoint, "key", name, seen.get(name, nothing), now, earlier, is_told, is_at_top)


def _counted(sight: _Sight, known: KnownPart | None) -> KnownPart:
    old = known or KnownPart(sight.endpoint, sight.kind, sight.name)
    types = sorted({*(old.types or "").split(", "), *sight.part.types} - {""})
    return old._replace(
        types=", ".join(types) or None,
        units=old.units + sight.part.units,
        object_units=old.object_units + sight.part.object_units,
        possible=old.possible + sight.now,
        missed=0 if sight.part.units else old.missed + sight.now,
    )


def _told(sight: _Sight, known: KnownPart | None, met: frozenset[str]) -> list[Drift]:
    what = None
    if not sight.is_told:
        return []
    if known is None:
        what = f"new {sight.kind} {sight.name}" if _is_new(sight, met) else None
    elif not sight.part.units:
        what = f"{sight.kind} {sight.name} does not come any more" if _has_vanished(sight, known) else None
    elif _has_other_type(sight.part, known):
        now = ", ".join(sorted(sight.part.types - {"null"}))
        what = f"{sight.kind} {sight.name} is {now} instead of {known.types}"
    return [] if what is None else [Drift(sight.endpoint, what)]


def _is_new(sight: _Sight, met: frozenset[str]) -> bool:
    """Whether it was so often not there that it is no chance now.

    A key that was met elsewhere, as of a rare kind of message, is news only where every answer has it from now on.
    """
    if not sight.before:
        return False
    is_everywhere = sight.part.units == sight.now
    if sight.kind == "key" and sight.name.rpartition(".")[2] in met and not (is_everywhere and _is_fixed(sight.name)):
        return False
    return (sight.is_at_top and is_everywhere) or sight.part.units * sight.before >= SURPRISE * sight.now


def _is_fixed(name: str) -> bool:
    """Whether a place stands outside of maps, such as the messages of a conversation, which are of many kinds."""
    return WILDCARD not in name


def _has_vanished(sight: _Sight, known: KnownPart) -> bool:
    """Whether so many answers lack it since this run that it is no chance any more."""
    held = known.possible - known.missed
    is_usual = held >= ENOUGH and known.units >= USUAL * held
    return is_usual and known.missed < SEVERAL <= known.missed + sight.now


def _has_other_type(part: Part, known: KnownPart) -> bool:
    """Whether every value is of a type that was never seen there."""
    types, before = part.types - {"null"}, {*(known.types or "").split(", ")} - {"null", ""}
    return bool(types and before and known.units >= ENOUGH and not types & before)
