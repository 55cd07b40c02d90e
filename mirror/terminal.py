r"""Safe printing to a terminal, and stored times in local time.

Titles and messages come from a service, from web pages that it read and from files that people sent. An escape sequence
in them could recolour, retitle or rewrite the screen, a bidirectional override could make a line read as another one.
Such characters are printed as escapes, ``\x1b`` or ``\u202e``; text in any script is printed unchanged.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

# Controls, formatting (bidirectional overrides, tags, ...), surrogates, line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # zero-width non-joiner and joiner: part of the spelling in some scripts, the glue in emoji
_VARIATION = "\ufe0f"
# Scripts whose spelling needs joiners: Arabic to N'Ko, the Indic ones, Myanmar, Khmer and Mongolian, Arabic forms.
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc]")
_FLAG = "\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{3,6}\U000e007f"  # England, Scotland, Wales, ...


def safe(text: str, *, newlines: bool = False) -> str:
    """Return text with every character that acts on a terminal as a visible escape.

    One line unless ``newlines``: then line feeds and tabs stay, and CR LF becomes a line feed.
    """
    return _escaped(text.replace("\r\n", "\n") if newlines else text, "\n\t" if newlines else "", _escape)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON that is readable and safe on a terminal; what would act is a JSON escape."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _escaped(
        text, "\n" if indent else "", lambda character: json.dumps(character)[1:-1].replace("\x7f", "\\u007f")
    )


def _escaped(text: str, allowed: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():  # quick, and true of nearly every line
        return text
    unsafe = "".join(c for c in set(text) if unicodedata.category(c) in _UNSAFE and c not in allowed)
    if not unsafe:
        return text
    return re.sub(f"{_FLAG}|[{re.escape(unsafe)}]", lambda match: _replacement(match, escape), text)


def _replacement(match: re.Match[str], escape: Callable[[str], str]) -> str:
    found = match[0]
    if len(found) > 1 or (found in _JOINERS and _joins(match.string, match.start())):
        return found
    return escape(found)


def _joins(text: str, at: int) -> bool:
    """Tell whether a script or an emoji needs a joiner here; elsewhere it only hides something."""
    before, after = text[max(0, at - 2) : at].rstrip(_VARIATION)[-1:], text[at + 1 : at + 2]
    if not before:
        return False
    if _JOINING.match(before):
        return unicodedata.category(before)[0] in "LM"
    return text[at] == "\u200d" and _is_symbol(before) and bool(after) and _is_symbol(after)


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) == "So" or "\U0001f3fb" <= character <= "\U0001f3ff"  # and skin tones


def _escape(character: str) -> str:
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - as Python writes them


def echo(text: str, *, err: bool = False) -> None:
    r"""Print text, made safe, in the stream's encoding; in ASCII ``é`` is printed as ``\xe9``.

    To a closed stream nothing is printed, without an error. BrokenPipeError is left to the command, which ends quietly.
    """
    stream: IO[str] | None = sys.stderr if err else sys.stdout
    if stream is None or stream.closed:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(safe(text, newlines=True).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def is_interactive(stream: IO[Any] | None) -> bool:
    """Tell whether a stream is a terminal; a missing or closed one is not."""
    return stream is not None and not stream.closed and stream.isatty()


def local_day(iso: str | None) -> str:
    """Return the day of a stored UTC time in local time, ``2025-03-01``; empty where there is none."""
    return local_time(iso)[:10]


def local_time(iso: str | None) -> str:
    """Return a stored UTC time in local time to the minute, ``2025-03-01 14:05``, or empty."""
    try:
        return datetime.fromisoformat(iso or "").astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return (iso or "")[:10]
