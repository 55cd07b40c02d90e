"""The invented person's account: every form of content is in it, and nothing about it is broken."""

from __future__ import annotations

import json
import random
import re

import pytest

from mirror.normalize import normalize
from mirror.simulator.clock import ManualClock
from mirror.simulator.story.account import RECALL, story_account

DAY = 86400
CONTENT_TYPES = {
    "app_pairing_content",
    "citable_code_output",
    "code",
    "computer_output",
    "execution_output",
    "model_editable_context",
    "multimodal_text",
    "reasoning_recap",
    "sonic_webpage",
    "super_widget",
    "system_content",
    "system_error",
    "system_message",
    "tether_browsing_code",
    "tether_browsing_display",
    "tether_quote",
    "text",
    "thoughts",
    "user_editable_context",
}
PART_TYPES = {
    "audio_asset_pointer",
    "audio_transcription",
    "image_asset_pointer",
    "real_time_user_audio_video_asset_pointer",
    "video_container_asset_pointer",
}
REFERENCE_TYPES = {
    "alt_text",
    "attribution",
    "file",
    "grouped_webpages",
    "grouped_webpages_model_predicted_fallback",
    "hidden",
    "image_v2",
    "nav_list",
    "sources_footnote",
    "webpage",
    "webpage_extended",
}
MARK_KINDS = {"cite", "entity", "filecite", "i", "image_group", "navlist", "url", "video"}
METADATA = set(
    re.findall(
        r"\w+",
        """
    model_slug default_model_slug resolved_model_slug parent_id request_id turn_exchange_id working_turn_id message_type
    message_source timestamp_ is_complete finish_details is_visually_hidden_from_conversation is_user_system_message
    user_context_message_data attachments citations _cite_metadata content_references search_result_groups
    conversation_context_citation_metadata search_queries image_results canvas aggregate_result reasoning_status
    reasoning_title reasoning_titles finished_duration_sec reasoning_start_time reasoning_end_time cot_version
    thinking_effort summary_type dictation dictation_asset_pointer dictation_original_text voice_mode_message
    async_task_id async_task_type async_task_title gizmo_id command args invoked_plugin invoked_resource system_hints
    selected_sources serialization_metadata skill_name chatgpt_sdk connector_tool_payload
    branching_from_conversation_id branching_from_conversation_title branching_from_conversation_owner
    """,
    )
)


def account(seed=1):
    return story_account(ManualClock(), random.Random(seed))


@pytest.fixture(scope="module")
def story():
    return account()


@pytest.fixture(scope="module")
def chats(story):
    return list(story.conversations.values())


@pytest.fixture(scope="module")
def messages(chats):
    return [node["message"] for chat in chats for node in chat["mapping"].values() if node["message"]]


def parts_of(message):
    return [part for part in message["content"].get("parts", []) if isinstance(part, dict)]


def text_of(message):
    return "".join(part for part in message["content"].get("parts", []) if isinstance(part, str))


def readable(value):
    return json.dumps(value, ensure_ascii=False).casefold()


def titled(chats, title):
    return next(chat for chat in chats if chat["title"] == title)


def test_every_content_type_is_there(messages):
    """Whatever kind of content the service has, the demonstration shows it."""
    assert {message["content"]["content_type"] for message in messages} == CONTENT_TYPES


def test_every_part_type_is_there(messages):
    """Pictures, sound, words and film are among the parts."""
    assert {part["content_type"] for message in messages for part in parts_of(message)} == PART_TYPES


def test_every_kind_of_citation_is_there(messages):
    """References, marks and older citations of every kind stand in some answer."""
    references = [r for message in messages for r in message["metadata"].get("content_references", [])]
    assert {reference["type"] for reference in references} == REFERENCE_TYPES
    marks = {kind for message in messages for kind in re.findall("\ue200([a-z_]+)", text_of(message))}
    assert marks == MARK_KINDS
    cited = [c for message in messages for c in message["metadata"].get("citations", [])]
    assert {citation["citation_format_type"] for citation in cited} == {"tether_og", "tether_v4", "tether_markdown"}


