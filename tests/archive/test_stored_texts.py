"""An archive that comes again: what is stored already is told by its bytes, and everything else is read as ever."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from archive_files import conversation

from mirror.archive import Found, Known, StoredText, StoredTexts, open_archive
from mirror.body import hash_of
from mirror.reader.reading import readings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mirror.archive import Problem, Skipped

    Item = Found | Known | Problem | Skipped

ODD = ['caf\u00e9 \U0001f600 } ] , "', "x" * 9000, "", "\\", "}"]


def texts(count: int, name: str = "t") -> list[bytes]:
    """Conversations as the texts of a file, some with what looks like the end of one."""
    made = (conversation(n, f"{name} {ODD[n % len(ODD)]}") for n in range(count))
    return [json.dumps(one, ensure_ascii=n % 2 == 0).encode() for n, one in enumerate(made)]


def stored(some: Sequence[bytes]) -> list[StoredText]:
    return [StoredText(hash_of(raw), len(raw), "export", "chatgpt") for raw in some]


def items(path: Path, raw: Sequence[bytes], some: Sequence[StoredText], between: bytes = b", ") -> list[Item]:
    path.write_bytes(b"[" + between.join(raw) + b"\n]\n")
    return read(path, some)


def read(path: Path, some: Sequence[StoredText]) -> list[Item]:
    """Return what an archive holds, asking of each one that was parsed whether it is stored, as an import does."""
    known, found = StoredTexts(some), []
    with open_archive(path) as archive:
        for item in archive.items(known):
            if isinstance(item, Found):
                known.has(item.body.sha256)
            found.append(item)
    return found


def told(found: Sequence[Item]) -> list[tuple[object, ...]]:
    """What matters of items, whether they were parsed or not."""
    both = (Found, Known)
    return [(one.body.raw, one.source, one.origin, one.provider) if isinstance(one, both) else (one,) for one in found]


def test_the_same_archive_again_is_not_parsed(tmp_path: Path) -> None:
    raw = texts(12)
    found = items(tmp_path / "conversations.json", raw, stored(raw))
    assert [type(one) for one in found] == [Known] * 12
    assert told(found) == told(items(tmp_path / "conversations.json", raw, []))


@pytest.mark.parametrize("between", [b",", b" ,\n\t", b",\n"])
@pytest.mark.parametrize("seed", range(8))
def test_whatever_came_between(tmp_path: Path, seed: int, between: bytes) -> None:
    """New ones, changed ones, some that are gone, some twice, in another order: all are found, each as it is."""
    chance = random.Random(seed)
    old, raw = texts(30), [*texts(30), *texts(6, "new"), b"7", b"[]", b'{"x": 1}', b"null"]
    chance.shuffle(raw) if seed % 2 else raw.insert(chance.randrange(30), texts(1, "first")[0])
    del raw[chance.randrange(20)]
    raw += [raw[3], raw[3]]
    path = tmp_path / "conversations.json"
    plain, known = items(path, raw, [], between), items(path, raw, stored(old), between)
    assert told(known) == told(plain)
    if seed % 2 == 0:
        assert sum(isinstance(one, Known) for one in known) > 20


def test_the_order_is_found_again_after_news(tmp_path: Path) -> None:
    """Chats that changed come first in an export and last among what is stored."""
    news, old = texts(3, "news"), texts(9)
    path = tmp_path / "conversations.json"
    parsed = [one for one in items(path, [*news, *old], stored([*old, *news])) if isinstance(one, Found)]
    assert [one.source for one in parsed] == ["conversations.json[0]", "conversations.json[3]"]
    with open_archive(path) as archive:
        assert [type(item) for item in readings(archive, StoredTexts(stored([*old, *news])))] == [Known] * 12


@pytest.mark.parametrize("size", [-1, 0, 1, 10, 1 << 40, 1 << 70])
def test_facts_that_are_damaged_hide_nothing(tmp_path: Path, size: int) -> None:
    raw = texts(5)
    known = [one._replace(size=size) for one in stored(raw)]
    assert [type(one) for one in items(tmp_path / "conversations.json", raw, known)] == [Found] * 5
    known = [one._replace(sha256="0" * 64) for one in stored(raw)]
    assert [type(one) for one in items(tmp_path / "conversations.json", raw, known)] == [Found] * 5


def test_what_follows_a_known_one_is_read_as_ever(tmp_path: Path) -> None:
    """Damage after it is named, and so is the end of a file that is cut off."""
    raw = texts(4)
    path = tmp_path / "conversations.json"
    for rest in (b" 7]", b"", b'{"title": ', b', {"title": ]', b"]]", b"x"):
        path.write_bytes(b"[" + b", ".join(raw) + rest)
        assert told(read(path, stored(raw))) == told(read(path, [])), rest
