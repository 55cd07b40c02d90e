"""Names of files that every system takes: Windows, macOS and Linux, and what synchronises between them."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import TYPE_CHECKING

from mirror.terminal import local_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirror.store.threads import ConversationView

# Bytes of a title in a name, in UTF-8. File systems take 255, encrypted folders 143, with the day, an id and the
# suffix; Windows counts 260 characters with all folders above. Larger: some refuse the name; smaller: titles are cut.
LONGEST_TITLE = 96
_HAS_UTF8_NAMES = sys.getfilesystemencoding() == "utf-8"  # everywhere but in locales such as C
_SHORT_ID = 8  # characters of an id that tell two conversations of one title and day apart
_DAY = re.compile(r"[12]\d{3}-\d\d-\d\d")
# What Windows refuses in names, and what ends or splits a link in Obsidian.
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*#^\[\]]')
# Controls, formatting, surrogates, private use, unassigned, and the separators of lines and paragraphs.
_UNUSABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(text: str, most: int = LONGEST_TITLE) -> str:
    """Return text as a part of a file's name, of at most so many bytes; "" where nothing is left of it.

    It neither begins nor ends with a dot or a blank. It can be a reserved name such as ``CON``, so never let it be all
    of a name.
    """
    plain = unicodedata.normalize("NFC", "".join(map(_usable, text)))
    plain = " ".join(_NOT_IN_NAMES.sub("-", plain).split())
    cut = plain.encode()[:most].decode("utf-8", "ignore")
    return cut.strip(" .-") if len(cut) < len(plain) else plain.strip(" .")


def _usable(character: str) -> str:
    return " " if unicodedata.category(character) in _UNUSABLE else character


def key_of(name: str) -> str:
    """Return what two names share that some system takes for one: in another case, or composed in another way."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def on_disk(name: str) -> str:
    """Return a name as Python takes it for the disk, in UTF-8 even where the locale has Python take names for ASCII."""
    return name if _HAS_UTF8_NAMES else os.fsdecode(name.encode("utf-8", "surrogateescape"))


def from_disk(found: str) -> str:
    """Return the name that ``on_disk`` was given."""
    return found if _HAS_UTF8_NAMES else os.fsencode(found).decode("utf-8", "surrogateescape")


def stems(view: ConversationView) -> Iterator[str]:
    """Yield names for a conversation's file without the suffix, the nicest first, never twice the same, without end."""
    day = local_day(view.created_at)
    day = day if _DAY.fullmatch(day) else "undated"  # a damaged row can hold anything
    title = harmless(view.title or "") or "Untitled"
    key = harmless(view.id) or "no id"
    yield f"{day} {title}"
    yield f"{day} {title} {key[:_SHORT_ID]}"
    number = 1
    while True:
        yield f"{day} {title} {key[:_SHORT_ID]} {number + 1}"
        number += 1