def test_every_metadata_key_is_there(messages):
    """Each key of a message's metadata that is known occurs."""
    assert {key for message in messages for key in message["metadata"]} >= METADATA


def test_citations_point_at_their_marks(messages):
    """A reference's span is the mark that it explains, but for the footnote, which is a blank at the end."""
    for message in messages:
        text = text_of(message)
        for reference in message["metadata"].get("content_references", []):
            if reference["type"] == "sources_footnote":
                assert reference["matched_text"] == " "
            else:
                assert text[reference["start_idx"] : reference["end_idx"]] == reference["matched_text"] != ""
        for citation in message["metadata"].get("citations", []):
            assert text[citation["start_ix"] : citation["end_ix"]].strip()


def test_trees_are_sound(chats):
    """Parents and children agree, everything hangs from one root, and the page opens at a leaf."""
    for chat in chats:
        mapping = chat["mapping"]
        assert [key for key, node in mapping.items() if node["parent"] is None and node["message"] is None] == [
            next(iter(mapping))
        ]
        for key, node in mapping.items():
            assert node["id"] == key
            assert node["message"] is None or node["message"]["id"] == key
            assert all(mapping[child]["parent"] == key for child in node["children"])
            assert node["parent"] is None or key in mapping[node["parent"]]["children"]
        assert not mapping[chat["current_node"]]["children"]


def test_times_are_past_and_the_last_message_is_the_update(story, chats):
    """The story spans three years that end before now, and lists order chats by what was said last."""
    now = story.clock()
    for chat in chats:
        times = [n["message"]["create_time"] for n in chat["mapping"].values() if n["message"]]
        said = [time for time in times if time is not None]
        assert None in times
        assert chat["update_time"] == max(said) < now
    assert min(chat["create_time"] for chat in chats) > now - 3 * 366 * DAY
    assert max(chat["update_time"] for chat in chats) - min(chat["create_time"] for chat in chats) > 2.5 * 365 * DAY


def test_the_account_is_the_same_each_time(chats):
    """Two demonstrations show the same ids and texts; another chance gives other ids."""
    again = account()
    assert list(again.conversations.values()) == chats
    assert (again.projects, again.memories, again.gpts) == (account().projects, account().memories, account().gpts)
    assert account(2).conversations.keys() != again.conversations.keys()


def test_it_survives_json(story, chats):
    """What goes over the wire comes back equal, half an emoji and NUL included."""
    for value in (chats, story.projects, story.gpts, story.memories, story.instructions):
        assert json.loads(json.dumps(value)) == value
    sent = json.dumps(chats)
    assert "\\ud83e and" in sent
    assert "\\u0000g" in sent


@pytest.mark.parametrize(("kind", "word"), RECALL.items())
def test_a_word_to_recall_stands_in_one_place(story, chats, messages, kind, word):
    """A search for the word finds one message or title, raw and as it is read."""
    wanted = word.casefold()
    raw = [message for message in messages if wanted in readable(message)]
    titles = [chat for chat in chats if wanted in readable(chat["title"])]
    assert len(raw) + len(titles) == 1, kind
    assert not any(wanted in readable(v) for v in (story.projects, story.gpts, story.memories, story.instructions))
    rows = [row for chat in chats for row in normalize("chatgpt", chat).messages]
    assert len([row for row in rows if wanted in row.text.casefold()]) == len(raw)


def test_recall_names_what_it_says(chats):
    """Each word stands in the kind of content that its key promises."""
    rows = {}
    for chat in chats:
        for row in normalize("chatgpt", chat).messages:
            rows |= {kind: row for kind, word in RECALL.items() if word.casefold() in row.text.casefold()}
    kinds = {kind: row.kind for kind, row in rows.items()}
    wanted = {
        "code": "code",
        "tool output": "output",
        "canvas": "canvas",
        "thoughts": "reasoning",
        "quote": "quote",
        "voice": "voice",
        "system error": "error",
        "memory": "context",
        "webpage": "quote",
    }
    assert {kind: kinds[kind] for kind in wanted} == wanted
    assert rows["abandoned branch"].position is None
    assert rows["cjk"].position is not None
    assert "quincewood" in next(file.name for file in rows["file name"].attachments)
    assert rows["deep research"].role == "tool"


