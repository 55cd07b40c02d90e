"""The mirror's own pages over HTTP: permissions, links, and addresses that make no sense."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from mirrors import add, add_conversation, add_message, bakery, open_mirror
from served import served_as

from mirror.timing import iso

if TYPE_CHECKING:
    from served import Pages, Serve

OURS = ["/-/home", "/-/search?q=rye", "/-/conversation/c-old", "/-/conversations"]
for table in ("messages", "conversations", "links", "attachments", "sync_runs"):
    served_as(f"without_{table}", {"tables": {table: {"allow": False}}})(bakery)
served_as("without_everything", {"allow": False})(bakery)


def links(html: str, pattern: str) -> list[str]:
    return [match.replace("&amp;", "&") for match in re.findall(pattern, html)]


@pytest.mark.parametrize("path", OURS)
def test_other_databases_have_no_such_pages(pages: Pages, path: str) -> None:
    """A file that is no mirror gets no page of ours, whatever its tables are called."""
    assert pages.get(f"/theirs{path}")[0] == 404
    assert pages.get(f"/nowhere{path}")[0] == 404
    assert pages.get(f"/chats{path}")[0] == 200


@pytest.fixture(scope="module")
def half_open(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """A mirror that everybody may read, beside two of which a visitor may not read all, or nothing."""
    folder = tmp_path_factory.mktemp("half_open")
    for name in ("open", "secret", "partly"):
        bakery(folder / f"{name}.db")
    denied = {"secret": {"allow": False}, "partly": {"tables": {"messages": {"allow": False}}}}
    (folder / "metadata.json").write_text(json.dumps({"databases": denied}))
    return serve(*map(str, sorted(folder.glob("*.db"))), "-m", str(folder / "metadata.json"))


@pytest.mark.parametrize("path", ["/", "/open", "/open/conversations", "/partly"])
def test_no_page_links_to_a_mirror_that_whoever_asks_may_not_read(half_open: Pages, path: str) -> None:
    """Neither the front page nor the menu of any page tells that it exists; those that may be read are linked."""
    status, text = half_open.get(path)
    assert status == 200
    assert "/open/-/home" in text
    assert "secret" not in text
    assert path == "/partly" or "/partly/-/" not in text


@pytest.mark.parametrize("denied", ["messages", "conversations", "links", "attachments", "everything"])
def test_a_denied_table_denies_every_page_that_reads_it(many: Pages, denied: str) -> None:
    """A table or database that somebody may not see shows on no page of ours either."""
    for path in (*OURS, "/conversations/c-old.md"):
        status, text = many.get(f"/without_{denied}{path}")
        assert status == 403, path
        assert "starter" not in text


def test_runs_that_may_not_be_seen_close_the_home_only(many: Pages) -> None:
    """The home reads the runs; reading and searching need none of them."""
    assert [many.get(f"/without_sync_runs{path}")[0] for path in OURS] == [403, 200, 200, 200]


@pytest.mark.parametrize(
    "path",
    [
        "/-/conversation/c-old?page=-1",
        "/-/conversation/c-old?page=99999999999999999999",
        "/-/conversation/c-old?page=2&message=nope&reasoning=x&hidden=2",
        "/-/conversation/c-old?message=%00",
        "/-/search?q=rye&n=x&sort=x&archived=x&branches=x&date=x",
        "/-/search?q=rye&since=yesterday",
        "/-/search?q=rye&project=nope",
        "/-/search?q=rye&role=%27&kind=%22&model=%00",
        "/-/search?q=%ff%fe",
        "/-/search?q=" + "%28" * 2000,
        "/-/search?n=5",
    ],
)
def test_odd_addresses_are_answered(pages: Pages, path: str) -> None:
    """What makes no sense in an address is ignored, or named in a sentence."""
    status, text = pages.get(f"/chats{path}")
    assert status == 200
    assert "</html>" in text


def test_what_cannot_be_a_filter_is_named(pages: Pages) -> None:
    """A text that is no date, and a project that does not exist, are named."""
    assert "“yesterday” is not a date" in pages.get("/chats/-/search?q=rye&since=yesterday")[1]
    assert "no project “nope”" in pages.get("/chats/-/search?q=rye&project=nope")[1]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("q=-rye", "A word with a minus is left out; add a word to find."),
        ("q=%28%29", "There is no word in it to find."),
        ("q=rye&since=2025-05&until=2025-03", "Nothing is from 2025-05 to 2025-03"),
        ("q=https://chatgpt.com/c/gone", "the conversation with this address is not in the mirror"),
    ],
)
def test_why_nothing_could_be_found_is_said(pages: Pages, query: str, says: str) -> None:
    """A search that can find nothing looks like one that finds nothing by chance."""
    assert says in pages.get(f"/chats/-/search?{query}")[1]
    assert "Nothing found.</p>" in pages.get("/chats/-/search?q=quinces")[1]


@pytest.mark.parametrize("typed", ["c-old", "https://chatgpt.com/c/c-old?model=x"])
def test_a_search_for_an_address_leads_to_the_conversation(pages: Pages, typed: str) -> None:
    text = pages.get(f"/chats/-/search?{urlencode({'q': typed})}")[1]
    assert '<a href="/chats/-/conversation/c-old">Open it</a>' in text


@pytest.mark.parametrize("key", ["nope", "~20", "..", "a~2Fb", "~00", "~ff"])
def test_an_unknown_conversation_is_not_found(pages: Pages, key: str) -> None:
    """An id that is not stored is a 404, not a failure."""
    status, text = pages.get(f"/chats/-/conversation/{key}")
    assert status == 404
    assert "no conversation" in text
    assert 'action="/chats/-/search"' in text


def test_pages_forbid_the_browser_everything_else(pages: Pages) -> None:
    """Each page of ours, and its policy."""
    for path in OURS:
        with closing(http.client.HTTPConnection("127.0.0.1", pages.port)) as connection:
            connection.request("GET", f"/chats{path}")
            answer = connection.getresponse()
            policy = answer.headers["content-security-policy"]
            text = answer.read().decode()
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<[^>]+\s(style|on\w+)=", text)


def test_a_conversation_can_be_downloaded_as_markdown(pages: Pages) -> None:
    """From the row, as a file of text; other tables offer none."""
    status, text = pages.get("/chats/conversations/c-old.md")
    assert status == 200
    assert text.startswith("# Rye & <b>starter</b>\n")
    assert "How do I feed a rye starter?" in text
    assert "/chats/conversations/c-old.md" in pages.get("/chats/conversations/c-old")[1]
    assert ".md" not in pages.get("/chats/messages/1")[1]


def test_datasette_links_to_the_pages(pages: Pages) -> None:
    """Front page, database and tables link to our pages; titles link to the conversation."""
    for path in ("/", "/chats", "/chats/conversations", "/chats/messages"):
        assert 'href="/chats/-/home"' in pages.get(path)[1], path
    assert '<a href="/chats/-/conversation/c-new">Why is the sky blue?</a>' in pages.get("/chats/conversations")[1]
    assert 'href="/theirs/-/home' not in pages.get("/")[1] + pages.get("/theirs")[1]


@served_as("runs")
def without_spaces(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        add_conversation(conn, "c1", "x")
        add_message(conn, "c1", "n1", "昨日京都でラーメンを食べた🍜 with friends")
        add_message(conn, "c1", "n2", "大阪")


def test_the_search_box_of_a_table_finds_words_inside_runs(many: Pages) -> None:
    """Chinese or an emoji typed into Datasette's own search box finds the message."""
    for typed in ("%E4%BA%AC%E9%83%BD", "friends+%E4%BA%AC%E9%83%BD", "%27%E4%BA%AC%E9%83%BD", "friends+%F0%9F%8D%9C"):
        status, _ = many.get(f"/runs/messages?_search={typed}&_sort=rowid")
        assert status == 302
        text = many.follow(f"/runs/messages?_search={typed}&_sort=rowid")
        assert "ラーメン" in text
        assert "大阪" not in text
    count = "select count(*) from messages_cjk where messages_cjk match"
    assert many.rows(f"{count} chatmirror_cjk('京都')", "runs") == [[1]]
    assert many.rows(f"{count} chatmirror_cjk('🍜')", "runs") == [[1]]
    assert many.rows(f"{count} chatmirror_cjk('')", "runs") == [[0]]


