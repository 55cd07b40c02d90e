"""What a service's answers are made of: their keys and the types of the values, never a value.

The skeletons of one run are compared with those of earlier ones, so that a change of an undocumented API is told before
it hurts, and they can be put into a public bug report. So nothing private may get into them:

* Of a path, only the program's own words are kept; every other part of it is written ``{id}``.
* Of a key, the words that the program knows are kept. Another key is kept only where it looks like a name in a program,
  stands in an object of which most keys are known, and was met more than once in the run or at the top of an answer.
  All other keys (ids, names, addresses) become one ``*``, or are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    Places = list[tuple[Any, str]]  # a key of an object, and the place of what stands there

# Answers of one endpoint in one run of which a skeleton is taken; of the others, status and content type. Fewer: rare
# keys are found late; more: a first sync takes seconds longer.
TAKEN_A_RUN = 20
# Elements of one list, or of one object whose keys are ids, evenly spread. Fewer: rare
# keys are found late; more: an answer with long lists takes longer.
MOST_ELEMENTS = 100
MOST_VALUES = 20_000  # of one answer: about 20 ms. Larger: an answer of megabytes holds up the run.
MOST_PARTS = 1000  # of one endpoint. Smaller: keys of long-lived APIs are left out; larger: the database grows.
DEEPEST = 14  # levels; references inside a message stand on the eleventh. Smaller: they are left out.
# Answers of a run, or elements of their lists, in which an unknown key must stand to be kept. 1: what somebody named
# once may be kept; more: a new key is told late.
COMMON = 2
LONGEST_KEY = 40  # characters; the longest known key has 36. Longer: what is no key passes for one.
WILDCARD, ID = "*", "{id}"
_PROGRAM_NAME = re.compile(r"[a-z]+[0-9]{0,2}(?:_[a-z]+[0-9]{0,2}|[A-Z][a-z]+[0-9]{0,2})*")
_CONTENT_TYPE = re.compile(r"[a-z]{1,20}/[a-z.+-]{1,40}")
# Values as the parser of JSON makes them, so that their exact class decides.
_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}


class ApiWords(NamedTuple):
    """Words of a service's API, which hold nothing private.

    ``path_words``: parts of paths. ``known_keys``: keys of objects. ``id_maps``: those whose objects have ids for keys.
    """

    path_words: frozenset[str] = frozenset()
    known_keys: frozenset[str] = frozenset()
    id_maps: frozenset[str] = frozenset()


@dataclass(slots=True)
class Part:
    """One place in the answers of an endpoint.

    ``units``: in how many answers it stood; each element of a list at the top of an answer counts as one.
    ``object_units``: in how many of them it held an object, so that keys could stand in it.
    """

    types: set[str] = field(default_factory=set)
    units: int = 0
    object_units: int = 0


@dataclass(slots=True)
class Skeleton:
    """What came from one endpoint in one run. ``parts``: path of a place -> what stood there; "": the whole answer."""

    statuses: Counter[str] = field(default_factory=Counter)
    content_types: Counter[str] = field(default_factory=Counter)
    parts: dict[str, Part] = field(default_factory=dict)
    taken: int = 0

    def kept_parts(self, known_keys: frozenset[str], known_paths: Collection[str] = ()) -> dict[str, Part]:
        """Return the places without those at and below an unknown key that was met too seldom to be one of the API's.

        ``known_paths``: places that were kept before.
        """
        seldom = {
            path
            for path, part in self.parts.items()
            if part.units < COMMON
            and "." in path
            and path not in known_paths
            and _last_key(path) not in known_keys | {WILDCARD, ""}
        }
        return {path: part for path, part in self.parts.items() if not seldom.intersection(_way_to(path))}


class Skeletons:
    """The skeletons of one run, by endpoint (``GET /backend-api/conversation/{id}``)."""

    def __init__(self, words: ApiWords) -> None:
        self.words = words
        self.by_endpoint: dict[str, Skeleton] = {}
        self._places: dict[tuple[Any, ...], Places] = {}

    def note(self, method: str, path: str, status: int, content_type: str) -> None:
        """Count an answer, whatever it holds."""
        skeleton = self.by_endpoint.setdefault(f"{method} {self._template(path)}", Skeleton())
        skeleton.statuses[str(status)] += 1
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's success
            skeleton.content_types[_plain_content_type(content_type)] += 1

    def take(self, method: str, path: str, data: Any) -> None:
        """Take the skeleton of a parsed answer, if not enough of this endpoint were taken; never raises."""
        skeleton = self.by_endpoint.setdefault(f"{method} {self._template(path)}", Skeleton())
        if skeleton.taken < TAKEN_A_RUN:
            skeleton.taken += 1
            _Taking(skeleton, self.words, self._places).take(data)

    def _template(self, path: str) -> str:
        return "/".join(part if part in self.words.path_words or not part else ID for part in path.split("/"))


class _Taking:
    """Goes through one answer. ``places``: those below an object, by its own place and its keys."""

    def __init__(self, skeleton: Skeleton, words: ApiWords, places: dict[tuple[Any, ...], Places]) -> None:
        self._parts, self._words, self._places = skeleton.parts, words, places
        self._values = 0
        self._paths: set[str] = set()  # of the present unit
        self._objects: set[str] = set()

    def take(self, data: Any) -> None:
        self._visit("", data, 0)
        self._end_unit()

    def _end_unit(self) -> None:
        for path in self._paths:
            self._parts[path].units += 1
        for path in self._objects:
            self._parts[path].object_units += 1
        self._paths, self._objects = set(), set()

    def _visit(self, path: str, value: Any, depth: int) -> None:
        part = self._parts.get(path)
        if part is None:
            if len(self._parts) >= MOST_PARTS:
                return
            part = self._parts[path] = Part()
        self._values += 1
        self._paths.add(path)
        part.types.add(_TYPES.get(type(value), "null"))
        if depth >= DEEPEST or self._values >= MOST_VALUES:
            return  # an object that is not looked into is not counted as one: it lacks nothing
        if isinstance(value, dict):
            self._objects.add(path)
            is_map = path.rpartition(".")[2] in self._words.id_maps
            for key, below in self._ids(path, value) if is_map else self._named(path, value):
                self._visit(below, value[key], depth + 1)
        elif isinstance(value, list):
            self._visit_elements(f"{path}[]", value, depth + 1)

    def _visit_elements(self, path: str, values: Sequence[Any], depth: int) -> None:
        is_at_top = depth <= 2  # noqa: PLR2004 - a list that is the answer, or stands under one of its keys
        outer = self._paths, self._objects
        for value in _spread(values):
            if is_at_top:
                self._paths, self._objects = set(), set()
            self._visit(path, value, depth)
            if is_at_top:
                self._end_unit()
        if is_at_top:
            self._paths, self._objects = outer

    def _ids(self, path: str, record: dict[Any, Any]) -> Places:
        below = _below(path, WILDCARD)
        return [(key, below) for key in _spread(list(record))]

    def _named(self, path: str, record: dict[Any, Any]) -> Places:
        """Return the keys of an object and the places below it, under names that may be kept."""
        asked = (path, *record)
        found = self._places.get(asked)  # most objects at one place have the same keys
        if found is None:
            found = self._named_anew(path, record)
            if len(self._places) < MOST_PARTS:
                self._places[asked] = found
        return found

    def _named_anew(self, path: str, record: dict[Any, Any]) -> Places:
        known: list[Any] = []
        others: list[Any] = []
        for key in record:
            (known if key in self._words.known_keys else others).append(key)
        is_record = len(known) > len(others)
        named = [(key, key if is_record and _is_program_name(key) else WILDCARD) for key in _spread(others)]
        return [(key, _below(path, name)) for key, name in [*((key, key) for key in known), *named]]


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _last_key(path: str) -> str:
    return path.rpartition(".")[2].partition("[]")[0]


def _way_to(path: str) -> Iterator[str]:
    """Yield a path and the places that it leads through."""
    while path:
        yield path
        path = path[:-2] if path.endswith("[]") else path.rpartition(".")[0]


def _spread(values: Sequence[Any]) -> Iterable[Any]:
    """Return at most ``MOST_ELEMENTS`` of the values, from all over them."""
    if len(values) <= MOST_ELEMENTS:
        return values
    return [values[n * len(values) // MOST_ELEMENTS] for n in range(MOST_ELEMENTS)]


def _is_program_name(key: Any) -> bool:
    return isinstance(key, str) and len(key) <= LONGEST_KEY and _PROGRAM_NAME.fullmatch(key) is not None


def _plain_content_type(text: str) -> str:
    kind = text.partition(";")[0].strip().lower()
    return kind if _CONTENT_TYPE.fullmatch(kind) else "none" if not kind else "other"
