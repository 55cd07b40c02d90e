r"""Formulas as MathML, which a browser draws without a script.

latex2mathml reads LaTeX; what it returns is checked element by element, for formulas come from strangers. Only elements
and attributes listed here are written, without any that loads, links or runs. What it cannot read, or reads in part,
has no MathML, so that the page shows the source instead of half a formula. The source is part of the MathML as an
annotation, for whoever copies it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from xml.etree.ElementTree import Element

# Characters of a formula that is drawn; by judgement: the longest in answers have some hundreds. Reading takes up to
# 60 µs a character.
LONGEST_DRAWN = 2_000
# Elements around each other; by judgement: real formulas have up to 20, and browsers lay out deep ones slowly.
DEEPEST = 60
REMEMBERED = 4_000  # formulas kept in memory; by judgement: those of several long conversations, some megabytes
# Elements that hold a certain number of others; those with another number are half a formula.
_PARTS = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}
_TEXTS = {"mi", "mn", "mo", "mtext"}
_OTHERS = {"math", "mrow", "mspace", "msqrt", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose"}
_CHECKED = {*_PARTS, *_TEXTS, *_OTHERS}
_LENGTH, _FLAG = re.compile(r"[+-]?\d{0,2}(?:\.\d{1,4})?(?:em|ex|px|pt|mu|cm|mm)?"), re.compile("true|false")
_VALUES = {
    **dict.fromkeys(("lspace", "rspace", "minsize", "maxsize", "width", "height", "depth", "voffset"), _LENGTH),
    **dict.fromkeys(("stretchy", "fence", "movablelimits", "largeop", "accent", "accentunder", "displaystyle"), _FLAG),
    "form": re.compile("prefix|infix|postfix"),
    "scriptlevel": re.compile(r"[+-]?\d"),
    "linethickness": _LENGTH,
    "columnalign": re.compile("left|center|right"),
    "notation": re.compile("box|updiagonalstrike|downdiagonalstrike|horizontalstrike|verticalstrike|roundedbox"),
}
# What nh3 has to let through, for the module that calls it.
TAGS = frozenset({*_CHECKED, "semantics", "annotation"})
_EVERYWHERE = {*_VALUES, "mathvariant", "class"}
ATTRIBUTES: Mapping[str, set[str]] = {
    **dict.fromkeys(TAGS, _EVERYWHERE),
    "math": {"display"},
    "annotation": {"encoding"},
}
# Commands that define others, of which a few lines could grow without end, and those that style or link. A percent sign
# would begin a comment, which is not drawn.
_REFUSED = re.compile(
    r"\\(?:[egx]?def|let|(?:re)?newcommand|providecommand|(?:re)?newenvironment|DeclareMathOperator|href|style|class"
    r"|unicode|require)(?![a-zA-Z])|(?<!\\)%"
)
# Options that it would show as a part of the formula: columns of a table beyond letters and lines, spaces after a row
# and after the name of an environment, and commutative diagrams.
_NOT_KNOWN = re.compile(
    r"\\begin\s*\{(?:array|tabular)\}\s*(?:\[[^\]]*\])?\{(?![lcr|\s]*\})|\\begin\s*\{(?:CD|tikzcd|[a-zA-Z]*matrix\*)\}"
)
# Environments that the library does not know, by one that looks alike.
_ALIKE = (
    (re.compile(r"\\\\\s*\*?\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in|mu|px|\\\w+)\s*\]"), r"\\\\ "),  # space after a row
    (re.compile(r"\\(begin|end)\s*\{(?:aligned|align|alignat\*?|alignedat|flalign\*?)\}(?:\{\d+\})?"), r"\\\1{align*}"),
    (re.compile(r"\\(begin|end)\s*\{(?:gathered|gather\*?|multline\*?)\}"), r"\\\1{matrix}"),
    (re.compile(r"\\(begin|end)\s*\{[dr]cases\}"), r"\\\1{cases}"),
    (re.compile(r"\\(?:begin|end)\s*\{(?:equation\*?|displaymath|math)\}"), " "),
    (re.compile(r"\\operatorname\*?\s*\{\s*arg\s*\\[,;: ]\s*(max|min)\s*\}"), r"\\arg\1"),
    (re.compile(r"\\bm(?![a-zA-Z])"), r"\\boldsymbol"),
    (re.compile(r"\\math(?:bin|rel|op|ord|open|close|punct|inner)(?![a-zA-Z])"), ""),
    (re.compile(r"\\(?:nonumber|notag|displaylimits)(?![a-zA-Z])"), " "),
)
# In lines of its own, a formula has its limits below these, which the library puts beside them.
_LIMITS = re.compile(r"\\(lim|max|min|sup|inf|limsup|liminf)(?=\s*_)")
_CODE = re.compile(r"&#x[0-9A-Fa-f]{1,6};")  # as the library writes a character
_NAME = re.compile(r"(?:LATIN|GREEK) (CAPITAL|SMALL) LETTER (\w+)|(DIGIT) (\w+)")
_STYLES = {
    "bold": "BOLD",
    "italic": "ITALIC",
    "bold-italic": "BOLD ITALIC",
    "script": "SCRIPT",
    "fraktur": "FRAKTUR",
    "double-struck": "DOUBLE-STRUCK",
    "sans-serif": "SANS-SERIF",
    "bold-sans-serif": "SANS-SERIF BOLD",
    "sans-serif-italic": "SANS-SERIF ITALIC",
    "monospace": "MONOSPACE",
}


class _UnreadableError(Exception):
    """A formula that was not read, or not whole."""


@lru_cache(maxsize=REMEMBERED)
def mathml(source: str, *, is_block: bool) -> str | None:
    """Return a formula's LaTeX, without the marks around it, as MathML; None where it cannot be read."""
    if len(source) > LONGEST_DRAWN or _REFUSED.search(source) or _NOT_KNOWN.search(source):
        return None
    from latex2mathml.converter import convert_to_element  # noqa: PLC0415 - reads a table of symbols for a quarter second

    display = "block" if is_block else "inline"
    try:
        known = _with_known_environments(source)
        tree = convert_to_element(_LIMITS.sub(r"\\\1\\limits", known) if is_block else known, display=display)
        drawn = "".join(_written(child, 1) for child in tree)
    except Exception:  # noqa: BLE001 - whatever a stranger's formula raises in the library, its source is shown
        return None
    annotation = f'<annotation encoding="application/x-tex">{html.escape(source.strip())}</annotation>'
    return f'<math display="{display}"><semantics>{drawn}{annotation}</semantics></math>'


