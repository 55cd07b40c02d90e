"""JSON as bytes: what is parsed can be written again, and every value's text is cut out exactly."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.json_bytes import (
    MOST_DECODED,
    BracketScan,
    UnpairedBracketError,
    element_texts,
    members,
    outline,
    parse_json,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"17", 17),
        (b' {"a": NaN} ', {"a": pytest.approx(float("nan"), nan_ok=True)}),
        (b'"\\ud83d"', "\ud83d"),
        (b'"caf\xc3\xa9"', "caf\u00e9"),
        (b'"\xff\xfe"', "\udcff\udcfe"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_text_of_any_kind_is_parsed(raw: bytes, value: Any) -> None:
    """What the service or a tool wrote is read, also where it is no UTF-8 or stricter parsers would refuse it."""
    assert parse_json(raw) == value


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not valid JSON"),
        (b'{"a": ', "not valid JSON: Expecting value"),
        (b"[1] 2", "not valid JSON: Extra data"),
        (b"\xef\xbb\xbf[]", "not valid JSON"),
        (b"9" * 5_000, "thousands of digits"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_parsed_is_a_value_error_with_a_reason(raw: bytes, said: str) -> None:
    """Depth and size end in the same kind of error as bad syntax, never in one that stops a run."""
    with pytest.raises(ValueError, match=said):
        parse_json(raw)


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        (b"[]", []),
        (b" \r\n[ ]", []),
        (b"[1,2]", [b"1", b"2"]),
        (b'[ {"a" : [1]} ,\t"x, ]" , null ]', [b'{"a" : [1]}', b'"x, ]"', b"null"]),
        (b'["\\"]", "\\\\", {"]": "["}]', [b'"\\"]"', b'"\\\\"', b'{"]": "["}']),
        (b'{"conversations": []}', []),
        (b'{"n": 1, "conversations" : [ {"b": 1} ], "more": [9]}', [b'{"b": 1}']),
        (b'{"conversations": [1], "conversations": [2]}', [b"2"]),
        (b'{"conv\\u0065rsations": [1]}', [b"1"]),
        (b'{"a": {"conversations": [7]}, "conversations": [\xff]}', [b"\xff"]),
        (b'\n[ {"a": [1, 2]}\t]\r\n', [b'{"a": [1, 2]}']),
        (b"[[]]", [b"[]"]),
        (b"[-1.5e3,true]", [b"-1.5e3", b"true"]),
    ],
)
def test_each_element_is_cut_out_as_it_is_written(raw: bytes, texts: list[bytes]) -> None:
    """Blanks, escapes, brackets in strings and repeated keys change nothing in an element's text."""
    assert element_texts(raw, "conversations", len(texts)) == texts


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_the_text_of_every_value_parses_to_that_value(value: Any, indent: Any, is_ascii: bool) -> None:
    """For any JSON, however it is written, at every level."""
    raw = json.dumps({"": value}, indent=indent, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    left: list[tuple[Any, int]] = [(parse_json(raw), 0)]
    while left:
        item, start = left.pop()
        found = list(members(raw, start))
        assert [member.name for member in found] == (list(item) if isinstance(item, dict) else list(range(len(item))))
        for member in found:
            assert parse_json(raw[member.start : member.end]) == item[member.name]
            if isinstance(item[member.name], dict | list):
                left.append((item[member.name], member.start))


def test_a_scan_goes_on_where_the_text_ended() -> None:
    """However a value is cut into chunks, its end is the same."""
    text = b'{"a": ["}", {"b\\"": []}], "c": 1} tail'
    for cut in range(1, len(text)):
        scan = BracketScan()
        assert scan.run(text[:cut]) or scan.run(text)
        assert text[: scan.at] == text[: -len(b" tail")]


@pytest.mark.parametrize("text", [b'{"a": ]', b"[}", b'[{"a": 1]'])
def test_brackets_that_do_not_pair_are_found_out(text: bytes) -> None:
    """Nothing is taken for the end of a value that has none."""
    with pytest.raises(UnpairedBracketError):
        BracketScan().run(text)


def test_an_outline_leaves_out_what_is_long() -> None:
    """All names stay, and whatever is short."""
    long = "x" * 100_000
    value: dict[str, Any] = {
        "a": {"b": long, "c": [1, {"d": 2}], "n": None},
        "e": [long, 1],
        "f": {},
        "g": 1.5,
        "": long,
    }
    outlined: dict[str, Any] = {"a": {}, "e": [], "f": {}, "g": 1.5, "": ""}
    raw = json.dumps(value).encode()
    assert outline(raw, 0, len(raw)) == outlined
    outlined["a"] = {"b": "", "c": [1, {"d": 2}], "n": None}
    assert outline(raw, 0, len(raw), frozenset({"a", "e"})) == outlined
    assert outline(raw, 0, len(raw), frozenset(), frozenset({"f", "g"})) == {"a": {}, "e": [], "f": None}
    assert outline(b' {"a": [1, {"b": "2"}]}', 1, 23) == {"a": [1, {"b": "2"}]}


@pytest.mark.parametrize(
    "raw", [b'{"a" "%s"}', b"{%s}", b'{"a":1%s,,}', b'{"a": {"b": %s]}}', b'{"a":{"%s":}}x', b'{"%s":1,"b":,"c":1}%%s']
)
def test_an_outline_of_no_json_is_an_error_or_ends(raw: bytes) -> None:
    """Nobody knows yet whether it is any."""
    raw %= b"x" * 70_000
    end = len(raw)
    raw = raw.replace(b"%s", b"x" * 70_000)  # what follows in the file
    with suppress(ValueError):
        outline(raw, 0, end)


def test_a_large_text_is_cut_as_a_small_one_is() -> None:
    """By its brackets, which takes no memory for a decoded copy."""
    raw = '{"x": [1], "conversations": [{"a": "😀 ]}"}, [2, {}], "s", 7]}'.encode()
    small = element_texts(raw, "conversations", 4)
    padding = b" " * MOST_DECODED
    assert element_texts(raw + padding, "conversations", 4) == small
    assert len(small) == 4
