r"""Drafts that the assistant writes into an answer, between fences of their own (API notes §3.6).

``:::writing{variant="email" id="38274" subject="Broken lift"}``, the draft, ``:::``. The service's page shows a card
with the subject and the draft; the fences are for the page alone. What the person makes of a draft stands in the
message's ``metadata.writing_blocks``, and the page shows it in the draft's place. No such edit was published, so its
form is not known: every form is read that has its words under a usual name, by the block's id or in its order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.normalize.rows import Draft
from mirror.values import as_id, first_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(
    r"^:::writing[ \t]*(?P<stated>\{[^\n]*\})?[ \t]*(?:\n|\Z)(?P<body>.*?)(?:^:::[ \t]*(?:\n|\Z)|\Z)",
    re.DOTALL | re.MULTILINE,
)  # fmt: skip
_NAMES = re.compile(r'\b(?:subject|title)="((?:[^"\\\n]|\\.)*)"')
_VARIANT = re.compile(r'\bvariant="?([A-Za-z_]{1,40})')
_ID = re.compile(r'\bid="?([^"\s}]+)')
_CODE_FENCE = "```"
BEFORE = "Before it was edited:"
_ID_KEYS = ("id", "block_id", "writing_block_id")
_TEXT_KEYS = ("content", "text", "body", "markdown", "value", "current", "latest", "edited_content", "edited_text")
_SUBJECT_KEYS = ("subject", "title")
_VERSION_KEYS = ("versions", "edits", "history")
_DEEPEST = 4  # of objects around the words of an edit


class _Edit(NamedTuple):
    """What a person made of a draft. ``block_id``: of the draft, None where it does not say."""

    block_id: str | None
    subject: str
    text: str


def drafts_in(text: str, edited: Any = None) -> list[Draft]:
    """Return the drafts in a text, each as it was edited, if it was; ``edited`` as for ``readable``."""
    blocks = list(_blocks(text)) if ":::writing" in text else []
    if not blocks:
        return []
    found = _matched(blocks, list(_edits(edited, None, {_id_of(block) for block in blocks} - {None})))
    drafts = [(block, found.get(n)) for n, block in enumerate(blocks)]
    return [
        Draft(
            kind=variant[1] if (variant := _VARIANT.search(block["stated"] or "")) else "",
            title=(edit.subject if edit else "") or _subject(block),
            text=(block["body"] if edit is None else edit.text).strip("\n"),
        )
        for block, edit in drafts
    ]


def readable(text: str, edited: Any = None) -> str:
    """Return a text in which each draft is its subject and its words; an interrupted one ends with the text.

    ``edited``: ``metadata.writing_blocks``. What was edited stands in the place of its draft, and what it was before
    at the end, so that both are read and found.
    """
    blocks = list(_blocks(text)) if ":::writing" in text else []
    if not blocks and edited is None:
        return text
    edits = list(_edits(edited, None, {_id_of(block) for block in blocks} - {None}))
    if not blocks and not edits:
        return text
    found = _matched(blocks, edits)
    pieces, before, end = [], [], 0
    for n, block in enumerate(blocks):
        shown, edit = _shown(block), found.get(n)
        replacement = shown if edit is None else _shown_edit(edit, shown)
        if edit is not None and replacement.strip() != shown.strip():
            before.append(shown)
        pieces += [text[end : block.start()], replacement]
        end = block.end()
    pieces.append(text[end:])
    placed = {id(edit) for edit in found.values()}
    unplaced = [_headed(edit.subject, edit.text) for edit in edits if id(edit) not in placed]
    whole = "".join(pieces)
    new = [one for one in unplaced if one.strip() not in whole]
    lines = [whole, *new, *(f"{BEFORE}\n\n{one}" for one in before)]
    return whole if len(lines) == 1 else "\n\n".join(line.strip("\n") for line in lines if line.strip())


def _blocks(text: str) -> Iterator[re.Match[str]]:
    """Yield the drafts in a text; what stands in a block of code is shown there on purpose."""
    fences, counted = 0, 0
    for block in _BLOCK.finditer(text):
        fences += text.count(_CODE_FENCE, counted, block.start())
        counted = block.start()
        if fences % 2 == 0:
            yield block


def _shown(block: re.Match[str]) -> str:
    return _headed(_subject(block), block["body"])


def _subject(block: re.Match[str]) -> str:
    subject = _NAMES.search(block["stated"] or "")
    return re.sub(r"\\(.)", r"\1", subject[1]).strip() if subject else ""


def _headed(subject: str, body: str) -> str:
    return f"{subject}\n\n{body}" if subject and subject not in body.split("\n", 1)[0] else body


def _shown_edit(edit: _Edit, before: str) -> str:
    """Return an edited draft; where the edit states no subject, under that of the draft."""
    heading, _, rest = before.partition("\n\n")
    subject = edit.subject or (heading if rest and "\n" not in heading and len(heading) < len(rest) else "")
    text = _headed(subject, edit.text)
    return text if text.endswith("\n") else f"{text}\n"


def _matched(blocks: list[re.Match[str]], edits: list[_Edit]) -> dict[int, _Edit]:
    """Return which edit belongs to which block: by id, or where nothing states an id and there is one for each."""
    ids = [_id_of(block) for block in blocks]
    by_id = {edit.block_id: edit for edit in edits}
    found = {n: by_id[key] for n, key in enumerate(ids) if key is not None and key in by_id}
    if not found and len(blocks) == len(edits) and all(edit.block_id is None for edit in edits):
        found = dict(enumerate(edits))
    return found


def _id_of(block: re.Match[str]) -> str | None:
    stated = _ID.search(block["stated"] or "")
    return stated[1] if stated else None


def _edits(value: Any, key: str | None, ids: set[str | None], depth: int = 0) -> Iterator[_Edit]:
    """Yield the edits in ``metadata.writing_blocks``: an object by block id, or a list of objects that state it.

    ``key``: under which ``value`` stands; ``ids``: those of the drafts in the text.
    """
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        is_prose = key in ids or " " in value.strip()  # a single word beside no draft's id is a flag
        if key is not None and value.strip() and is_prose:
            yield _Edit(key, "", _without_fences(value))
    elif isinstance(value, list):
        is_history = key in ids  # of one draft: its last version is the one that is shown
        for one in value[-1:] if is_history else value:
            yield from _edits(one, key if is_history else None, ids, depth + 1)
    elif isinstance(value, dict):
        stated = next((found for name in _ID_KEYS if (found := as_id(value.get(name)))), key)
        if text := _text_of(value, 0):
            yield _Edit(stated, first_text(*(value.get(name) for name in _SUBJECT_KEYS)).strip(), text)
            return
        for name, child in value.items():
            if isinstance(child, dict | list | str) and name not in (*_ID_KEYS, *_SUBJECT_KEYS):
                yield from _edits(child, name, ids, depth + 1)


def _text_of(value: Any, depth: int) -> str:
    """Return the words of an edit; of several versions, the last one's."""
    if isinstance(value, str):
        return _without_fences(value)
    if isinstance(value, list):
        return "\n".join(_text_of(one, depth + 1) for one in value).strip("\n") if depth else ""
    if depth > _DEEPEST or not isinstance(value, dict):
        return ""
    for name in _TEXT_KEYS:
        if found := _text_of(value.get(name), depth + 1):
            return found
    for name in _VERSION_KEYS:
        versions = value.get(name)
        for version in reversed(versions if isinstance(versions, list) else []):
            if found := _text_of(version, depth + 1):
                return found
    return ""


def _without_fences(text: str) -> str:
    return _BLOCK.sub(lambda block: block["body"], text) if text.strip() else ""
