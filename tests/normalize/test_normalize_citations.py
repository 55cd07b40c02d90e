"""Citation marks become what a reader of the page sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mirror.normalize import Link, normalize

if TYPE_CHECKING:
    from mirror.normalize import Message

Json = dict[str, Any]

A, B = "https://a.test/x", "https://b.test/y"


def mark(kind: str, *fields: str) -> str:
    """A newer citation mark."""
    return f"\ue200{kind}" + "".join(f"\ue202{field}" for field in fields) + "\ue201"


CITE = mark("cite", "turn0search1")


def ref(matched: str, kind: str = "grouped_webpages", **more: Any) -> Json:
    """A reference to a piece of the text."""
    return {"matched_text": matched, "type": kind, **more}


def page(url: str, title: str, **more: Any) -> Json:
    """A page as a reference lists it."""
    return {"url": url, "title": title, **more}


def shown(text: str, role: str = "assistant", **metadata: Any) -> Message:
    """The row of a message with this text and metadata."""
    message = {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, "metadata": metadata}
    (row,) = normalize("chatgpt", {"mapping": {"n": {"message": message}}}).messages
    return row


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (ref(CITE, alt=f"([A]({A}))"), f"So ([A]({A})) it is."),
        (ref(CITE, items=[page(A, "A"), page(B, "B")]), f"So [A]({A}), [B]({B}) it is."),
        (ref(CITE, "webpage", url=A, title="A"), f"So [A]({A}) it is."),
        (ref(CITE, fallback_items=[page(A, "A")], items=[]), f"So [A]({A}) it is."),
        (ref(CITE, sources=[page(A, "A")]), f"So [A]({A}) it is."),
        (ref(CITE, items=[page("", "none", supporting_websites=[page(A, "A")])]), f"So [A]({A}) it is."),
        (
            ref(CITE, items=[page("https://a.test/a b(c)", "x [y]")]),
            "So [x \\[y\\]](https://a.test/a%20b%28c%29) it is.",
        ),
        (ref(CITE, items=[page("javascript:alert(1)", "bad")]), "So it is."),
        (ref(CITE, alt="[bad](javascript:alert)"), "So bad it is."),
        (ref(CITE, "file", name="plan.pdf", alt=None), "So (plan.pdf) it is."),
        (ref(CITE, "entity", alt="Oslo"), "So Oslo it is."),
        (ref(CITE, "hidden", invalid=True), "So it is."),
        (ref(CITE, "future_reference"), "So it is."),
        (ref(CITE, "image_v2", alt="![A cat](https://thumb.test/c)"), "So [image: A cat] it is."),
    ],
)
def test_a_mark_becomes_what_its_reference_says(reference: Json, expected: str) -> None:
    """Links, file names and names are where the page shows them, and are safe Markdown."""
    text = shown(f"So {CITE} it is.", content_references=[reference]).text
    assert " ".join(text.split()) == expected


def test_equal_marks_take_their_references_in_order() -> None:
    """The same mark may mean another page further down."""
    references = [ref(CITE, alt="(1)"), ref(CITE, alt="(2)")]
    assert shown(f"a {CITE} b {CITE} c {CITE}", content_references=references).text == "a (1) b (2) c (2)"


def test_references_out_of_order_are_put_in_order() -> None:
    """Offsets are good enough to order references, not to cut by."""
    references = [ref(CITE, alt="(2)", start_idx=900), ref(CITE, alt="(1)", start_idx=3)]
    assert shown(f"a {CITE} b {CITE}", content_references=references).text == "a (1) b (2)"


def test_a_reference_to_a_blank_replaces_no_blanks() -> None:
    """The list of sources at the end adds links; the spaces of the answer stay."""
    footnote = ref(" ", "sources_footnote", sources=[page(A, "A")], alt="")
    row = shown("a b c", content_references=[footnote, ref("", "hidden")])
    assert (row.text, row.links) == ("a b c", (Link(A, "A"),))


@pytest.mark.parametrize(
    ("in_text", "in_reference"),
    [("turn0\u00a0search", "turn0 search"), ("pages 3\u20115", "pages 3-5"), ("pages 3-5", "pages 3\u20135")],
)
def test_blanks_and_dashes_may_differ(in_text: str, in_reference: str) -> None:
    """A citation resolves although its text was typeset differently."""
    reference = ref(mark("cite", in_reference), alt="(A)")
    assert shown(f"x {mark('cite', in_text)}", content_references=[reference]).text == "x (A)"


def test_a_reference_never_takes_words_away() -> None:
    """What was said stays, whatever a reference would put in its place."""
    said = "Plan for autumn."
    assert shown(said, content_references=[ref(said, "attribution", alt=said)]).text == said
    assert shown(said, content_references=[ref(said, "hidden")]).text == said
    linked = ref("autumn", "webpage", alt=f"[autumn]({A})")
    assert shown(said, content_references=[linked]).text == f"Plan for [autumn]({A})."
    added = ref("Plan for autumn", "webpage", alt=f"([A]({A}))")
    assert shown(said, content_references=[added]).text == f"Plan for autumn ([A]({A}))."


def test_navigation_lists_keep_title_and_links() -> None:
    """A list of articles reads as its title and one link a line."""
    navlist = mark("navlist", "Latest news", "turn0news1,turn0news2")
    reference = ref(navlist, "nav_list", title="Latest news", items=[page(A, "A"), page(B, "B")])
    assert shown(navlist, content_references=[reference]).text == f"Latest news\n- [A]({A})\n- [B]({B})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"fact {CITE}.", "fact."),
        (f"fact {mark('cite', 'turn0search1', 'turn0news2')}\nnext", "fact\nnext"),
        (f"see {mark('filecite', 'turn0file0', 'L1-L3')}", "see"),
        ("in " + mark("entity", '["city","Oslo","capital"]') + " today", "in Oslo today"),
        (mark("image_group", '{"layout":"bento","query":["red fox","arctic fox"]}'), "[images: red fox, arctic fox]"),
        (f"x {mark('video', 'How to knit', 'turn0youtube1')}", "x How to knit"),
        (mark("navlist", "Latest news", "turn0news1"), "Latest news"),
        (mark("product", '["turn0product1","Blue jeans"]'), "Blue jeans"),
        (mark("entity", "[broken"), ""),
        ("cut \ue200cite\ue202turn0sea", "cut"),
        ("\ue203spanned\ue204 words \ue200", "spanned words "),
        ("a \ue200my own words\ue201", "a my own words"),
        ("\uf8ff and \U000f0001", " and "),
    ],
)
def test_unexplained_marks_leave_only_their_words(text: str, expected: str) -> None:
    """No box of an unknown character and no raw reference is left in a text."""
    assert shown(text).text == expected


def test_search_results_explain_marks_when_references_are_missing() -> None:
    """An export without references still links its sources, and lists what the search found beside them."""
    entry = page(A, "A", ref_id={"turn_index": 0, "ref_type": "search", "ref_index": 1})
    other = page(B, "B", ref_id={"turn_index": 0, "ref_type": "search", "ref_index": 2})
    row = shown(f"fact {CITE}.", search_result_groups=[{"domain": "a.test", "entries": [entry, other]}])
    assert row.text == f"fact [A]({A})."
    assert row.links == (Link(A, "A"), Link(B, "B", "search"))


def test_links_come_in_reading_order_each_once() -> None:
    """The list of a message's sources reads like the message."""
    first, second = mark("cite", "turn0search2"), CITE
    references = [ref(second, items=[page(A, "A")]), ref(first, items=[page(B, "B"), page(A, "again")])]
    assert [link.url for link in shown(f"{first} {second}", content_references=references).links] == [B, A]


