"""What a call of a tool did, in a reader's words: "Searched the web", and for what.

Names as they were seen in payloads and in exports since 2023. A call of ``web.run`` is JSON whose keys say what is
asked for; older ones are a line like ``search("rye")``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mirror.normalize.chatgpt.tools import parsed_if_closed, parsed_or_none
from mirror.text import one_line
from mirror.values import as_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

Step = tuple[str, str]  # what was done, and for what; "" where that is not known

SEARCHED, OPENED, LOOKED = "Searched the web", "Opened a page", "Looked on a page"
# The name of a tool, or its beginning up to a dot.
_WEB = frozenset({"web", "browser", "bing", "search", "simple_browser", "webPilot"})
_NAMES = {
    "python": "Ran Python",
    "python_user_visible": "Ran Python",
    "code_interpreter": "Ran Python",
    "container": "Ran commands",
    "dalle": "Made a picture",
    "image_gen": "Made a picture",
    "t2uay3k": "Made a picture",  # the picture tool's name since 2025
    "canmore": "Worked on a canvas",
    "bio": "Updated its memory",
    "file_search": "Searched files",
    "myfiles_browser": "Searched files",
    "computer": "Used a browser",
    "automations": "Scheduled a task",
    "api_tool": "Used an app",
    "genui": "Made a widget",
}
_KEYS = {
    "search_query": SEARCHED,
    "query": SEARCHED,
    "queries": SEARCHED,
    "q": SEARCHED,
    "image_query": "Searched for pictures",
    "product_query": "Searched for products",
    "open": OPENED,
    "click": OPENED,
    "find": LOOKED,
    "screenshot": OPENED,
    "finance": "Looked up prices",
    "weather": "Looked up the weather",
    "sports": "Looked up results",
    "time": "Looked up the time",
    "calculator": "Calculated",
}
_LINE = re.compile(r"([a-z_]{1,30})\(")
_QUOTED = re.compile(r"""["'\u201c]([^"'\u201c\u201d\n]{1,300})["'\u201d]""")
_LINES = {
    **dict.fromkeys(("search", "msearch"), SEARCHED),
    **dict.fromkeys(("open", "click", "mclick", "open_url", "back", "scroll", "quote", "quote_full"), OPENED),
    "find": LOOKED,
}
_WORDS = ("q", "query", "pattern", "location", "expression", "ticker")
_RECAP = re.compile(r"\d|^(?:Thought|Worked|Reasoned) for ")  # in other languages it names a number all the same
_LONGEST_RECAP = 60  # characters; those that were seen are like "Worked for 2 minutes"
_MOST = 12  # steps of one call; by judgement: a label has room for fewer


def steps_of(tool: str, text: str) -> list[Step]:
    """Return what a call of a tool did, a step for each thing that it asked for; [] for a tool that is not known."""
    family = tool.partition(".")[0]
    if tool == "reasoning_recap":  # no tool, but the line that says how long all of it took
        return [(one_line(text), "")] if len(text) <= _LONGEST_RECAP and _RECAP.search(text) else []
    if family in _WEB:
        return (_web_steps(text) or [(OPENED if tool.endswith(".open") else SEARCHED, "")])[:_MOST]
    return [(_NAMES[family], "")] if family in _NAMES else []


def _web_steps(text: str) -> list[Step]:
    call = as_dict(parsed_or_none(text) or parsed_if_closed(text))
    if call:
        return [step for key, asked in call.items() if key in _KEYS for step in _asked(_KEYS[key], asked)]
    found = []
    for line in text.split("\n", _MOST)[:_MOST]:
        named = _LINE.match(line.strip())
        if named and named[1] in _LINES:
            what = _LINES[named[1]]
            quoted = _QUOTED.findall(line) if what != OPENED else []
            found += [(what, one_line(words)) for words in quoted] or [(what, "")]
    return found


def _asked(what: str, asked: Any) -> Iterator[Step]:
    for one in asked if isinstance(asked, list) else [asked]:
        record = as_dict(one)
        words = one if isinstance(one, str) else next((record[key] for key in _WORDS if key in record), None)
        yield what, one_line(words) if isinstance(words, str) and what != OPENED else ""
