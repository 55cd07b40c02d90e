r"""Text of a chat into HTML that a browser can be given: chats are hostile text.

Three walls stand between a message and the page: markdown-it escapes raw HTML and refuses ``javascript:`` and its like;
nh3 lets only the elements and attributes listed here through; the pages' own policy (see pages.py) runs no script of a
message and fetches nothing. An image becomes a link, for showing it would tell another host what is being read.

Maths (``\(x\)``, ``\[x\]``, ``$$x$$``, ``$x$``) stays as it was written, legible and whole, not read as Markdown.
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

from mirror.browse.maths import maths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token as MarkdownToken
    from markdown_it.utils import EnvType, OptionsDict
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

LONGEST_HIGHLIGHTED = 12_000  # characters; a longer listing is shown plain, for colouring it would hold up the page
COLOURING = 0.25  # seconds of a processor for one listing
LONGEST_MARKDOWN = 200_000  # the same for a text that is longer than anybody reads as one message
LONGEST_ADDRESS = 2_000  # a longer word is no address, and looking for one in it takes the square of its length
KEPT = 4_000  # rendered texts that are remembered
CODE_CLASS = "hl"

_TAGS = {
    *("a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"),
    *("s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul", "div"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}, "span": {"class"}, "div": {"class"}}
_ATTRIBUTES |= {"pre": {"class", "tabindex"}, "table": {"tabindex"}}
_LONG_WORD = re.compile(rf"\S{{{LONGEST_ADDRESS},}}")
_SCHEMES = {"http", "https", "mailto"}
_NOT_FUZZY = {"fuzzy_link": False, "fuzzy_email": False}  # "main.py" is no address


@lru_cache(maxsize=KEPT)
def rendered(text: str) -> Markup:
    """Return an answer's Markdown as safe HTML; a text beyond ``LONGEST_MARKDOWN`` as it is written."""
    if len(text) > LONGEST_MARKDOWN:
        return plain(text)
    return _clean(_answers(has_addresses=_may_have_addresses(text)).render(text))


@lru_cache(maxsize=KEPT)
def prompted(text: str) -> Markup:
    """Return what a person wrote as safe HTML: line for line, only fenced code and addresses are read as more.

    People paste code and logs without fences, and Markdown would eat their underscores and indentation.
    """
    if len(text) > LONGEST_MARKDOWN:
        return plain(text)
    lines, at, pieces = re.split("\r\n?|\n", text), 0, []  # as markdown-it counts them
    for token in _fences().parse(text):
        if token.type == "fence" and token.map:
            begin, end = token.map
            pieces += [_as_typed("\n".join(lines[at:begin])), _listing(token)]
            at = end
    return _clean("".join([*pieces, _as_typed("\n".join(lines[at:]))]))


def plain(text: str) -> Markup:
    """Return text as it is written, line for line."""
    return Markup('<div class="plain">{}</div>').format(text)


@lru_cache(maxsize=KEPT)
def code(text: str, language: str = "") -> Markup:
    """Return a listing as safe HTML, coloured where the language is known and the listing not endless."""
    return _clean(f'<pre class="code" tabindex="0"><code>{_coloured(text.rstrip(), language)}</code></pre>')


def highlight_css(style: str) -> str:
    """Return the style sheet that colours listings, of a Pygments style."""
    formatter = HtmlFormatter(style=style, classprefix=CODE_CLASS)
    return str(formatter.get_style_defs("pre.code"))  # type: ignore[no-untyped-call] # its stubs say so


def _clean(unsafe: str) -> Markup:
    return Markup(  # noqa: S704 - this is where it is made safe
        nh3.clean(
            unsafe,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes=_SCHEMES,
            link_rel="noopener noreferrer",
            attribute_filter=_whole_addresses,
        )
    )


def _whole_addresses(_tag: str, attribute: str, value: str) -> str | None:
    """Leave out where a link of a chat leads within this server, or to a host of no scheme."""
    is_whole = attribute != "href" or value.lower().startswith(("http:", "https:", "mailto:"))
    return value if is_whole else None


def _may_have_addresses(text: str) -> bool:
    return not any("://" in word for word in _LONG_WORD.findall(text))


@lru_cache(maxsize=2)
def _answers(*, has_addresses: bool) -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "linkify": has_addresses})
    return _with_rules(reader.enable(["table", "strikethrough", "linkify"]).use(maths))


@lru_cache(maxsize=1)
def _fences() -> MarkdownIt:
    return MarkdownIt("zero", {"html": False}).enable(["fence"])


@lru_cache(maxsize=1)
def _addresses() -> LinkifyIt:
    return LinkifyIt(options=_NOT_FUZZY)


def _as_typed(text: str) -> str:
    """Return lines as they are, addresses as links."""
    found = (_addresses().match(text) or []) if _may_have_addresses(text) else []
    pieces, at = [], 0
    for address in found:
        link = f'<a href="{html.escape(address.url)}">{html.escape(address.text)}</a>'
        pieces += [html.escape(text[at : address.index]), link]
        at = address.last_index
    return f'<div class="plain">{"".join(pieces)}{html.escape(text[at:])}</div>\n' if text.strip() else ""


def _with_rules(reader: MarkdownIt) -> MarkdownIt:
    if reader.linkify is not None:
        reader.linkify.set(_NOT_FUZZY)
    # What can be wider than the page scrolls by itself, and so must be reachable by keys.
    reader.add_render_rule("table_open", lambda *_: '<table tabindex="0">\n')
    for name, rule in (("image", _image), ("fence", _fence), ("code_block", _fence)):
        reader.add_render_rule(name, rule)
    return reader


def _image(_r: RendererHTML, tokens: Sequence[MarkdownToken], n: int, _o: OptionsDict, _e: EnvType) -> str:
    source, text = str(tokens[n].attrGet("src") or ""), tokens[n].content
    label = html.escape(f"image: {text or source}")
    return f'<a href="{html.escape(source)}">{label}</a>' if source else f"<em>{label}</em>"


def _fence(_r: RendererHTML, tokens: Sequence[MarkdownToken], n: int, _o: OptionsDict, _e: EnvType) -> str:
    return _listing(tokens[n])


def _listing(token: MarkdownToken) -> str:
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    return f'<pre class="code" tabindex="0"><code>{_coloured(token.content.rstrip(), language)}</code></pre>\n'


def _coloured(text: str, language: str) -> str:
    lexer = _lexer(language.strip("{}.").lower()[:40])
    if lexer is None or len(text) > LONGEST_HIGHLIGHTED:
        return html.escape(text)
    return format(_in_time(lexer, text), _formatter())


def _in_time(lexer: Lexer, text: str) -> Iterator[tuple[_TokenType, str]]:
    """Yield the tokens of a listing, what is left after ``COLOURING`` as one: no lexer is safe from every text."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")  # as Pygments does, to count along
    done, end = 0, thread_time() + COLOURING
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
    if found is None or issubclass(found, DelegatingLexer):  # two languages in one: all is read before the first token
        return None
    return found(ensurenl=False, stripnl=False)
