r"""The text of a message as HTML that is safe to show.

Chats are untrusted: they quote web pages, files and strangers. There are three defences: markdown-it escapes raw HTML
and refuses ``javascript:`` and similar addresses; nh3 lets only the elements and attributes listed here through; the
pages' content security policy (pages.py) runs no script of a message and fetches nothing. An image becomes a link,
because showing it would tell another host what is read.

Maths (``\(x\)``, ``\[x\]``, ``$$x$$``, ``$x$``) is drawn as MathML (mathml.py), or shown as it was written; Markdown
would lose half of it.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from time import thread_time
from typing import TYPE_CHECKING

import nh3
from linkify_it import LinkifyIt  # type: ignore[import-untyped] # it has no types
from markdown_it import MarkdownIt
from markupsafe import Markup
from pygments import format  # noqa: A004 - its name
from pygments.formatters import HtmlFormatter
from pygments.lexer import DelegatingLexer
from pygments.lexers import find_lexer_class_by_name
from pygments.token import Token
from pygments.util import ClassNotFound

from mirror.browse import mathml
from mirror.browse.containers import containers
from mirror.browse.maths import maths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token as MarkdownToken
    from markdown_it.utils import EnvType, OptionsDict
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

LONGEST_HIGHLIGHTED = 12_000  # characters of code; by judgement: longer code is not read on a page, and slows it down
# Seconds of processor time to colour one piece of code. Some lexers take the square of some texts' length; without a
# limit a single message could hold up its page.
COLOURING_SECONDS = 0.25
LONGEST_MARKDOWN = 200_000  # characters; by judgement: longer than anybody reads as one message, and slow to render
LONGEST_ADDRESS = 2_000  # characters; looking for addresses in one word takes the square of its length
REMEMBERED = 4_000  # rendered texts kept in memory; by judgement: those of several long conversations
CODE_CLASS = "hl"

_TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"),
    *("s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul", "div"),
    *mathml.TAGS,
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}, "p": {"class"}}
_ATTRIBUTES |= {"span": {"class", "tabindex"}, "div": {"class", "tabindex", "data-source"}, **mathml.ATTRIBUTES}
_ATTRIBUTES |= {"th": {"class"}, "td": {"class"}}
_ATTRIBUTES |= {"pre": {"class", "tabindex"}, "table": {"tabindex"}}
_SPEAKER_LEVEL, _LAST_LEVEL = 2, 6  # of headings: the speaker is an h2 on each page, and HTML ends at h6
_SIDES = {"left", "center", "right"}
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ "}
_LONG_WORD = re.compile(rf"\S{{{LONGEST_ADDRESS},}}")
_SCHEMES = {"http", "https", "mailto"}
_NOT_FUZZY = {"fuzzy_link": False, "fuzzy_email": False}  # "main.py" is no address


@lru_cache(maxsize=REMEMBERED)
def answer_html(text: str) -> Markup:
    """Return an answer's Markdown as safe HTML; a text beyond ``LONGEST_MARKDOWN`` as it is written."""
    if len(text) > LONGEST_MARKDOWN:
        return verbatim_html(text)
    return _clean(_answer_parser(has_addresses=_may_have_addresses(text)).render(text))


@lru_cache(maxsize=REMEMBERED)
def prompt_html(text: str) -> Markup:
    """Return a prompt as safe HTML: line for line, with fenced code and addresses recognised.

    People paste code and logs without fences, and Markdown would drop their underscores and indentation.
    """
    if len(text) > LONGEST_MARKDOWN:
        return verbatim_html(text)
    lines, at, pieces = re.split("\r\n?|\n", text), 0, []  # as markdown-it counts them
    for token in _fence_parser().parse(text):
        if token.type == "fence" and token.map:
            begin, end = token.map
            pieces += [_with_links("\n".join(lines[at:begin])), _fenced_code(token)]
            at = end
    return _clean("".join([*pieces, _with_links("\n".join(lines[at:]))]))


def verbatim_html(text: str) -> Markup:
    """Return text as it is written, line for line."""
    return Markup('<div class="plain">{}</div>').format(text)


@lru_cache(maxsize=REMEMBERED)
def code_html(text: str, language: str = "", seconds: float = COLOURING_SECONDS) -> Markup:
    """Return code as safe HTML, coloured where its language is known.

    Colouring takes at most ``seconds`` of processor time; the rest of the code is plain.
    """
    coloured = _coloured(text.rstrip(), language, seconds)
    return _clean(f'<pre class="code" tabindex="0"><code>{coloured}</code></pre>')


def code_css(style: str, place: str = "") -> str:
    """Return the style sheet that colours code, of a Pygments style; ``place``: the selector of what it is in."""
    formatter = HtmlFormatter(style=style, classprefix=CODE_CLASS)
    return str(formatter.get_style_defs(f"{place} pre.code".strip()))  # type: ignore[no-untyped-call] # its stubs say so


def _clean(unsafe: str) -> Markup:
    return Markup(_cleaner().clean(unsafe))  # noqa: S704 - this is what makes it safe


@lru_cache(maxsize=1)
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer",
        attribute_filter=_without_relative_links,
    )


