"""What an assistant did on the way to its answer, as one fold: calls of tools, output, thoughts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from mirror.normalize import tool_steps
from mirror.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirror.browse.blocks import Block
    from mirror.browse.files import FileOnPage
    from mirror.store.threads import MessageView

_TOOLS = frozenset({"code", "output", "quote"})
# By judgement: what fits two lines of a desktop page.
_LONGEST_LABEL = 180  # characters
_DETAILS = 3  # of one kind of step, such as the words of searches
_NAME = 40  # characters of a tool's name
_NOBODY = frozenset({None, "", "all", "assistant"})


@dataclass(frozen=True, slots=True)
class Piece:
    """What a turn shows as one: a single block, or with a ``label`` a run of several, folded unless ``is_open``.

    ``pictures``: what its folds made for the person, a chart for instance; it stands below them, seen without a click.
    """

    blocks: tuple[Block, ...]
    label: str | None = None
    is_open: bool = False
    pictures: tuple[FileOnPage, ...] = ()


def pieces_of(blocks: Sequence[Block], provider: str, *, has_open_reasoning: bool) -> Iterator[Piece]:
    """Yield the pieces of a turn. Thoughts that are to be open are no part of a run."""
    kinds = _TOOLS if has_open_reasoning else _TOOLS | {"reasoning"}
    for is_run, group in groupby(blocks, lambda block: block.message.kind in kinds):
        some = tuple(group)
        if is_run and len(some) > 1 and any(block.message.kind in _TOOLS for block in some):
            label = run_label([block.message for block in some], provider)
            yield _piece(some, label, is_open=any(block.is_open for block in some))
        else:
            yield from (_piece((block,)) for block in some)


def _piece(blocks: Sequence[Block], label: str | None = None, *, is_open: bool = False) -> Piece:
    made = [file for block in blocks for file in block.files if _is_for_the_person(block, file)]
    rest = (replace(block, files=[f for f in block.files if not _is_for_the_person(block, f)]) for block in blocks)
    return Piece(tuple(rest) if made else tuple(blocks), label, is_open, tuple(made))


def _is_for_the_person(block: Block, file: FileOnPage) -> bool:
    """Whether a file in a fold is a picture of a message that the service itself shows."""
    return file.shows == "image" and block.summary is not None and not block.message.is_hidden


def run_label(messages: Sequence[MessageView], provider: str) -> str:
    """Return what was done, in the order of the first of each kind: ``Searched the web: rye · Ran Python 2 times``."""
    steps: dict[str, list[str]] = {}
    for what, detail in _steps(messages, provider):
        steps.setdefault(what, []).append(detail)
    label = " · ".join(_step_label(what, details) for what, details in steps.items())
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def _steps(messages: Sequence[MessageView], provider: str) -> Iterator[tuple[str, str]]:
    called = {_family(message.recipient) for message in messages if message.kind == "code"}
    for message in messages:
        if message.kind == "code":
            yield from _call_steps(message, provider)
        elif message.kind == "reasoning":
            yield from tool_steps(provider, message.content_type or "", message.text)
        elif message.role == "tool" and message.author and _family(message.author) not in called:
            yield from tool_steps(provider, message.author, "") or [_used(message.author)]
            called.add(_family(message.author))
        elif message.kind == "quote" and not called:
            yield "Quoted a page", ""


def _call_steps(message: MessageView, provider: str) -> list[tuple[str, str]]:
    tool = message.recipient
    if tool is None or tool in _NOBODY:
        return [("Ran code", "")]
    return tool_steps(provider, tool, message.text) or [_used(tool)]


def _used(tool: str) -> tuple[str, str]:
    return f"Used {one_line(tool)[:_NAME]}", ""


def _family(tool: str | None) -> str:
    return (tool or "").partition(".")[0]


def _step_label(what: str, details: Sequence[str]) -> str:
    known = list(dict.fromkeys(filter(None, details)))
    if not known:
        return what if len(details) == 1 else f"{what} {len(details):,} times"
    more = f" and {len(known) - _DETAILS:,} more" if len(known) > _DETAILS else ""
    return f"{what}: {'; '.join(known[:_DETAILS])}{more}"
