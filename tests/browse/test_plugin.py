"""``datasette chats.db`` as a person meets it, on the stable version and the newest pre-release."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from mirrors import add_message, bakery
from served import served_as

from mirror.browse.functions import inflate
from mirror.browse.plugin import prepare_connection, render_cell
from mirror.store.schema import is_chatmirror

if TYPE_CHECKING:
    from pathlib import Path

    from served import Pages

PAGES = [
    "/",
    "/chats",
    "/theirs",
    "/chats/conversations",
    "/chats/messages",
    "/chats/sync_runs",
    "/chats/projects",
    "/chats/thread",
    "/chats/recent_changes",
    "/chats/messages_by_month",
    "/chats/_payloads",
    "/chats/_listed",
    "/chats/conversations/c-old",
    "/chats/messages/1",
    "/chats/messages?_search=it%27s+%22",
    "/theirs/conversations",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers(pages: Pages, path: str) -> None:
    """No table, view, row or search of a mirror, nor of a database beside it, fails."""
    status, text = pages.get(path)
    assert status == 200, text


@pytest.mark.parametrize(
    ("table", "first", "second"),
    [
        ("conversations", "c-new", "c-old"),
        ("messages", "Why is the sky", "How do I feed"),
        ("sync_runs", "partial", "current"),
    ],
)
def test_the_newest_comes_first(pages: Pages, table: str, first: str, second: str) -> None:
    """Lists begin with what happened last."""
    _, text = pages.get(f"/chats/{table}")
    rows = text[text.index("<tbody") :]
    assert rows.index(first) < rows.index(second)


def test_messages_show_the_title_of_their_conversation(pages: Pages) -> None:
    """The list shows a title, not an id, escaped and linked to the conversation."""
    _, text = pages.get("/chats/messages")
    link = '<a href="/chats/-/conversation/c-old?message=n1#m1">Rye &amp; &lt;b&gt;starter&lt;/b&gt;</a>'
    assert link in text
    assert "<b>starter" not in text
    assert "<script>alert" not in text


@pytest.mark.parametrize(
    ("table", "names"),
    [("messages", {"role", "kind", "model"}), ("conversations", {"project_id", "is_archived", "model"})],
)
def test_facets_are_there(pages: Pages, table: str, names: set[str]) -> None:
    """Messages by role, kind and model; conversations by project, archive and model."""
    _, text = pages.get(f"/chats/{table}")
    assert set(re.findall(r'id="facet-\S+" data-column="(\w+)"', text)) == names


def test_internal_tables_are_hidden(pages: Pages) -> None:
    """Tables with an underscore and the indexes' own are hidden, and can still be opened."""
    status, text = pages.get("/chats.json")
    assert status == 200
    shown = {table["name"] for table in json.loads(text)["tables"] if not table["hidden"]}
    assert {"conversations", "messages", "sync_runs", "links"} <= shown
    assert not [name for name in shown if name.startswith("_") or "_fts" in name]


@served_as("sixty")
def sixty_more(path: Path) -> None:
    bakery(path)
    with closing(sqlite3.connect(path)) as conn, conn:
        for n in range(60):
            add_message(conn, "c-new", f"more{n}", "more")


def test_a_page_has_fifty_rows(many: Pages) -> None:
    """Long lists come in pages that a person can survey."""
    _, text = many.get("/sixty/messages.json")
    assert len(json.loads(text)["rows"]) == 50


def test_a_count_leads_to_the_thread(pages: Pages) -> None:
    """A conversation's row, in the list and alone, links to its turns in reading order."""
    for path in ("/chats/conversations", "/chats/conversations/c-old"):
        _, text = pages.get(path)
        assert '<a href="/chats/thread?conversation_id=c-old&amp;_sort=position">2</a>' in text
    _, text = pages.get("/chats/thread?conversation_id=c-old&_sort=position")
    assert text.index("How do I feed") < text.index("Twice a day")


def test_a_message_is_whole_on_its_own_page(pages: Pages) -> None:
    """The list shortens a long one; the row's page does not, and links to its conversation."""
    _, text = pages.get("/chats/messages/2")
    assert text.count("Twice a day.") >= 400
    assert 'href="/chats/-/conversation/c-old?message=n2#m2"' in text
    _, text = pages.get("/chats/messages")
    assert text.count("Twice a day.") < 400


def test_payloads_can_be_read_in_sql(pages: Pages) -> None:
    """The stored payload comes back as the text that came; anything else is NULL."""
    payload = "chatmirror_payload(conversation_id)"
    same, text = pages.rows(f"select chatmirror_inflate(body) = {payload}, {payload} from _payloads order by 2 desc")[0]
    assert same == 1
    assert json.loads(text) == {"conversation_id": "c-old", "title": "Rye & <b>starter</b>"}
    assert pages.rows("select chatmirror_payload('nope'), chatmirror_inflate('x'), chatmirror_inflate(x'00')") == [
        [None] * 3
    ]


def test_other_databases_are_left_alone(pages: Pages) -> None:
    """Tables of the same names in somebody else's file look as Datasette shows them."""
    _, text = pages.get("/theirs/conversations")
    assert "sorted by" not in text
    assert "chatmirror" not in text
    assert "/theirs/thread" not in text
    status, text = pages.get("/theirs.json")
    assert status == 200
    hidden_by_default = {table["name"] for table in json.loads(text)["tables"] if table["hidden"]}
    assert hidden_by_default <= {"_own"}


def test_the_style_sheet_is_served_to_our_pages(pages: Pages) -> None:
    """Our pages ask for it and get it."""
    _, text = pages.get("/chats/messages")
    (address,) = re.findall(r'href="(/-/chatmirror/tables\.css\?v=\w+)"', text)
    status, css = pages.get(address)
    assert status == 200
    assert "col-text" in css


served_as("configured", {"tables": {"conversations": {"sort": "title", "facets": ["provider"], "size": 1}}})(bakery)


def test_what_the_person_configured_takes_precedence(many: Pages) -> None:
    """Their own sort, label and facets take precedence; what they do not state is still set."""
    _, text = many.get("/configured/conversations")
    assert "sorted by title" in text
    assert "c-new" not in text[text.index("<tbody") :]
    assert "Mine" in many.get("/")[1]
    assert "sorted by created_at descending" in many.get("/configured/messages")[1]


def test_what_is_configured_for_one_mirror_leaves_the_others(many: Pages) -> None:
    """Two mirrors in one Datasette, one of them sorted as its owner wants."""
    for name, order in (("configured", "sorted by title"), ("sixty", "sorted by updated_at descending")):
        assert order in many.get(f"/{name}/conversations")[1]


def test_hooks_never_raise() -> None:
    """A closed connection, a table without a name, a Datasette without mirrors: nothing happens."""
    conn = sqlite3.connect(":memory:")
    conn.close()
    assert not is_chatmirror(conn)
    prepare_connection(conn)
    assert render_cell({}, 1, "message_count", "conversations", "chats", object()) is None
    assert render_cell({}, 1, "message_count", None, "chats", object()) is None


def test_a_bomb_is_not_unpacked() -> None:
    """A BLOB that would fill the memory, or that is cut off, is no text."""
    assert inflate(zlib.compress(b"x" * 900), most=1_000) == "x" * 900
    assert inflate(zlib.compress(b"x" * 100_000), most=1_000) is None
    assert inflate(zlib.compress(b"x" * 900)[:-5]) is None
