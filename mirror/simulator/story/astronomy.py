"""The night sky: web searches, and every form of citation (API notes §4.1, §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirror.simulator.story.draft import cite, flowing, image, json_text

if TYPE_CHECKING:
    from mirror.simulator.story.draft import Drafts


def astronomy_conversations(drafts: Drafts) -> list[dict[str, Any]]:
    """Return the conversations about the sky; most of them cite sources."""
    writers = (perseids, comet_pages, eyepiece_report, old_browsing, news_cards, booking, old_research, stray_marks)
    return [writer(drafts) for writer in writers]


def _page(n: int, title: str, path: str) -> dict[str, Any]:
    return {
        "title": title,
        "url": f"https://example.org/{path}?utm_source=chatgpt.com",
        "attribution": "example.org",
        "snippet": f"{title}: what the page says about it.",
        "pub_date": None,
        "refs": [{"turn_index": 0, "ref_type": "search", "ref_index": n}],
        "supporting_websites": [],
    }


_PAGES = [
    _page(0, "Meteor calendar", "sky/meteors"),
    _page(1, "Perseids: when to look", "sky/perseids"),
    _page(2, "Moon phases in August", "sky/moon"),
]


_SHOWER = {
    "grouped": cite("turn0search1", "turn0search0"),
    "guess": cite("turn0search2"),
    "page": cite("turn0search0"),
    "extended": cite("turn0search1"),
    "moment": '\ue200entity\ue202["event","Perseids","meteor shower"]\ue201',
    "pictures": '\ue200image_group\ue202{"query":["Perseid radiant map"],"layout":"carousel"}\ue201',
    "list": "\ue200navlist\ue202More about the shower\ue202turn0search0,turn0search1\ue201",
    "hidden": "\ue200i\ue202turn0image2\ue201",
    "film": "\ue200video\ue202How to photograph meteors\ue202turn0search2\ue201",
    "plain": "\ue200url\ue202Meteor calendar\ue202turn0search0\ue201",
}


_SHOWER_TEXT = """The {moment} peak on the night of **12 to 13 August**; expect 60 to 90 an hour {grouped}. The Moon
sets before midnight {guess}, so the hours from 1:00 to 4:00 are the best {page}.

{pictures}{hidden}

| Hour | Radiant height | Meteors you will see |
|-----:|---------------:|---------------------:|
| 22:00 | 20\u00b0 | 15 |
| 01:00 | 42\u00b0 | 45 |
| 03:30 | 60\u00b0 | 70 |

Look about 45\u00b0 away from the radiant, not into it {extended}. A reclining chair helps more than any lens. There
is a film {film} and a calendar {plain}.

