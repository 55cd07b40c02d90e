"""``datasette chats.db`` as a person meets it, on the stable version and the newest pre-release."""

from __future__ import annotations

import json
import re
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from datasette.app import Datasette  # type: ignore[import-untyped] # it has no types
from markupsafe import escape
from mirrors import add, add_conversation, add_message, bakery
from served import awaited, served_as

from mirror.browse import plugin
from mirror.browse.functions import inflate
from mirror.browse.plugin import prepare_connection, render_cell
from mirror.store.known_queries import KNOWN_QUERIES
from mirror.store.schema import is_chatmirror

if TYPE_CHECKING:
    from served import Pages

    from mirror.store.known_queries import KnownQuery

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


def test_datasette_takes_no_page_of_ours_for_its_own(pages: Pages) -> None:
    """From Python 3.12 on it looks for folders of these names beside the module of a plugin."""
    folder = Path(plugin.__file__).parent
    assert not (folder / "templates").exists()
    assert not (folder / "static").exists()
    listed = json.loads(pages.get("/-/plugins.json?all=1")[1])
    (ours,) = (one for one in listed if one["name"] in {"chatmirror", plugin.__name__})
    assert (ours["templates"], ours["static"]) == (False, False)


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


MINE = {"sql": "select 'my own answer'", "title": "My own question"}
served_as(
    "configured",
    {
        "description": "My own words on chats",
        "tables": {
            "conversations": {
                "sort": "title",
                "facets": ["provider"],
                "size": 1,
                "description": "My own words on a table",
                "columns": {"title": "My own words on a column"},
            }
        },
        "queries": {"longest_conversations": MINE},
    },
)(bakery)


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


def test_tables_and_columns_say_what_they_are(pages: Pages) -> None:
    """In the words of docs/schema.md, for a mirror only."""
    _, text = pages.get("/chats/files")
    assert "One row a file of the service" in text
    assert "of the bytes, and their name in the folder; NULL where they are not stored" in text
    assert "What a person sees, one row a message" in pages.get("/chats/thread")[1]
    assert "One row a conversation" in pages.get("/chats/conversations")[1]
    assert "One row" not in pages.get("/theirs/conversations")[1]


def test_what_the_person_wrote_takes_the_place_of_a_description(many: Pages) -> None:
    """Of the database, a table and a column; what they did not describe still is."""
    _, text = many.get("/configured/conversations")
    assert "My own words on a table" in text
    assert "My own words on a column" in text
    assert "One row a conversation" not in text
    assert "as the lists show it last" not in text
    assert "messages on the visible branch that are not hidden" in text
    assert "My own words on chats" in many.get("/configured")[1]


def test_metadata_that_everybody_may_read_names_no_mirror(pages: Pages) -> None:
    """0.65 shows its metadata to whoever comes; 1.0 has no such page."""
    text = pages.get("/-/metadata.json")[1]
    assert "One row" not in text
    assert "theirs" not in text


# Per query: words that must stand on its page over the bakery.
ANSWERS = {
    "longest_conversations": "Why is the sky blue?",
    "messages_each_month": "2025-06",
    "most_used_models": "gpt-4o",
    "most_edited_prompts": "How do I feed a rye starter?",
    "conversations_with_pictures": "Why is the sky blue?",
    "sources_of_answers": "https://example.org/rye",
    "deleted_but_kept": "Gone",
    "stored_in_part": "a page of it is missing",
    "conversations_by_project": "The bakery",
    "messages_with_words": "Rayleigh",
}


@served_as("asked")
def with_something_of_everything(path: Path) -> None:
    bakery(path)
    with closing(sqlite3.connect(path)) as conn, conn:
        add_conversation(conn, "c-gone", "Gone", deleted_at="2025-07-01T00:00:00.000Z")
        add_conversation(conn, "c-part", "Part", is_complete=0, incomplete_reason="a page of it is missing")
        add_message(conn, "c-old", "n3", "How do I feed it?", parent_id="n0", position=None)
        add_message(conn, "c-old", "n4", "How do I feed a rye starter?", parent_id="n0", created_at="2025-09-01")
        add(conn, "links", message_rowid=2, position=1, url="https://example.org/rye", title="Rye", kind="citation")
        times = {"first_seen_at": "2025-06-01", "created_at": "2025-06-01"}
        add(conn, "files", id="f1", kind="image", state="stored", provider="chatgpt", **times)
        add(conn, "attachments", id="f1", message_rowid=3, position=1, kind="image", file_id="f1")


