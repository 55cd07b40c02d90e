"""What a call of a tool did, in a reader's words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirror.normalize import tool_steps

SEARCHED, OPENED, LOOKED = "Searched the web", "Opened a page", "Looked on a page"


@pytest.mark.parametrize(
    ("tool", "text", "steps"),
    [
        (
            "web.run",
            '{"search_query":[{"q":"rye"},{"q":"spelt","recency":30}]}',
            [(SEARCHED, "rye"), (SEARCHED, "spelt")],
        ),
        ("web.run", '{"open":[{"ref_id":"https://example.org"}],"response_length":"long"}', [(OPENED, "")]),
        ("web.run", '{"find":[{"ref_id":"turn0view0","pattern":"price"}]}', [(LOOKED, "price")]),
        ("web.run", '{"search_query":[{"q":"half a wo', [(SEARCHED, "half a wo")]),
        ("web.run", "[1, 2]", [(SEARCHED, "")]),
        ("web", 'search("Who was first?")', [(SEARCHED, "Who was first?")]),
        ("browser", 'search("rye")\nmclick([0, 3, 7])', [(SEARCHED, "rye"), (OPENED, "")]),
        ("browser", 'open_url("https://example.org/a")', [(OPENED, "")]),
        ("browser.search", '{"query":"evidence"}', [(SEARCHED, "evidence")]),
        ("browser.open", "", [(OPENED, "")]),
        ("python", "print(1)", [("Ran Python", "")]),
        ("container.exec", "ls", [("Ran commands", "")]),
        ("dalle.text2im", '{"prompt":"a cat"}', [("Made a picture", "")]),
        ("t2uay3k.sj1i4kz", "", [("Made a picture", "")]),
        ("file_search.msearch", "", [("Searched files", "")]),
        ("reasoning_recap", "Worked for 2 minutes", [("Worked for 2 minutes", "")]),
        ("reasoning_recap", "Thought for a couple of seconds", [("Thought for a couple of seconds", "")]),
        ("reasoning_recap", "I considered rye.", []),
        ("reasoning_recap", "a long text of 2 words " * 20, []),
        ("Wolfram.getWolframAlphaResults", "{}", []),
        ("", "", []),
    ],
)
def test_a_call_says_what_it_did(tool: str, text: str, steps: list[tuple[str, str]]) -> None:
    assert tool_steps("chatgpt", tool, text) == steps
    assert tool_steps("parrot", tool, text) == []


@given(
    st.sampled_from(["web.run", "browser", "python"]),
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda v: st.lists(v) | st.dictionaries(st.sampled_from(["q", "open", "search_query", "find"]), v),
    ),
)
def test_no_call_is_too_strange(tool: str, asked: object) -> None:
    for text in (json.dumps(asked), json.dumps({"search_query": asked, "open": asked}), f"search({asked!r})"):
        assert all(what for what, _ in tool_steps("chatgpt", tool, text))
