"""The pages in a real browser, on both Datasettes: what a person sees, types and hears."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from mirrors import add, add_conversation, add_message, open_mirror
from payloads import HIT, PAYLOADS
from playwright.sync_api import sync_playwright

KINDS = ("text", "reasoning", "canvas", "quote", "code", "output", "context", "voice", "other")
LOUD = {"serious", "critical"}


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; its absence fails where the tests must be complete, and else is said."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def demo(serve, tmp_path_factory):
    """A served mirror of the demo's account, and a connection to it."""
    path = tmp_path_factory.mktemp("demo") / "chats.db"
    subprocess.run([sys.executable, "-m", "mirror", "demo", "-d", str(path)], check=True, capture_output=True)
    pages = serve(str(path))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        pages.conn = conn
        yield pages


class Watched:
    """A browser's page that remembers whatever it should not have done."""

    def __init__(self, page, port, database="chats"):
        self.page, self.base, self.faults = page, f"http://127.0.0.1:{port}/{database}", []
        origin = f"http://127.0.0.1:{port}/"
        page.on("console", lambda m: self.faults.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda r: None if r.url.startswith((origin, "data:")) else self.faults.append(r.url))

    def open(self, path):
        answer = self.page.goto(self.base + path)
        assert answer.status == 200, path
        return self.page


