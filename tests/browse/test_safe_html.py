"""Texts of chats as HTML: Markdown is kept, nothing harmful is, and no text holds a page up."""

from __future__ import annotations

import re
from html import escape, unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.browse import mathml
from mirror.browse.safe_html import LONGEST_HIGHLIGHTED, answer_html, code_html, prompt_html, verbatim_html

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

FORMULA_ATTRIBUTES = set().union(*mathml.ATTRIBUTES.values())
VOID = {"br", "hr"}
LONG = 190_000  # characters: what takes time by the square of them would not end
PIECES = [
    "<script>",
    "javascript:",
    "](",
    "[x]",
    "![",
    "**",
    "_",
    "`",
    "```\n",
    "$$",
    ":::a\n",
    ":::{",
    "\\(",
    "\\)",
    "|",
    "\n",
    "> ",
]
PIECES += ["- ", "http://a.org", "<img src=x onerror=y>", '" onclick="', "&lt;", "&#106;", "<a href='data:x'>", "\x00"]
PIECES += [
    "\\[",
    "\\]",
    "\\frac",
    "{",
    "}",
    "^",
    "_",
    "\\text{<b>}",
    "\\href{javascript:x}{y}",
    "\\begin{matrix}",
    "\\left(",
]


ADDRESSES = ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "&#106;avascript:alert(1)"]
ADDRESSES += ["vbscript:x", "data:text/html,<script>alert(1)</script>", "file:///etc/passwd", "\x01javascript:alert(1)"]
REPEATED = [
    "[",
    "![",
    "*",
    "**a ",
    "_a",
    "`",
    "``a",
    "$",
    "$$",
    "\\(",
    "\\[",
    "<",
    "|",
    "> ",
    "- ",
    "1. ",
    "a@",
    "http://a",
]
REPEATED += ["&", "~~", "](", "[a](", "<!--", "\\", "|a", "\n|-", "```\n", "#", "\t", "()[]", "www.", "https://a.b/(("]
REPEATED += [":::a x\n", "> :::a x\n", "- ```\n:::a x\n"]


