r"""The words of a command line as browsers copy it: for bash, with ``$'…'`` where a value needs it, or for cmd.

``shlex`` knows neither: it leaves ``\u0021`` as it is, and ends a ``$'…'`` at its first escaped apostrophe.
"""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"""\$'(?P<escaped>(?:[^'\\]|\\.)*)'|'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|\\(?P<one>.)"""
    r"""|(?P<blank>\s+)|(?P<plain>[^\s'"\\$]+|\$)""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{1,4})|x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}


class OpenQuoteError(ValueError):
    """The text ends inside a quote."""


def shell_words(text: str) -> list[str]:
    """Return the words of a command line; raises OpenQuoteError where a quote has no end."""
    if re.search(r"\^\"|\^[ \t]*\n", text):  # cmd: ^ before what is meant as it is, and at the end of a line
        text = re.sub(r"\^(.)", r"\1", re.sub(r"\^[ \t]*\n", " ", text))
    words: list[str] = []
    is_begun = False
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:
            raise OpenQuoteError
        at = found.end()
        if found["blank"] is not None or found["one"] == "\n":
            is_begun = False
            continue
        if not is_begun:
            words.append("")
            is_begun = True
        words[-1] += _meant(found)
    return words


def _meant(found: re.Match[str]) -> str:
    if found["escaped"] is not None:
        return _ESCAPE.sub(_character, found["escaped"])
    if found["double"] is not None:
        return re.sub(r"\\([\"\\$`\n])", lambda match: match[1].strip("\n"), found["double"])
    return next(found[kind] for kind in ("single", "one", "plain") if found[kind] is not None)


def _character(match: re.Match[str]) -> str:
    if match[4] is not None:
        return _LETTERS.get(match[4], match[4])
    return chr(int(match[1] or match[2], 16) if match[1] or match[2] else int(match[3], 8))
