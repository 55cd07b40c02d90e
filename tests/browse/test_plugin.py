"""``datasette chats.db`` as a person meets it, on the stable version and the newest pre-release."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from contextlib import closing

import pytest
from mirrors import add_message, bakery

from mirror.browse.databases import is_chatmirror
from mirror.browse.functions import inflate
from mirror.browse.plugin import prepare_connection, render_cell

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
def test_every_page_answers(pages, path):
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
def test_the_newest_comes_first(pages, table, first, second):
    """Lists begin with what happened last."""
    _, text = pages.get(f"/chats/{table}")
    rows = text[text.index("<tbody") :]
    assert rows.index(first) < rows.index(second)


def test_messages_show_the_title_of_their_conversation(pages):
    """Not an id but a title stands in the list, escaped, and leads to the conversation."""
    _, text = pages.get("/chats/messages")
    link = '<a href="/chats/-/conversation/c-old?message=n1#m1">Rye &amp; &lt;b&gt;starter&lt;/b&gt;</a>'
    assert link in text
    assert "<b>starter" not in text
    assert "<script>alert" not in text


@pytest.mark.parametrize(
    ("table", "names"),
    [("messages", {"role", "kind", "model"}), ("conversations", {"project_id", "is_archived", "model"})],
)
def test_facets_are_there(pages, table, names):
    """Messages by role, kind and model; conversations by project, archive and model."""
    _, text = pages.get(f"/chats/{table}")
    assert set(re.findall(r'id="facet-\S+" data-column="(\w+)"', text)) == names


def test_plumbing_is_out_of_sight(pages):
    """Tables beginning with an underscore and the index's own are not in the list; they are still to be had."""
    status, text = pages.get("/chats.json")
    assert status == 200
    shown = {table["name"] for table in json.loads(text)["tables"] if not table["hidden"]}
    assert {"conversations", "messages", "sync_runs", "links"} <= shown
    assert not [name for name in shown if name.startswith("_") or "_fts" in name]


def test_a_page_has_fifty_rows(serve, tmp_path):
    """Long lists come in pages that a person can survey."""
    bakery(tmp_path / "chats.db")
    with closing(sqlite3.connect(tmp_path / "chats.db")) as conn, conn:
        for n in range(60):
            add_message(conn, "c-new", f"more{n}", "more")
    _, text = serve(str(tmp_path / "chats.db")).get("/chats/messages.json")
    assert len(json.loads(text)["rows"]) == 50


def test_a_count_leads_to_the_thread(pages):
    """From a conversation's row, in the list and alone, to its turns in reading order."""
    for path in ("/chats/conversations", "/chats/conversations/c-old"):
        _, text = pages.get(path)
        assert '<a href="/chats/thread?conversation_id=c-old&amp;_sort=position">2</a>' in text
    _, text = pages.get("/chats/thread?conversation_id=c-old&_sort=position")
    assert text.index("How do I feed") < text.index("Twice a day")


def test_a_message_is_whole_on_its_own_page(pages):
    """The list cuts a long one short; the row's page does not, and links its conversation."""
    _, text = pages.get("/chats/messages/2")
    assert text.count("Twice a day.") >= 400
    assert 'href="/chats/-/conversation/c-old?message=n2#m2"' in text
    _, text = pages.get("/chats/messages")
    assert text.count("Twice a day.") < 400


def test_payloads_can_be_read_in_sql(pages):
    """The stored payload comes back as the text it was; what is none is NULL."""
    payload = "chatmirror_payload(conversation_id)"
    same, text = pages.rows(f"select chatmirror_inflate(body) = {payload}, {payload} from _payloads order by 2 desc")[0]
    assert same == 1
    assert json.loads(text) == {"conversation_id": "c-old", "title": "Rye & <b>starter</b>"}
    assert pages.rows("select chatmirror_payload('nope'), chatmirror_inflate('x'), chatmirror_inflate(x'00')") == [
        [None] * 3
    ]


def test_other_databases_are_left_alone(pages):
    """Tables of the same names in somebody else's file look as Datasette shows them."""
    _, text = pages.get("/theirs/conversations")
    assert "sorted by" not in text
    assert "chatmirror" not in text
    assert "/theirs/thread" not in text
    status, text = pages.get("/theirs.json")
    assert status == 200
    hidden_by_default = {table["name"] for table in json.loads(text)["tables"] if table["hidden"]}
    assert hidden_by_default <= {"_own"}


def test_the_style_sheet_is_served_to_our_pages(pages):
    """Our pages ask for it and get it."""
    _, text = pages.get("/chats/messages")
    address = re.search(r'href="(/-/chatmirror/tables\.css\?v=\w+)"', text)[1]
    status, css = pages.get(address)
    assert status == 200
    assert "col-text" in css


def test_what_the_person_configured_goes_first(serve, tmp_path):
    """Their own sort, label and facets win; what they leave open is still set."""
    bakery(tmp_path / "chats.db")
    tables = {"conversations": {"sort": "title", "facets": ["provider"], "size": 1}}
    settings = tmp_path / "metadata.json"
    settings.write_text(json.dumps({"title": "Mine", "databases": {"chats": {"tables": tables}}}))
    pages = serve(str(tmp_path / "chats.db"), "-m", str(settings))
    _, text = pages.get("/chats/conversations")
    assert "sorted by title" in text
    assert "c-new" not in text[text.index("<tbody") :]
    assert "Mine" in pages.get("/")[1]
    assert "sorted by created_at descending" in pages.get("/chats/messages")[1]


def test_hooks_never_raise():
    """A connection that fails, a table without a name, a Datasette without our mark: nothing happens."""
    conn = sqlite3.connect(":memory:")
    conn.close()
    assert not is_chatmirror(conn)
    prepare_connection(conn)
    assert render_cell({}, 1, "message_count", "conversations", "chats", object()) is None
    assert render_cell({}, 1, "message_count", None, "chats", object()) is None


def test_a_bomb_is_not_unpacked(monkeypatch):
    """A BLOB that would fill the memory, or that is cut, is no text."""
    monkeypatch.setattr("mirror.browse.functions.MOST_INFLATED", 1000)
    assert inflate(zlib.compress(b"x" * 900)) == "x" * 900
    assert inflate(zlib.compress(b"x" * 100_000)) is None
    assert inflate(zlib.compress(b"x" * 900)[:-5]) is None
