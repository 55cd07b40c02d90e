r"""Drafts that the assistant writes into an answer, between fences of their own (API notes §3.6).

``:::writing{variant="email" id="38274" subject="Broken lift"}``, the draft, ``:::``. The service's page shows a card
with the subject and the draft; the fences are for the page alone.
"""

from __future__ import annotations

import re

_BLOCK = re.compile(
    r"^:::writing[ \t]*(?P<stated>\{[^\n]*\})?[ \t]*(?:\n|\Z)(?P<body>.*?)(?:^:::[ \t]*(?:\n|\Z)|\Z)",
    re.DOTALL | re.MULTILINE,
)  # fmt: skip
_NAMES = re.compile(r'\b(?:subject|title)="((?:[^"\\\n]|\\.)*)"')
_CODE_FENCE = "```"


def without_fences(text: str) -> str:
    """Return a text in which each draft is its subject and its words; an interrupted one ends with the text."""
    if ":::writing" not in text:
        return text
    return _BLOCK.sub(_shown, text)


def _shown(block: re.Match[str]) -> str:
    if block.string.count(_CODE_FENCE, 0, block.start()) % 2:
        return block[0]  # in a block of code it is shown on purpose
    subject = _NAMES.search(block["stated"] or "")
    body = block["body"]
    words = re.sub(r"\\(.)", r"\1", subject[1]).strip() if subject else ""
    return f"{words}\n\n{body}" if words and words not in body.split("\n", 1)[0] else body