def _with_known_environments(source: str) -> str:
    for pattern, replacement in _ALIKE:
        source = pattern.sub(replacement, source)
    return source


def _written(element: Element, depth: int) -> str:
    """Return an element as HTML; raises _UnreadableError for what a formula does not consist of."""
    tag = element.tag
    if tag not in _CHECKED or depth > DEEPEST or len(element) != _PARTS.get(tag, len(element)):
        raise _UnreadableError(tag)
    if tag in _TEXTS:
        inner, attributes = _text(element), _attributes(element)
    else:
        inner, attributes = "".join(_written(child, depth + 1) for child in _lined(element)), _attributes(element)
    return f"<{tag}{attributes}>{inner}</{tag}>"


def _text(element: Element) -> str:
    text = element.text or ""
    # A command, bracket or mark that is left as it was written was not understood.
    is_mark = element.tag == "mi" and text in {"&", "{", "}", "#", "$", "_", "^", "\\"}
    is_lost = element.tag == "mo" and not text and "stretchy" not in element.attrib
    if "\\" in text or is_mark or is_lost or len(element):
        raise _UnreadableError(text)
    text = _CODE.sub(lambda found: html.unescape(found[0]), text)
    return html.escape(_styled(text, element.attrib.get("mathvariant", "")))


def _styled(text: str, style: str) -> str:
    """Return letters and digits in another style: browsers know no attribute for it, but Unicode has the letters."""
    return "".join(_letter(letter, _STYLES[style]) for letter in text) if style in _STYLES else text


def _letter(letter: str, style: str) -> str:
    named = _NAME.fullmatch(unicodedata.name(letter, ""))
    if named is None:
        return letter
    rest = " ".join(part for part in named.groups() if part)
    plain = {"FRAKTUR": "BLACK-LETTER"}.get(style, style)  # some letters had a name before the others came
    for name in (f"MATHEMATICAL {style} {rest}", f"{plain} {rest}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return letter


def _attributes(element: Element) -> str:
    known = {
        name: value for name, value in element.attrib.items() if name in _VALUES and _VALUES[name].fullmatch(value)
    }
    if element.attrib.get("mathvariant") == "normal":
        known["mathvariant"] = "normal"
    if "line" in element.attrib:  # ours: no browser but one draws the lines of a table by its attributes
        known["class"] = element.attrib["line"]
    return "".join(f' {name}="{value}"' for name, value in known.items())


def _lined(element: Element) -> Sequence[Element]:
    """Return the elements in another one; the rows and cells of a table know the line after them."""
    if element.tag == "mtable":
        columns, rows = (element.attrib.get(name, "").split() for name in ("columnlines", "rowlines"))
        for row, line in zip(element, rows, strict=False):
            _set_line(row, line, "below")
        for row in element:
            for cell, line in zip(row, columns, strict=False):
                _set_line(cell, line, "after")
    return list(element)


def _set_line(element: Element, line: str, place: str) -> None:
    if line in {"solid", "dashed"}:
        element.set("line", place)