@pytest.mark.parametrize("offset", [0, 3])
def test_bracket_marks_of_older_chats_become_links(offset: int) -> None:
    """Browsing answers of 2023 link their sources, also where the offsets are off."""
    old = "\u30103:1\u2020source\u3011"
    cited = {"start_ix": 5 + offset, "end_ix": 5 + offset + len(old), "metadata": {"url": A, "title": "A"}}
    row = shown(f"fact {old} and more", citations=[{**cited, "citation_format_type": "tether_og"}])
    assert row.text == f"fact [A]({A}) and more"
    assert row.links == (Link(A, "A"),)


@pytest.mark.parametrize(
    ("text", "role", "expected"),
    [
        ("fact\u30101\u2020source\u3011.", "assistant", "fact."),
        ("fact\u30104:0\u2020plan.pdf\u3011.", "assistant", "fact [plan.pdf]."),
        ("write `\u30101\u2020source\u3011` so", "assistant", "write `\u30101\u2020source\u3011` so"),
        ("\u30101\u2020source\u3011", "user", "\u30101\u2020source\u3011"),
        ("\u30100\u2020Title\u2020a.test\u3011", "tool", "\u30100\u2020Title\u2020a.test\u3011"),
        ("\u3010\u6587\u5b57\u3011", "assistant", "\u3010\u6587\u5b57\u3011"),
    ],
)
def test_brackets_that_are_no_citation_stay(text: str, role: str, expected: str) -> None:
    """Brackets that a person wrote, or that a page had, are text."""
    assert shown(text, role).text == expected


@pytest.mark.timeout(60)  # what takes the square of this number would take longer, what does not a second or two
def test_a_long_text_full_of_marks_is_quick() -> None:
    """An answer with a hundred thousand citations opens without a wait."""
    words = [mark("cite", f"turn0search{n}") for n in range(100_000)]
    references = [ref(word, items=[page(f"{A}{n}", str(n))]) for n, word in enumerate(words)]
    row = shown(" text ".join(words), content_references=references)
    assert len(row.links) == 100_000
