"""Damaged and hostile files: what can be read comes, and each loss is reported once."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from archive_files import Contents, conversation, save, zipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror.archive import open_archive
from mirror.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def array(*values: Any) -> bytes:
    """An array of ready JSON texts and of values."""
    parts = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    return b"[" + b", ".join(parts) + b"]"


def raw(n: int) -> bytes:
    """One conversation as text, with brackets and quotation marks in its message."""
    return json.dumps(conversation(n, 'a } ] " [ { \\ text')).encode()


# Damage that leaves the brackets paired, and values that are no conversations.
BROKEN = {
    "a missing value": raw(2).replace(b'"title": "Title 2"', b'"title": '),
    "a missing comma": raw(2).replace(b'2", ', b'2" ', 1),
    "a raw line feed in a text": raw(2).replace(b"Title 2", b"Title\n2"),
    "lists without end": b"[" * 100_000 + b"]" * 100_000,
    "null": b"null",
    "a number": b"17",
    "a text": b'"}],[{"',
    "a word": b"undefined",
    "a foreign object": b'{"a": 1}',
}
# Damage after which nobody can know where the next value begins.
UNPAIRED = {
    "a missing quotation mark": raw(2).replace(b'"Title 2"', b'"Title 2'),
    "a missing bracket inside": raw(2).replace(b'"parent": null', b'"parent": [1, 2'),
    "a missing bracket at its end": raw(2)[:-1],
    "a bracket of the wrong kind": raw(2).replace(b'"children": []', b'"children": [}'),
    "a bracket too many": raw(2).replace(b'"children": []', b'"children": []]'),
    "half of it gone": raw(2)[: len(raw(2)) // 2],
}


@pytest.mark.parametrize("chunk", [9, 1 << 20])
@pytest.mark.parametrize("what", BROKEN)
def test_one_broken_element_costs_only_itself(tmp_path: Path, what: str, chunk: int) -> None:
    """The conversations before and after it come, and it is named by its place."""
    chunk *= 100 if len(BROKEN[what]) > 10_000 else 1
    content = array(conversation(0), conversation(1), BROKEN[what], conversation(3), conversation(4))
    contents = Contents(save(tmp_path / "conversations.json", content), chunk=chunk)
    assert contents.titles == ["Title 0", "Title 1", "Title 3", "Title 4"]
    assert [problem.source[:21] for problem in contents.problems] == ["conversations.json[2]"]


@pytest.mark.parametrize("chunk", [9, 1 << 20])
@pytest.mark.parametrize("what", UNPAIRED)
def test_brackets_that_do_not_pair_end_the_reading_of_their_file(tmp_path: Path, what: str, chunk: int) -> None:
    """What comes before is kept, nothing behind is guessed, and one line says where and what to do."""
    content = array(conversation(0), conversation(1), UNPAIRED[what], conversation(3), conversation(4))
    save(tmp_path / "export" / "conversations-0.json", content)
    save(tmp_path / "export" / "conversations-1.json", [conversation(5)])
    contents = Contents(tmp_path / "export", chunk=chunk)
    assert contents.titles == ["Title 0", "Title 1", "Title 5"]
    assert contents.problems[-1].source == "export/conversations-0.json"
    where, _, read = contents.problems[-1].reason.partition(": ")
    assert where in {
        *("is damaged in [2]", "is damaged after [2]", "ends in the middle"),
        "goes on after the end of its JSON with something else",
    }
    assert read == "2 conversations before that could be read, nothing after it; download or unpack it again"
    assert len(contents.problems) <= 2


def test_an_element_that_ends_too_early(tmp_path: Path) -> None:
    """What is left of it is named, and the conversations before it come."""
    early = raw(2).replace(b"1700000000.25", b"17}0")
    contents = Contents(save(tmp_path / "conversations.json", array(conversation(1), early, conversation(3))))
    assert contents.titles == ["Title 1"]
    assert contents.problems[-1].reason.startswith("is damaged after [4]: 1 conversation before that")
    assert len(contents.problems) <= 5


def test_damage_in_an_object_of_conversations(tmp_path: Path) -> None:
    """The same under a name."""
    content = b'{"conversations": ' + array(conversation(1), raw(2)[:-1], conversation(3)) + b', "n": 1}'
    contents = Contents(save(tmp_path / "x.json", content))
    assert contents.titles == ["Title 1"]
    assert [problem.reason[:33] for problem in contents.problems] == ["is damaged in :conversations[1]: "]


SHELL = b'{"id": "x", "title": "T", "create_time": 1, "update_time": 2}'


def test_a_conversation_without_messages_counts_in_an_export_and_is_named_elsewhere(tmp_path: Path) -> None:
    """Exports hold some without a mapping; a list of nothing else, in a file of any name, is no export."""
    assert Contents(save(tmp_path / "conversations.json", array(SHELL))).titles == ["T"]
    alone = Contents(save(tmp_path / "rows.json", array(SHELL)))
    assert (alone.titles, [problem.reason for problem in alone.problems]) == ([], ["holds no messages"])


def test_a_cut_file_gives_what_comes_before_the_cut(tmp_path: Path) -> None:
    """Wherever it is cut: all whole conversations, then one Problem with their number."""
    content = array(*(conversation(n) for n in range(3)))
    ends = [
        content.index(raw_end) + len(raw_end) for raw_end in (json.dumps(conversation(n)).encode() for n in range(3))
    ]
    for cut in range(1, len(content), 7):
        contents = Contents(save(tmp_path / "conversations.json", content[:cut]), chunk=100)
        whole = sum(end <= cut for end in ends)
        assert contents.titles == [f"Title {n}" for n in range(whole)]
        assert len(contents.problems) == 1
        assert contents.problems[0].source == "conversations.json"
        assert "ends in the middle" in contents.problems[0].reason
        assert f"{whole} conversation" in contents.problems[0].reason


@pytest.mark.parametrize("cut", [30, 200])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_cut_single_conversation(tmp_path: Path, name: str, cut: int) -> None:
    """Nothing of it is taken for whole."""
    contents = Contents(save(tmp_path / name, raw(1)[:cut]))
    assert not contents.found
    assert ["ends in the middle" in problem.reason for problem in contents.problems] == [True]


def test_text_after_the_end(tmp_path: Path) -> None:
    """The conversations come, and what is no JSON is reported."""
    contents = Contents(save(tmp_path / "conversations.json", array(conversation(1)) + b";\nexit 0"))
    assert contents.titles == ["Title 1"]
    assert ["goes on after the end" in problem.reason for problem in contents.problems] == [True]


def test_many_faults_are_summed_up(tmp_path: Path) -> None:
    """Twenty sentences and a sum, not ten thousand sentences."""
    contents = Contents(save(tmp_path / "conversations.json", array(conversation(1), *[None] * 1000)))
    assert len(contents.problems) == 21
    assert contents.problems[-1].reason == "980 more values in it could not be used"
    assert len(Contents(save(tmp_path / "conversations.json", array(*[None] * 1000))).problems) == 21


def test_a_conversation_beyond_the_cap(tmp_path: Path) -> None:
    """It is reported, the others come, and memory stays at the cap."""
    big = conversation(2, "x" * 50_000)
    for chunk in (1000, 1 << 20):
        contents = Contents(
            save(tmp_path / "a.json", array(conversation(1), big, conversation(3))), conversation=9000, chunk=chunk
        )
        assert contents.titles in (["Title 1", "Title 3"], ["Title 1"])
        assert contents.problems
    many = conversation(2, more=["x" * 100] * 500)
    contents = Contents(
        save(tmp_path / "a.json", array(conversation(1), many, conversation(3))), conversation=9000, chunk=1000
    )
    assert contents.titles == ["Title 1", "Title 3"]
    assert ["larger than" in problem.reason for problem in contents.problems] == [True]


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_anywhere_never_stops_the_reader(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes deleted, changed or put in: what comes before is read, and nothing comes that was not in the file."""
    conversations = [conversation(n) for n in range(6)]
    content = bytearray(array(*conversations))
    middle = content.index(b'"Title 2"')
    at = data.draw(st.integers(middle - 8, content.index(b'{"title": "Title 3"') - 3))
    size = data.draw(st.integers(0, 3))
    content[at : at + size] = data.draw(
        st.sampled_from([b"", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\0", b"\xff"])
    )
    contents = Contents(save(tmp_path / "conversations.json", bytes(content)), chunk=64)
    found = [item.payload for item in contents.found]
    assert found[:2] == conversations[:2]
    assert len([one for one in found if one not in conversations]) <= 1
    assert len(found) == 6 or contents.problems


@given(st.binary(max_size=60) | st.text('[]{}",:\\ 01anul\n', max_size=60).map(str.encode))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_or_read(tmp_path: Path, content: bytes) -> None:
    """Nothing but UsageError ever comes out."""
    for name in ("x.json", "x.jsonl"):
        try:
            Contents(save(tmp_path / name, content), chunk=8)
        except UsageError:
            continue


def with_flag(path: Path, offset_in_entry: int, value: int) -> Path:
    """Set two bytes in every entry of a ZIP's list of files."""
    content = bytearray(path.read_bytes())
    at = 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + offset_in_entry : at + offset_in_entry + 2] = struct.pack("<H", value)
        at += 4
    path.write_bytes(content)
    return path


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    """With the way out in the sentence."""
    path = with_flag(zipped(tmp_path / "e.zip", {"conversations.json": [conversation(1)]}), 8, 1)
    with pytest.raises(UsageError, match="encrypted"):
        open_archive(path)


def test_a_zip_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """A ZIP has its list of files at its end."""
    whole = zipped(tmp_path / "e.zip", {"conversations.json": [conversation(1)]}).read_bytes()
    for cut in range(1, len(whole), 20):
        with pytest.raises(UsageError, match=r"e\.zip"):
            open_archive(save(tmp_path / "e.zip", whole[:cut]))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_flipped_bit_never_changes_a_conversation(tmp_path: Path, compression: int) -> None:
    """Any byte of the ZIP flipped: the member is refused whole, or reads as it was; the other one comes."""
    both = {"conversations-0.json": [conversation(1, "words " * 20)], "conversations-1.json": [conversation(2)]}
    path = zipped(tmp_path / "e.zip", both, compression)
    content = path.read_bytes()
    wanted = [both[name][0] for name in both]
    for at in range(0, len(content), 5):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        try:
            contents = Contents(path)
        except UsageError:
            continue
        assert [item.payload for item in contents.found] in (wanted, wanted[:1], wanted[1:], [])
        assert len(contents.found) == 2 or contents.problems or contents.skipped or at > content.index(b"PK\x01\x02")


def test_names_that_point_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read as what they are, text; nothing is written anywhere and no path is shown."""
    monkeypatch.chdir(tmp_path)
    names = ["../../conversations.json", "/etc/conversations.json", "C:\\conversations.json", "a/../../b\x1b[31m.json"]
    path = zipped(tmp_path / "e.zip", [(name, [conversation(n)]) for n, name in enumerate(names)])
    contents = Contents(path)
    assert len(contents.found) == 4
    assert not any(".." in source or "\x1b" in source or "//" in source for source in contents.sources)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_a_zip_is_not_followed(tmp_path: Path) -> None:
    """Its content is a path, not JSON."""
    link = zipfile.ZipInfo("conversations-1.json")
    link.external_attr = 0o120777 << 16
    contents = Contents(zipped(tmp_path / "e.zip", [(link, b"/etc/passwd"), ("conversations.json", [conversation(1)])]))
    assert contents.titles == ["Title 1"]
    assert [item.source for item in contents.skipped] == ["e.zip/conversations-1.json"]


def test_the_same_name_twice(tmp_path: Path) -> None:
    """Both are read, once each, and it is said."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "e.zip", [("conversations.json", [conversation(n)]) for n in (1, 2)])
    contents = Contents(path)
    assert contents.titles == ["Title 1", "Title 2"]
    assert "2 times" in contents.skipped[0].reason


def test_members_that_overlap(tmp_path: Path) -> None:
    """Two names for the same bytes: neither is read, the rest is."""
    members = [("a.json", [conversation(1)]), ("b.json", [conversation(2)]), ("c.json", [conversation(3)])]
    path = zipped(tmp_path / "e.zip", members)
    content = bytearray(path.read_bytes())
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    content[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(content)
    contents = Contents(path)
    assert contents.titles == ["Title 3"]
    assert ["overlaps" in problem.reason for problem in contents.problems] == [True, True]


def test_bombs_are_not_inflated(tmp_path: Path) -> None:
    """Neither one that inflates a thousandfold nor many that fill the disk together."""
    blanks = b" " * 3_000_000
    path = zipped(tmp_path / "e.zip", {"a.json": b"[" + blanks + b"]", "conversations.json": [conversation(1)]})
    contents = Contents(path, ratio=500, ratio_from=1_000_000)
    assert contents.titles == ["Title 1"]
    assert ["inflates" in problem.reason for problem in contents.problems] == [True]
    capped = Contents(
        zipped(tmp_path / "e.zip", {"a.json": b"[" + blanks, "b.json": [conversation(1)]}), inflated=2_000_000
    )
    assert capped.titles == ["Title 1"]
    assert ["inflates" in problem.reason for problem in capped.problems] == [True]


def test_zips_in_zips_without_end(tmp_path: Path) -> None:
    """The third level is the last."""
    content = zipped(tmp_path / "0.zip", {"conversations.json": [conversation(1)]}).read_bytes()
    for _ in range(5):
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as opened:
            opened.writestr("inner.zip", content)
        content = inner.getvalue()
    contents = Contents(save(tmp_path / "e.zip", content))
    assert not contents.found
    assert "levels deep" in contents.problems[0].reason


def test_a_hundred_thousand_members(tmp_path: Path) -> None:
    """They are listed in no time; more than the cap are refused."""
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for n in range(100_000):
            opened.writestr(zipfile.ZipInfo(f"picture-{n}.png"), b"")
        opened.writestr("conversations.json", json.dumps([conversation(1)]))
    assert Contents(path).titles == ["Title 1"]
    with pytest.raises(UsageError, match="more than 50,000 files"):
        Contents(path, members=50_000)


# What Python's parser refuses, in a conversation that is whole otherwise.
ODD = {
    "a number of 5,000 digits": (b"1700000000.25", b"9" * 5000),
    "600 levels": (b'"status": ', b'"deep": ' + b'{"a":' * 600 + b"1" + b"}" * 600 + b', "status": '),
    "100,000 levels": (b'"title": ', b'"deep": ' + b"[" * 100_000 + b"]" * 100_000 + b', "title": '),
}


@pytest.mark.parametrize("packing", ["list", "lines", "alone", "wrapped"])
@pytest.mark.parametrize("what", ODD)
def test_what_pythons_parser_refuses_is_imported(tmp_path: Path, what: str, packing: str) -> None:
    """Its bytes are kept as they are, and what it says is read."""
    odd = json.dumps(conversation(2, "the words of it")).encode()
    old, new = ODD[what]
    odd = (
        odd.replace(old, new, 1)
        if old in odd
        else odd.replace(b'"title": ', new.replace(b'"status": ', b'"title": '), 1)
    )
    first, last = (json.dumps(conversation(n)).encode() for n in (1, 3))
    content, name = {
        "list": (b"[" + b", ".join([first, odd, last]) + b"]", "conversations.json"),
        "lines": (b"\n".join([first, odd, last]), "conversations.jsonl"),
        "alone": (odd, "conversations.json"),
        "wrapped": (b'{"conversations": [' + b", ".join([first, odd, last]) + b"]}", "x.json"),
    }[packing]
    contents = Contents(save(tmp_path / name, content))
    assert contents.problems == []
    assert contents.titles == (["Title 2"] if packing == "alone" else ["Title 1", "Title 2", "Title 3"])
    assert odd in [found.body.raw for found in contents.found]


# Texts that are larger than a conversation may be; with everything in them that could be taken for their end.
LONG = json.dumps('words, \\ and " and ] } , ' * 3_000).encode()


@pytest.mark.parametrize("chunk", [1_000, 1 << 20])
@pytest.mark.parametrize(
    "large",
    [
        json.dumps(conversation(2)).encode().replace(b'"Title 2"', LONG),
        b'{"title": %s, "mapping": {}}' % LONG,
        b"{%s: 1}" % LONG,
        b"[[%s]]" % LONG,
        LONG,
    ],
    ids=["message", "title", "name", "list", "text"],
)
def test_a_text_that_is_too_large_costs_its_conversation(tmp_path: Path, large: bytes, chunk: int) -> None:
    """It is named, and what follows it is read."""
    first, last = (json.dumps(conversation(n)).encode() for n in (1, 3))
    path = save(tmp_path / "conversations.json", b"[" + b", ".join([first, large, last]) + b"]")
    contents = Contents(path, chunk=chunk, conversation=20_000)
    assert contents.titles == ["Title 1", "Title 3"]
    assert [problem.source[:21] for problem in contents.problems] == ["conversations.json[1]"]
    is_seen_whole = large == LONG and chunk > len(LONG)  # and is named for what it is
    assert ("no conversation" if is_seen_whole else "larger than") in contents.problems[0].reason


def test_a_text_that_is_too_large_and_does_not_end(tmp_path: Path) -> None:
    """The file is cut off in it: what came before is read."""
    path = save(tmp_path / "conversations.json", b"[" + json.dumps(conversation(1)).encode() + b', {"a": ' + LONG[:-1])
    contents = Contents(path, chunk=1_000, conversation=20_000)
    assert contents.titles == ["Title 1"]
    assert "ends in the middle" in contents.problems[0].reason


def test_a_long_text_before_a_list_hides_nothing(tmp_path: Path) -> None:
    """Longer than what is looked at once, and shorter than a conversation may be."""
    path = save(tmp_path / "x.json", b'{"note": %s, "conversations": %s}' % (LONG, array(conversation(1))))
    assert Contents(path, chunk=1_000).titles == ["Title 1"]
