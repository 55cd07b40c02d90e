r"""A markdown-it plugin that finds formulas and draws them as MathML.

They are ``\(x\)``, ``\[x\]`` and ``$$x$$``, also across lines. Read as Markdown, a formula loses its backslashes and
some of its asterisks. A single dollar sign is money, unless another one on the same line closes a formula: no space
just inside, no digit, letter or brace after the second (``$x_1$``, not ``$5 and $10`` or ``$HOME/bin:$PATH``). What
cannot be drawn is shown as it was written.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from mirror.browse.mathml import mathml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

LONGEST = 4_000  # characters of a formula; by judgement. A bound keeps the search for a closing mark linear
# Characters of formulas that are drawn in one text; by judgement: some hundreds of usual formulas. The others are shown
# as they were written, or the worst text would take minutes.
MOST_DRAWN = 30_000
# Of a formula in a line. By judgement: on a phone, one with more characters than the first may need a scroll bar of its
# own, and on any screen one with more than the second, so that it has lines for itself.
_LONG, _LONGER = 24, 120
_INLINE = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_DOLLAR = re.compile(r"\$(?=[^\s$\d])[^$\n]{0,200}(?<=[^\s\\])\$(?![\w${])")
# Between two dollar signs with blanks inside, as in "$$ and $$", there is a formula only with one of these.
_MARKS = frozenset("\\^_=")
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
    if end <= state.pos + 2 or (opening == "$$" and not _is_formula(state.src, state.pos + 2, end)):
        return False
    if not silent:
        state.push("maths", "code", 0).content = state.src[state.pos : end + 2]
    state.pos = end + 2
    return True


def _is_formula(text: str, begin: int, end: int) -> bool:
    """Whether what stands between two pairs of dollar signs in a line is a formula, not prose about them."""
    inner = text[begin:end]
    is_tight = not inner[0].isspace() and not inner[-1].isspace()
    return text[end + 2 : end + 3] != "$" and (is_tight or not _MARKS.isdisjoint(inner))


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


def _inline_html(_r: RendererHTML, tokens: Sequence[Token], n: int, _o: OptionsDict, env: EnvType) -> str:
    written = tokens[n].content
    source, is_block = _source(written)
    drawn = _drawn(source, env, is_block=is_block)
    if drawn is None:
        return f'<code class="maths">{html.escape(written)}</code>'
    if is_block or len(source) > _LONGER:
        return f'<span class="formula" tabindex="0">{drawn}</span>'
    return f'<span class="formula in-line" tabindex="0">{drawn}</span>' if len(source) > _LONG else drawn


def _block_html(_r: RendererHTML, tokens: Sequence[Token], n: int, _o: OptionsDict, env: EnvType) -> str:
    written = tokens[n].content
    drawn = _drawn(_source(written)[0], env, is_block=True)
    if drawn is None:
        return f'<pre class="maths" tabindex="0"><code>{html.escape(written)}</code></pre>\n'
    return f'<div class="formula" tabindex="0">{drawn}</div>\n'


def _source(written: str) -> tuple[str, bool]:
    """Return a formula without the marks around it, and whether they ask for lines of its own."""
    if written[:2] in _INLINE:
        return written[2:-2], written[:2] != "\\("
    return written[1:-1], False


def _drawn(source: str, env: EnvType, *, is_block: bool) -> str | None:
    """Return a formula as MathML; None where that cannot be done, or was done enough for one text."""
    left = env.setdefault("drawn", MOST_DRAWN)
    if len(source) > left:
        return None
    env["drawn"] = left - len(source)
    return mathml(source, is_block=is_block)
