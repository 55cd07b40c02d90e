"""Each content type and part type as a person reads it: its words, its kind, whether a chat page shows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mirror.normalize import Attachment, Link, normalize

if TYPE_CHECKING:
    from mirror.normalize import Message

Json = dict[str, Any]

IMAGE = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1", "size_bytes": 9}
AUDIO = {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_a", "format": "wav"}
TRANSCRIPT = {"content_type": "audio_transcription", "text": "spoken words", "direction": "in"}
CAMERA = {
    "content_type": "real_time_user_audio_video_asset_pointer",
    "audio_asset_pointer": AUDIO,
    "frames_asset_pointers": [IMAGE],
    "video_container_asset_pointer": None,
}


def row_of(content: Any, role: str = "user", **more: Any) -> tuple[Message, dict[str, int] | None]:
    """The row of a message with this content, and what was not understood in it."""
    author = {"role": role, "name": more.pop("name", None)}
    payload = {"mapping": {"n": {"message": {"author": author, "content": content, **more}}}}
    conversation = normalize("chatgpt", payload)
    return conversation.messages[0], conversation.not_understood


def typed(content_type: str, **more: Any) -> Json:
    """A content of this type."""
    return {"content_type": content_type, **more}


def many(*parts: Any) -> Json:
    """A content of several parts."""
    return typed("multimodal_text", parts=list(parts))


TABLE: list[tuple[Any, str, Json, str, str, bool]] = [
    # content, role, extra, kind, text, hidden
    (typed("text", parts=["a", "b"]), "user", {}, "text", "a\nb", False),
    (typed("text", parts=["  verbatim \n"]), "assistant", {}, "text", "  verbatim \n", False),
    (typed("text", parts=[""]), "assistant", {}, "text", "", True),
    (typed("text", parts=["x"]), "system", {}, "text", "x", True),
    (typed("text", parts=["x"]), "system", {"metadata": {"is_user_system_message": True}}, "text", "x", False),
    (typed("text", parts=["x"]), "user", {"weight": 0.0}, "text", "x", True),
    (
        typed("text", parts=["x"]),
        "user",
        {"metadata": {"is_visually_hidden_from_conversation": True}},
        "text",
        "x",
        True,
    ),
    (typed("text", parts=["x"]), "tool", {}, "output", "x", True),
    (typed("text", parts=["{}"]), "assistant", {"recipient": "web.run"}, "code", "{}", True),
    ("bare string", "user", {}, "text", "bare string", False),
    (["bare", "list"], "user", {}, "text", "bare\nlist", False),
    ({"parts": ["untyped"]}, "user", {}, "text", "untyped", False),
    ({"text": "untyped"}, "user", {}, "text", "untyped", False),
    (many("look", IMAGE), "user", {}, "text", "look\n[image]", False),
    (many({**IMAGE, "metadata": {"dalle": {"prompt": "a cat"}}}), "tool", {}, "image", "[image: a cat]", False),
    (many(IMAGE), "tool", {}, "image", "[image]", False),
    (many(IMAGE), "user", {}, "image", "[image]", False),
    (many("page of a file", IMAGE), "tool", {}, "output", "page of a file\n[image]", True),
    (many({"asset_pointer": "file-service://file-1", "width": 1}), "user", {}, "image", "[image]", False),
    (many({"type": "image", "asset_pointer": "file-1"}), "user", {}, "image", "[image]", False),
    (many(TRANSCRIPT, AUDIO), "user", {}, "voice", "spoken words", False),
    (many(AUDIO), "user", {}, "voice", "[audio]", False),
    (many(CAMERA, TRANSCRIPT), "user", {}, "voice", "spoken words", False),
    (
        many({"content_type": "video_container_asset_pointer", "asset_pointer": "x://v"}),
        "user",
        {},
        "voice",
        "[video]",
        False,
    ),
    (many({"content_type": "text", "text": "inner"}), "user", {}, "text", "inner", False),
    (typed("code", text="print(1)", language="python"), "assistant", {"recipient": "python"}, "code", "print(1)", True),
    (typed("code", text="print(1)"), "assistant", {"recipient": "all"}, "code", "print(1)", False),
    (typed("code", parts=["print(1)"]), "assistant", {}, "code", "print(1)", False),
    (typed("execution_output", text="2"), "tool", {}, "output", "2", True),
    (typed("citable_code_output", output_str="2"), "tool", {}, "output", "2", True),
    (
        typed("computer_output", state={"title": "Shop", "url": "https://shop.test"}, screenshot=IMAGE),
        "tool",
        {},
        "output",
        "Shop\nhttps://shop.test\n[image]",
        True,
    ),
    (typed("tether_quote", title="Page", text="said", url="https://p.test"), "tool", {}, "quote", "Page\nsaid", True),
    (typed("tether_quote", parts=["said"]), "assistant", {}, "quote", "said", False),
    (typed("sonic_webpage", title="Page", text="", snippet="short"), "tool", {}, "quote", "Page\nshort", True),
    (
        typed("tether_browsing_display", result="found", summary="in short"),
        "tool",
        {},
        "output",
        "found\nin short",
        True,
    ),
    (typed("tether_browsing_code", text="open(1)"), "assistant", {"recipient": "browser"}, "code", "open(1)", True),
    (typed("system_error", name="Timeout", text="too slow"), "tool", {}, "error", "Timeout: too slow", True),
    (
        typed("user_editable_context", user_profile="me", user_instructions="be brief"),
        "user",
        {},
        "context",
        "me\nbe brief",
        True,
    ),
    (
        typed("user_editable_context"),
        "user",
        {"metadata": {"user_context_message_data": {"about_user_message": "me"}}},
        "context",
        "me",
        True,
    ),
    (
        typed("model_editable_context", model_set_context="1. likes tea", structured_context={"x": {"note": "green"}}),
        "assistant",
        {},
        "context",
        "1. likes tea\ngreen",
        True,
    ),
    (typed("system_message", text="be nice"), "system", {}, "context", "be nice", True),
    (typed("system_content", model_identity_desc="You are a model"), "system", {}, "context", "You are a model", True),
    (
        typed("app_pairing_content", workspaces=[{"app_name": "Editor", "title": "notes.txt"}]),
        "user",
        {},
        "context",
        "Editor\nnotes.txt",
        True,
    ),
    (
        typed(
            "thoughts",
            thoughts=[
                {"summary": "Plan", "content": "First this"},
                {"summary": "", "content": "", "chunks": ["Th", "en"]},
            ],
        ),
        "assistant",
        {},
        "reasoning",
        "Plan\nFirst this\nThen",
        True,
    ),
    (
        typed("thoughts", thoughts=[{"summary": "P", "content": "a b\nc", "chunks": ["a b", "c"]}]),
        "assistant",
        {},
        "reasoning",
        "P\na b\nc",
        True,
    ),
    (typed("thoughts", thoughts="bare trace"), "assistant", {}, "reasoning", "bare trace", True),
    (many({**IMAGE, "caption": "Sunset"}), "user", {}, "text", "[image]\nSunset", False),
    (typed("thoughts", parts=["trace"]), "assistant", {}, "reasoning", "trace", True),
    (typed("reasoning_recap", content="Thought for 12s"), "assistant", {}, "reasoning", "Thought for 12s", True),
]


@pytest.mark.parametrize(("content", "role", "more", "kind", "text", "is_hidden"), TABLE)
def test_each_content_type_reads_as_on_the_page(
    content: Any, role: str, more: Json, kind: str, text: str, is_hidden: bool
) -> None:
    """A person finds the words that the chat page showed, under the right kind; nothing else is visible."""
    row, not_understood = row_of(content, role, **more)
    assert (row.kind, row.text, row.is_hidden) == (kind, text, is_hidden)
    assert not_understood == {}


def test_code_results_without_text_show_their_output_and_pictures() -> None:
    """The output and the chart of a code run are there although its text is empty."""
    said = [{"message_type": "stream", "text": "1\n"}, {"message_type": "stream", "text": "2"}]
    drawn = [{"message_type": "image", "image_url": "file-service://file-9"}]
    content = typed("execution_output", text="")
    row, _ = row_of(content, "tool", metadata={"aggregate_result": {"messages": said}})
    assert (row.kind, row.text, row.is_hidden) == ("output", "1\n2", True)
    row, _ = row_of(content, "tool", metadata={"aggregate_result": {"messages": said + drawn}})
    assert (row.kind, row.text, row.is_hidden) == ("output", "1\n2\n[image]", False)
    row, _ = row_of(content, "tool", metadata={"aggregate_result": {"messages": drawn}})
    assert (row.kind, row.is_hidden, row.attachments) == (
        "image",
        False,
        (Attachment("file-9", kind="image", file_id="file-9", source="code"),),
    )


@pytest.mark.parametrize(
    ("recipient", "call", "shown"),
    [
        ("canmore.create_textdoc", {"name": "Plan", "type": "document", "content": "# Step 1"}, ["Plan", "# Step 1"]),
        ("canmore.create_textdoc", {"name": "s", "type": "code/python", "content": "x = 1"}, ["```python\nx = 1\n```"]),
        ("canmore.create_textdoc", {"name": "s", "type": "code/md", "content": "```\n"}, ["````md\n```\n\n````"]),
        ("canmore.update_textdoc", {"updates": [{"pattern": "old", "replacement": "new"}]}, ["old", "new"]),
        ("canmore.update_textdoc", {"updates": [{"pattern": ".*", "replacement": "all new"}]}, ["Rewritten:\nall new"]),
        ("canmore.comment_textdoc", {"comments": [{"pattern": "word", "comment": "why?"}]}, ["word", "why?"]),
        ("canmore.future_call", {"content": "text", "motto": "said beside it"}, ["text", "said beside it"]),
    ],
)
def test_canvas_calls_read_as_the_document_that_was_seen(recipient: str, call: Json, shown: list[str]) -> None:
    """A canvas is visible and readable, not a line of JSON."""
    row, _ = row_of(typed("code", text=json.dumps(call)), "assistant", recipient=recipient)
    assert (row.kind, row.is_hidden) == ("canvas", False)
    assert all(piece in row.text for piece in shown)
    assert '{"' not in row.text


def test_an_interrupted_canvas_call_keeps_its_text() -> None:
    """A document that was still being written can be read as far as it got."""
    row, _ = row_of(
        typed("code", text='{"name": "Plan", "content": "half'), "assistant", recipient="canmore.create_textdoc"
    )
    assert (row.kind, row.text) == ("canvas", "Plan\n\nhalf")


@pytest.mark.parametrize("as_string", [True, False])
def test_a_deep_research_report_is_read_out_of_its_widget(as_string: bool) -> None:
    """The report, with its links, is a visible text although it hides in a tool's widget state."""
    cited = {"matched_text": "\ue200cite\ue202turn0search0\ue201", "alt": "([A](https://a.test))", "type": "webpage"}
    cited["url"], cited["title"] = "https://a.test", "A"
    report: Json = {"content": typed("text", parts=["# Findings \ue200cite\ue202turn0search0\ue201"])}
    report["metadata"] = {"content_references": [cited]}
    state = {"status": "done", "plan": {"steps": []}, "report_message": report}
    sdk = {"chatgpt_sdk": {"widget_state": json.dumps(state) if as_string else state}}
    row, _ = row_of(typed("text", parts=[""]), "tool", metadata=sdk, name="research")
    assert (row.kind, row.is_hidden) == ("text", False)
    assert row.text == "# Findings ([A](https://a.test))"
    assert row.links == (Link("https://a.test", "A"),)