served_as("partly_read", {"tables": {"messages": {"allow": False}}})(bakery)


@pytest.mark.parametrize("query", KNOWN_QUERIES, ids=lambda query: query.name)
def test_a_known_query_answers(many: Pages, query: KnownQuery) -> None:
    """Its page has its title, description and rows, and conversations link to our page."""
    status, text = many.get(f"/asked/{query.name}?words=rayleigh")
    assert status == 200, text
    assert query.title in text
    assert str(escape(query.description)) in text
    assert ANSWERS[query.name] in text[text.index("<tbody") :]
    if "col-conversation_id" in text:
        assert re.search('<td class="col-title[^>]*><a href="/asked/-/conversation/c-', text)


def test_known_queries_are_listed(many: Pages) -> None:
    """On the page of a mirror; 1.0 shows five, and leads to the others."""
    text = many.get("/asked")[1]
    listed = [name for name in ANSWERS if f'href="/asked/{name}"' in text]
    assert len(listed) in {5, len(ANSWERS)}


def test_nobody_asks_what_they_may_not_view(many: Pages) -> None:
    """A query is refused, and not listed, without the permission for a table that it reads."""
    for query in KNOWN_QUERIES:
        status, _ = many.get(f"/partly_read/{query.name}")
        assert (status == 403) is ("messages" in query.tables), query.name
    text = many.get("/partly_read.json")[1]
    listed = {query["name"] for query in json.loads(text)["queries"]}
    assert listed == {query.name for query in KNOWN_QUERIES if "messages" not in query.tables}


def test_who_has_signed_in_may_ask_what_they_may_view(tmp_path: Path) -> None:
    """What is private to one visitor answers them, and is listed for them alone."""
    bakery(tmp_path / "chats.db")
    allowed = {"databases": {"chats": {"tables": {"messages": {"allow": {"id": "anna"}}}}}}

    async def listed_and_status(actor: dict[str, str] | None) -> tuple[int, list[int]]:
        datasette = Datasette([str(tmp_path / "chats.db")], metadata=allowed)
        await datasette.invoke_startup()
        cookies = {"ds_actor": datasette.sign({"a": actor}, "actor")} if actor else {}
        paths = [f"/chats/{query.name}" for query in KNOWN_QUERIES]
        answers = [await datasette.client.get(path, cookies=cookies) for path in ["/chats.json", *paths]]
        return len(answers[0].json()["queries"]), [answer.status_code for answer in answers[1:]]

    of_anna, of_others = (awaited(listed_and_status(actor)) for actor in ({"id": "anna"}, None))
    assert of_anna[0] in {5, len(KNOWN_QUERIES)}  # 1.0 lists five on that page
    assert of_anna[1] == [200] * len(KNOWN_QUERIES)
    refused = [query for query in KNOWN_QUERIES if "messages" in query.tables]
    assert of_others[0] == len(KNOWN_QUERIES) - len(refused)
    assert of_others[1] == [403 if query in refused else 200 for query in KNOWN_QUERIES]


def test_a_query_of_the_persons_own_keeps_its_name(many: Pages) -> None:
    """Ours of the same name is left out, the others stay."""
    _, text = many.get("/configured/longest_conversations")
    assert "my own answer" in text
    assert many.get("/configured/most_used_models")[0] == 200


@pytest.mark.parametrize("words", ["", '"', "' or 1 --", "-rye", "*", "学习 rye", "NEAR(", "a" * 5000])
def test_no_words_are_an_error(many: Pages, words: str) -> None:
    """Whatever is typed into the query by words."""
    status, text = many.get(f"/asked/messages_with_words?{urlencode({'words': words})}")
    assert status == 200, text


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
