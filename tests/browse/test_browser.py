"""The pages in a real browser, on both Datasettes: what a person sees, types and hears."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from mirrors import add, add_conversation, add_message, open_mirror
from payloads import HIT, PAYLOADS
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, Request, ViewportSize, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from served import Pages, Serve

KINDS = ("text", "reasoning", "canvas", "quote", "code", "output", "context", "voice", "other")
LOUD = {"serious", "critical"}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SMALL: ViewportSize = {"width": 300, "height": 200}  # drawing takes time


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; its absence fails where the tests must be complete, and else is said."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


class Demo(NamedTuple):
    """A served mirror of the demo's account, and a connection to it."""

    port: int
    conn: sqlite3.Connection


@pytest.fixture(scope="session")
def demo(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo's mirror."""
    path = tmp_path_factory.mktemp("demo") / "chats.db"
    subprocess.run([sys.executable, "-m", "mirror", "demo", "-d", str(path)], check=True, capture_output=True)
    pages = serve(str(path))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        conn.row_factory = sqlite3.Row
        yield Demo(pages.port, conn)


class Watched:
    """A browser's page that remembers whatever it should not have done."""

    def __init__(self, page: Page, port: int, database: str = "chats") -> None:
        self.page, self.base = page, f"http://127.0.0.1:{port}/{database}"
        self.origin = f"http://127.0.0.1:{port}/"
        self.faults: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", self._on_dialog)
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(message.text)

    def _on_dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:")):
            self.faults.append(request.url)

    def open(self, path: str) -> Page:
        answer = self.page.goto(self.base + path)
        assert answer is not None
        assert answer.status == 200, path
        return self.page


@pytest.fixture
def watched(browser: Browser, demo: Demo) -> Iterator[Watched]:
    """A page of the demo's mirror, which must have been quiet in the end."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    watching = Watched(page, demo.port)
    yield watching
    page.close()
    assert watching.faults == []


class EditedPrompt(NamedTuple):
    """A prompt of which two versions are stored: the nodes and their texts."""

    conversation_id: str
    old_node: str
    new_node: str
    old_text: str
    new_text: str


def edited_prompt(conn: sqlite3.Connection) -> EditedPrompt:
    """Return a prompt that was edited; the new version is the visible one."""
    row = conn.execute(
        "SELECT a.conversation_id, a.id AS old_node, v.id AS new_node, a.text AS old_text, v.text AS new_text"
        " FROM messages a JOIN messages v"
        " ON v.conversation_id = a.conversation_id AND v.parent_id IS a.parent_id AND v.position IS NOT NULL"
        " WHERE a.position IS NULL AND NOT a.is_hidden AND a.text <> '' AND a.role = 'user' AND a.text <> v.text"
        " LIMIT 1"
    ).fetchone()
    return EditedPrompt(**row)


def follow(page: Page, link: Locator) -> None:
    """Click on what leads to another page, and wait until that is there."""
    with page.expect_navigation():
        link.click()


def visible(page: Page) -> str:
    return page.locator("main").inner_text()


def test_from_home_to_a_message(watched: Watched) -> None:
    """Home, a word in the box, a result, and there the message that matched, open and marked."""
    page = watched.open("/-/home")
    page.get_by_label("Search all chats").fill("sourdough")
    follow(page, page.get_by_role("button", name="Search"))
    assert page.locator("mark").first.inner_text().lower() == "sourdough"
    follow(page, page.get_by_role("link", name="canvas").first)
    follow(page, page.locator(".passages .jump").first)
    wanted = page.locator(".block.wanted")
    assert "sourdough" in wanted.inner_text().lower()
    assert wanted.locator("details").first.get_attribute("open") is not None
    box = wanted.bounding_box()
    assert box is not None
    assert box["y"] < 900


def test_branches_are_one_click_away(watched: Watched, demo: Demo) -> None:
    """An edited prompt has links to its other version and back, each with its own address."""
    prompt = edited_prompt(demo.conn)
    page = watched.open(f"/-/conversation/{prompt.conversation_id}")
    assert prompt.new_text in visible(page)
    assert prompt.old_text not in visible(page)
    follow(page, page.get_by_role("link", name="Branch 1 of 2"))
    assert f"message={prompt.old_node}" in page.url
    assert prompt.old_text in visible(page)
    assert prompt.new_text not in visible(page)
    follow(page, page.get_by_role("link", name="Branch 2 of 2"))
    assert f"message={prompt.new_node}" in page.url
    assert prompt.new_text in visible(page)


def test_thoughts_and_hidden_messages_have_switches(watched: Watched, demo: Demo) -> None:
    """Reasoning can be folded, open or left out; what the service hides is shown on request."""
    key, text = demo.conn.execute(
        "SELECT conversation_id, text FROM messages WHERE content_type = 'thoughts' AND position IS NOT NULL LIMIT 1"
    ).fetchone()
    word = text.split()[-1]
    page = watched.open(f"/-/conversation/{key}")
    assert not page.get_by_text(word).first.is_visible()
    follow(page, page.get_by_role("group", name="Reasoning").get_by_role("link", name="open"))
    assert page.get_by_text(word).first.is_visible()
    follow(page, page.get_by_role("group", name="Reasoning").get_by_role("link", name="off"))
    assert page.get_by_text(word).count() == 0
    key, text = demo.conn.execute(
        "SELECT conversation_id, text FROM messages WHERE content_type = 'user_editable_context' LIMIT 1"
    ).fetchone()
    page = watched.open(f"/-/conversation/{key}")
    assert page.get_by_text(text.split("\n")[0]).count() == 0
    follow(page, page.get_by_role("link", name="Show what ChatGPT hides"))
    assert page.get_by_text(text.split("\n")[0]).count() > 0


def test_keys(watched: Watched, demo: Demo) -> None:
    """j and k go from turn to turn, / to the search box, n and p to the neighbours, h home."""
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
    assert page.locator("header input[name=q]").input_value() == "jk/"
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
def test_whatever_is_typed_is_answered(watched: Watched, typed: str) -> None:
    """The box answers anything with a page."""
    page = watched.open("/-/search?q=" + quote(typed))
    assert page.locator("h1").inner_text().startswith("Search")


def test_results_are_narrowed_by_facets(watched: Watched) -> None:
    """Each count is what a click then shows, and the filter can be taken away again."""
    page = watched.open("/-/search?q=the")
    before = page.locator(".sums").inner_text()
    item = page.locator("aside li", has=page.get_by_role("link", name="You", exact=True))
    count = item.locator("span").inner_text()
    follow(page, item.get_by_role("link"))
    assert page.locator(".sums").inner_text().startswith(f"{count} message")
    follow(page, page.get_by_role("link", name="Remove the filter Who: user"))
    assert page.locator(".sums").inner_text() == before


def pages_to_check(conn: sqlite3.Connection) -> Iterator[str]:
    """Yield the addresses of pages of every kind and with every kind of content, each once."""
    yield from ("/-/home", "/-/conversations", "/-/search", "/-/search?q=sourdough", "/-/search?q=nothinglikethis")
    find = "SELECT conversation_id FROM messages WHERE kind = ? LIMIT 1"
    found = [row[0] for kind in KINDS for row in conn.execute(find, (kind,))]
    for key in dict.fromkeys(found):
        yield f"/-/conversation/{key}?reasoning=open&hidden=on"
    prompt = edited_prompt(conn)
    yield f"/-/conversation/{prompt.conversation_id}?message={prompt.old_node}"


def test_pages_can_be_used_by_everybody(watched: Watched, demo: Demo) -> None:
    """axe-core finds nothing serious on any page, in light and dark, folds open."""
    for address in pages_to_check(demo.conn):
        page = watched.open(address)
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            # It need not describe all that is well.
            found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
            loud = [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in LOUD]
            assert loud == [], (address, scheme)


def test_pages_read_without_a_script(browser: Browser, demo: Demo) -> None:
    """With JavaScript off, text is shown, folded parts open, branches and results are links."""
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        prompt = edited_prompt(demo.conn)
        address = f"/chats/-/conversation/{prompt.conversation_id}?message={prompt.old_node}"
        page.goto(f"http://127.0.0.1:{demo.port}{address}")
        assert prompt.old_text in visible(page)
        fold = page.locator("article details, .prompts").first
        fold.locator("summary").first.click()
        assert fold.get_attribute("open") is not None


def test_times_are_the_readers_own_and_utc_without_a_script(browser: Browser, demo: Demo) -> None:
    """In the same form, machines read UTC; under a month of UTC a day is of UTC, and its title says both times."""
    key, at = demo.conn.execute(
        "SELECT conversation_id, created_at FROM messages WHERE role = 'user' AND position IS NOT NULL"
        " AND created_at LIKE '%T1%' LIMIT 1"
    ).fetchone()
    utc = datetime.fromisoformat(at)
    local = utc.astimezone(ZoneInfo("Pacific/Auckland"))
    page_address, form = f"http://127.0.0.1:{demo.port}/chats/-/conversation/{key}", "%Y-%m-%d %H:%M"
    for has_script, shown in ((True, f"{local:{form}}"), (False, f"{utc:{form}} UTC")):
        with browser.new_context(java_script_enabled=has_script, timezone_id="Pacific/Auckland") as context:
            page = context.new_page()
            page.goto(page_address)
            time = page.locator(f'article time[datetime="{utc:%Y-%m-%dT%H:%M:%S}Z"]').first
            assert time.inner_text() == shown
            assert (time.get_attribute("title") or "").endswith(f"{utc:{form}} UTC")
            assert ("Pacific/Auckland" in page.locator(".zones").inner_text()) is has_script
            page.goto(f"http://127.0.0.1:{demo.port}/chats/-/conversations?order=begun")
            heading = page.locator(".month").first.inner_text()
            day = page.locator(".list time").first
            assert f"{datetime.fromisoformat(day.inner_text()):%B %Y}" == heading
            assert ("Pacific/Auckland" in (day.get_attribute("title") or "")) is has_script


@pytest.mark.parametrize("width", [320, 768])
def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, demo: Demo, width: int) -> None:
    """Nothing is wider than a small screen; code and tables have scroll bars of their own."""
    with browser.new_context(viewport={"width": width, "height": 700}) as context:
        page = context.new_page()
        for address in pages_to_check(demo.conn):
            page.goto(f"http://127.0.0.1:{demo.port}/chats{address}")
            page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address


def test_paper_shows_the_text_and_nothing_to_click(watched: Watched, demo: Demo) -> None:
    """On paper there are no menus and switches, and every turn is shown."""
    page = watched.open(f"/-/conversation/{edited_prompt(demo.conn).conversation_id}")
    page.emulate_media(media="print")
    assert not page.locator("header.top").is_visible()
    assert not page.locator(".tools").is_visible()
    assert page.locator(".turn").first.is_visible()


# What moved without the reader's doing, as a browser counts it.
MOVED = """
() => new Promise(done => {
  const sum = list => list.getEntries().reduce((moved, one) => moved + one.value, 0);
  new PerformanceObserver(list => done(sum(list))).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => done(0), 300);
})
"""
# What is for pressing and not inside a line of text, where it is smaller than a finger needs (WCAG 2.5.8).
SMALL_TARGETS = """
() => [...document.querySelectorAll('.top a, .side a, .pages a, .prompts a, .display label, summary, button')]
  .filter(e => e.checkVisibility({contentVisibilityAuto: true, opacityProperty: true}))
  .map(e => [e.textContent.slice(0, 30), e.getBoundingClientRect()])
  .filter(([, box]) => box.height < 24 || box.width < 24).map(([text, box]) => `${text} ${box.width} ${box.height}`)
