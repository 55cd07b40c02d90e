"""JSON and ZIPs as somebody may send them one day: real ones, with a few things changed in each.

``Mutator`` changes values in the structure of a conversation, a list or any other answer; ``as_bytes`` writes the
result with what Python's own JSON cannot write. ``damaged_zip`` changes the structure of a ZIP. All of it follows from
the ``random.Random`` that is passed in.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Mapping, Sequence

# Texts of JSON that ``json.dumps`` does not write. A value that stands for one is "\x01" and its place here.
RAW = (
    *("NaN", "-Infinity", "1e999", "-0", "0.1e-400", "9" * 5000, "-" + "1" * 4301, "1.5E+3", "0." + "3" * 6000),
    *("[" * 600 + "]" * 600, '{"a":' * 1200 + "1" + "}" * 1200, '{"parts":["' + "x" * 30 + '"]}', '"\\ud83d\\ude00"'),
    *('"\\udc00\\ud800"', '"\\u0000"', '"\\/\\b\\f"', "[1,]", "01", "'x'", '"\t"', '"\x7f"', "[1, 2", "tru", "\ufeff1"),
)
# Of these the last ones are no JSON; the whole text that holds one may be refused.
VALID_RAW = RAW.index("[1,]")
MARK = "\x01"
TWICE = "\x02"  # begins a name that is written without it: the second of two equal names
_RAW = re.compile(r'"\\u0001(\d+)"')
# What is long enough to show what takes the square of its length, and short enough that the linear takes no time.
UNITS = (
    *(
        "[",
        "(",
        "`",
        "```\n",
        "\ue200cite\ue202turn0search1",
        "\ue200",
        "\ue201\ue200",
        "\u30101\u2020",
        "[x](",
        "![](",
        "**",
    ),
    *(
        "\\(",
        "$$",
        "$",
        "| a ",
        "\n> ",
        "\n- ",
        "<a ",
        "&",
        "http://",
        "https://a.test/(",
        "\\",
        '"',
        "{",
        "a\n",
        "\t ",
    ),
    *(
        "\U0001f600",
        "e\u0301",
        "\u202e",
        "\u6f22\u5b57",
        "\u30101:0\u2020a\u3011",
        ":::",
        "sandbox:/mnt/data/",
        "file-",
        "~",
        "\u2028",
        "\r\n",
        "=",
        "#",
        "yz" * 20,
    ),
    *("\ue200entity\ue202[", "turn0search", "{{", "</", "<!--", "www.", "@", ":", "[^1]", "^", "_", " ", "0", "."),
)
STRINGS = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\ud83d",
        "\udc00x",
        "\ue000",
        "\x1b[31m",
        "\x7f",
        "\u2028",
        "\ufeff",
        "\u202eabc",
        "\U0010ffff",
    ),
    *(
        "null",
        "None",
        "true",
        "0",
        "-1",
        "1e5",
        "client-created-root",
        "root",
        "node-0",
        "n1~2",
        "a\x1fb",
        "a/b",
        "a|b",
    ),
    *("..", "../../etc/passwd", "'; DROP TABLE messages; --", "%s%n", "{}", "[]", "[1", '{"content": [1]}', "a:b:c"),
    *("https://[", "javascript:x", "http://a.test:99999/", "file-service://file-1", "sediment://file_1", "data:,x"),
    *("1700000000", "1700000000123", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00+99:99", "0001-01-01T00:00:00+23:59"),
    *("9999-12-31T23:59:59Z", "text", "code", "multimodal_text", "thoughts", "execution_output", "user", "tool"),
    *("\u0661\u0667", "\uff11\uff12", "yz" * 150, "canmore.create_textdoc", "all", "g-p-1", "finished_successfully"),
)
NUMBERS = (
    *(0, -1, 1, 2, 3, 7, 99, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30, 10**400, -(10**400)),
    *(0.1, -0.0, 1e-300, 1e300, 5e-324, 1.7976931348623157e308),
    # A time in seconds, milliseconds, microseconds and nanoseconds, and before and after all that is one.
    *(1.7e9, 1700000000123, 1.7e15, 1.7e18, -62135596800, 253402300800, 253402300799.999999, 631151999, 7258118400),
)
NAMES = (
    *("id", "conversation_id", "mapping", "message", "messages", "parent", "children", "content", "parts", "author"),
    *("role", "metadata", "title", "current_node", "create_time", "update_time", "weight", "text", "items", "name"),
    *("content_type", "status", "recipient", "channel", "attachments", "content_references", "citations", "user"),
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "__proto__",
        "a.b",
        "a:b",
        "a\x1fb",
        "constructor",
        "x" * 200,
        "limit",
        "total",
        "cursor",
    ),
)


class Mutator:
    """Changes JSON values in place; ``is_plain``: only into values that ``json.dumps`` writes."""

    def __init__(self, rng: random.Random, *, is_plain: bool = False) -> None:
        self.rng, self.is_plain = rng, is_plain
        self._ways: tuple[Callable[[Any, Any], None], ...] = (
            *(self._replace, self._replace, self._retype, self._remove, self._rename, self._repeat),
            *(self._swap, self._edit, self._bury, self._clear, self._shuffle, self._link),
        )

    def mutate(self, root: Any, times: int, kept: Collection[int] = ()) -> None:
        """Change a container in so many places.

        ``kept``: the ``id`` of values that stay where they are, in containers that may lose and gain everything else.
        """
        for _ in range(times):
            if (place := self._place(root, kept)) is not None:
                self.rng.choice(self._ways)(*place)

    def lengthen(self, root: Any, kept: Collection[int] = ()) -> None:
        """Put a long text of one repeated unit, or of several, somewhere in a container."""
        for _ in range(9):
            place = self._place(root, kept)
            if place is not None and isinstance(place[0][place[1]], str):
                place[0][place[1]] = self.long_text()
                return

    def long_text(self) -> str:
        """Return a text of some ten thousand characters."""
        units = "".join(self.rng.sample(UNITS, self.rng.choice((1, 1, 1, 2, 3))))
        return units * (self.rng.choice((3_000, 20_000)) // len(units) + 1) + self.rng.choice(
            ("", "x", "]", ")", "\ue201")
        )

    def value(self) -> Any:
        """Return a value of any kind."""
        kind = self.rng.randrange(8)
        if kind == 0 and not self.is_plain:
            return f"{MARK}{self.rng.randrange(VALID_RAW)}"
        simple: Sequence[Any] = (None, True, False, [], {}, [[]], [None], {"": None}, ["a", 1, {}], float("inf"))
        return self.rng.choice((simple, STRINGS, NUMBERS)[kind % 3])

    def _place(self, root: Any, kept: Collection[int]) -> tuple[Any, Any] | None:
        """Return a container and the name or place of something in it that may be changed."""
        container, free = root, None
        while isinstance(container, dict | list) and container:
            keys = list(container) if isinstance(container, dict) else range(len(container))
            key = self.rng.choice(keys)
            inner = container[key]
            if id(inner) not in kept:
                free = (container, key)
                if self.rng.random() < 0.12:  # else deeper, where most of a conversation is
                    break
            elif isinstance(inner, list):
                return free
            container = inner
        return free

    def _replace(self, container: Any, key: Any) -> None:
        container[key] = self._copy(self.value())

    def _retype(self, container: Any, key: Any) -> None:
        old = container[key]
        ways: tuple[Callable[[], Any], ...] = (
            lambda: [old],
            lambda: {"value": old},
            lambda: json.dumps(old) if not isinstance(old, str) else [*old[:50]],
            lambda: (
                list(old.items())
                if isinstance(old, dict)
                else {str(n): v for n, v in enumerate(old)}
                if isinstance(old, list)
                else str(old)
            ),
            lambda: bool(old),
        )
        container[key] = self.rng.choice(ways)()

    def _remove(self, container: Any, key: Any) -> None:
        del container[key]

    def _rename(self, container: Any, key: Any) -> None:
        if not isinstance(container, dict):
            container.insert(self.rng.randrange(len(container)), container.pop(key))
            return
        new = self.rng.choice((*NAMES, str(key).upper(), f"{key} ", f"{key}s"))
        if new not in container:
            container[new] = container.pop(key)

    def _repeat(self, container: Any, key: Any) -> None:
        if isinstance(container, list):
            container[key:key] = [self._copy(container[key])] * self.rng.choice((1, 1, 3, 60))
        elif not self.is_plain and not str(key).startswith(TWICE):
            container[f"{TWICE}{key}"] = self._copy(self.value())
        elif f"{key}~2" not in container:
            container[f"{key}~2"] = self._copy(container[key])

    def _swap(self, container: Any, key: Any) -> None:
        others = [k for k in (container if isinstance(container, dict) else range(len(container))) if k != key]
        if others:
            container[key] = self._copy(container[self.rng.choice(others)])

    def _edit(self, container: Any, key: Any) -> None:
        old = container[key]
        if isinstance(old, str):
            at = self.rng.randrange(len(old) + 1)
            container[key] = old[:at] + self.rng.choice((*STRINGS, *UNITS)) + old[at:]
        elif isinstance(old, int | float) and not isinstance(old, bool):
            container[key] = self.rng.choice((-old, str(old), f" {old}", old * 1000, self.rng.choice(NUMBERS)))
        else:
            self._replace(container, key)

    def _bury(self, container: Any, key: Any) -> None:
        value = container[key]
        for n in range(self.rng.choice((2, 20, 150))):
            value = [value] if n % 2 else {"message": value}
        container[key] = value

    def _clear(self, container: Any, key: Any) -> None:
        old = container[key]
        container[key] = type(old)() if isinstance(old, dict | list | str) else None

    def _shuffle(self, container: Any, key: Any) -> None:
        old = container[key]
        if isinstance(old, list):
            self.rng.shuffle(old)
        elif isinstance(old, dict):
            items = list(old.items())
            self.rng.shuffle(items)
            old.clear()
            old.update(items)
        else:
            self._edit(container, key)

    def _link(self, container: Any, key: Any) -> None:
        """Let a node have another parent, child or id: itself, a node below it, one that is not there, a number."""
        names = [k for k in container if isinstance(k, str)] if isinstance(container, dict) else []
        node = container[key]
        if not isinstance(node, dict) or not names:
            self._replace(container, key)
            return
        other = self.rng.choice((key, self.rng.choice(names), self.rng.choice(STRINGS), self.rng.choice(NUMBERS)))
        ways = ("parent", "id", "children", "parent_id", "current_node")
        name = self.rng.choice(ways)
        node[name] = [other, key, other] if name == "children" else other

    @staticmethod
    def _copy(value: Any) -> Any:
        return json.loads(json.dumps(value)) if isinstance(value, dict | list) else value


def as_text(value: Any, *, ascii_only: bool = True) -> str:
    """Return a value as JSON, with the raw texts and repeated names that it stands for."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    text = _RAW.sub(lambda found: RAW[int(found[1]) % len(RAW)], text) if '"\\u0001' in text else text
    return text.replace('"\\u0002', '"')