def _without_relative_links(_tag: str, attribute: str, value: str) -> str | None:
    """Drop addresses that a browser would complete with this server's own, such as ``/-/logout``."""
    is_whole = attribute != "href" or value.lower().startswith(("http:", "https:", "mailto:"))
    return value if is_whole else None


def _may_have_addresses(text: str) -> bool:
    return not any("://" in word for word in _LONG_WORD.findall(text))


@lru_cache(maxsize=2)
def _answer_parser(*, has_addresses: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": has_addresses})
    return _with_rules(parser.enable(["table", "strikethrough", "linkify"]).use(maths).use(containers))


@lru_cache(maxsize=1)
def _fence_parser() -> MarkdownIt:
    return MarkdownIt("zero", {"html": False}).enable(["fence"])


@lru_cache(maxsize=1)
def _address_finder() -> LinkifyIt:
    return LinkifyIt(options=_NOT_FUZZY)


def _with_links(text: str) -> str:
    """Return lines as they are, with addresses as links."""
    found = (_address_finder().match(text) or []) if _may_have_addresses(text) else []
    pieces, at = [], 0
    for address in found:
        link = f'<a href="{html.escape(address.url)}">{html.escape(address.text)}</a>'
        pieces += [html.escape(text[at : address.index]), link]
        at = address.last_index
    return f'<div class="plain">{"".join(pieces)}{html.escape(text[at:])}</div>\n' if text.strip() else ""


def _with_rules(parser: MarkdownIt) -> MarkdownIt:
    if parser.linkify is not None:
        parser.linkify.set(_NOT_FUZZY)
    # What can be wider than the page has a scroll bar of its own, and so must be reachable with the keyboard.
    parser.add_render_rule("table_open", lambda *_: '<table tabindex="0">\n')
    for name in ("th_open", "td_open"):
        parser.add_render_rule(name, _cell)
    parser.core.ruler.push("tasks", _tasks)
    parser.core.ruler.push("headings", _headings)
    for name, rule in (("image", _image), ("fence", _fence), ("code_block", _fence)):
        parser.add_render_rule(name, rule)
    return parser


def _cell(_r: RendererHTML, tokens: Sequence[MarkdownToken], n: int, _o: OptionsDict, _e: EnvType) -> str:
    """Return the beginning of a table's cell; its alignment is a class, for the pages take no styles of a text."""
    token = tokens[n]
    side = str(token.attrGet("style") or "").removeprefix("text-align:")
    return f'<{token.tag} class="{side}">' if side in _SIDES else f"<{token.tag}>"


def _headings(state: StateCore) -> None:
    """Put the headings of a message below the heading with its speaker, so that the page has one outline."""
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + _SPEAKER_LEVEL, _LAST_LEVEL)}"


def _tasks(state: StateCore) -> None:
    """Show the box of a task, ``- [x] done``, as a box."""
    for before, item, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if before.type == "list_item_open" and item.type == "paragraph_open" and inline.children:
            first = inline.children[0]
            if first.type == "text" and first.content[:4].lower() in _BOXES:
                first.content = _BOXES[first.content[:4].lower()] + first.content[4:]


def _image(_r: RendererHTML, tokens: Sequence[MarkdownToken], n: int, _o: OptionsDict, _e: EnvType) -> str:
    source, text = str(tokens[n].attrGet("src") or ""), tokens[n].content
    label = html.escape(f"image: {text or source}")
    return f'<a href="{html.escape(source)}">{label}</a>' if source else f"<em>{label}</em>"


def _fence(_r: RendererHTML, tokens: Sequence[MarkdownToken], n: int, _o: OptionsDict, _e: EnvType) -> str:
    return _fenced_code(tokens[n])


def _fenced_code(token: MarkdownToken) -> str:
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    coloured = _coloured(token.content.rstrip(), language, COLOURING_SECONDS)
    return f'<pre class="code" tabindex="0"><code>{coloured}</code></pre>\n'


def _coloured(text: str, language: str, seconds: float) -> str:
    lexer = _lexer(language.strip("{}.").lower()[:40])
    if lexer is None or len(text) > LONGEST_HIGHLIGHTED:
        return html.escape(text)
    return format(_tokens_in_time(lexer, text, seconds), _formatter())


def _tokens_in_time(lexer: Lexer, text: str, seconds: float) -> Iterator[tuple[_TokenType, str]]:
    """Yield the tokens of code; what is left after ``seconds`` is one token."""
    text = (
        text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    )  # as Pygments does, so that lengths agree
    done, end = 0, thread_time() + seconds
    for kind, value in lexer.get_tokens(text):
        yield kind, value
        done += len(value)
        if thread_time() > end:
            yield Token.Text, text[done:]
            return


@lru_cache(maxsize=1)
def _formatter() -> HtmlFormatter[str]:
    return HtmlFormatter(nowrap=True, classprefix=CODE_CLASS)


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        found = find_lexer_class_by_name(language) if language else None
    except ClassNotFound:
        return None
    # A lexer of two languages in one reads everything before its first token, so that no time limit would stop it.
    if found is None or issubclass(found, DelegatingLexer):
        return None
    return found(ensurenl=False, stripnl=False)