class Reader(HTMLParser):
    """Notes tags, attributes and texts, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.is_sound = True
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.is_sound = self.is_sound and bool(self.open) and self.open.pop() == tag


def tags(html: str) -> set[str]:
    return {tag for tag, _ in Reader(html).seen}


def text_of(html: str) -> str:
    return "".join(Reader(html).texts)


@pytest.mark.parametrize("render", [answer_html, prompt_html, verbatim_html, code_html])
@given(text=st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
@settings(max_examples=150)
def test_no_text_brings_an_element_of_its_own(render: Callable[[str], Markup], text: str) -> None:
    """Any message becomes whole, harmless elements with harmless addresses."""
    found = Reader(render(text))
    assert found.is_sound
    assert not found.open
    for tag, attributes in found.seen:
        assert tag not in {"script", "img", "iframe", "style", "object", "form", "svg", "link", "meta", "base"}
        assert set(attributes) <= {
            "href",
            "title",
            "rel",
            "class",
            "tabindex",
            "start",
            "data-source",
            *FORMULA_ATTRIBUTES,
        }
        assert "href" not in attributes or tag == "a"
        if address := attributes.get("href"):
            assert attributes["rel"] == "noopener noreferrer"
            is_web = address.lower().startswith(("http:", "https:", "mailto:", "#", "/", "?"))
            assert is_web or ":" not in address.split("/")[0]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("form", ["[x]({})", "![x]({})", "<{}>", "[x]: {}\n\n[x]"])
def test_addresses_that_run_are_no_links(address: str, form: str) -> None:
    """However it is spelt, such an address leads nowhere."""
    for _, attributes in Reader(answer_html(form.format(address))).seen:
        href = (attributes.get("href") or "").lower()
        assert not href.startswith(("javascript:", "vbscript:", "data:", "file:"))


def test_links_lead_out_safely() -> None:
    """An address in the text or behind words is a link that tells the other side nothing."""
    for text in ("see https://example.org/a_b_c", "[here](https://example.org/a_b_c)"):
        links = [attributes for tag, attributes in Reader(answer_html(text)).seen if tag == "a"]
        assert links == [{"href": "https://example.org/a_b_c", "rel": "noopener noreferrer"}]
    assert "a" not in tags(answer_html("main.py and a@b.org"))
    assert "a" in tags(answer_html(f"https://example.org/{'x' * 1_900}"))
    assert "a" in tags(answer_html(f"{'A' * 5_000} and https://example.org"))


def test_pictures_are_links() -> None:
    """Nothing is fetched from elsewhere by showing a chat."""
    html = answer_html("![a cat](https://example.org/cat.png)")
    assert "img" not in tags(html)
    assert "image: a cat" in html
    assert 'href="https://example.org/cat.png"' in html
    assert "href" not in answer_html("[x](/-/logout) [x](//example.org) ![x](sandbox:/mnt/data/x.png)")


def test_tables_and_lists_are_read() -> None:
    """What answers are made of."""
    assert {"table", "th", "td"} <= tags(answer_html("| a | b |\n|---|---|\n| 1 | 2 |"))
    assert tags(answer_html("3. **x** *y* ~~z~~")) == {"ol", "li", "strong", "em", "s"}
    assert 'start="3"' in answer_html("3. x")


def test_code_is_coloured_and_kept_to_the_letter() -> None:
    """Colours come with the page, and white space is part of a program."""
    source = "def f(x):\n\n    return  '<b>'  # æ\t_a_ *b*"
    html = answer_html(f"```python\n{source}\n```")
    assert 'class="hlk"' in html
    assert text_of(html).strip("\n") == source
    assert text_of(answer_html(f"```nosuchlanguage\n{source}\n```")).strip("\n") == source
    assert text_of(code_html(f"\n{source}", "python")).rstrip("\n") == f"\n{source}"
    assert 'class="hl' not in code_html("x = 1\n" * LONGEST_HIGHLIGHTED, "python")


FORMULAS = [
    # what is written -> letters and signs that are drawn, an element that must be among them
    (r"\(a_1 * b_2 * c\)", "a1*b2*c", "msub"),
    (r"\[ \frac{a}{b} \]", "ab", "mfrac"),
    ("$$x_1 < y_2$$", "x1<y2", "msub"),
    ("\\[\na_1\n\\\\ b_2\n\\]", "a1b2", "mspace"),
    ("$$\na*b*c\n$$", "a*b*c", "mi"),
    (r"$\beta_1 \le \Omega$", "β1≤Ω", "msub"),
    (r"\(\begin{bmatrix}1&2\\3&4\end{bmatrix}\)", "[1234]", "mtable"),
    (r"$$\begin{aligned} a &= b \\ &= c \end{aligned}$$", "a=b=c", "mtable"),
    (r"\[f = \begin{cases} x & \text{if } x>0 \\ 0 & \text{else} \end{cases}\]", "f={xif\xa0x>00else", "mtext"),
    (r"\[\begin{aligned} a &= b \\[4pt] c &= d \end{aligned}\]", "a=bc=d", "mtable"),
    (r"\[\begin{cases} a \\ [1ex] b \end{cases}\]", "{ab", "mtable"),
    (r"\(\sum_{i=1}^n i\)", "\N{N-ARY SUMMATION}i=1ni", "msubsup"),
    (
        r"$\mathbf{A1} \mathbb{R}$",
        "\N{MATHEMATICAL BOLD CAPITAL A}\N{MATHEMATICAL BOLD DIGIT ONE}\N{DOUBLE-STRUCK CAPITAL R}",
        "mi",
    ),
    (r"\[\lim_{n \to 0} x\]", "limn→0x", "munder"),
    (r"\(\operatorname*{arg\,max}_x \sqrt[3]{x}\)", "arg\u2009maxxx3", "mroot"),
]
NOT_DRAWN = [
    r"\(\unknown{x}\)",
    r"\(\frac{a}\)",
    r"\(a & b\)",
    r"\(50% of x\)",
    r"\(\begin{cases}\)",
    r"\(\text{a \textbf{b}}\)",
    r"\(\left( x\)",
    r"\(a^b^c\)",
    r"\(\href{javascript:alert(1)}{x}\)",
    r"\(\style{position:fixed}{x}\)",
    r"\(\def\a{\b\b}\def\b{\c\c}\a\)",
    r"\(\newcommand{\a}{x}\a\)",
    rf"\({'{' * 500}x{'}' * 500}\)",
    rf"\({'x' * 2_001}\)",
    r"\(\begin{array}{@{}ll@{}} a & b \end{array}\)",
    r"\(\begin{array}{*{3}{c}} a \end{array}\)",
    r"\(\begin{array}{c:c} a & b \end{array}\)",
    r"\(\begin{pmatrix*}[r] a \end{pmatrix*}\)",
    r"\(\begin{CD} A @>>> B \end{CD}\)",
]


@pytest.mark.parametrize(("written", "shown", "element"), FORMULAS)
def test_a_formula_is_drawn_and_its_source_kept(written: str, shown: str, element: str) -> None:
    html = answer_html(f"So\n\n{written}\n\nholds.")
    drawn, source = re.search(r"<math.*?>(.*)<annotation[^>]*>(.*)</annotation>", html, re.DOTALL).groups()  # type: ignore[union-attr]
    assert re.sub(r"[ \n]", "", text_of(drawn)) == shown
    assert f"<{element}" in drawn
    assert unescape(source) in {written[1:-1].strip(), written[2:-2].strip()}
    assert "\\" not in text_of(drawn)


@pytest.mark.parametrize("written", NOT_DRAWN)
def test_what_cannot_be_drawn_whole_is_shown_as_it_was_written(written: str) -> None:
    """No half formula: nothing of it is left out, and no command that defines, styles or links is obeyed."""
    assert answer_html(written) == f'<p><code class="maths">{escape(written)}</code></p>\n'


@pytest.mark.parametrize(
    "hostile",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{</math><img src=x onerror=alert(1)>}",
        r"x</annotation></semantics></math><script>alert(1)</script>",
        r"\class{x\" onclick=\"alert(1)}{x}",
        r"\color{red\" onload=\"alert(1)}{x}",
        r"\hspace{1em\" href=\"x} \rule{99999em}{99999em} y",
        r"\text{&lt;script&gt;} \mathbf{<b>}",
        "\x00 \x1b \u202e",
    ],
)
def test_no_formula_brings_markup_of_its_own(hostile: str) -> None:
    html = answer_html(f"$${hostile}$$ and \\({hostile}\\)")
    found = Reader(html)
    assert found.is_sound
    assert {tag for tag, _ in found.seen} <= {*mathml.TAGS, "p", "span", "code"}
    for _, attributes in found.seen:
        assert not any(name.startswith("on") or name in {"href", "style", "mathcolor"} for name in attributes)
        assert "99999" not in str(attributes)


def test_only_some_formulas_of_a_text_are_drawn() -> None:
    """Hundreds are; the thousands that would hold a page up are shown as they were written."""
    formulas = [rf"\(x_{{{n}}} + \frac{{a_{{{n}}}}}{{b}} = \sum_k c_k\)" for n in range(2_000)]
    html = answer_html("\n\n".join(formulas))
    assert html.count("<math") > 400
    assert html.count("<math") + html.count('<code class="maths">') == 2_000


def test_what_only_looks_like_maths_is_none() -> None:
    """Indented code stays code, text after a formula is kept, HTML in a formula is text."""
    assert "math" not in answer_html("    $$\n    a\n    $$")
    assert text_of(answer_html("$$a*b$$ and *c*")).strip() == "a*ba*b and c"
    assert "math" not in answer_html(r"\(\) and $$$$")
    assert "math" not in answer_html(f"$${'a' * 5_000}$$")
    assert text_of(answer_html(r"\(<b>x</b>\)")).strip() == "<b>x</b><b>x</b>"
    assert "math" not in answer_html("from $5 to $10")


def test_prompts_keep_asterisks_and_letters_link() -> None:
    """What a person typed is no emphasis; an address to write to is one."""
    assert tags(prompt_html("*a* **b** `c` ~~d~~ <i>")) == {"div"}
    assert 'href="mailto:a@example.org"' in answer_html("[write](mailto:a@example.org)")


def test_money_is_no_maths() -> None:
    """Single dollars are prices."""
    for text in (
        "export PATH=$HOME/bin:$PATH",
        "f($a,$b) and $USER@$HOST",
        "${HOME}/${USER}",
        "*$x,*$y",
        "Prices run from $$ (mid range) to $$$$ (very expensive).",
        "The process id is $$ and the parent is $$ too.",
    ):
        assert not {"math", "code"} & set(tags(answer_html(text))), text
        assert text_of(answer_html(text)).strip().replace("*", "") == text.replace("*", "")
    assert "math" in answer_html("where $$ E = mc^2 $$ holds")
    assert "code" not in tags(answer_html("It costs $5 and *then* $10."))
    assert "code" not in tags(answer_html("From $5-$10, or $5 to US$, or $ 5$, or CA$6 and US$7."))
    for formula in ("$a*b*c$", r"$x_1 \le y_2$"):
        assert f">{formula[1:-1]}</annotation>" in answer_html(f"So {formula} holds.")
    assert "em" in tags(answer_html("It costs $5 and *then* $10."))
    assert "code" not in tags(answer_html(r"an open \( and no end"))


def test_a_prompt_is_shown_as_it_was_typed() -> None:
    """People paste code and HTML without fences; only a fence is read as one."""
    text = "    indented_name_here\n<b>not bold</b>\n# no heading\n* no list"
    html = prompt_html(text)
    assert text_of(html).strip() == text.strip()
    assert tags(html) == {"div"}
    assert "&lt;b&gt;" in html
    assert "pre" in tags(prompt_html("see\n```python\nx = 1\n```"))
    text = "  first\n\n\ndef f():\n    a = 1\n\n    return a  # https://example.org\n"
    assert text_of(prompt_html(text)).strip("\n") == text.strip("\n")
    assert 'href="https://example.org"' in prompt_html(text)
    for end in ("\r", "\r\n", "\n"):
        lines = ["one", "two", "```", "three", "```", "four"]
        words = text_of(prompt_html(end.join(lines))).split()
        assert words == ["one", "two", "three", "four"]


@pytest.mark.timeout(60)  # what takes the square of these lengths would take longer, what does not a few seconds
@pytest.mark.parametrize("piece", REPEATED)
@pytest.mark.parametrize("render", [answer_html, prompt_html])
def test_no_text_holds_a_page_up(render: Callable[[str], Markup], piece: str) -> None:
    """The worst that a text can repeat is read before a reader has gone."""
    assert render((piece * LONG)[:LONG]) is not None


@pytest.mark.parametrize("render", [answer_html, prompt_html])
def test_an_endless_word_is_no_address(render: Callable[[str], Markup]) -> None:
    """Looking for addresses in a word takes the square of its length, so a very long one has none."""
    assert "a" in tags(render("http://a" * 100))
    assert "a" not in tags(render("http://a" * 1_000))


def test_colouring_ends() -> None:
    """Some lexers take very long: when the time is up the rest is plain, and all of it is there."""
    source = "x = 1\n" * 200
    assert code_html(source, "python", seconds=60.0).count("<span") > 300
    html = code_html(source, "python", seconds=0.0)
    assert html.count("<span") < 5
    assert text_of(html).strip() == source.strip()


def test_two_languages_in_one_are_not_coloured() -> None:
    """Their lexers read everything before they give the first token, so that nothing could end them."""
    assert "<span" in code_html("<b>x</b>", "html")
    assert "<span" not in code_html("<b>{{x}}</b>", "html+ng2")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("- [x] done\n- [ ] to do", "<li>☑ done</li>\n<li>☐ to do</li>"),
        ("1. [X] done", "<li>☑ done</li>"),
        ("- [y] no\n- [x]no", "<li>[y] no</li>\n<li>[x]no</li>"),
        ("[x] no list", "<p>[x] no list</p>"),
        ("# a\n## b\n### c\n#### d\n###### e", "<h3>a</h3>\n<h4>b</h4>\n<h5>c</h5>\n<h6>d</h6>\n<h6>e</h6>"),
        ("a\n=\n\n> b\n> -", "<h3>a</h3>\n<blockquote>\n<h4>b</h4>"),
        ("|a|b|c|\n|-|:-:|-:|\n|1|2|3|", '<td>1</td>\n<td class="center">2</td>\n<td class="right">3</td>'),
    ],
)
def test_pieces_of_markdown_have_their_form(text: str, html: str) -> None:
    assert html in answer_html(text)


CARDS = [
    # what is written -> the card's title, what is in it, what follows
    (
        ':::writing{variant="email" id="1" subject="Broken \\"old\\" <b>"}\n**Dear**\n:::\nb',
        'Email Broken "old" <b>',
        "Dear",
        "b",
    ),
    (":::note\nnot *closed*\n\nmore", "Note", "not closed\nmore", ""),
    (":::tip A title\nx\n:::\ny", "Tip A title", "x", "y"),
    (":::aside[Label]{.wide to=here}\nx\n:::\ny", "Aside Label to: here, .wide", "x", "y"),
    (":::a\n```\n:::\n```\n:::\ny", "A", ":::", "y"),
    (":::a\n````md\n```py\n:::\n```\n````\n:::\ny", "A", "```py\n:::\n```", "y"),
    (":::a\n```b``` c\n:::\ny", "A", "b c", "y"),
    (":::a\n~~~\n```\n:::\n~~~\n:::\ny", "A", "```\n:::", "y"),
    (":::a\n- ```\n  :::\n  ```\n:::\ny", "A", ":::", "y"),
    (":::a\nx\n\n    ```\n    :::\n:::\ny", "A", "x\n```\n:::", "y"),
    ("::::a\n:::\nx\n::::\ny", "A", ":::\nx", "y"),
    (":::a{b='\"><script>alert(1)</script>'}\nx\n:::\ny", 'A b: "><script>alert(1)</script>', "x", "y"),
]


@pytest.mark.parametrize(("written", "title", "inside", "after"), CARDS)
def test_a_container_is_a_card(written: str, title: str, inside: str, after: str) -> None:
    """No colons are shown, and no text is lost, whatever stands in its first line."""
    card, _, rest = answer_html(written).partition("</div>")
    assert re.sub(r"\n+", "\n", text_of(card)).strip().split("\n", 1) == [title, inside]
    assert text_of(rest).strip() == after
    (stated,) = [attributes for tag, attributes in Reader(card).seen if tag == "div"]
    assert set(stated) == {"class", "data-source"}
    assert "script" not in tags(card)


@pytest.mark.parametrize("text", [":::what is this", ":::", "a[:::2]", "::::::", ":::{x}"])
def test_colons_alone_are_no_card(text: str) -> None:
    assert answer_html(text) == f"<p>{text}</p>\n"


def test_cards_in_cards_keep_every_word() -> None:
    """Markdown leaves out what is nested too deeply; the colons of those beyond a bound are shown instead."""
    html = answer_html("".join(f":::a\nword{n}\n" for n in range(100)))
    assert [f"word{n}" for n in range(100)] == re.findall(r"word\d+", text_of(html))
    assert html.count("data-source") == 1
