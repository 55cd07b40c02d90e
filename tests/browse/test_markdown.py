"""Texts of chats as HTML: what Markdown means stays, what could harm does not, and no text holds a page up."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirror.browse import markdown
from mirror.browse.markdown import LONGEST_HIGHLIGHTED, code, plain, prompted, rendered

VOID = {"br", "hr"}
LONG = 190_000  # characters: what takes time by the square of them would not end
PIECES = ["<script>", "javascript:", "](", "[x]", "![", "**", "_", "`", "```\n", "$$", "\\(", "\\)", "|", "\n", "> "]
PIECES += ["- ", "http://a.org", "<img src=x onerror=y>", '" onclick="', "&lt;", "&#106;", "<a href='data:x'>", "\x00"]


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


class Reader(HTMLParser):
    """Notes tags and attributes, and whether every element is closed."""

    def __init__(self, html):
        super().__init__()
        self.seen, self.open, self.is_sound = [], [], True
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.is_sound = self.is_sound and bool(self.open) and self.open.pop() == tag


def tags(html):
    return {tag for tag, _ in Reader(html).seen}


@pytest.mark.parametrize("render", [rendered, prompted, plain, code])
@given(text=st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
@settings(max_examples=150)
def test_no_text_brings_an_element_of_its_own(render, text):
    """Whatever a message says, the page gets whole elements, none that runs or fetches, and harmless addresses."""
    found = Reader(render(text))
    assert found.is_sound
    assert not found.open
    for tag, attributes in found.seen:
        assert tag not in {"script", "img", "iframe", "style", "object", "form", "svg", "math", "link", "meta", "base"}
        assert set(attributes) <= {"href", "title", "rel", "class", "tabindex", "start"}
        if "href" in attributes:
            assert attributes["rel"] == "noopener noreferrer"
            assert attributes["href"].lower().startswith(("http:", "https:", "mailto:", "#", "/", "?")) or (
                ":" not in attributes["href"].split("/")[0]
            )


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("form", ["[x]({})", "![x]({})", "<{}>", "[x]: {}\n\n[x]"])
def test_addresses_that_run_are_no_links(address, form):
    """However it is spelt, such an address leads nowhere."""
    for _, attributes in Reader(rendered(form.format(address))).seen:
        href = (attributes.get("href") or "").lower()
        assert not href.startswith(("javascript:", "vbscript:", "data:", "file:"))


def test_links_lead_out_safely():
    """An address in the text or behind words is a link that tells the other side nothing."""
    for text in ("see https://example.org/a_b_c", "[here](https://example.org/a_b_c)"):
        links = [attributes for tag, attributes in Reader(rendered(text)).seen if tag == "a"]
        assert links == [{"href": "https://example.org/a_b_c", "rel": "noopener noreferrer"}]
    assert "a" not in tags(rendered("main.py and a@b.org"))
    assert "a" in tags(rendered(f"https://example.org/{'x' * 1_900}"))
    assert "a" in tags(rendered(f"{'A' * 5_000} and https://example.org"))


def test_pictures_are_links():
    """Nothing is fetched from elsewhere by showing a chat."""
    html = rendered("![a cat](https://example.org/cat.png)")
    assert "img" not in tags(html)
    assert "image: a cat" in html
    assert 'href="https://example.org/cat.png"' in html
    assert "href" not in rendered("[x](/-/logout) [x](//example.org) ![x](sandbox:/mnt/data/x.png)")


def test_tables_and_lists_are_read():
    """What answers are made of."""
    assert {"table", "th", "td"} <= tags(rendered("| a | b |\n|---|---|\n| 1 | 2 |"))
    assert tags(rendered("3. **x** *y* ~~z~~")) == {"ol", "li", "strong", "em", "s"}
    assert 'start="3"' in rendered("3. x")


def test_code_is_coloured_and_kept_to_the_letter():
    """Colours come with the page, and white space is part of a program."""
    source = "def f(x):\n\n    return  '<b>'  # æ\t_a_ *b*"
    html = rendered(f"```python\n{source}\n```")
    assert 'class="hlk"' in html
    assert "".join(_texts(html)).strip("\n") == source
    assert "".join(_texts(rendered(f"```nosuchlanguage\n{source}\n```"))).strip("\n") == source
    assert "".join(_texts(code(f"\n{source}", "python"))).rstrip("\n") == f"\n{source}"
    assert 'class="hl' not in code("x = 1\n" * LONGEST_HIGHLIGHTED, "python")


def _texts(html):
    found = []
    reader = HTMLParser()
    reader.handle_data = found.append
    reader.feed(html)
    return found


@pytest.mark.parametrize(
    "formula", [r"\(a_1 * b_2 * c\)", r"\[ \frac{a}{b} \]", "$$x_1 < y_2$$", "\\[\na_1\n\\\\ b_2\n\\]", "$$\na*b*c\n$$"]
)
def test_maths_stays_as_it_was_written(formula):
    """A formula is legible whole: no emphasis, no lost backslash."""
    html = rendered(f"So\n\n{formula}\n\nholds.")
    assert formula in "".join(_texts(html))
    assert tags(html) <= {"p", "code", "pre"}


def test_what_only_looks_like_maths_is_none():
    """Indented code stays code, text after a formula is not lost, HTML in one is text, nothing is no formula."""
    assert "maths" not in rendered("    $$\n    a\n    $$")
    assert "".join(_texts(rendered("$$a*b$$ and *c*"))).strip() == "$$a*b$$ and c"
    assert "<code" not in rendered(r"\(\) and $$$$")
    assert "<code" not in rendered(f"$${'a' * 5_000}$$")
    assert "".join(_texts(rendered(r"\(<b>x</b> a<b\)"))).strip() == r"\(<b>x</b> a<b\)"
    assert "maths" not in rendered("from $5 to $10")


def test_prompts_keep_asterisks_and_letters_link():
    """What a person typed is no emphasis; an address to write to is one."""
    assert tags(prompted("*a* **b** `c` ~~d~~ <i>")) == {"div"}
    assert 'href="mailto:a@example.org"' in rendered("[write](mailto:a@example.org)")


def test_money_is_no_maths():
    """Single dollars are prices."""
    assert "code" not in tags(rendered("It costs $5 and *then* $10."))
    assert "code" not in tags(rendered("From $5-$10, or $5 to US$, or $ 5$, or CA$6 and US$7."))
    for formula in ("$a*b*c$", r"$x_1 \le y_2$"):
        assert f">{formula}<" in rendered(f"So {formula} holds.")
    assert "em" in tags(rendered("It costs $5 and *then* $10."))
    assert "code" not in tags(rendered(r"an open \( and no end"))


def test_a_prompt_is_shown_as_it_was_typed():
    """People paste code and HTML without fences; only a fence is read as one."""
    text = "    indented_name_here\n<b>not bold</b>\n# no heading\n* no list"
    html = prompted(text)
    assert "".join(_texts(html)).strip() == text.strip()
    assert tags(html) == {"div"}
    assert "&lt;b&gt;" in html
    assert "pre" in tags(prompted("see\n```python\nx = 1\n```"))
    text = "  first\n\n\ndef f():\n    a = 1\n\n    return a  # https://example.org\n"
    assert "".join(_texts(prompted(text))).strip("\n") == text.strip("\n")
    assert 'href="https://example.org"' in prompted(text)
    for end in ("\r", "\r\n", "\n"):
        lines = ["one", "two", "```", "three", "```", "four"]
        words = "".join(_texts(prompted(end.join(lines)))).split()
        assert words == ["one", "two", "three", "four"]


@pytest.mark.timeout(60)  # what takes the square of these lengths would take longer, what does not a few seconds
@pytest.mark.parametrize("piece", REPEATED)
@pytest.mark.parametrize("render", [rendered, prompted])
def test_no_text_holds_a_page_up(render, piece):
    """The worst that a text can repeat is read before a reader has gone."""
    assert render((piece * LONG)[:LONG]) is not None


@pytest.mark.parametrize("render", [rendered, prompted])
def test_an_endless_word_is_no_address(render):
    """Looking for addresses in one word takes the square of its length, so that it is not done in an endless one."""
    assert "a" in tags(render("http://a" * 100))
    assert "a" not in tags(render("http://a" * 1_000))


def test_colouring_ends(monkeypatch):
    """Lexers take the square of some texts' length: after a while the rest is plain, and all of it is there."""
    source = "x = 1\n" * 200
    code.cache_clear()
    assert code(source, "python").count("<span") > 300
    monkeypatch.setattr(markdown, "COLOURING", 0.0)
    code.cache_clear()
    html = code(source, "python")
    assert html.count("<span") < 5
    assert "".join(_texts(html)).strip() == source.strip()
    code.cache_clear()


def test_two_languages_in_one_are_not_coloured():
    """Their lexers read everything before they give the first token, so that nothing could end them."""
    assert "<span" in code("<b>x</b>", "html")
    assert "<span" not in code("<b>{{x}}</b>", "html+ng2")