{list}"""


def _reference(text: str, mark: str, kind: str, **fields: Any) -> dict[str, Any]:
    start = text.find(mark)
    return {"matched_text": mark, "start_idx": start, "end_idx": start + len(mark), "type": kind} | fields


def _markdown(page: dict[str, Any]) -> str:
    return f"([{page['attribution']}]({page['url']}))"


def perseids(drafts: Drafts) -> dict[str, Any]:
    """A web search whose answer holds every type of reference."""
    text = _SHOWER_TEXT.format(**_SHOWER)
    sources = [{"title": page["title"], "url": page["url"], "attribution": page["attribution"]} for page in _PAGES]
    url = _PAGES[0]["url"]
    shown = [{"url": "https://example.org/img/radiant.png", "content_url": url, "title": "Perseid radiant map"}]
    page_fields = {"title": "Meteor calendar", "url": url, "attribution": "example.org", "snippet": "Peaks by month."}
    grouped = "grouped_webpages"
    references = [
        _reference(text, _SHOWER["moment"], "alt_text", alt="Perseids", prompt_text="Perseids"),
        _reference(text, _SHOWER["grouped"], grouped, alt=_markdown(_PAGES[1]), items=_PAGES[:2], safe_urls=[url]),
        _reference(
            text,
            _SHOWER["guess"],
            "grouped_webpages_model_predicted_fallback",
            alt=None,
            items=[],
            fallback_items=_PAGES[2:],
        ),
        _reference(text, _SHOWER["page"], "webpage", alt=_markdown(_PAGES[0]), **page_fields),
        _reference(text, _SHOWER["pictures"], "image_v2", alt="", images=shown, refs=["turn0image0", "turn0image1"]),
        _reference(text, _SHOWER["hidden"], "hidden", alt=None, invalid=False),
        _reference(text, _SHOWER["extended"], "webpage_extended", alt=_markdown(_PAGES[1]), **_PAGES[1]),
        _reference(text, _SHOWER["plain"], "attribution", alt=None, **page_fields, attributable_index="0"),
        _reference(text, _SHOWER["list"], "nav_list", alt="", title="More about the shower", items=_PAGES[:2]),
        {"matched_text": " ", "start_idx": len(text), "end_idx": len(text), "type": "sources_footnote"}
        | {"alt": None, "sources": sources, "has_images": False},
    ]
    entries = [
        {
            "type": "search_result",
            "url": page["url"],
            "title": page["title"],
            "snippet": page["snippet"],
            "ref_id": page["refs"][0],
            "pub_date": 1_750_000_000.0,
            "attribution": "example.org",
        }
        for page in _PAGES
    ]
    groups = [{"type": "search_result_group", "domain": "example.org", "entries": entries}]
    draft = drafts.begin("When to watch the Perseids", 282, "gpt-5", safe_urls=[url]).system()
    draft.user("When is the best hour for the Perseids this year? Search the web.", system_hints=["search"])
    draft.call("web.run", json_text({"search_query": [{"q": "Perseids best time"}]}), "json")
    draft.tool("web.run", "", search_result_groups=groups, search_queries=[{"type": "search", "q": "Perseids"}])
    draft.amend(author={"role": "tool", "name": "web.run", "metadata": {"real_author": "tool:web"}})
    context = [{"type": "conversation_context", "citation_uuid": "ctx-1", "conversation_title": "Star charts"}]
    return draft.assistant(
        text,
        content_references=references,
        search_result_groups=groups,
        citations=[],
        image_results=[],
        conversation_context_citation_metadata=context,
    ).conversation


_COMET_STEPS = """1. Find the Pleiades, a small smudge of stars.
2. Move one field of view down.
3. Look *beside* the comet: averted vision shows the tail."""


def comet_pages(drafts: Drafts) -> dict[str, Any]:
    """A whole web page is read, and thoughts come before the answer."""
    page = {
        "content_type": "sonic_webpage",
        "url": "https://example.org/comets/finder",
        "domain": "example.org",
        "title": "Comet finder chart",
        "text": "The comet passes the Pleiades at dusk. Observers at Hollowmere report a tail of two degrees.",
        "snippet": "The comet passes the Pleiades at dusk.",
        "pub_date": None,
        "pub_timestamp": 1_760_000_000.0,
        "crawl_date": None,
        "ref_id": {"turn_index": 0, "ref_type": "search", "ref_index": 0},
    }
    draft = drafts.begin("Can I see the comet from town?", 214, "gpt-5-thinking").system()
    draft.user("Can I see the comet from town with 10x50 binoculars?", thinking_effort="extended")
    draft.thinking(
        14,
        ("Judging the sky", "The town sky is about magnitude 4. A lamplighter rule of thumb: subtract two for haze."),
        ("", ""),
    )
    draft.call("web.run", json_text({"open": [{"ref_id": "turn0search0"}]}), "json").tool("web.run", page)
    mark = cite("turn0search0")
    item = _page(0, "Comet finder chart", "comets/finder")
    text = f"**Yes, just.** Look west 40 minutes after sunset {mark}.\n\n{_COMET_STEPS}"
    reference = _reference(text, mark, "grouped_webpages", alt=_markdown(item), items=[item])
    return draft.assistant(text, content_references=[reference]).conversation


_REPORT = """# Eyepieces for a 200 mm Dobsonian

**Question.** Which two eyepieces add most to the 25 mm that came with the telescope?

