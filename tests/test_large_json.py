"""Large JSON in pieces: the same values as at once, within a bound of memory."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror import large_json, unparsed_object
from mirror.large_json import MANY_MEMBERS, TooDenseError, read_json
from mirror.normalize.chatgpt.nodes import nodes_of
from mirror.unparsed_object import UnparsedObject

if TYPE_CHECKING:
    from collections.abc import Callable

MB = 1024 * 1024
TEXTS = st.text(alphabet='a"\\{}[],: \u00e9\U0001f600\ud800', max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXTS, inner, max_size=6),
    max_leaves=40,
)


def in_pieces(raw: bytes, most: int | None = None) -> Any:
    return read_json(raw, most, large=0, at_once=0, piece=10)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_pieces_are_the_same_values(value: Any, is_ascii: bool, indent: int | None) -> None:
    """However a text is taken apart."""
    raw = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode("utf-8", "surrogatepass")
    if not is_ascii and "\ud800" in json.dumps(value, ensure_ascii=False):
        return  # its bytes are read as other surrogates, by either way
    assert in_pieces(b"\n " + raw + b"\r\n") == value


@given(VALUES, st.data())
def test_what_is_no_json_is_refused_by_either_way(value: Any, data: st.DataObject) -> None:
    """One byte more, less, or another one: both ways read the same, or neither reads it."""
    raw = bytearray(json.dumps(value).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    match data.draw(st.sampled_from(["drop", "put", "change"])):
        case "drop":
            del raw[at]
        case "put":
            raw.insert(at, data.draw(st.sampled_from(b'{}[],:"\\1 \x00')))
        case _:
            raw[at] = data.draw(st.sampled_from(b'{}[],:"\\1 \x00'))
    assert outcome(in_pieces, bytes(raw)) == outcome(read_json, bytes(raw))


def outcome(read: Callable[[bytes], Any], raw: bytes) -> str:
    try:
        return repr(read(raw))
    except ValueError as error:
        return str(error)[:17]  # the rest says where


@given(st.lists(VALUES, min_size=2, max_size=12), st.integers(8, 400), st.booleans())
def test_nodes_are_found_wherever_a_view_ends(values: list[Any], view: int, is_ascii: bool) -> None:
    """They are parsed where they lie, and those that do not lie in view whole by themselves."""
    nodes = {f"n{n}": {"id": f"n{n}", "message": value} for n, value in enumerate(values)}
    raw = json.dumps({"title": "x", "mapping": nodes}, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    with patch.multiple(large_json, VIEW=view, MANY_MEMBERS=2), patch.object(unparsed_object, "VIEW", view):
        found = read_json(raw, large=0, at_once=0, piece=1000)["mapping"]
        assert list(found) == list(nodes)
        assert list(found.values()) == list(json.loads(raw.decode("utf-8", "surrogateescape"))["mapping"].values())
        assert found == dict(found.items()) == {name: found[name] for name in found}


def tree(nodes: int) -> dict[str, Any]:
    return {f"n{n}": {"id": f"n{n}", "message": {"parts": [f"text {n}"]}} for n in range(nodes)}


def test_a_large_tree_is_read_like_any_other() -> None:
    """Its nodes are parsed when they are asked for; nobody who reads it need know."""
    nodes = tree(MANY_MEMBERS)
    found = read_json(json.dumps({"mapping": nodes, "title": "x"}).encode(), large=0, at_once=0, piece=1000)
    mapping = found["mapping"]
    assert isinstance(mapping, UnparsedObject)
    assert mapping == nodes
    assert nodes == mapping
    assert dict(mapping.items()) == nodes
    assert list(mapping.values()) == list(nodes.values())
    assert (len(mapping), list(mapping), "n7" in mapping) == (MANY_MEMBERS, list(nodes), True)
    assert (mapping["n7"], mapping.get("n7"), mapping.get("none"), mapping.get("none", 3)) == (nodes["n7"],) * 2 + (
        None,
        3,
    )
    assert json.loads(json.dumps(found)) == {"mapping": nodes, "title": "x"}
    assert mapping != {**nodes, "n7": {}}
    for copied in (
        {**mapping},
        dict(mapping),
        mapping.copy(),
        mapping | {},
        {} | mapping,
        {k: mapping[k] for k in mapping},
    ):
        assert type(copied) is dict
        assert copied == nodes
    assert list(reversed(mapping.items())) == list(reversed(nodes.items()))
    assert list(reversed(mapping.values())) == list(reversed(nodes.values()))
    assert len(mapping.items()) == len(mapping.values()) == MANY_MEMBERS
    with pytest.raises(KeyError):
        mapping["none"]


def test_a_name_that_comes_twice_means_its_last_value() -> None:
    """As in a text that is parsed at once, and at the place of the first."""
    raw = b'{"a": [1, 2, 3, 4, 5, 6], "b": 2, "a": [7, 8, 9, 10, 11, 12]}'
    assert list(in_pieces(raw).items()) == list(json.loads(raw).items())


def test_what_python_refuses_is_simplified_in_its_piece() -> None:
    """Thousands of digits become their text, deep nesting its JSON text."""
    raw = b'{"a": %s, "b": [[[[[[%s]]]]]], "c": [1, %s]}' % (b"7" * 5000, b"[" * 990 + b"]" * 990, b"8" * 5000)
    found = in_pieces(raw)
    assert (found["a"], found["c"]) == ("7" * 5000, [1, "8" * 5000])
    assert json.dumps(found["b"]).count("[") == 996


DENSE = {
    "lists": (b"[" + b"[]," * 100_000 + b"0]", 6 * MB),
    "objects": (b"[" + b'{"a":{}},' * 30_000 + b"0]", 7 * MB),
    "numbers": (b"[" + b"1000," * 100_000 + b"0]", 3 * MB),
    "names": (b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}", 2 * MB),
    "a long text": (b'["' + b"x" * MB + b'"]', 2 * MB),
    "an emoji in it": (('["' + "x" * MB + '\U0001f600"]').encode(), 5 * MB),
    "nodes": (json.dumps(tree(3000)).encode(), 3 * MB),
}


@pytest.mark.parametrize("what", DENSE)
def test_memory_is_reckoned_before_it_is_taken(what: str) -> None:
    """More than is granted is refused, twice as much is enough."""
    raw, most = DENSE[what]
    with pytest.raises(TooDenseError, match=r"memory|brackets"):
        read_json(raw, most, large=0, at_once=0, piece=1000)
    read_json(raw, 5 * most, large=0, at_once=0, piece=1000)


def test_brackets_in_texts_take_no_memory() -> None:
    """A message that is a program is no structure."""
    raw = json.dumps(["{[,:" * 100_000]).encode()
    assert read_json(raw, 8 * len(raw), large=0, at_once=0, piece=1000) == ["{[,:" * 100_000]


def test_a_long_conversation_of_ordinary_size_is_parsed_at_once() -> None:
    """Its nodes are kept then; of one that comes to more memory they are not, however many bytes it has."""
    ordinary = {f"n{n}": {"message": {"parts": ["words " * 500]}} for n in range(2_000)}
    dense: Any = {f"n{n}": {"message": {"parts": [[]] * 500}} for n in range(2_000)}
    for mapping, is_kept in ((ordinary, True), (dense, False)):
        raw = json.dumps({"mapping": mapping}).encode()
        found = read_json(raw, large=1_000_000)["mapping"]
        assert isinstance(found, UnparsedObject) is not is_kept
        assert found == mapping


@pytest.mark.parametrize(
    "node",
    [{"parent": [[]] * 300, "children": []}, {"children": [[]] * 300}, {"children": [str(n) for n in range(300)]}],
    ids=["no parent", "no children", "many children"],
)
def test_what_the_nodes_of_a_large_tree_list_is_not_kept(node: dict[str, Any]) -> None:
    """One node is in memory after the other, and not what all of them hold beside their messages."""
    raw = json.dumps({"mapping": {f"n{n}": node for n in range(MANY_MEMBERS)}}).encode()
    payload = read_json(raw, large=0, at_once=0)
    tracemalloc.start()
    try:
        assert len(nodes_of(payload).by_id) == MANY_MEMBERS
        assert tracemalloc.get_traced_memory()[1] < 2 * MB
    finally:
        tracemalloc.stop()
