"""A markdown-it plugin that shows ``:::name{attributes}`` … ``:::`` as a card: its kind and title, then what it holds.

Assistants put drafts and asides between such lines. One that is not closed holds all that follows, as an answer that
was interrupted does; nothing of it is lost.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from mirror.text import attributes, fence_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

    from mirror.rows import Draft

MARK = ":::"
# Blocks around a container; markdown-it leaves out what is nested in 20. By judgement: nobody nests so many cards.
DEEPEST = 8
# How often the lines of a text are read to find those that close containers: once at each depth, of which there are
# ``DEEPEST``, and again where a fence was not one for Markdown. Larger: a text of such lines holds up the page;
# smaller: the colons of the last containers are shown.
MOST_READ = 20
_OPENING = re.compile(
    r"(?P<marks>:{3,})[ \t]*(?P<name>[A-Za-z][\w-]{0,40})(?:\[(?P<label>[^\]]{0,300})\])?[ \t]*+"
    r"(?:\{(?P<attributes>.{0,2000})\})?[ \t]*+(?P<words>[^{}]{0,300})"
)
_LONGEST_TITLE = 500  # characters of a title in a card; by judgement: longer ones are no titles, and stay text
_KIND, _RUNS = re.compile(r"[A-Za-z][\w-]{0,40}", re.ASCII), re.compile(r":{3,}")
_CLOSING = re.compile(r"(:{3,})[ \t]*")
_TITLES, _KINDS, _UNSEEN = ("subject", "title"), ("variant", "type"), {"id"}


class _Found(NamedTuple):
    """A container: what its first line says, the line after its last one, and whether a line closes it."""

    kind: str
    title: str
    others: tuple[str, ...]
    end: int
    is_closed: bool


def containers(parser: MarkdownIt) -> None:
    """Add the rule to a parser."""
    endings = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("fence", "container", _container, {"alt": endings})
    parser.add_render_rule("container_open", _opening_html)
    parser.add_render_rule("container_close", lambda *_: "</div>\n")


def with_drafts(text: str, drafts: Sequence[Draft]) -> str:
    """Return a text in which each draft is a container; one that does not stand there in its own lines is left."""
    pieces, at = [], 0
    for draft in drafts:
        start = _place(text, draft, at) if draft.text and len(draft.title) <= _LONGEST_TITLE else -1
        heading = f"{draft.title}\n\n" if draft.title else ""
        begin = start - len(heading) if start >= 0 and text.endswith(heading, at, start) else start
        end = start + len(draft.text)
        if begin >= at and text[begin - 1 : begin] in {"", "\n"} and text[end : end + 1] in {"", "\n"}:
            pieces += [text[at:begin], _written(draft)]
            at = end
    return "".join([*pieces, text[at:]])


def _place(text: str, draft: Draft, at: int) -> int:
    """Return where a draft's text begins, its stated place or else the first one from ``at`` on; -1 for nowhere."""
    if draft.at is not None and draft.at >= at and text.startswith(draft.text, draft.at):
        return draft.at
    return text.find(draft.text, at)


def _written(draft: Draft) -> str:
    """Return a draft as a container, which nothing in its text closes."""
    marks = ":" * (max((len(run) for run in _RUNS.findall(draft.text)), default=2) + 1)
    kind = draft.kind if _KIND.fullmatch(draft.kind) else "draft"
    title = " ".join(draft.title.split()).replace("\\", "\\\\").replace('"', '\\"')
    attributes = f'{{title="{title}"}}' if title else ""
    return f"{marks}{kind}{attributes}\n{draft.text}\n{marks}"


def _container(state: StateBlock, start: int, stop: int, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
    if not _line(state, start).startswith(MARK) or state.is_code_block(start) or state.level >= DEEPEST:
        return False
    found = _found(state, start, stop)
    if found is None or silent:
        return found is not None
    parent, last = state.parentType, state.lineMax
    token = state.push("container_open", "div", 1)
    token.meta = {"found": found, "source": state.getLines(start + 1, found.end, state.blkIndent, keepLastLF=False)}
    state.parentType, state.lineMax = "container", found.end
    state.md.block.tokenize(state, start + 1, found.end)
    state.parentType, state.lineMax = parent, last
    state.push("container_close", "div", -1)
    state.line = found.end + found.is_closed
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _found(state: StateBlock, start: int, stop: int) -> _Found | None:
    opened = _OPENING.fullmatch(_line(state, start))
    found = _end(state, start, stop) if opened else None
    if opened is None or found is None:
        return None
    end, is_closed = found
    if opened["words"].strip() and not is_closed:
        return None  # a sentence that begins with colons
    # Words after the name are a title.
    stated, rest = attributes(opened["attributes"] or "")
    titles = [opened["label"], opened["words"].strip(), *(stated.pop(name, None) for name in _TITLES)]
    kind = next((stated.pop(name) for name in _KINDS if stated.get(name)), opened["name"])
    others = [f"{name}: {value}" for name, value in stated.items() if name not in _UNSEEN and value]
    others += [rest] if rest else []
    return _Found(kind, " · ".join(title for title in titles if title), tuple(others), end, is_closed)


def _end(state: StateBlock, start: int, stop: int) -> tuple[int, bool] | None:
    """Return the line that closes a container, or the one after the last that it can hold; None: not looked for.

    What is found for one is remembered for all that begin later in the same block, so that each line is read once.
    """
    ends: dict[tuple[int, int, int], tuple[int, bool]] = state.env.setdefault("container_ends", {})
    key = (start, stop, state.blkIndent)
    if key not in ends and state.env.setdefault("lines_to_read", MOST_READ * len(state.bMarks)) > 0:
        for line, *found in _ends(state, start, stop):
            ends.setdefault((line, stop, state.blkIndent), (found[0], bool(found[1])))
    return ends.get(key)


def _ends(state: StateBlock, start: int, stop: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the first line of each container from ``start`` to the block's end, and what ``_end`` returns for it."""
    opened: defaultdict[str, list[int]] = defaultdict(list)  # by the marks, which are the same at both ends
    last, fence = start, ""
    for last in range(start, stop):
        text = _line(state, last)
        if last > start and text and state.sCount[last] < state.blkIndent:
            break
        if state.is_code_block(last):
            continue
        fence = fence_after(text, fence)
        if fence or not text.startswith(MARK):
            continue
        if closing := _CLOSING.fullmatch(text):
            if opened[closing[1]]:
                yield opened[closing[1]].pop(), last, True
        elif opening := _OPENING.fullmatch(text):
            opened[opening["marks"]].append(last)
    else:
        last = stop
    state.env["lines_to_read"] -= last - start
    yield from ((line, last, False) for lines in opened.values() for line in lines)


def _opening_html(_r: RendererHTML, tokens: Sequence[Token], n: int, _o: OptionsDict, _e: EnvType) -> str:
    found: _Found = tokens[n].meta["found"]
    kind = html.escape(found.kind.replace("_", " ").replace("-", " ").capitalize())
    title = f"<strong>{html.escape(found.title)}</strong>" if found.title else ""
    others = f"<em>{html.escape(', '.join(found.others))}</em>" if found.others else ""
    heading = " ".join(part for part in (f"<span>{kind}</span>", title, others) if part)
    # For the button that copies it; a card in a card is copied with it.
    source = f' data-source="{html.escape(tokens[n].meta["source"])}"' if tokens[n].level == 0 else ""
    return f'<div class="card"{source}><p class="card-title">{heading}</p>\n'