@served_as("two_runs")
def two_runs(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        add_conversation(conn, "c1", "x")
        add_message(conn, "c1", "n1", "京都 rye flour organization")
        add_message(conn, "c1", "n2", "京都 flour of rye, it's an organ")


@pytest.mark.parametrize(
    ("typed", "is_first", "is_second"),
    [
        ("京都 organiz*", True, False),
        ("京都 -organiz*", False, True),
        ("京都 -it's", True, False),
        ('京都 "rye flour"', True, False),
        ('京都 -"rye flour"', False, True),
        ("rye -大阪", True, True),
        ("rye -京都", False, False),
    ],
)
def test_the_search_box_of_a_table_takes_what_the_search_takes(
    many: Pages, typed: str, is_first: bool, is_second: bool
) -> None:
    """Words to leave out, beginnings and phrases beside such words."""
    text = many.follow(f"/two_runs/messages?_search={quote(typed)}&_sort=rowid")
    assert ("rye flour organization" in text, "flour of rye" in text) == (is_first, is_second)


@served_as("stale")
def stale(path: Path) -> None:
    sync = {"command": "sync", "provider": "chatgpt"}
    failed = {"outcome": "sign-in needed", "exit_code": 4, "message": "The login <b>ended</b>."}
    with closing(open_mirror(path)) as conn:
        add(conn, "sync_runs", started_at="2025-01-01T00:00:00.000Z", outcome="current", exit_code=0, **sync)
        add(conn, "sync_runs", started_at="2025-02-01T00:00:00.000Z", **sync, **failed)


@served_as("empty")
def empty(path: Path) -> None:
    open_mirror(path).close()


def test_the_home_page_warns_of_a_stale_or_failed_mirror(many: Pages) -> None:
    """A banner with the last run's own sentence; none where all is well."""
    (banner,) = re.findall(r'class="banner"[^>]*>(.*?)</p>', many.get("/stale/-/home")[1])
    assert "days old" in banner
    assert "The login &lt;b&gt;ended&lt;/b&gt;." in banner
    status, text = many.get("/empty/-/home")
    assert status == 200
    assert "There has been no sync yet" in text


def add_success(conn: sqlite3.Connection) -> None:
    """Add a sync that ended well, just now."""
    values = {"command": "sync", "provider": "chatgpt", "outcome": "current", "exit_code": 0}
    add(conn, "sync_runs", started_at=iso(time.time()), **values)


@served_as("in_part")
def in_part(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        for n in range(12):
            reason = "its <b>end</b> is missing"
            add_conversation(conn, f"c{n:02}", f"Part {n:02}", is_complete=0, incomplete_reason=reason)
        add_conversation(conn, "whole", "Whole")
        add_success(conn)


def test_what_is_stored_only_in_part_is_marked(many: Pages) -> None:
    """On the home page with link and reason, and on the conversation's page; it is no alarm."""
    home = many.get("/in_part/-/home")[1]
    assert "The mirror is current." in home
    (told,) = re.findall(r'<details id="incomplete">(.*?)</details>', home, re.DOTALL)
    assert "12 conversations are stored only in part" in told
    shown = links(told, r'href="(/in_part/-/conversation/[^"]+)"')
    assert shown == [f"/in_part/-/conversation/c{n:02}" for n in range(10)]
    assert "its &lt;b&gt;end&lt;/b&gt; is missing" in told
    (table,) = links(told, r'href="(/in_part/-/conversations[^"]+)"')
    rows = many.follow(table)
    assert "Part 11" in rows
    assert "Whole" not in rows
    conversation = many.get("/in_part/-/conversation/c00")[1]
    assert "stored only in part: its &lt;b&gt;end&lt;/b&gt; is missing" in conversation
    assert "stored only in part" not in many.get("/in_part/-/conversation/whole")[1]


def test_a_whole_mirror_lists_nothing_as_incomplete(pages: Pages) -> None:
    assert "stored only in part" not in pages.get("/chats/-/home")[1]


@served_as("imported")
def imported(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        add_conversation(conn, "c1", "Imported", message_count=1)
        rowid = add_message(conn, "c1", "m", "Look at my cat.")
        picture = {"name": "cat.png", "mime_type": "image/png", "kind": "image"}
        add(conn, "files", id="f", state="pending", provider="chatgpt", first_seen_at="2026-01-01", **picture)
        add(conn, "attachments", id="f", file_id="f", message_rowid=rowid, position=0, **picture)
        add(conn, "sync_runs", started_at=iso(time.time()), command="import", outcome="current", exit_code=0)
        conn.commit()


def test_a_mirror_of_imports_raises_no_alarm(many: Pages) -> None:
    """Never synced is no failure: the page says so calmly, and names what to do."""
    home = many.get("/imported/-/home")[1]
    (banner,) = re.findall(r'<p class="banner mild">(.*?)</p>', home)
    assert "imported, and there has been no sync yet" in banner
    assert "<code>chatmirror sync</code>" in banner
    assert 'role="alert"' not in home


def test_one_is_no_plural_and_a_command_no_text_with_backticks(many: Pages) -> None:
    """What the home page counts and advises reads like a sentence; of files that no sync fetched it says so."""
    home, alarm = many.get("/imported/-/home")[1], many.get("/empty/-/home")[1]
    for said in (">1 conversation<", ">1 message<", ">1 file</a>, none stored", "1 message\n"):
        assert said in home
    assert not re.search(r"\b1 (conversation|message|file)s\b", home + many.get("/imported/-/pictures")[1])
    assert "<code>chatmirror sync</code>" in alarm
    assert "`" not in home + alarm


def test_a_picture_that_only_a_sync_can_bring_is_not_called_late(many: Pages) -> None:
    """No import fetches it, so it is not "not yet"."""
    assert "not stored: a sync fetches it" in many.get("/imported/-/conversation/c1")[1]
    assert "1 for a sync to fetch" in many.get("/imported/-/pictures")[1]


@served_as("one_failing")
def one_failing(path: Path) -> None:
    failed = {"outcome": "sign-in needed", "exit_code": 4, "message": "The cookie was refused."}
    with closing(open_mirror(path)) as conn:
        add_conversation(conn, "c1", "Mine")
        add_success(conn)
        add_conversation(conn, "p1", "Seeds", provider="parrot")
        add(conn, "sync_runs", started_at=iso(time.time()), command="sync", provider="parrot", **failed)


def test_the_home_page_warns_of_any_service(many: Pages) -> None:
    """One of two services is current, the other one failed: the banner names that one."""
    home = many.get("/one_failing/-/home")[1]
    (banner,) = re.findall(r'class="banner" role="alert">(.*?)</p>', home)
    assert banner.startswith("parrot: ")
    assert "The cookie was refused." in banner


@served_as("long")
def long_talk(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        conn.execute("BEGIN")
        add_conversation(conn, "long", "A long talk")
        for n in range(1, 3001):
            role = ("assistant", "user")[n % 2]
            parent = f"n{n - 1}" if n > 1 else None
            add_message(conn, "long", f"n{n}", f"message {n:05}.", role=role, position=n, parent_id=parent)
        conn.execute("COMMIT")


def test_a_long_conversation_comes_in_pages(many: Pages) -> None:
    """Each of 3,000 messages is on exactly one page, in order, and its link opens that page."""
    addresses, seen = ["/long/-/conversation/long"], []
    while addresses:
        _, text = many.get(addresses[0])
        messages = re.sub(r'<details class="prompts".*?</details>', "", text, flags=re.DOTALL)
        seen += re.findall(r">message (\d{5})\.", messages)
        addresses = links(text, r'<a rel="next" href="([^"]+)"')[:1]
    assert [int(n) for n in seen] == list(range(1, 3001))
    _, text = many.get("/long/-/conversation/long?message=n2345")
    assert "message 02345." in text
    assert "message 00001." not in text
    assert '<span id="here">' in text


NODES: dict[str, tuple[str | None, int | None]] = {
    "root1": (None, 0), "root2": (None, None), "hid-a": ("root1", None), "hid-b": ("root1", 0),
    "a1": ("hid-a", None), "a2": ("hid-a", None), "b1": ("hid-b", 0), "deep": ("a2", None), "r2": ("root2", None),
}  # fmt: skip


@served_as("forks")
def forks(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        add_conversation(conn, "c", "A tree")
        position = 0
        for n, (node, (parent, shown)) in enumerate(NODES.items()):
            position += shown is not None
            more = {"is_hidden": 1, "role": "system"} if node.startswith("hid") else {}
            place = position if shown is not None else None
            when = f"2025-01-01T00:00:{n:02}.000Z"
            add_message(conn, "c", node, f"text of {node}.", parent_id=parent, position=place, created_at=when, **more)


def test_every_branch_of_a_tree_can_be_reached(many: Pages) -> None:
    """The links at forks lead to every message, also below hidden nodes and with several roots."""
    todo, done, seen = ["/forks/-/conversation/c"], set(), set()
    while todo:
        address = todo.pop().split("#")[0]
        if address not in done:
            done.add(address)
            status, text = many.get(address)
            assert status == 200
            seen |= set(re.findall(r"text of ([\w-]+)\.", text))
            todo += links(text, r'<a rel="nofollow" href="([^"]+)" aria-label="Branch')
    assert seen == {node for node in NODES if not node.startswith("hid")}


# Conversation -> node -> parent
TREES: dict[str, dict[str, str | None]] = {
    "circle": {"a": "b", "b": "a"},
    "own-parent": {"a": "a"},
    "no-parent": {"a": "gone"},
    "two-roots": {"a": None, "b": None, "c": "a"},
}


@served_as("trees")
def strange_trees(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        for key, tree in TREES.items():
            add_conversation(conn, key, "A tree")
            for node, parent in tree.items():
                add_message(conn, key, node, f"text of {node}", parent_id=parent, position=None)


@pytest.mark.parametrize("key", TREES)
def test_any_tree_has_a_page(many: Pages, key: str) -> None:
    """Circles, missing parents and several roots without a visible branch are shown, too."""
    for address in ("", *(f"?message={node}" for node in TREES[key])):
        status, text = many.get(f"/trees/-/conversation/{key}{address}")
        assert status == 200
        assert f"text of {address[-1:]}" in text


def test_under_another_address_everything_leads_there(serve: Serve, tmp_path: Path) -> None:
    """With a base_url, every link of our pages begins with it."""
    bakery(tmp_path / "my chats.v1.db")
    pages = serve(str(tmp_path / "my chats.v1.db"), "--setting", "base_url", "/prefix/")
    name = links(pages.get("/prefix/?all")[1], r'href="/prefix/([^"/]+)/-/home"')[0]
    for path in OURS:
        status, text = pages.get(f"/prefix/{name}{path}")
        assert status == 200
        inner = [link for link in links(text, r'(?:href|src|action)="([^"]+)"') if link.startswith("/")]
        assert inner
        assert all(link.startswith("/prefix/") for link in inner)


def test_sqlite_utils_knows_the_functions(tmp_path: Path) -> None:
    """``sqlite-utils chats.db "select chatmirror_payload(id) ..."`` answers with the payload."""
    bakery(tmp_path / "chats.db")
    command = [Path(sys.executable).with_name("sqlite-utils"), tmp_path / "chats.db"]
    sql = "select chatmirror_payload(id) as p from conversations where id = 'c-old'"
    done = subprocess.run([*map(str, command), sql], capture_output=True, text=True, check=True)
    assert json.loads(json.loads(done.stdout)[0]["p"])["conversation_id"] == "c-old"


@served_as("older")
def older(path: Path) -> None:
    bakery(path)
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript("DELETE FROM _settings; DROP TABLE messages_cjk; ALTER TABLE messages DROP COLUMN drafts;")


def test_a_mirror_of_an_older_program_can_be_read(many: Pages) -> None:
    """A file without the newest index, which this program has not written to yet, can be read."""
    assert [many.get(f"/older{path}")[0] for path in OURS] == [200, 200, 200, 200]
    assert many.get("/older/-/search?q=%E4%BA%AC")[0] == 200


@served_as("damaged")
def damaged(path: Path) -> None:
    bakery(path)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("DROP TABLE messages_fts")


def test_a_damaged_mirror_has_an_error_page(many: Pages) -> None:
    """Where a table is missing the page says so and what to do; Datasette's own pages still work."""
    status, text = many.get("/damaged/-/search?q=rye")
    assert status == 500
    assert "no such table: messages_fts" in text
    assert "chatmirror check" in text
    assert many.get("/damaged/conversations")[0] == 200


@served_as("altered")
def altered(path: Path) -> None:
    bakery(path)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("ALTER TABLE conversations RENAME COLUMN updated_at TO other")


@served_as("spoilt")
def spoilt(path: Path) -> None:
    bakery(path)
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE conversations SET updated_at = x'00', message_count = 'x', title = x'00ff'")


@pytest.mark.parametrize("database", ["altered", "spoilt"])
@pytest.mark.parametrize("page", ["conversation/c-new", "conversations", "search?q=rye", "home"])
def test_what_another_program_altered_is_named(many: Pages, database: str, page: str) -> None:
    """A column, or values of another type: where they are read, and where they are shown."""
    status, text = many.get(f"/{database}/-/{page}")
    assert (status, "This mirror cannot be read" in text, "chatmirror check" in text) == (500, True, True)


@served_as("five")
def five_answers(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        add_conversation(conn, "c", "Five")
        add_message(conn, "c", "p", "A joke?")
        for n in range(5):
            add_message(conn, "c", f"a{n}", f"Joke {n}", parent_id="p", position=2 if n == 1 else None)


def test_the_number_of_messages_on_other_branches_leads_to_the_fork(many: Pages) -> None:
    """There, arrows lead through the branches."""
    text = many.get("/five/-/conversation/c")[1]
    (link,) = links(text, r'<a rel="nofollow" href="([^"]+)">4 messages on other branches</a>')
    address, _, anchor = link.partition("#")
    shown = many.get(address)[1]
    assert "2 of 5" in shown[shown.index(f'id="{anchor}"') :]


def test_every_other_branch_is_one_step_away(many: Pages) -> None:
    """Of five answers the four others are links, whichever is shown."""
    for shown in range(5):
        text = many.get(f"/five/-/conversation/c?message=a{shown}")[1]
        assert f"{shown + 1} of 5" in text
        assert set(re.findall(r"message=(a\d)[^>]*Branch", text)) == {f"a{n}" for n in range(5) if n != shown}


@served_as("services")
def two_services(path: Path) -> None:
    with closing(open_mirror(path)) as conn:
        for key, provider in (("a", "chatgpt"), ("b", "parrot")):
            add_conversation(conn, key, f"Of {provider}", provider=provider, deleted_at="2025-03-01T12:00:00.000Z")
            add_message(conn, key, "n1", "a question about rye")
            add_message(conn, key, "n2", "an answer about rye", role="assistant", removed_at="2025-02-01T12:00:00.000Z")


def test_each_service_speaks_under_its_own_name(many: Pages) -> None:
    """With two services, pages say which one answered or deleted, and can search one of them."""
    for key, name in (("a", "ChatGPT"), ("b", "parrot")):
        text = many.get(f"/services/-/conversation/{key}")[1]
        assert re.findall(r"<h2>(.*?)</h2>", text) == ["You", name]
        assert re.search(rf"deleted on {name} <time [^>]*>2025-03-01</time>, kept in this mirror", text)
        assert f"removed on {name}, kept in this mirror" in text
    text = many.get("/services/-/search?q=rye")[1]
    assert set(re.findall(r'<span class="who">(\w+)', text)) == {"You", "ChatGPT", "parrot"}
    assert re.findall(r'service=\w+">(\w+)</a>', text) == ["ChatGPT", "parrot"]
    assert ">Assistant</a>" in text
    text = many.get("/services/-/search?q=rye&service=parrot")[1]
    assert "Of parrot" in text
    assert "Of chatgpt" not in text
    assert ">parrot</a>" in text
    home = many.get("/services/-/home")[1]
    assert "2 deleted on ChatGPT or parrot</a>, kept in this mirror" in home
    assert re.findall(r"</svg> (\w+) \d", home)[:3] == ["You", "ChatGPT", "parrot"]


def test_one_service_is_not_offered_as_a_filter(pages: Pages) -> None:
    """Where all chats are of one service, nothing speaks of services."""
    text = pages.get("/chats/-/search?q=day")[1]
    assert "Service" not in text
    assert ">ChatGPT</a>" in text
