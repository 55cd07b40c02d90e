r"""Drafts that the assistant writes into an answer, between fences of their own (API notes §3.6).

``:::writing{variant="email" id="38274" subject="Broken lift"}``, the draft, ``:::``. The service's page shows a card
with the subject and the draft; the fences are for the page alone. What the person makes of a draft stands in the
message's ``metadata.writing_blocks``, and the page shows it in the draft's place. No such edit was published, so its
form is not known: every form is read that has its words under a usual name, by the block's id or in its order.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from mirror.rows import Draft
from mirror.text import attributes, fence_after
from mirror.values import as_id, first_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = ":::"
_BEGIN = re.compile(":::writing")  # its first character is rare, so that a pattern is twice as fast as ``in``
_FIRST_LINE = re.compile(r":::writing[ \t]*+(?P<stated>\{.*\})?[ \t\r]*")
_INNER = re.compile(r":::[ \t]*[A-Za-z][\w-]*+(?:\[[^\]]*\])?[ \t]*+(?:\{.*\})?[ \t]*+(?P<words>[^{}]*)")
_LAST_LINE = re.compile(r":::[ \t\r]*")
_KIND = re.compile(r"[A-Za-z_]{1,40}")
BEFORE = "Before it was edited:"
_ID_KEYS = ("id", "block_id", "writing_block_id")
_TEXT_KEYS = ("content", "text", "body", "markdown", "value", "current", "latest", "edited_content", "edited_text")
_SUBJECT_KEYS = ("subject", "title")
_VERSION_KEYS = ("versions", "edits", "history")
# Places of a draft's words before its own that are counted. Larger: words such as "aaaa" take the square of their
# number; smaller: the place of a short draft is not known where an answer says the same often.
_MOST_REPEATS = 1_000
_DEEPEST = 4  # of objects around the words of an edit


class FoundDraft(NamedTuple):
    """A draft. ``repeats``: how often its text also comes between the end of the draft before it and its own place.

    More than ``_MOST_REPEATS``: too often to be counted, so that its place is not known.
    """

    draft: Draft
    repeats: int


class _Block(NamedTuple):
    """A draft as it was written, from ``start`` to ``end`` of the text. ``stated``: its first line's attributes.

    ``others``: what they say beside kind, id and subject, as lines before the ``body``.
    """

    start: int
    end: int
    stated: dict[str, str]
    others: str
    body: str


class _Edit(NamedTuple):
    """What a person made of a draft. ``block_id``: of the draft, None where it does not say."""

    block_id: str | None
    subject: str
    text: str


def may_be_in(text: str) -> bool:
    """Whether there may be drafts in a text; nearly none has any."""
    return _BEGIN.search(text) is not None


def drafts_in(text: str, edited: Any = None) -> list[FoundDraft]:
    """Return the drafts in a text, each as it was edited, if it was; ``edited`` as for ``readable``."""
    blocks = list(_blocks(text))
    if not blocks:
        return []
    edits = _matched(blocks, list(_edits(edited, None, {_id_of(block) for block in blocks} - {None})))
    found, end = [], 0
    for n, block in enumerate(blocks):
        edit = edits.get(n)
        words = (_with_others(block, edit.text) if edit else block.others + block.body).strip("\n")
        before = text[end : block.start] + (_shown_edit(edit, block) if edit else _shown(block))
        kind = _KIND.match(block.stated.get("variant", ""))
        draft = Draft(kind[0] if kind else "", (edit.subject if edit else "") or _subject(block), words)
        found.append(FoundDraft(draft, _repeats(words, before.rstrip("\n"))))
        end = block.end
    return found


def place_of(found: FoundDraft, text: str, begin: int) -> int | None:
    """Return where a draft's words are in a message's text; ``begin``: the end of the draft before it."""
    if found.repeats > _MOST_REPEATS:
        return None
    place = text.find(found.draft.text, begin)
    for _ in range(found.repeats):
        place = text.find(found.draft.text, place + 1) if place >= 0 else -1
    return place if place >= 0 else None


def _repeats(words: str, text: str) -> int:
    """Return how often words are in a text that ends with them, without that end."""
    count, place = 0, text.find(words) if words else -1
    while 0 <= place < len(text) - len(words) and count <= _MOST_REPEATS:
        count, place = count + 1, text.find(words, place + 1)
    return count


def readable(text: str, edited: Any = None) -> str:
    """Return a text in which each draft is its subject and its words; an interrupted one ends with the text.

    ``edited``: ``metadata.writing_blocks``. What was edited stands in the place of its draft, and what it was before
    at the end, so that both are read and found.
    """
    blocks = list(_blocks(text))
    if not blocks and edited is None:
        return text
    edits = list(_edits(edited, None, {_id_of(block) for block in blocks} - {None}))
    if not blocks and not edits:
        return text
    found = _matched(blocks, edits)
    pieces, before, end = [], [], 0
    for n, block in enumerate(blocks):
        shown, edit = _shown(block), found.get(n)
        replacement = shown if edit is None else _shown_edit(edit, block)
        if edit is not None and replacement.strip() != shown.strip():
            before.append(shown)
        pieces += [text[end : block.start], replacement]
        end = block.end
    pieces.append(text[end:])
    placed = {id(edit) for edit in found.values()}
    unplaced = [_headed(edit.subject, edit.text) for edit in edits if id(edit) not in placed]
    whole = "".join(pieces)
    new = [one for one in unplaced if one.strip() not in whole]
    lines = [whole, *new, *(f"{BEFORE}\n\n{one}" for one in before)]
    return whole if len(lines) == 1 else "\n\n".join(line.strip("\n") for line in lines if line.strip())


def _blocks(text: str) -> Iterator[_Block]:
    """Yield the drafts in a text; what is in a block of code is shown there on purpose."""
    lines = text.split("\n") if may_be_in(text) else []
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    fence, after = "", 0
    for n, line in enumerate(lines):
        if n < after:
            continue
        fence = fence_after(line, fence)
        if fence or (first := _FIRST_LINE.fullmatch(line)) is None:
            continue
        last, after = _end(lines, n + 1)
        stated, others = _attributes(first["stated"] or "")
        begin, end = min(starts[n + 1], len(text)), min(starts[after], len(text))
        yield _Block(starts[n], end, stated, others, text[begin : min(starts[last], len(text))])


def _end(lines: list[str], begin: int) -> tuple[int, int]:
    """Return the line after a draft's last one, and the line after the one that closes it.

    ``begin``: its first line of words. A block in it has a closing line of its own, unless its first line turns out to
    be a sentence that begins with colons: that leaves the draft without one. The next draft ends it, too.
    """
    depth, without_sentences, closed, fence = 1, 1, None, ""
    for n in range(begin, len(lines)):
        fence = fence_after(lines[n], fence)
        if fence or not lines[n].startswith(_MARK):
            continue
        if _FIRST_LINE.fullmatch(lines[n]):
            return (n, n) if closed is None else (closed, closed + 1)
        if _LAST_LINE.fullmatch(lines[n]):
            depth, without_sentences = depth - 1, without_sentences - 1
            closed = n if closed is None and not without_sentences else closed
        elif inner := _INNER.fullmatch(lines[n]):
            depth, without_sentences = depth + 1, without_sentences + (not inner["words"].strip())
        if not depth:
            return n, n + 1
    return (len(lines), len(lines)) if closed is None else (closed, closed + 1)


def _attributes(written: str) -> tuple[dict[str, str], str]:
    """Return the attributes of a first line, and those that are neither kind, id nor subject as lines of text."""
    stated, rest = attributes(written.strip("{}"))
    shown = {"variant", "id", next((name for name in _SUBJECT_KEYS if stated.get(name)), "")}
    others = [f"{name}: {value}" for name, value in stated.items() if name not in shown and value]
    others += [rest] if any(letter.isalnum() for letter in rest) else []
    return stated, "".join(f"{line}\n" for line in others) + "\n" * bool(others)


def _shown(block: _Block) -> str:
    return _headed(_subject(block), block.body, block.others)


def _subject(block: _Block) -> str:
    return next((block.stated[name] for name in _SUBJECT_KEYS if block.stated.get(name)), "")


def _with_others(block: _Block, text: str) -> str:
    """Return the words of an edit below what the draft's first line says; once, if they begin with it."""
    return text if text.lstrip().startswith(block.others.strip()) else block.others + text