@pytest.fixture
def watched(browser, demo):
    """A page of the demo's mirror, which must have been quiet in the end."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    watching = Watched(page, demo.port)
    yield watching
    page.close()
    assert watching.faults == []


def fork(conn):
    """Return conversation, an abandoned node, the visible one beside it, and both texts."""
    return conn.execute(
        "SELECT a.conversation_id, a.id, v.id, a.text, v.text FROM messages a JOIN messages v"
        " ON v.conversation_id = a.conversation_id AND v.parent_id IS a.parent_id AND v.position IS NOT NULL"
        " WHERE a.position IS NULL AND NOT a.is_hidden AND a.text <> '' AND a.role = 'user' AND a.text <> v.text"
        " LIMIT 1"
    ).fetchone()


def visible(page):
    return page.locator("main").inner_text()


def test_from_home_to_a_message(watched):
    """Home, a word in the box, a result, and there the message that matched, open and marked."""
    page = watched.open("/-/home")
    page.get_by_label("Search all chats").fill("sourdough")
    page.get_by_role("button", name="Search").click()
    assert page.locator("mark").first.inner_text().lower() == "sourdough"
    page.get_by_role("link", name="canvas").first.click()
    page.locator(".passages .jump").first.click()
    wanted = page.locator(".block.wanted")
    assert "sourdough" in wanted.inner_text().lower()
    assert wanted.locator("details").first.get_attribute("open") is not None
    assert wanted.bounding_box()["y"] < 900


def test_branches_are_one_click_away(watched, demo):
    """Where a prompt was edited, "2 of 2" leads to the other version and back, each with an address of its own."""
    key, abandoned, shown, old, new = fork(demo.conn)
    page = watched.open(f"/-/conversation/{key}")
    assert new in visible(page)
    assert old not in visible(page)
    page.get_by_role("link", name="Branch 1 of 2").click()
    assert f"message={abandoned}" in page.url
    assert old in visible(page)
    assert new not in visible(page)
    page.get_by_role("link", name="Branch 2 of 2").click()
    assert f"message={shown}" in page.url
    assert new in visible(page)


def test_thoughts_and_hidden_messages_have_switches(watched, demo):
    """Thoughts are folded, then open, then gone; what the service hides comes when asked for."""
    key, text = demo.conn.execute(
        "SELECT conversation_id, text FROM messages WHERE content_type = 'thoughts' AND position IS NOT NULL LIMIT 1"
    ).fetchone()
    word = text.split()[-1]
    page = watched.open(f"/-/conversation/{key}")
    assert not page.get_by_text(word).first.is_visible()
    page.get_by_role("group", name="Reasoning").get_by_role("link", name="open").click()
    assert page.get_by_text(word).first.is_visible()
    page.get_by_role("group", name="Reasoning").get_by_role("link", name="off").click()
    assert page.get_by_text(word).count() == 0
    key, text = demo.conn.execute(
        "SELECT conversation_id, text FROM messages WHERE content_type = 'user_editable_context' LIMIT 1"
    ).fetchone()
    page = watched.open(f"/-/conversation/{key}")
    assert page.get_by_text(text.split("\n")[0]).count() == 0
    page.get_by_role("link", name="Show what the service hides").click()
    assert page.get_by_text(text.split("\n")[0]).count() > 0


def test_keys(watched, demo):
    """j and k go from turn to turn, / to the box where they are letters again, n and p to the neighbours, h home."""
    key = demo.conn.execute(
        "SELECT id FROM conversations WHERE updated_at < (SELECT max(updated_at) FROM conversations)"
        " ORDER BY message_count DESC LIMIT 1"
    ).fetchone()[0]
    page = watched.open(f"/-/conversation/{key}")
    turns = page.locator(".turn")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert turns.nth(1).evaluate("turn => turn === document.activeElement")
    page.keyboard.press("k")
    assert turns.nth(0).evaluate("turn => turn === document.activeElement")
    page.keyboard.press("/")
    page.keyboard.type("jk/")
    assert page.locator("input[name=q]").input_value() == "jk/"
    page.keyboard.press("Escape")
    with page.expect_navigation():
        page.keyboard.press("p")
    assert key not in page.url
    with page.expect_navigation():
        page.keyboard.press("n")
    assert key in page.url
    with page.expect_navigation():
        page.keyboard.press("h")
    assert page.url.endswith("/-/home")


@pytest.mark.parametrize("typed", ["'", '"', "((", "a AND", "* NEAR(", "日本", "c++ -x", "%00", "\\", "🥐", "x" * 3000])
def test_whatever_is_typed_is_answered(watched, typed):
    """The box answers anything with a page."""
    page = watched.open("/-/search?q=" + quote(typed))
    assert page.locator("h1").inner_text().startswith("Search")


def test_results_are_narrowed_by_facets(watched):
    """Each count is what a click then shows, and the filter can be taken away again."""
    page = watched.open("/-/search?q=the")
    before = page.locator(".sums").inner_text()
    item = page.locator("aside li", has=page.get_by_role("link", name="You", exact=True))
    count = item.locator("span").inner_text()
    item.get_by_role("link").click()
    assert page.locator(".sums").inner_text().startswith(f"{count} message")
    page.get_by_role("link", name="Remove the filter Who: user").click()
    assert page.locator(".sums").inner_text() == before


def pages_to_check(conn):
    """Yield the addresses of pages of every kind and with every kind of content."""
    yield from ("/-/home", "/-/search", "/-/search?q=sourdough", "/-/search?q=nothinglikethis")
    for kind in KINDS:
        row = conn.execute("SELECT conversation_id FROM messages WHERE kind = ? LIMIT 1", (kind,)).fetchone()
        if row:
            yield f"/-/conversation/{row[0]}?reasoning=open&hidden=on"
    key, abandoned, *_ = fork(conn)
    yield f"/-/conversation/{key}?message={abandoned}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_can_be_used_by_everybody(watched, demo, scheme):
    """axe-core finds nothing serious on any page, in light and dark, folds open."""
    watched.page.emulate_media(color_scheme=scheme)
    for address in pages_to_check(demo.conn):
        page = watched.open(address)
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
        found = Axe().run(page).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in LOUD] == [], address


def test_pages_read_without_a_script(browser, demo):
    """With JavaScript off, text is there, folds open, branches and results are links."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        key, abandoned, _, old, _ = fork(demo.conn)
        page.goto(f"http://127.0.0.1:{demo.port}/chats/-/conversation/{key}?message={abandoned}")
        assert old in visible(page)
        fold = page.locator("details").first
        fold.locator("summary").first.click()
        assert fold.get_attribute("open") is not None


@pytest.mark.parametrize("width", [360, 768])
def test_a_phone_shows_it_without_scrolling_sideways(browser, demo, width):
    """Nothing is wider than a small screen, code and tables scroll by themselves."""
    with browser.new_context(viewport={"width": width, "height": 700}) as context:
        page = context.new_page()
        for address in pages_to_check(demo.conn):
            page.goto(f"http://127.0.0.1:{demo.port}/chats{address}")
            page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address