def as_bytes(value: Any, rng: random.Random) -> bytes:
    """Return a value as the bytes of a file or an answer: now and then in another encoding, cut or spoilt."""
    text = as_text(value, ascii_only=rng.random() < 0.5)
    raw = text.encode("utf-8", "surrogatepass")
    way = rng.randrange(60)
    at = rng.randrange(len(raw) + 1)
    if way == 0:
        return raw[:at]
    if way == 1:
        # One of them is no ASCII, so that who looks for a word in the bytes sees that they are spoilt.
        return raw[:at] + bytes((rng.randrange(256), rng.randrange(128, 256), rng.randrange(256))) + raw[at:]
    if way == 2:
        return text.encode(rng.choice(("utf-16", "utf-32", "latin-1", "utf-8-sig", "cp1252")), "replace")
    if way == 3:
        return raw + rng.choice((b"\0", b" ", b"]", b"{}", b"\xff\xfe"))
    return raw


# -- ZIPs


def damaged_zip(members: Mapping[str, bytes], rng: random.Random) -> tuple[bytes, bool, int]:
    """Return a ZIP of these members with something odd in it, and whether all of them must still be readable.

    And how many bytes are in it.
    """
    names = list(members)
    way = rng.randrange(12)
    inflated = sum(map(len, members.values()))
    if way < len(_ADDED):
        added = _ADDED[way](names, rng)
        return _zip([*members.items(), *added], rng), True, inflated + sum(len(one) for _, one in added)
    content = bytearray(_zip(list(members.items()), rng))
    directory = [found.start() for found in re.finditer(b"PK\x01\x02", bytes(content))]
    entry = rng.choice(directory)
    offset, kind = rng.choice(
        ((8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H"), (38, "<I"), (42, "<I"))
    )
    size = struct.calcsize(kind)
    old = struct.unpack(kind, content[entry + offset : entry + offset + size])[0]
    new = rng.choice((0, 1, old + 1, old * 2, old | 1, old ^ 0x800, 2 ** (8 * size) - 1)) % 2 ** (8 * size)
    content[entry + offset : entry + offset + size] = struct.pack(kind, new)
    return bytes(content), False, inflated


def _zip(members: Sequence[tuple[str | zipfile.ZipInfo, bytes]], rng: random.Random) -> bytes:
    packed = BytesIO()
    way = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(packed, "w", way) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return packed.getvalue()


def _link_member(_: list[str], rng: random.Random) -> list[tuple[Any, bytes]]:
    info = zipfile.ZipInfo("conversations-link.json")
    info.external_attr = 0o120777 << 16
    return [(info, rng.choice((b"/etc/passwd", b"conversations.json", b"../x")))]


def _odd_names(_: list[str], rng: random.Random) -> list[tuple[Any, bytes]]:
    names = (
        "../../x.json",
        "/x.json",
        "C:\\x.json",
        "a\x1b[31m.json",
        "yz" * 150 + ".json",
        "con.json",
        "a/",
        "\u202ex.json",
    )
    return [(rng.choice(names), rng.choice((b"{}", b"", b"[", b"\0" * 50)))]


def _nested(_: list[str], rng: random.Random) -> list[tuple[Any, bytes]]:
    inner = b"[]"
    for _level in range(rng.randrange(1, 6)):
        inner = _zip([(rng.choice(("conversations.json", "x.zip")), inner)], rng)
    return [(rng.choice(("User Online Activity.zip", "inner.zip", "x.json")), inner)]


def _bomb(_: list[str], rng: random.Random) -> list[tuple[Any, bytes]]:
    return [
        ("conversations-bomb.json", rng.choice((b"[" + b" " * 300_000, b"[" * 50_000, b'{"a":"' + b"yz" * 150_000)))
    ]


def _others(_: list[str], rng: random.Random) -> list[tuple[Any, bytes]]:
    names: tuple[str, ...] = ("user.json", "message_feedback.json", "shared_conversations.json", "group_chats.json")
    names += ("library_files.json", "export_manifest.json", "conversation_asset_file_names.json", "file-1.png")
    return [(rng.choice(names), as_bytes(Mutator(rng).value(), rng))]


_ADDED: tuple[Callable[[list[str], random.Random], list[tuple[Any, bytes]]], ...] = (
    *(_link_member, _odd_names, _nested, _bomb, _others),
)