"""
FORBID_MEMORY = (
    "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
)
LINE = "The quick brown fox jumps over the lazy dog, and then it sleeps until noon. "
# How many characters the first line of an article has.
CHARACTERS = """
(() => {
  const text = document.querySelector('article').firstChild, range = document.createRange();
  const top = (n) => { range.setStart(text, n); range.setEnd(text, n + 1); return range.getBoundingClientRect().top };
  for (let n = 1; n < text.data.length; n++) if (top(n) > top(0) + 5) return n;
  return text.data.length;
})()
"""


def test_the_title_stays_in_sight_and_hides_no_target(watched: Watched, demo: Demo) -> None:
    """Also where finds have a line of their own; what a link of the list of prompts leads to is below both."""
    key, title = demo.conn.execute("SELECT id, title FROM conversations ORDER BY message_count DESC LIMIT 1").fetchone()
    bottom = "e => e.getBoundingClientRect().bottom"
    for address in (f"/-/conversation/{key}", f"/-/conversation/{key}?find=next"):
        page = watched.open(address)
        running = page.locator(".running")
        assert page.evaluate("document.elementFromPoint(600, 100).closest('.running')") is None
        page.locator(".prompts summary").click()
        page.locator(".prompts li a").nth(90).click()
        target = page.locator(":target")
        top = target.evaluate("e => e.getBoundingClientRect().top")
        assert running.inner_text() == title
        assert running.evaluate("e => e.getBoundingClientRect().top") == 0
        bars = [running, *page.locator(".finds").all()]
        assert max(bar.evaluate(bottom) for bar in bars) <= top < 450


def test_a_choice_of_colours_and_keys_is_kept(watched: Watched, demo: Demo) -> None:
    """The next page is drawn with it from the first moment; keys that are off do nothing, and nothing moves."""
    longest = "SELECT id FROM conversations ORDER BY message_count DESC LIMIT 1"
    address = f"/-/conversation/{demo.conn.execute(longest).fetchone()[0]}"
    page = watched.page
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.emulate_media(color_scheme="light")
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => {window.first = getComputedStyle(document.body).backgroundColor})"
    )
    watched.open(address)
    light = page.evaluate("window.first")
    assert page.evaluate(MOVED) < 0.001  # what stands beside a fold may move while its heading arrives
    assert page.locator(".prompts li").first.is_visible()
    page.get_by_text("Display").click()
    page.get_by_label("dark").check()
    page.get_by_label("Single-key shortcuts").uncheck()
    assert page.evaluate(SMALL_TARGETS) == []
    page.keyboard.press("Escape")
    watched.open(address)
    assert page.evaluate("window.first") != light
    assert page.evaluate(MOVED) < 0.001
    page.keyboard.press("h")
    page.keyboard.press("/")
    assert address in page.url
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    assert not page.locator(".keys").is_visible()
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"


def test_a_choice_holds_for_the_page_where_nothing_may_be_kept(watched: Watched) -> None:
    page = watched.page
    page.add_init_script(FORBID_MEMORY)
    watched.open("/-/home")
    page.get_by_text("Display").click()
    page.get_by_label("dark").check()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    watched.open("/-/home")
    assert page.evaluate("document.documentElement.dataset.theme") is None


def test_lines_are_short_on_the_largest_screen(watched: Watched, demo: Demo) -> None:
    """A line has about 75 characters; the conversations are beside it, and only there where there is room."""
    page = watched.page
    for width in (3840, 1280, 1199):
        page.set_viewport_size({"width": width, "height": 1000})
        watched.open(f"/-/conversation/{edited_prompt(demo.conn).conversation_id}")
        page.evaluate(f"document.querySelector('article').textContent = {LINE * 2!r}")
        assert 60 <= page.evaluate(CHARACTERS) <= 80, width
        assert page.locator(".side [aria-current]").is_visible() is (width >= 1200)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


WRITTEN = """# Rye