def test_paper_shows_the_text_and_nothing_to_click(watched, demo):
    """Printed, menus and switches are gone and every turn is there."""
    page = watched.open(f"/-/conversation/{fork(demo.conn)[0]}")
    page.emulate_media(media="print")
    assert not page.locator("header.top").is_visible()
    assert not page.locator(".tools").is_visible()
    assert page.locator(".turn").first.is_visible()


def test_home_says_how_it_is(watched):
    """Counts, pictures with bars that say their numbers, the newest conversations, what changed last."""
    page = watched.open("/-/home")
    assert "47 conversations" in visible(page)
    assert "The mirror is current" in visible(page)
    assert page.locator("svg.plot rect").count() > 10
    assert "ChatGPT" in page.locator("svg.plot rect title").first.text_content()
    assert "Rain on the observing night" in visible(page)
    assert "branch switched" in visible(page)


def hostile(path):
    """Write a mirror in which every field that a stranger can fill holds every payload."""
    with closing(open_mirror(path)) as conn:
        conn.execute("BEGIN")  # one commit for all
        for n, payload in enumerate(PAYLOADS):
            add(conn, "projects", id=f"p{n}", name=payload, url=f"https://chatgpt.com/g/p{n}")
            add(conn, "gpts", id=f"g{n}", name=payload, url=f"https://chatgpt.com/g/g{n}")
            add_conversation(conn, f"c{n}", payload, project_id=f"p{n}", gpt_id=f"g{n}", model=payload)
            for kind in KINDS:
                more = {"role": "assistant", "model": payload, "author": payload, "recipient": payload}
                rowid = add_message(conn, f"c{n}", f"{kind}{payload}"[:200], payload, kind=kind, **more)
            add_message(conn, f"c{n}", "own", payload)
            add(conn, "links", message_rowid=rowid, position=1, url=payload, title=payload, kind="search")
            add(conn, "attachments", message_rowid=rowid, position=1, name=payload, mime_type=payload, kind="file")
            run = add(conn, "sync_runs", started_at="2025-01-01T00:00:00.000Z", command=payload, message=payload)
            add(conn, "changes", run_id=run, conversation_id=f"c{n}", kind=payload)
        conn.execute("COMMIT")


@pytest.fixture(scope="session")
def trap(serve, tmp_path_factory):
    """A served mirror that attacks whoever reads it."""
    path = tmp_path_factory.mktemp("trap") / "trap.db"
    hostile(path)
    return serve(str(path))


UNSAFE = """
() => [...document.querySelectorAll('main *, header *, footer *')].filter(e =>
  ['SCRIPT','IMG','IFRAME','OBJECT','EMBED','LINK','STYLE','META','BASE','VIDEO','AUDIO','TEMPLATE'].includes(e.tagName)
  || (e.tagName === 'FORM' && e.getAttribute('role') !== 'search')
  || [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style')
  || (e.href && typeof e.href === 'string' && !/^https?:|^mailto:/.test(e.href))).map(e => e.outerHTML.slice(0, 200))
"""


@pytest.mark.parametrize("policy", ["with the policy", "without it"])
def test_nothing_hostile_runs_or_calls_out(browser, trap, policy):
    """Over 300 payloads in every field: no script runs, nothing leaves the host, even without the browser's help."""
    assert len(PAYLOADS) >= 300
    with browser.new_context() as context:
        watching = Watched(context.new_page(), trap.port, "trap")
        if policy == "without it":
            context.route("**/-/**", unguarded)
        for n in range(0, len(PAYLOADS), 1 if policy == "without it" else 9):
            page = watching.open(f"/-/conversation/c{n}?reasoning=open&hidden=on")
            page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
            assert page.locator(".block").count() == len(KINDS) + 1, PAYLOADS[n]
            assert page.evaluate(UNSAFE) == [], PAYLOADS[n]
            assert page.evaluate("window.hit") is None, PAYLOADS[n]
        for address in ("/-/home", "/-/search?q=hit&n=500", "/-/search?q=" + quote(f"<script>{HIT}</script>")):
            page = watching.open(address)
            assert page.evaluate(UNSAFE) == []
            assert page.evaluate("window.hit") is None
        assert watching.faults == []


def unguarded(route):
    """Hand on a page without the policy that holds the browser back."""
    answer = route.fetch()
    headers = {name: value for name, value in answer.headers.items() if name != "content-security-policy"}
    route.fulfill(response=answer, headers=headers)