def test_attached_files_are_found_by_name() -> None:
    """A message can be found by the name of its file; a picture shown in the text is not listed twice."""
    listed = [
        {"id": "file_1", "name": "cat.png", "mime_type": "image/png", "size": 9},
        {"id": "file-2", "name": "plan.pdf", "mime_type": "application/pdf", "size": 2**70},
    ]
    row, _ = row_of(many("look", IMAGE), metadata={"attachments": listed})
    assert (row.kind, row.text) == ("text", "look\n[image: cat.png]\n[file: plan.pdf]")
    assert row.attachments == (
        Attachment("file_1", "cat.png", "image/png", 9, "image", file_id="file_1", source="upload"),
        Attachment("file-2", "plan.pdf", "application/pdf", None, "file", file_id="file-2", source="upload"),
    )
    row, _ = row_of(typed("text", parts=[""]), metadata={"attachments": listed[1:]})
    assert (row.kind, row.text, row.is_hidden) == ("file", "[file: plan.pdf]", False)


def test_recordings_keep_all_their_files() -> None:
    """Sound and frames of a spoken turn are attachments of its message."""
    row, _ = row_of(many(CAMERA, TRANSCRIPT))
    assert {(a.id, a.kind) for a in row.attachments} == {("file_a", "audio"), ("file_1", "image")}


