"""A conversation as Markdown that reads well, and as JSON with every field."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mirror.render import conversation_json, conversation_markdown, unlinked_sources
from mirror.rows import Attachment, Link
from mirror.store.threads import BranchNumber, ConversationView, MessageView
from mirror.text import fenced

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the machine's zone; here it is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


VIEW = ConversationView(
    id="c1",
    title="Rye",
    url="https://chatgpt.com/c/c1",
    created_at="2025-01-01T10:00:00.000Z",
    updated_at="2025-01-02T10:00:00.000Z",
    message_count=2,
    model="gpt-4o",
    project="Bakery",
    gpt=None,
    is_archived=False,
    is_starred=False,
    deleted_at=None,
    missing_since=None,
    provider="chatgpt",
    account=None,
)
MESSAGE = MessageView(
    rowid=1,
    id="n1",
    parent_id=None,
    position=1,
    role="user",
    kind="text",
    text="How do I feed it?",
    created_at="2025-01-01T10:00:00.000Z",
    model=None,
    author=None,
    recipient="all",
    channel=None,
    content_type="text",
    status=None,
    is_hidden=False,
    removed_at=None,
    links=(),
    attachments=(),
)
ANSWER = replace(MESSAGE, rowid=2, id="n2", parent_id="n1", role="assistant", text="Twice a day.", model="gpt-4o")
HIDDEN = replace(ANSWER, kind="output", role="tool", author="python", text="42", is_hidden=True, model=None)


def test_a_conversation_reads_well() -> None:
    """Title, facts, and who said what when."""
    assert conversation_markdown(VIEW, [MESSAGE, ANSWER]) == (
        "# Rye\n\n"
        "2025-01-01 to 2025-01-02 · gpt-4o · project Bakery · <https://chatgpt.com/c/c1>\n\n"
        "## You · 2025-01-01 10:00\n\n"
        "How do I feed it?\n\n"
        "## ChatGPT · gpt-4o · 2025-01-01 10:00\n\n"
        "Twice a day.\n"
    )


def test_one_turn_has_one_heading() -> None:
    """What an assistant says in several messages is one turn."""
    text = conversation_markdown(VIEW, [MESSAGE, ANSWER, replace(ANSWER, text="And at night.")])
    assert text.count("## ChatGPT") == 1


def test_hidden_messages_are_shown_only_when_asked_for() -> None:
    """What the service's pages leave out is left out, and marked when it is wanted."""
    assert "42" not in conversation_markdown(VIEW, [MESSAGE, HIDDEN, ANSWER])
    text = conversation_markdown(VIEW, [MESSAGE, HIDDEN, ANSWER], hidden=True)
    assert "## python" in text
    assert "*[hidden on ChatGPT (output)]*\n\n```\n42\n```" in text


@pytest.mark.parametrize("kind", ["code", "output", "canvas"])
def test_code_is_fenced_whatever_it_holds(kind: str) -> None:
    """Nothing in a text closes its fence."""
    text = conversation_markdown(VIEW, [replace(ANSWER, kind=kind, text="a\n```\n`````python\nb\n")])
    assert "``````\na\n```\n`````python\nb\n``````\n" in text
    assert fenced("x") == "```\nx\n```"


def test_thoughts_are_short_unless_wanted() -> None:
    """Reasoning is a quote of its beginning; all of it with the hidden messages."""
    thought = replace(ANSWER, kind="reasoning", is_hidden=True, text="I see.\n\n" + "So it goes. " * 100 + "End.")
    short, whole = conversation_markdown(VIEW, [thought]), conversation_markdown(VIEW, [thought], hidden=True)
    assert "\n> I see. So it goes." in short
    assert "…\n" in short
    assert len(short) < 500
    assert "> I see.\n>\n> So it goes." in whole
    assert "End." in whole


def test_branches_have_headings() -> None:
    """Where a branch begins it says which of how many, also when its first message is hidden."""
    left = replace(ANSWER, text="Once.", position=None, branch=BranchNumber(1, 2, is_visible=False))
    shown = replace(HIDDEN, branch=BranchNumber(2, 2, is_visible=True))
    text = conversation_markdown(VIEW, [MESSAGE, left, shown, ANSWER], all_branches=True)
    first, second = (
        text.index("**1 of 2** · not shown on ChatGPT"),
        text.index("**2 of 2** · the branch shown on ChatGPT"),
    )
    assert first < text.index("Once.") < second < text.index("Twice a day.")
    assert " of 2" not in conversation_markdown(VIEW, [MESSAGE, left, shown, ANSWER])


def test_what_the_service_lost_is_marked() -> None:
    """Removed messages and deleted conversations say that only the mirror has them."""
    view = replace(VIEW, title=None, deleted_at="2025-03-01T10:00:00.000Z")
    text = conversation_markdown(view, [replace(MESSAGE, removed_at="2025-02-01T10:00:00.000Z")])
    assert text.startswith("# Untitled\n")
    assert "deleted on ChatGPT 2025-03-01, kept in this mirror" in text
    assert "*[removed on ChatGPT, noticed 2025-02-01, kept in this mirror]*" in text


