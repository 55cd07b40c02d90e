"""Finding in the demo's account: every word of every content, and the right conversation first."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirror.simulator.story.demo_account import UNIQUE_WORDS
from mirror.store.search.query import Query, parse_words
from mirror.store.search.search import Filters, search

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a person would type, and the conversation that they mean.
JUDGED = {
    "revive neglected starter": "Reviving a neglected sourdough starter",
    "what's the white film on my starter?": "White film on the starter",
    "croissant butter": "Croissant lamination schedule",
    "lunar eclipse time": "Lunar eclipse tonight",
    "perseids": "When to watch the Perseids",
    "KeyError": "KeyError in invoices.py",
    "invoices sqlite": "Branch: invoices into SQLite",
    "opening hours": "Opening hours poster",
    "price labels": "Price labels for the counter",
    "full-text search recipes": "Full-text search for my recipes",
    "brioche a tete": "Brioche à tête, sans pétrin",
    "muhlenbetrieb": "Brief an den Mühlenbetrieb",
    "Mühlen": "Brief an den Mühlenbetrieb",
    "which eyepiece for my dobsonian": "Eyepieces for the Dobsonian",
    "comet": "Can I see the comet from town?",
    "面包": "中秋节的面包",
    "星": "日本語で星の話",
    "חלה": "חלה לשבת",
    "النجوم": "أسماء النجوم العربية",
    "ring nebula": "A star hop to the Ring Nebula",
    "cleaning oven": "Cleaning the oven flue",
    "saturday sales": "What sells at the Saturday market",
    "baker's percentages": "Baker's percentages from the beginning",
    "dark sky two hours drive": "Dark skies within two hours",
    "apprentice gift": "A present for my apprentice",
    "logo moon": "Moon and loaf logo",
    "dew shield": "Rain on the observing night",
    "deck oven quote": "Comparing the deck oven offer",
    "orion": "Orion for beginners",
    "website bakery": "A website for the bakery",
    "feeding calculator python": "A feeding calculator",
    "🎂": "🎂 Party for the bakery's birthday 🥖",
    "mill order form": "Fill in the mill's order form",
    "how do I feed my starter": "Reviving a neglected sourdough starter",
}
SPELLINGS = [
    "what's",
    "C++",
    "foo_bar",
    "node.js",
    "c#",
    ".env",
    "f(x)",
    "a/b",
    "e-mail",
    "O'Neil",
    "100%",
    "naïve",
    "🥖",
]


@pytest.fixture(scope="module")
def mirror(demo: tuple[Path, str]) -> Iterator[sqlite3.Connection]:
    """A reading connection to the demo's mirror."""
    with closing(sqlite3.connect(f"file:{demo[0] / 'chats.db'}?mode=ro", uri=True)) as conn:
        conn.row_factory = sqlite3.Row
        yield conn


@pytest.mark.parametrize(("kind", "word"), UNIQUE_WORDS.items())
def test_every_kind_of_content_is_found(mirror: sqlite3.Connection, kind: str, word: str) -> None:
    """A word that occurs once in a kind of content finds its conversation, on any branch."""
    assert len(search(mirror, word).hits) == 1, f"{word} of {kind}"
    assert len(search(mirror, word, Filters(branches="all")).hits) == 1


def test_every_word_of_every_message_is_found(mirror: sqlite3.Connection) -> None:
    """Some words of each message, also hidden and abandoned ones, find that message."""
    lost = []
    for rowid, text in mirror.execute("SELECT rowid, text FROM messages WHERE text <> ''"):
        words = [word for word in dict.fromkeys(text.split()) if parse_words(word) and not set('"*-') & set(word)]
        for word in words[:: max(1, len(words) // 4)][:5]:
            sides = Query.of(mirror, word).wanted
            lost += [(rowid, word) for side in sides if rowid not in _rowids(mirror, *side)]
    assert lost == []


def _rowids(conn: sqlite3.Connection, table: str, match: str) -> set[int]:
    return {row[0] for row in conn.execute(f"SELECT rowid FROM {table} WHERE {table} MATCH ?", (match,))}


def test_the_right_conversation_comes_first(mirror: sqlite3.Connection) -> None:
    """The mean of 1 / rank over what was judged is close to 1, and nothing that is meant is far."""
    ranks = {}
    for typed, title in JUDGED.items():
        titles = [hit.title for hit in search(mirror, typed).hits]
        ranks[typed] = titles.index(title) + 1 if title in titles else 0
    assert {typed: rank for typed, rank in ranks.items() if rank not in {1, 2}} == {}
    assert sum(1 / rank for rank in ranks.values()) / len(ranks) > 0.95, ranks


@pytest.mark.parametrize("typed", SPELLINGS)
def test_odd_spellings_are_found_as_typed(tmp_path: Path, typed: str) -> None:
    """Apostrophes, symbols, dots and accents find the message that has them, and no other."""
    chat = {"title": "x", "mapping": {"n": {"id": "n", "message": _message(f"Please explain {typed} to me")}}}
    other = {"title": "y", "mapping": {"n": {"id": "n", "message": _message("Nothing of the kind")}}}
    (tmp_path / "chats.json").write_text(json.dumps([{"id": "c1", **chat}, {"id": "c2", **other}]))
    assert run(tmp_path, "chatmirror", "import", "chats.json")[0] == 0
    code, out, err = run(tmp_path, "chatmirror", "search", "--json", "--", typed)
    assert (code, err) == (0, "")
    assert [json.loads(line)["conversation_id"] for line in out.splitlines()] == ["c1"]


def _message(text: str) -> dict[str, Any]:
    return {"id": "n", "author": {"role": "user"}, "content": {"content_type": "text", "parts": [text]}}


@given(
    typed=st.text(max_size=40)
    | st.lists(st.sampled_from(["the", "rye", '"', "-", "星", "🥖", "*", "a*"])).map(" ".join),
    filters=st.builds(
        Filters,
        role=st.sampled_from([None, "user", "tool"]),
        kind=st.sampled_from([None, "code", "text"]),
        branches=st.sampled_from(["visible", "other", "all"]),
        archived=st.sampled_from([None, True, False]),
        since=st.sampled_from([None, "2024"]),
    ),
    latest=st.booleans(),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_search_with_filters_fails(mirror: sqlite3.Connection, typed: str, filters: Filters, latest: bool) -> None:
    """Whatever is typed and ticked is answered, and no find breaks its filters."""
    for hit in search(mirror, typed, filters, latest=latest, facets=True).hits:
        for passage in hit.passages:
            assert filters.role in {None, passage.role}
            assert filters.kind in {None, passage.kind}
            assert filters.branches != "other" or not passage.is_on_visible_branch