def test_a_chat_branched_off_names_its_origin() -> None:
    """A chat continued from another one can be found by the other one's title."""
    row, _ = row_of(typed("text", parts=["go on"]), metadata={"branching_from_conversation_title": "Older"})
    assert row.text == "go on\n[branched from: Older]"


def test_link_cards_become_links() -> None:
    """Cards of links show their titles as links."""
    links = [{"title": "News [1]", "url": "https://n.test/a b", "snippet": "What happened", "domain": "n.test"}]
    row, not_understood = row_of(typed("super_widget", widgets={"navlinks": links}), "tool", name="super_widget")
    assert row.text == "[News \\[1\\]](https://n.test/a%20b)\nWhat happened"
    assert row.links == (Link("https://n.test/a%20b", "News [1]", "widget"),)
    assert not_understood == {}


@pytest.mark.parametrize(
    ("content", "shown", "counted"),
    [
        (
            typed("holo_note", body={"paragraphs": ["Hello there", "second"]}),
            ["Hello there", "second"],
            "content_type:holo_note",
        ),
        (
            typed("poll", question="Tea?", options=[{"label": "Yes"}, {"label": "No"}]),
            ["Tea?", "Yes", "No"],
            "content_type:poll",
        ),
        (
            typed("sheet", cells=[["Apples", 3], ["Pears", 4]], sheet_id="s-1"),
            ["Apples", "Pears"],
            "content_type:sheet",
        ),
        (typed("x", parts=["plain", {"content_type": "y", "text": "inner"}]), ["plain", "inner"], "content_type:x"),
        (
            typed("kanji", motto="\u77e5\u3089\u306a\u3044\u8a00\u8449"),
            ["\u77e5\u3089\u306a\u3044\u8a00\u8449"],
            "content_type:kanji",
        ),
        (typed("deep", a={"b": [{"c": {"d": "down here"}}]}), ["down here"], "content_type:deep"),
        (typed("status", status="The build has failed again"), ["The build has failed again"], "content_type:status"),
        ({"type": "text", "value": "compliance"}, ["compliance"], "content_type:untyped"),
    ],
)
def test_unknown_content_is_readable_and_counted(content: Any, shown: list[str], counted: str) -> None:
    """A content type from tomorrow is found by its words, and the archive says that it only guessed."""
    row, not_understood = row_of(content, "assistant")
    assert (row.kind, row.is_hidden) == ("other", False)
    assert [piece for piece in shown if piece not in row.text] == []
    assert not_understood is not None
    assert counted in not_understood