So \\(a_1^2\\) holds:

\\[
\\frac{a}{b}
\\]

:::note{title="Aside"}
- one
:::
"""


@pytest.fixture(scope="session")
def written(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """A served mirror of one answer with a formula and a card, and a run of tools before it."""
    path = tmp_path_factory.mktemp("written") / "chats.db"
    with closing(open_mirror(path)) as conn:
        add_conversation(conn, "c", "Written")
        add_message(conn, "c", "n1", "A *prompt*")
        more = {"role": "assistant", "recipient": "python"}
        add_message(conn, "c", "n2", "print(1)", kind="code", parent_id="n1", **more)
        add_message(conn, "c", "n3", "1", kind="output", role="tool", parent_id="n2")
        add_message(conn, "c", "n4", WRITTEN, role="assistant", parent_id="n3")
    return serve(str(path))


def test_a_phone_copies_what_was_written(browser: Browser, written: Pages) -> None:
    """Without hovering: a message, a card and a selected formula give their source; the targets are large enough."""
    phone: ViewportSize = {"width": 360, "height": 700}
    with browser.new_context(viewport=phone, has_touch=True, is_mobile=True) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        watching = Watched(context.new_page(), written.port)
        page = watching.open("/-/conversation/c")
        for target in (page.get_by_label("Link to this message"), page.get_by_label("Copy this message")):
            box = target.last.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 24
            assert target.last.evaluate("target => getComputedStyle(target.parentElement).opacity") == "1"
        copied = "navigator.clipboard.readText()"
        page.get_by_label("Copy this message").last.tap()
        assert page.evaluate(copied) == WRITTEN.strip("\n")
        page.get_by_label("Copy this draft").tap()
        assert page.evaluate(copied) == "- one"
        page.evaluate("getSelection().selectAllChildren(document.querySelector('math mi'))")
        page.keyboard.press("Control+c")
        assert page.evaluate(copied) == r"\(a_1^2\)"
        page.evaluate("getSelection().selectAllChildren(document.querySelectorAll('.block')[3])")
        page.keyboard.press("Control+c")
        assert "So \\(a_1^2\\) holds:\n\n\\[\\frac{a}{b}\\]" in page.evaluate(copied)
        page.get_by_label("Link to this message").last.tap()
        page.wait_for_url("**message=n4**")
        assert watching.faults == []


def test_an_address_opens_the_run_around_its_message_and_paper_leaves_the_others_out(
    browser: Browser, written: Pages
) -> None:
    with browser.new_context(viewport={"width": 800, "height": 600}) as context:
        watching = Watched(context.new_page(), written.port)
        page = watching.open("/-/conversation/c")
        row = page.locator(".run section").nth(1).get_attribute("id")
        page.emulate_media(media="print")
        assert not page.locator(".run").is_visible()
        assert not page.locator("main button, main .anchor").filter(visible=True).count()
        assert page.locator("math").count() == 2
        page.emulate_media(media="screen")
        page.goto("about:blank")
        page = watching.open(f"/-/conversation/c#{row}")
        assert page.locator(".run").get_attribute("open") is not None
        assert page.locator(f"#{row}").is_visible()
        assert watching.faults == []


def test_home_says_how_it_is(watched: Watched) -> None:
    """Counts, charts with bars that name their numbers, newest conversations, last changes."""
    page = watched.open("/-/home")
    assert "47 conversations" in visible(page)
    assert "The mirror is current" in visible(page)
    assert page.locator("svg.plot rect").count() > 10
    assert "ChatGPT" in (page.locator("svg.plot rect title").first.text_content() or "")
    assert "Rain on the observing night" in visible(page)
    assert "branch switched" in visible(page)


def hostile(path: Path) -> None:
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
def trap(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """A served mirror that attacks whoever reads it."""
    path = tmp_path_factory.mktemp("trap") / "trap.db"
    hostile(path)
    return serve(str(path))


# Opens all that is folded, and returns every element that could act; what it starts shows in ``window.hit`` after it.
OPEN_ALL = """
() => {
  document.querySelectorAll('details').forEach(fold => { fold.open = true });
  const unsafe = [...document.querySelectorAll('main *, header *, footer *')].filter(e =>
    ['SCRIPT','IMG','IFRAME','OBJECT','EMBED','LINK','STYLE','META','BASE','VIDEO','AUDIO','TEMPLATE'].includes(e.tagName)
    || (e.tagName === 'FORM' && e.getAttribute('role') !== 'search')
    || [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style')
    || (e.href && typeof e.href === 'string' && !/^https?:|^mailto:/.test(e.href)));
  return [document.querySelectorAll('.block').length, unsafe.map(e => e.outerHTML.slice(0, 200))];
}
"""


# Writes one page after the other into this one, which has no policy: to go to each takes several times
# as long. Returns of each the status, what ``OPEN_ALL`` returns, and ``window.hit``.
READ_EACH = f"""
async addresses => {{
  const openAll = {OPEN_ALL};
  const found = [];
  const answers = addresses.map(async address => {{
    const answer = await fetch(address);
    return [answer.status, await answer.text()];
  }});
  for (const [status, text] of await Promise.all(answers)) {{
    document.open();
    const isLoaded = new Promise(done => addEventListener('load', done));
    document.write(text);
    document.close();
    await isLoaded;
    const opened = openAll();
    await new Promise(done => setTimeout(done, 5));  // what opening started
    found.push([status, opened, window.hit ?? null]);
  }}
  return found;
}}
"""
AT_ONCE = 20  # pages, so that Datasette makes some while the browser shows others


def conversation_of(n: int) -> str:
    return f"/-/conversation/c{n}?reasoning=open&hidden=on"


def share_of_this_datasette(request: pytest.FixtureRequest) -> range:
    """Which payloads to show: every other one where both Datasettes are there, which show the same pages."""
    step = 2 if os.environ.get("CHATMIRROR_DATASETTE_PRE") else 1
    return range("newest" in request.node.name, len(PAYLOADS), step)


def test_nothing_hostile_runs_or_calls_out_under_the_policy(
    browser: Browser, trap: Pages, request: pytest.FixtureRequest
) -> None:
    with browser.new_context(viewport=SMALL) as context:
        watching = Watched(context.new_page(), trap.port, "trap")
        for n in range("newest" in request.node.name, len(PAYLOADS), 18):
            page = watching.open(conversation_of(n))
            assert page.evaluate(OPEN_ALL) == [len(KINDS) + 1, []], PAYLOADS[n]
            assert page.evaluate("window.hit") is None, PAYLOADS[n]
        assert_quiet(watching)
        assert not runs_inline_scripts(watching.page)


def test_nothing_hostile_runs_or_calls_out_without_the_policy(
    browser: Browser, trap: Pages, request: pytest.FixtureRequest
) -> None:
    """Over 300 payloads in every field run no script and reach no host."""
    assert len(PAYLOADS) >= 300
    with browser.new_context(viewport=SMALL, bypass_csp=True) as context:
        watching = Watched(context.new_page(), trap.port, "trap")
        page = watching.open("/-/home")
        shown = share_of_this_datasette(request)
        for first in range(0, len(shown), AT_ONCE):
            some = shown[first : first + AT_ONCE]
            for n, found in zip(
                some, page.evaluate(READ_EACH, [f"/trap{conversation_of(n)}" for n in some]), strict=True
            ):
                assert found == [200, [len(KINDS) + 1, []], None], PAYLOADS[n]
        assert_quiet(watching)
        assert runs_inline_scripts(watching.page)


def assert_quiet(watching: Watched) -> None:
    """Assert that pages with what many conversations say are harmless, too, and that nothing has called out."""
    for address in ("/-/home", "/-/search?q=hit&n=500", "/-/search?q=" + quote(f"<script>{HIT}</script>")):
        page = watching.open(address)
        assert page.evaluate(OPEN_ALL)[1] == []
        assert page.evaluate("window.hit") is None
    assert watching.faults == []


def runs_inline_scripts(page: Page) -> bool:
    """Whether the policy is off: whether the page would run a script that stands in it."""
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    return bool(page.evaluate("window.ran === 1"))