def _headed(subject: str, body: str, others: str = "") -> str:
    heading = f"{subject}\n\n" if subject and subject not in body.split("\n", 1)[0] else ""
    return f"{heading}{others}{body}"


def _shown_edit(edit: _Edit, block: _Block) -> str:
    """Return an edited draft; where the edit states no subject, under that of the draft."""
    others = _with_others(block, edit.text).removesuffix(edit.text)
    text = _headed(edit.subject or _subject(block), edit.text, others)
    return text if text.endswith("\n") else f"{text}\n"


def _matched(blocks: list[_Block], edits: list[_Edit]) -> dict[int, _Edit]:
    """Return which edit belongs to which block: by id, or where nothing states an id and there is one for each."""
    ids = [_id_of(block) for block in blocks]
    by_id = {edit.block_id: edit for edit in edits}
    found = {n: by_id[key] for n, key in enumerate(ids) if key is not None and key in by_id}
    if not found and len(blocks) == len(edits) and all(edit.block_id is None for edit in edits):
        found = dict(enumerate(edits))
    return found


def _id_of(block: _Block) -> str | None:
    return block.stated.get("id") or None


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
    pieces, end = [], 0
    for block in _blocks(text) if text.strip() else ():
        pieces += [text[end : block.start], block.others + block.body]
        end = block.end
    return "".join([*pieces, text[end:]]) if text.strip() else ""