## Findings

| Focal length | Power | Exit pupil | Best for |
|-------------:|------:|-----------:|----------|
| 32 mm | 37x | 5.4 mm | Nebulae, wide fields |
| 13 mm | 92x | 2.2 mm | Clusters, galaxies |
| 7 mm | 171x | 1.2 mm | Planets, the Moon |

Reviewers agree that the **13 mm** is used more than any other. The old wives' rule of the *spyglassmaker*, twice the
aperture in millimetres, gives the useful limit: 400x, and 200x on most nights.

## Recommendation

1. A 13 mm with a field of 68 degrees.
2. A 7 mm for steady nights.

Sources: [Eyepiece tests](https://example.com/eyepieces), [Exit pupils](https://example.net/pupil)
"""


def eyepiece_report(drafts: Drafts) -> dict[str, Any]:
    """Deep research: the report is in the state of a tool's widget."""
    report = {
        "id": "report-1",
        "author": {"role": "assistant", "name": None, "metadata": {}},
        "content": {"content_type": "text", "parts": [flowing(_REPORT)]},
        "status": "finished_successfully",
        "metadata": {"content_references": []},
    }
    state = {"status": "completed", "plan": {"steps": ["Collect tests", "Compare"]}, "report_message": report}
    draft = drafts.begin("Eyepieces for the Dobsonian", 61, is_starred=True).system()
    draft.user("Find out which two eyepieces I should buy for my 200 mm Dobsonian.", system_hints=["research"])
    draft.assistant("Before I start: do you wear glasses at the telescope?").user("No. Go ahead.")
    draft.call("api_tool.call_tool", json_text({"path": "research/start", "args": {"topic": "eyepieces"}}), "json")
    widget = {"action_name": "start", "widget_state": json_text(state), "resource_name": "deep_research"}
    draft.tool("api_tool.call_tool", "The research has begun.", chatgpt_sdk=widget)
    return draft.assistant("The report is ready above. In short: **13 mm first, 7 mm second.**").conversation


def old_browsing(drafts: Drafts) -> dict[str, Any]:
    """Browsing as it was three years ago, with the older citation marks."""
    chart = "Follow it on the [Moon map](https://example.com/moon-map)."
    time, weather = "\u30103\u2020source\u3011", "\u30105\u2020source\u3011"
    text = f"The shadow leaves the Moon at 03:47{time}, and the sky is clear until four{weather}. {chart}"
    cited = [
        {
            "start_ix": text.find(mark),
            "end_ix": text.find(mark) + len(mark),
            "citation_format_type": form,
            "invalid_reason": None,
            "metadata": {
                "type": "webpage",
                "title": title,
                "url": url,
                "text": "",
                "pub_date": None,
                "extra": {"cited_message_idx": n, "evidence_text": "source"},
            },
        }
        for n, mark, form, title, url in (
            (3, time, "tether_og", "Lunar eclipse times", "https://example.org/eclipse"),
            (5, weather, "tether_v4", "Weather tonight", "https://example.net/weather"),
            (6, chart[17:-1], "tether_markdown", "Moon map", "https://example.com/moon-map"),
        )
    ]
    display = {"content_type": "tether_browsing_display", "result": "# Lunar eclipse times", "summary": ""}
    quote = {
        "content_type": "tether_quote",
        "url": "https://example.org/eclipse",
        "domain": "example.org",
        "title": "Lunar eclipse times",
        "text": "Umbral contact ends at 03:47. Watchers on Thistledown Hill saw copper, not blood.",
        "tether_id": None,
    }
    draft = drafts.begin("Lunar eclipse tonight", 1040, "gpt-4-browsing").system()
    draft.user("When does the lunar eclipse end tonight, and will it be clear?")
    draft.call("browser", 'search("lunar eclipse end time")').tool(
        "browser", display | {"assets": [], "tether_id": None}
    )
    draft.call("browser", "quote_lines(12, 14)").tool("browser", quote, command="quote", args=[12, 14])
    draft.tool("browser", {"content_type": "tether_browsing_code", "text": "back()"}, command="back", args=[])
    timeout = "The page took too long; the gatekeeperish proxy gave up."
    draft.tool("browser", {"content_type": "system_error", "name": "TimeoutError", "text": timeout})
    return draft.assistant(
        text, citations=cited, _cite_metadata={"citation_format": {"name": "tether_og"}}
    ).conversation


def news_cards(drafts: Drafts) -> dict[str, Any]:
    """Cards of links and news in a widget."""
    link = {"title": "Aurora forecast", "url": "https://example.com/aurora", "domain": "example.com"}
    widgets = {
        "navlinks": [link | {"snippet": "Kp 6 tonight, clear north.", "source": "example.com"}],
        "news": [{"title": "A storm from the Sun", "url": "https://example.net/storm", "source": "example.net"}],
        "videos": [],
    }
    draft = drafts.begin("Aurora beyond the weathervane", 97).system().user("Any chance of aurora tonight?")
    draft.tool("super_widget", {"content_type": "super_widget", "widgets": widgets})
    return draft.assistant(
        "A fair chance: the index is forecast at **Kp 6**. Look north between 22:00 and 1:00, away from lamps."
    ).conversation


def booking(drafts: Drafts) -> dict[str, Any]:
    """Agent mode: the assistant uses a browser and sees its screen."""
    screen = {
        "content_type": "computer_output",
        "computer_id": "computer-1",
        "screenshot": image(drafts.file_id(), 1280, 800),
        "state": {
            "type": "browser_state",
            "id": "state-1",
            "title": "Observatory evening: choose a date",
            "url": "https://example.com/observatory/book",
            "os_type": "linux",
            "dom": None,
        },
        "tether_id": None,
        "is_ephemeral": False,
    }
    draft = drafts.begin("Book the observatory evening", 30, async_status=None).system()
    draft.user("Reserve two places for the open evening at the observatory.", system_hints=["agent"])
    draft.call("computer.do", json_text({"actions": [{"action": "click", "x": 640, "y": 410}]}), "json")
    draft.tool("computer.do", screen)
    return draft.assistant("Two places are on hold for **Friday, 20:30**. Shall I confirm?").conversation


def old_research(drafts: Drafts) -> dict[str, Any]:
    """Deep research as it was at first: a task, and a long answer some minutes later."""
    task = {"async_task_id": "deepresch_0001", "async_task_type": "research", "async_task_title": "Dark skies"}
    draft = drafts.begin("Dark skies within two hours", 465, "o3").system()
    draft.user("Where is the darkest sky within two hours by train?", system_hints=["research"])
    draft.tool("research_kickoff_tool.start_research_task", "", **task)
    draft.at += 540
    return draft.assistant(
        """
        # Dark skies by train

        1. **The heath**, 70 minutes: Bortle 4, a shelter, no last train before midnight.
        2. **The dam**, 115 minutes: Bortle 3, horizon free to the south.

        For one night of the summer Milky Way I would take the dam and stay until the first train at 5:12.
        """,
        is_async_task_result_message=True,
        **task,
    ).conversation


def stray_marks(drafts: Drafts) -> dict[str, Any]:
    """Citation marks without a reference, a stray span, and a footnote without a place; pinned."""
    page = {"title": "Observing planner", "url": "https://example.org/planner", "attribution": "example.org"}
    stray = "\ue203the planner\ue204"
    text = (
        f"Jupiter rises at 21:40 {cite('turn3search7')}, says {stray}. Saturn is up at dusk.\u00a0{cite('turn0news2')}"
    )
    foot = {"matched_text": "", "start_idx": len(text), "end_idx": len(text), "type": "sources_footnote"}
    foot |= {"alt": None, "sources": [page]}
    draft = drafts.begin("Planets for the weekend", 5.4).system()
    draft.user("Which planets are up on Saturday evening?").assistant(text, content_references=[foot])
    draft.amend(update_time=draft.at)
    draft.conversation["pinned_time"] = draft.at
    return draft.conversation
