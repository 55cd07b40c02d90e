"""Marks in unusual places and shapes: no word is lost, no technical word is left, every page is a link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mirror.normalize import normalize

if TYPE_CHECKING:
    from mirror.normalize import Message

Json = dict[str, Any]


def mark(*fields: str) -> str:
    """A citation mark of these fields, the first its kind."""
    return "\ue200" + "\ue202".join(fields) + "\ue201"


def answer(text: str, *references: Json, **metadata: Any) -> Message:
    """The row of an answer with these references."""
    metadata = {"content_references": list(references), **metadata}
    message = {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": [text]}}
    return normalize("chatgpt", {"mapping": {"n": {"message": {**message, "metadata": metadata}}}}).messages[0]


def web(matched: str, title: str, **more: Any) -> Json:
    """A reference to one page."""
    url = f"https://{title.lower()}.example/"
    return {"matched_text": matched, "type": "webpage", "title": title, "url": url, **more}


CITE, OTHER = mark("cite", "turn0search0"), mark("cite", "turn0search1", "turn0search2")


def urls(row: Message) -> list[str]:
    """The addresses of a row's links."""
    return [link.url for link in row.links]


def test_a_reference_to_words_and_a_mark_keeps_the_words_and_reads_the_mark() -> None:
    """A reference may quote the sentence with its mark: the sentence stays, the mark becomes links."""
    text = f"It rained {CITE} all day {OTHER}."
    row = answer(text, web(text[:-1], "Outer"), web(CITE, "Inner"))
    assert row.text == ("It rained [Inner](https://inner.example/) all day [Outer](https://outer.example/).")
    assert urls(row) == ["https://inner.example/", "https://outer.example/"]


def test_a_reference_to_two_marks_and_the_words_between_keeps_the_words() -> None:
    """The words between two marks are no mark."""
    between = f"{CITE} and so said {OTHER}"
    row = answer(f"Yes {between}.", web(between, "Both"))
    assert row.text == "Yes and so said [Both](https://both.example/)."


def test_references_that_overlap_all_give_their_pages() -> None:
    """Of two references to one mark the first is read, and the pages of both are links."""
    row = answer(f"Yes {CITE}.", web(CITE, "First"), web(CITE, "Second"))
    assert row.text == "Yes [First](https://first.example/)."
    assert urls(row) == ["https://first.example/", "https://second.example/"]


def test_a_mark_that_holds_an_address_is_a_link() -> None:
    """A mark of words and an address reads as a link."""
    row = answer(f"See {mark('url', 'Official site', 'https://o.example/x')} and {mark('url', 'https://p.example/')}.")
    assert row.text == "See [Official site](https://o.example/x) and [p.example](https://p.example/)."
    assert urls(row) == ["https://o.example/x", "https://p.example/"]


@pytest.mark.parametrize(
    "text",
    [
        "It rained\ue200cite\ue202turn0search0",
        "It rained cite\ue202turn0search0\ue201",
        "It rainedcite\ue202turn0search0",
        "It rained \ue202turn0search0\ue202turn0news1\ue201",
        "It rained \ue203\ue200cite\ue202turn0search0\ue201\ue204",
        "It rained \ue200filecite\ue202turn0file1\ue202L3-L9\ue201",
        "It rained \ue200memo\ue202v1\ue202turn0x3\ue201",
        "It rained :contentReference[oaicite:3]{index=3}",
        "It rained \u3010oaicite:1\u3011",
    ],
)
def test_the_rest_of_an_incomplete_mark_is_removed(text: str) -> None:
    """Marks that lost their beginning or end leave nothing behind."""
    assert answer(text).text.strip() == "It rained"
    assert answer(text + ". Then sun").text.replace(" .", ".") == "It rained. Then sun"


def test_a_pipe_in_a_title_does_not_break_a_table() -> None:
    """A cell that cites a page stays one cell; outside tables titles stay as they are."""
    reference = web(CITE, "One | two", url="https://o.example/")
    row = answer(f"| a | b |\n|---|---|\n| x {CITE} | y |\n\nz {CITE}", reference)
    assert row.text.splitlines()[2] == "| x [One \\| two](https://o.example/) | y |"
    assert row.text.endswith("z [One | two](https://o.example/)")


def test_products_are_links() -> None:
    """A card of goods lists them by name, and each can be opened."""
    matched = mark("products", '{"selections":[["turn0product1","Kettle"]],"tags":["best"]}')
    goods = [{"title": "Kettle 2000", "url": "https://k.example/", "thumbnail": {"url": "https://k.example/t.jpg"}}]
    row = answer(f"Buy {matched}", {"matched_text": matched, "type": "products", "products": goods, "alt": None})
    assert row.text == "Buy [Kettle 2000](https://k.example/)"
    assert urls(row) == ["https://k.example/"]


def test_pictures_of_a_group_are_links_and_keep_their_words() -> None:
    """The group reads by its subject, and the pages of its pictures can be opened."""
    matched = mark("image_group", '{"layout":"carousel","query":["castle","bridge"]}')
    images = [
        {"image_result": {"url": "https://i.example/1", "content_url": "https://i.example/1.jpg", "title": "Dusk"}}
    ]
    row = answer(matched, {"matched_text": matched, "type": "image_group", "images": images})
    assert row.text == "[images: castle, bridge]"
    assert urls(row) == ["https://i.example/1"]


def test_a_card_without_ready_text_shows_the_words_inside_it() -> None:
    """A card of a type that nobody has described yet reads by its title and its words, without ids."""
    matched = mark("schedule", "turn0sports0")
    games = [{"id": "g-1", "home": "Strelsau FC", "away": "Hentzau United", "start": "2026-01-01T00:00:00Z"}]
    reference = {"matched_text": matched, "type": "sports_schedule", "title": "Cup", "games": games, "refs": ["turn0x"]}
    assert answer(matched, reference).text == "Cup: Strelsau FC, Hentzau United"


@pytest.mark.parametrize("span", [{}, {"start_ix": None, "end_ix": None}, {"start_ix": 900, "end_ix": 999}])
def test_older_marks_find_their_pages_by_number_where_the_offsets_are_wrong(span: Json) -> None:
    """A citation record that points nowhere still belongs to the mark of its number."""
    records = [
        {**span, "metadata": {"title": n, "url": f"https://{n}.example/", "extra": {"cited_message_idx": n_}}}
        for n, n_ in (("two", 2), ("one", 1))
    ]
    row = answer("So \u30101\u2020source\u3011\u30102\u2020source\u3011.", citations=records)
    assert row.text == "So [one](https://one.example/) [two](https://two.example/)."
    assert urls(row) == ["https://one.example/", "https://two.example/"]


def test_a_card_that_only_holds_pages_lists_them() -> None:
    """A map or the like without a name reads by the names of what it shows."""
    matched = mark("businesses_map")
    shops = [{"name": "Cafe", "website": None, "url": "https://c.example/"}]
    assert answer(matched, {"matched_text": matched, "type": "map", "businesses": shops}).text == (
        "[Cafe](https://c.example/)"
    )


def test_a_forecast_names_its_place() -> None:
    """A card about a place says which."""
    matched = mark("forecast", "turn0forecast0")
    days = [{"date": "2026-01-01", "condition": "Sunny spells"}]
    row = answer(matched, {"matched_text": matched, "type": "forecast", "location": "Oslo", "days": days})
    assert row.text == "Oslo: Sunny spells"