def test_the_normalizer_understands_all(chats):
    """Nothing in the account is read by the general rule only."""
    unknown = {chat["title"]: normalize("chatgpt", chat).not_understood for chat in chats}
    assert {title: names for title, names in unknown.items() if names} == {}


def test_every_state_of_a_chat_is_there(story, chats):
    """Archived, starred, untitled, in a project, with a GPT, scheduled, blocked, unfinished, very long."""
    assert 28 <= len(chats) <= 45
    assert 2 <= len(story.projects) <= 3
    assert any(chat["is_archived"] for chat in chats)
    assert any(chat["is_starred"] for chat in chats)
    assert any(chat["title"] is None for chat in chats)
    assert any(chat.get("is_automation_conversation") for chat in chats)
    assert {chat["gizmo_id"] for chat in chats if chat["gizmo_type"] == "snorlax"} == story.projects.keys()
    assert {chat["gizmo_id"] for chat in chats if chat["gizmo_type"] == "gpt"} == story.gpts.keys()
    assert all(chat["conversation_template_id"] == chat["gizmo_id"] for chat in chats)
    blocked = [result["message_id"] for chat in chats for result in chat["moderation_results"] if result["blocked"]]
    assert blocked
    assert all(any(key in chat["mapping"] for chat in chats) for key in blocked)
    assert max(len(chat["mapping"]) for chat in chats) >= 300
    stopped = titled(chats, "A website for the bakery")
    assert stopped["async_status"] is None
    assert stopped["mapping"][stopped["current_node"]]["message"]["status"] == "in_progress"


def test_roots_have_both_forms(chats):
    """Newer chats all name their root alike, older ones by an id of its own."""
    roots = [next(iter(chat["mapping"])) for chat in chats]
    assert roots.count("client-created-root") > 1
    assert len(set(roots)) > 10


def test_paragraphs_are_lines(messages):
    """A reader's page wraps prose itself; a code block keeps its lines."""
    texts = [text_of(message) for message in messages]
    mould = next(text for text in texts if text.startswith("That looks like **kahm yeast**"))
    assert "*fuzzy*, in round spots" in mould
    assert any("cut off.\n2. `" in text for text in texts)
    assert any("import csv\nfrom decimal import Decimal\n" in text for text in texts)


def test_branches_are_there(chats):
    """A prompt was edited and an answer given again; one chat begins with another chat's messages."""
    edited = titled(chats, "Croissant lamination schedule")
    assert sorted(len(node["children"]) for node in edited["mapping"].values())[-2:] == [2, 2]
    assert edited["current_node"] != list(edited["mapping"])[-1]
    source, made = titled(chats, "Read my flour invoices with Python"), titled(chats, "Branch: invoices into SQLite")
    assert source["mapping"].keys() < made["mapping"].keys()
    assert source["conversation_id"] != made["conversation_id"]


def test_only_example_addresses_are_named(chats):
    """No page or mailbox of a real person is named anywhere."""
    text = json.dumps(chats, ensure_ascii=True)
    hosts = set(re.findall(r"https?://([\w.-]+)", text))
    assert hosts <= {"example.org", "example.com", "example.net", "docs.python.org", "www.sqlite.org"}
    assert not re.findall(r"\w@\w", text)


def test_sourdough_is_found_in_several_chats(chats):
    """The demonstration's search finds the chat about the starter, and others."""
    found = [chat["title"] for chat in chats if "sourdough" in readable(chat)]
    assert len(found) >= 5
    assert "Reviving a neglected sourdough starter" in found