def test_technical_strings_of_unknown_content_stay_out() -> None:
    """A search does not drown in ids and addresses."""
    technical = {
        "widget_id": "w-123",
        "url": "https://x.test/y",
        "asset_pointer": "sediment://file_9",
        "uuid": "6e068097-25e9-4977-8d72-48e2951f58d0",
        "made_at": "2025-01-01T00:00:00Z",
        "blob": "QUJD" * 100,
    }
    row, _ = row_of(typed("widget", title="Weather", inner=technical), "assistant")
    assert row.text == "Weather"
    assert row.attachments == (Attachment("file_9", file_id="file_9", source="code"),)


def test_unknown_parts_are_readable_and_counted() -> None:
    """A part type from tomorrow does not take its message's other words with it."""
    row, not_understood = row_of(many("known", {"content_type": "future_part", "caption": "new words"}))
    assert (row.kind, row.text) == ("text", "known\nnew words")
    assert not_understood == {"part:future_part": 1}
    row, _ = row_of(many({"content_type": "future_widget", "payload": {"x": 1}}), "assistant")
    assert (row.kind, row.text, row.is_hidden) == ("other", "[future_widget]", False)


def test_known_types_with_new_keys_lose_no_prose() -> None:
    """A type that gains a new field is still searched in full."""
    row, not_understood = row_of(typed("text", parts=["a"], afterword="and this was said later", mode="fast"))
    assert row.text == "a\nand this was said later"
    assert not_understood == {}


@pytest.mark.parametrize(
    ("author", "role", "name"),
    [
        ("user", "user", None),
        ({"role": "User"}, "user", None),
        ("dalle", None, "dalle"),
        (None, None, None),
        (7, None, None),
    ],
)
def test_authors_of_any_shape(author: Any, role: str | None, name: str | None) -> None:
    """A message whose author is a plain word still shows who wrote it."""
    payload = {"mapping": {"n": {"message": {"author": author, "content": "x"}}}}
    (row,) = normalize("chatgpt", payload).messages
    assert (row.role, row.author, row.text) == (role, name, "x")