def test_every_service_has_its_own_name() -> None:
    """Speakers and notes have the name that the table of services gives."""
    view = replace(VIEW, provider="parrot", deleted_at="2025-03-01T10:00:00.000Z")
    text = conversation_markdown(view, [MESSAGE, ANSWER, HIDDEN], hidden=True)
    assert "ChatGPT" not in text.replace(str(VIEW.url), "")
    assert "## parrot · gpt-4o" in text
    assert "deleted on parrot 2025-03-01" in text
    assert "hidden on parrot (output)" in text


@pytest.mark.parametrize(
    "text",
    [
        "See https://openai.com/blog/x for more.",
        "[blog](https://openai.com/blog), [more](https://openai.com/?q=1)",
        "https://openai.com/(x) and https://openai.com/%20",
    ],
)
def test_a_page_is_a_source_where_the_text_links_one_below_it(text: str) -> None:
    """An address with which another one begins is not in the text."""
    said = replace(ANSWER, text=text, links=(Link("https://openai.com/", "OpenAI"),))
    assert list(unlinked_sources(said)) == [("https://openai.com/", "OpenAI")]


@pytest.mark.parametrize("address", ["https://a.example/", "https://a.example/b_(c)", "https://a.example/?b[]=1&c=d"])
@pytest.mark.parametrize(
    "around",
    [
        *("{}", "See {}.", "See {}, and", "({})", "[a]({})", "<{}>", "**{}**", "|{}|", "[a]({})[b](https://b.example)"),
        *("({}).", "\u201c{}\u201d", "\u770b{}\u3002", "`{}`", '"{}"', "_{}_", "{}[1]", "[{}]({})", "\n{}\n"),
    ],
)
def test_a_page_that_the_text_names_is_no_source_beside_it(address: str, around: str) -> None:
    """In whatever punctuation it stands."""
    if "[" in address and "[1]" in around:
        return  # which bracket ends it cannot be told
    said = replace(ANSWER, text=around.replace("{}", address), links=(Link(address, "A"),))
    assert list(unlinked_sources(said)) == []


def test_many_sources_beside_a_long_text_are_told_apart_at_once() -> None:
    """The text is read once and not for each of them: no link looks into it."""

    class Read(str):
        __slots__ = ()
        looks = 0

        def __contains__(self, _part: object) -> bool:
            Read.looks += 1
            return False

    pages = tuple(Link(f"https://a.example/{n}") for n in range(100))
    said = replace(ANSWER, text=Read("https://a.example/7 " * 10), links=pages)
    assert (len(list(unlinked_sources(said))), Read.looks) == (99, 0)


def test_files_and_sources_are_listed() -> None:
    """Attachments by name, type and size; pages that the text does not link itself; each once."""
    links = (Link("https://a.example/x y", "A [b]"), Link("https://in.example"), Link("https://a.example/x y"))
    files = (Attachment("f1", "dough.pdf", "application/pdf", 2048), Attachment("f2", kind="image", size=3_500_000))
    message = replace(ANSWER, text="See https://in.example.\n[file: dough.pdf]", links=links, attachments=files)
    text = conversation_markdown(VIEW, [message])
    assert text.count("dough.pdf") == 1
    assert "- file: dough.pdf (application/pdf, 2 kB)\n- image: f2 (3.3 MB)\n" in text
    assert text.endswith("- [A \\[b\\]](<https://a.example/x%20y>)\n")


def test_nothing_in_a_conversation_acts_on_the_terminal() -> None:
    """Titles of two lines stay one, and escape sequences are shown."""
    view = replace(VIEW, title="Two\nlines\x1b[2J", project="\u202egnp")
    text = conversation_markdown(view, [replace(MESSAGE, text="a\r\nb\x07")])
    assert text.startswith("# Two lines\\x1b[2J\n")
    assert "\\u202egnp" in text
    assert "a\nb\\x07\n" in text


def test_json_holds_everything() -> None:
    """A program gets every field, links and branches included."""
    message = replace(ANSWER, text="\x1b\u202e東", links=(Link("u"),), branch=BranchNumber(1, 2, is_visible=False))
    read = json.loads(conversation_json(VIEW, [message]))
    assert (read["id"], read["project"]) == ("c1", "Bakery")
    assert read["messages"][0]["text"] == "\x1b\u202e東"
    assert read["messages"][0]["links"][0]["url"] == "u"
    assert read["messages"][0]["branch"] == {"number": 1, "of": 2, "is_visible": False}


def test_what_is_lacking_is_said_with_the_facts() -> None:
    """A conversation that is stored only in part says so and why, as Markdown and as JSON."""
    view = replace(VIEW, is_complete=False, incomplete_reason="only its visible\nbranch could be read")
    text = conversation_markdown(view, [MESSAGE])
    assert "stored only in part: only its visible branch could be read" in text
    assert "stored only in part" not in conversation_markdown(VIEW, [MESSAGE])
    found = json.loads(conversation_json(view, []))
    assert (found["is_complete"], found["incomplete_reason"]) == (False, "only its visible\nbranch could be read")
