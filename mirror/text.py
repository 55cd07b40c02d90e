"""Text in other text: on one line, in a Markdown fence, as attributes; and in which encoding bytes are text."""

from __future__ import annotations

import codecs
import re

# Characters of a name that are shown; file systems take 255 bytes. Smaller: names are cut; larger: one fills a screen.
LONGEST_NAME = 200
_MISLEADING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# A byte order mark of UTF-32 begins like one of UTF-16, so these come first.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ATTRIBUTE = re.compile(r"""(?<![\w-])([A-Za-z][\w-]*)=(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"'}]+))""")
_BACKTICKS = re.compile(r"`{3,}")
# Also one with which an item of a list begins; a line with more blanks before it is indented code.
_CODE_FENCE = re.compile(
    r" {0,3}(?P<item>(?:(?:[-*+]|\d{1,9}[.)]) {1,3})*)(?P<marks>`{3,}|~{3,})(?P<info>.*)", re.DOTALL
)


def one_line(text: str) -> str:
    """Return text on one line, every run of blanks and line ends as one blank."""
    return " ".join(text.split())


def readable_name(name: str) -> str:
    """Return a name as a reader should see it: on one line, not endless, and in the order in which it is written.

    Marks that turn the direction of text around, and other controls, become U+FFFD: they make ``exe`` read ``pdf``.
    """
    shown = _MISLEADING.sub("\ufffd", one_line(name))
    return shown if len(shown) <= LONGEST_NAME else shown[: LONGEST_NAME - 1] + "…"


def fenced(code: str, language: str = "") -> str:
    """Return code in a Markdown fence that the code itself cannot close."""
    longest = max((len(run) for run in _BACKTICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def fence_after(line: str, fence: str) -> str:
    """Return the marks of the code fence that is open after a line of Markdown, "" for none.

    ``fence``: what this function returned for the line before. As CommonMark has it: a fence of backticks has none
    after it on its line, and is closed by as many of the same marks or more, alone on a line.
    """
    found = _CODE_FENCE.fullmatch(line)
    if found is None:
        return fence
    if not fence:
        return "" if found["marks"][0] == "`" and "`" in found["info"] else found["marks"]
    is_closed = found["marks"].startswith(fence) and not found["item"] and not found["info"].strip()
    return "" if is_closed else fence


def attributes(written: str) -> tuple[dict[str, str], str]:
    """Return the attributes in ``title="A draft" id=7``, by name, and what is written beside them."""
    found = {name: re.sub(r"\\(.)", r"\1", a or b or c).strip() for name, a, b, c in _ATTRIBUTE.findall(written)}
    return found, " ".join(_ATTRIBUTE.sub("", written).split())


def byte_order_mark(head: bytes) -> tuple[int, str]:
    """Return the length of the byte order mark with which bytes begin, and its encoding; 0 and "" without one."""
    return next(((len(mark), encoding) for mark, encoding in _BYTE_ORDER_MARKS if head.startswith(mark)), (0, ""))
