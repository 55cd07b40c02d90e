r"""A markdown-it plugin that leaves maths as it was written.

That is ``\(x\)``, ``\[x\]`` and ``$$x$$``, also across lines. Read as Markdown, a formula loses its backslashes and
some of its asterisks. A single dollar sign is money, unless another one on the same line closes a formula: no space
just inside, no digit after either (``$x_1$``, not ``$5 and $10``).
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

LONGEST = 4_000  # characters of a formula; by judgement. A bound keeps the search for a closing mark linear
_INLINE = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_DOLLAR = re.compile(r"\$(?=[^\s$\d])[^$\n]{0,200}(?<=[^\s\\])\$(?![\d$])")
_BLOCK = {"\\[": "\\]", "$$": "$$"}


def maths(parser: MarkdownIt) -> None:
    """Add the rules to a parser, before those that would read a backslash as an escape."""
    parser.inline.ruler.before("escape", "maths", _inline)
    parser.block.ruler.before("fence", "maths_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.add_render_rule("maths", _inline_html)
    parser.add_render_rule("maths_block", _block_html)


def _inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
    opening = state.src[state.pos : state.pos + 2]
    if opening not in _INLINE:
        return _dollar(state, silent=silent)
    end = state.src.find(_INLINE[opening], state.pos + 2, min(state.posMax, state.pos + LONGEST))
    if end <= state.pos + 2:
        return False
    if not silent:
        state.push("maths", "code", 0).content = state.src[state.pos : end + 2]
    state.pos = end + 2
    return True


def _dollar(state: StateInline, *, silent: bool) -> bool:
    found = _DOLLAR.match(state.src, state.pos, state.posMax)
    if found is None or state.src[state.pos - 1 : state.pos].isalnum():
        return False
    if not silent:
        state.push("maths", "code", 0).content = found[0]
    state.pos = found.end()
    return True


def _block(state: StateBlock, start: int, stop: int, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
    if state.is_code_block(start):
        return False
    begin = state.bMarks[start] + state.tShift[start]
    closing = _BLOCK.get(state.src[begin : begin + 2])
    if closing is None:
        return False
    last = _last_line(state, start, stop, state.src.find(closing, begin + 2, begin + LONGEST))
    if last is None:
        return False
    if not silent:
        token = state.push("maths_block", "pre", 0)
        token.content = state.getLines(start, last + 1, state.blkIndent, keepLastLF=False).strip()
        state.line = last + 1
    return True


def _last_line(state: StateBlock, start: int, stop: int, closed: int) -> int | None:
    """Return the line that closes a formula; None if text follows on it, or in another block."""
    for line in range(start, stop if closed >= 0 else start):
        if state.sCount[line] < state.blkIndent:
            return None
        if closed < state.eMarks[line]:
            return None if state.src[closed + 2 : state.eMarks[line]].strip() else line
    return None


def _inline_html(_r: RendererHTML, tokens: Sequence[Token], n: int, _o: OptionsDict, _e: EnvType) -> str:
    return f'<code class="maths">{html.escape(tokens[n].content)}</code>'


def _block_html(_r: RendererHTML, tokens: Sequence[Token], n: int, _o: OptionsDict, _e: EnvType) -> str:
    return f'<pre class="maths" tabindex="0"><code>{html.escape(tokens[n].content)}</code></pre>\n'
